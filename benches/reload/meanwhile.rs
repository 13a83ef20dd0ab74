//! What clients see while each program takes a new configuration: connections of all clusters, old and new.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::client::{Brokers, Client};
use crate::common::stats::Spread;
use crate::figures::shown;
use crate::fleet::Fleet;
use crate::proxy::{Program, Proxy, until};

/// Clusters that have clients and are not touched.
const UNTOUCHED: usize = 50;
/// Established connections on the cluster that changes.
const TOUCHED: usize = 10;
/// Threads that connect, ask, and close.
const STORM: usize = 2;
const PACE: Duration = Duration::from_millis(1);
/// For what goes on behind a reload.
const BEHIND: Duration = Duration::from_millis(500);

#[derive(Default)]
struct Storm {
    answered: AtomicUsize,
    refused: AtomicUsize,
    reset: AtomicUsize,
    other: AtomicUsize,
}

/// What became of connections on the changed cluster.
#[derive(Default)]
struct Established {
    untouched_lost: usize,
    on_old_target: usize,
    ended_cleanly: usize,
    reset: usize,
}

/// Changes one cluster's upstream `rounds` times under a storm of connections and prints what came of it.
#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
pub(crate) fn measure(proxy: &Proxy, fleet: &mut Fleet, brokers: &Brokers, rounds: usize) -> io::Result<()> {
    let changing = fleet.clusters.len() / 2;
    let step = fleet.clusters.len() / UNTOUCHED;
    let clusters = fleet.clusters.iter().step_by(step.max(1)).enumerate();
    let untouched: Vec<u16> = clusters
        .filter(|(index, _)| index * step != changing)
        .map(|(_, cluster)| cluster.port())
        .collect();
    let changed = fleet.clusters[changing].port();
    let mut ports = untouched.clone();
    ports.push(changed);
    let (storm, stop) = (Storm::default(), AtomicBool::new(false));
    let mut established = Established::default();
    let (mut times, mut resident_bytes) = (Vec::new(), 0);
    std::thread::scope(|scope| {
        for thread in 0..STORM {
            let (ports, storm, stop) = (&ports, &storm, &stop);
            scope.spawn(move || storm.run(ports, thread * ports.len() / STORM, stop));
        }
        let measured: io::Result<()> = (0..rounds).try_for_each(|_| {
            let mut others: Vec<Client> = untouched
                .iter()
                .map(|&port| Client::connect(port))
                .collect::<io::Result<_>>()?;
            let mut own: Vec<Client> = (0..TOUCHED)
                .map(|_| Client::connect(changed))
                .collect::<io::Result<_>>()?;
            for client in others.iter_mut().chain(&mut own) {
                brokers.behind(client)?;
            }
            let cluster = &mut fleet.clusters[changing];
            cluster.target = cluster.target.other();
            let target = cluster.target;
            let written = proxy.write(fleet)?;
            let begun = match proxy.program {
                Program::Kproxy => written,
                Program::Haproxy | Program::Nginx => proxy.signal()?,
            };
            let served = until(|| {
                resident_bytes = resident_bytes.max(proxy.resident());
                brokers.reached_at(changed).is_ok_and(|reached| reached == target)
            })?;
            times.push(served.duration_since(begun).as_secs_f64() * 1e3);
            std::thread::sleep(BEHIND);
            let lost = others
                .iter_mut()
                .filter_map(|client| brokers.behind(client).err());
            established.untouched_lost += lost.count();
            for client in &mut own {
                match brokers.behind(client) {
                    Ok(_) => established.on_old_target += 1,
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                        established.ended_cleanly += 1;
                    }
                    Err(_) => established.reset += 1,
                }
            }
            Ok(())
        });
        stop.store(true, Ordering::Relaxed);
        measured
    })?;
    let Some(spread) = Spread::of(times.iter().copied()) else {
        return Ok(());
    };
    let load = |count: &AtomicUsize| count.load(Ordering::Relaxed);
    println!(
        "  {:<8} serves it after {} ms; new connections: {} answered, {} refused, {} reset, {} otherwise; \
         established: {} of {} elsewhere lost, of {} on the cluster {} ended cleanly, {} were reset, {} stay on the \
         old target; up to {:.0} MB resident",
        proxy.program.name(),
        shown(spread),
        load(&storm.answered),
        load(&storm.refused),
        load(&storm.reset),
        load(&storm.other),
        established.untouched_lost,
        untouched.len() * rounds,
        TOUCHED * rounds,
        established.ended_cleanly,
        established.reset,
        established.on_old_target,
        resident_bytes as f64 / 1e6,
    );
    Ok(())
}

impl Storm {
    fn run(&self, ports: &[u16], first: usize, stop: &AtomicBool) {
        for port in ports.iter().cycle().skip(first) {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let begun = Instant::now();
            let counter = match Client::connect(*port) {
                Ok(_) => &self.answered,
                Err(error) => match error.kind() {
                    io::ErrorKind::ConnectionRefused => &self.refused,
                    io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => &self.reset,
                    _ => &self.other,
                },
            };
            counter.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(PACE.saturating_sub(begun.elapsed()));
        }
    }
}
