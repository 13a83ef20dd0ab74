//! kproxy alone: from the last write to serving what it says.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use kproxy::admin::RequestTarget;
use kproxy::admin::client::Client as Control;

use crate::client::{Brokers, Target};
use crate::figures::Figures;
use crate::fleet::{Cluster, Fleet};
use crate::proxy::{Log, PATIENCE, Proxy, until};

/// The default of `reload.debounce`, which every figure that begins with a write is without.
const DEBOUNCE: Duration = Duration::from_millis(150);
const ONE: f64 = 150.0;
const HUNDRED: f64 = 250.0;
const NOTHING: f64 = 100.0;
const COMMIT: f64 = 1_000.0;
const MANY: usize = 1_000;

/// What is measured, and with what.
pub(crate) struct Scenarios<'a> {
    pub(crate) proxy: &'a Proxy,
    pub(crate) brokers: &'a Brokers,
    pub(crate) fleet: &'a mut Fleet,
    /// Clusters to add: at least a hundred.
    pub(crate) spare: &'a [Cluster],
    pub(crate) figures: &'a mut Figures,
    pub(crate) log: Log,
}

type Outcome = Result<(), Box<dyn Error>>;

impl Scenarios<'_> {
    /// All of them, `rounds` times in turn.
    pub(crate) fn run(&mut self, rounds: usize) -> Outcome {
        for round in 0..rounds {
            self.change_one(round * self.fleet.clusters.len() / rounds)?;
            self.add_and_remove(
                1,
                ONE,
                "one cluster added: its port answers",
                "one cluster removed: its port refuses",
            )?;
            self.add_and_remove(
                100,
                HUNDRED,
                "100 clusters added: all answer",
                "100 clusters removed: all refuse",
            )?;
            self.nothing()?;
            self.change_many()?;
        }
        Ok(())
    }

    fn change_one(&mut self, index: usize) -> Outcome {
        let cluster = &mut self.fleet.clusters[index];
        cluster.target = cluster.target.other();
        let (port, target) = (cluster.port(), cluster.target);
        let begun = self.write()?;
        let served = until(|| {
            self.brokers
                .reached_at(port)
                .is_ok_and(|reached| reached == target)
        })?;
        let name = "one upstream changed: a new connection reaches it";
        self.figures
            .note(name, "ms", Some(ONE), beyond_debounce(begun, served));
        let applied = self.log.applied()?;
        let name = "  of that from noticing the change to the commit";
        self.figures.note(name, "ms", None, applied.milliseconds);
        self.figures
            .note("  of that the commit", "µs", None, applied.commit_microseconds);
        self.settle()
    }

    fn add_and_remove(
        &mut self,
        count: usize,
        goal: f64,
        added: &'static str,
        removed: &'static str,
    ) -> Outcome {
        let arriving = &self.spare[..count];
        self.fleet.clusters.extend_from_slice(arriving);
        let begun = self.write()?;
        let mut waiting: Vec<u16> = arriving.iter().map(Cluster::port).collect();
        let served = until(|| {
            while let Some(port) = waiting.last() {
                if self.brokers.reached_at(*port).is_err() {
                    return false;
                }
                waiting.pop();
            }
            true
        })?;
        self.figures
            .note(added, "ms", Some(goal), beyond_debounce(begun, served));
        self.log.applied()?;
        self.settle()?;
        let kept = self.fleet.clusters.len() - count;
        let mut leaving: Vec<u16> = self
            .fleet
            .clusters
            .drain(kept..)
            .map(|cluster| cluster.port())
            .collect();
        let begun = self.write()?;
        let gone = until(|| {
            while let Some(port) = leaving.last() {
                if TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, *port))).is_ok() {
                    return false;
                }
                leaving.pop();
            }
            true
        })?;
        self.figures
            .note(removed, "ms", Some(goal), beyond_debounce(begun, gone));
        self.log.applied()?;
        self.settle()
    }

    fn nothing(&mut self) -> Outcome {
        const UNCHANGED: &str = "nothing changes";
        self.log.skip()?;
        let begun = self.proxy.signal()?;
        self.log.next(UNCHANGED)?;
        let name = "the same bytes, SIGHUP: the outcome is logged";
        self.figures.note(name, "ms", Some(NOTHING), milliseconds(begun));
        let ask = || -> Outcome {
            let target = RequestTarget::new("/reload");
            Control::connect(&self.proxy.socket())?.post(&target, Some(PATIENCE))?;
            Ok(())
        };
        let begun = Instant::now();
        ask()?;
        let name = "the same bytes, control socket: the answer";
        self.figures.note(name, "ms", Some(NOTHING), milliseconds(begun));
        self.settle()?;
        self.fleet.remark += 1;
        let begun = self.proxy.write(self.fleet)?;
        self.log.next(UNCHANGED)?;
        let name = "another comment: the outcome is logged";
        let logged = beyond_debounce(begun, Instant::now());
        self.figures.note(name, "ms", Some(NOTHING), logged);
        self.settle()?;
        self.fleet.remark += 1;
        self.proxy.write(self.fleet)?;
        let begun = Instant::now();
        ask()?;
        let name = "  and asked at once, debounce included: the answer";
        self.figures.note(name, "ms", None, milliseconds(begun));
        self.settle()
    }

    fn change_many(&mut self) -> Outcome {
        let many = MANY.min(self.fleet.clusters.len());
        for target in [Target::Second, Target::First] {
            for cluster in &mut self.fleet.clusters[..many] {
                cluster.target = target;
            }
            self.write()?;
            let applied = self.log.applied()?;
            let name = "1 000 upstreams changed: the commit";
            self.figures
                .note(name, "µs", Some(COMMIT), applied.commit_microseconds);
            let name = "  from noticing the change to the commit";
            self.figures.note(name, "ms", None, applied.milliseconds);
            self.settle()?;
        }
        Ok(())
    }

    /// Writes the file: when.
    fn write(&mut self) -> std::io::Result<Instant> {
        self.log.skip()?;
        self.proxy.write(self.fleet)
    }

    /// Lets pass whatever a reload leaves behind.
    fn settle(&mut self) -> Outcome {
        std::thread::sleep(2 * DEBOUNCE);
        Ok(self.log.skip()?)
    }
}

fn beyond_debounce(begun: Instant, served: Instant) -> f64 {
    (served.duration_since(begun).as_secs_f64() - DEBOUNCE.as_secs_f64()) * 1e3
}

fn milliseconds(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e3
}
