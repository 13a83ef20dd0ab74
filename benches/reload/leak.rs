//! Thousands of reloads of a small configuration: what the process holds afterwards is what it held before.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::client::{Brokers, Client};
use crate::common::process::{descriptors, free_port, resident};
use crate::fleet::{Cluster, Fleet};
use crate::proxy::{Log, PATIENCE, Program, Proxy, until};

/// Reloads after which everything is as it was before them.
const CYCLE: usize = 12;
/// Reloads before anything is counted: what is allocated once is allocated by then.
const WARM_UP: usize = 50 * CYCLE;
const CLUSTERS: usize = 5;
/// Connections on the cluster whose upstream changes; each such change ends them.
const CLIENTS: usize = 4;
/// Memory may have grown by this much.
const TOLERANCE: f64 = 0.01;
/// Allocators let go of memory late.
const PATIENCE_FOR_MEMORY: Duration = Duration::from_secs(20);

/// What a process holds.
#[derive(Debug)]
struct Held {
    descriptors: usize,
    threads: usize,
    series: BTreeSet<String>,
    resident: u64,
}

/// Reloads `reloads` times and prints what is held before and after.
#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
pub(crate) fn measure(directory: &Path, brokers: &Brokers, reloads: usize) -> io::Result<()> {
    let (mut fleet, spare) = Fleet::new(CLUSTERS, 2)?;
    let management = free_port()?;
    fleet.preamble =
        format!("management: {{bindAddress: 127.0.0.1, port: {management}}}\nreload: {{debounce: 1ms}}\n");
    let proxy = Proxy::start(Program::Kproxy, &fleet, &brokers.addresses, directory)?;
    let mut churn = Churn {
        steady: Client::connect(fleet.clusters[0].port())?,
        log: proxy.log(),
        proxy: &proxy,
        brokers,
        fleet,
        spare,
        moving: Vec::new(),
    };
    let reloads = reloads.next_multiple_of(CYCLE);
    (0..WARM_UP).try_for_each(|number| churn.reload(number))?;
    let before = churn.held(management)?;
    let begun = Instant::now();
    (0..reloads).try_for_each(|number| churn.reload(number))?;
    let elapsed = begun.elapsed();
    let deadline = Instant::now() + PATIENCE_FOR_MEMORY;
    let mut after = churn.held(management)?;
    while !after.is_back_at(&before) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(200));
        after = churn.held(management)?;
    }
    println!(
        "{reloads} reloads in {:.0} s, after {WARM_UP} that do not count: one upstream changed under {CLIENTS} \
         connections, a cluster added, two swapping ports, one renamed, the added one removed, a comment",
        elapsed.as_secs_f64()
    );
    let grown = (after.resident as f64 / before.resident as f64 - 1.0) * 100.0;
    let rows = [
        (
            after.descriptors == before.descriptors,
            format!("descriptors {} → {}", before.descriptors, after.descriptors),
        ),
        (
            after.threads <= before.threads,
            format!("threads {} → {}", before.threads, after.threads),
        ),
        (
            after.series == before.series,
            format!("metric series {} → {}", before.series.len(), after.series.len()),
        ),
        (
            after.memory_is_back_at(&before),
            format!(
                "resident {:.2} → {:.2} MB ({grown:+.1} %, goal ≤ +{:.0} %)",
                before.resident as f64 / 1e6,
                after.resident as f64 / 1e6,
                TOLERANCE * 100.0
            ),
        ),
    ];
    for (met, row) in rows {
        println!("{} {row}", if met { "PASS" } else { "FAIL" });
    }
    for series in after.series.symmetric_difference(&before.series).take(10) {
        println!("     {series}");
    }
    Ok(())
}

struct Churn<'a> {
    proxy: &'a Proxy,
    brokers: &'a Brokers,
    fleet: Fleet,
    spare: Vec<Cluster>,
    log: Log,
    /// On a cluster that is never changed.
    steady: Client,
    /// On one whose upstream changes.
    moving: Vec<Client>,
}

impl Churn<'_> {
    /// One of six kinds.
    fn reload(&mut self, number: usize) -> io::Result<()> {
        match number % 6 {
            0 => {
                let port = self.fleet.clusters[1].port();
                for _ in 0..CLIENTS {
                    let mut client = Client::connect(port)?;
                    self.brokers.behind(&mut client)?;
                    self.moving.push(client);
                }
                let cluster = &mut self.fleet.clusters[1];
                cluster.target = cluster.target.other();
            }
            1 => self.fleet.clusters.push(self.spare[0].clone()),
            2 => self.fleet.swap_ports(2, 3),
            3 => self.fleet.clusters[4].rename(if number % CYCLE == 3 { "renamed" } else { "named" }),
            4 => {
                self.fleet.clusters.pop();
            }
            _ => self.fleet.remark += 1,
        }
        self.log.skip()?;
        self.proxy.write(&self.fleet)?;
        let outcome = if number % 6 == 5 {
            "nothing changes"
        } else {
            "reload applied"
        };
        self.log.next(outcome)?;
        self.brokers.behind(&mut self.steady)?;
        for mut client in self.moving.drain(..) {
            until(|| self.brokers.behind(&mut client).is_err())?;
        }
        Ok(())
    }

    fn held(&self, management: u16) -> io::Result<Held> {
        let pid = self.proxy.id();
        Ok(Held {
            descriptors: descriptors(pid)?,
            threads: fs::read_dir(format!("/proc/{pid}/task"))?.count(),
            series: series(management)?,
            resident: resident(pid)?,
        })
    }
}

impl Held {
    fn is_back_at(&self, before: &Self) -> bool {
        self.descriptors == before.descriptors
            && self.threads <= before.threads
            && self.series == before.series
            && self.memory_is_back_at(before)
    }

    fn memory_is_back_at(&self, before: &Self) -> bool {
        self.resident as f64 <= before.resident as f64 * (1.0 + TOLERANCE)
    }
}

/// Names and labels of everything at `/metrics`, but for the hash of the configuration.
fn series(port: u16) -> io::Result<BTreeSet<String>> {
    let mut stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut page = String::new();
    stream.read_to_string(&mut page)?;
    let lines = page.lines().filter(|line| line.starts_with("kproxy"));
    let series = lines.filter_map(|line| Some(line.rsplit_once(' ')?.0));
    Ok(series
        .map(|series| series.split("{hash=").next().unwrap_or(series).to_owned())
        .collect())
}
