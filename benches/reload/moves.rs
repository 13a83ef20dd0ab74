//! A changed target under many live sessions: from the commit to the last session that has moved, with no session closed, and what
//! a client of another virtual cluster notices.

use std::error::Error;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::{Brokers, Client};
use crate::common::contender::KPROXY;
use crate::common::frames;
use crate::common::process::free_port;
use crate::figures::Figures;
use crate::fleet::Fleet;
use crate::proxy::Proxy;

/// Counter of the sessions that have moved, of the first virtual cluster.
const COUNTER: &str = "kproxy_sessions_moved_total{virtual_cluster=\"cluster-00000\"}";
/// Most time for all sessions to move.
const GOAL: f64 = 5_000.0;
/// Longest wait for them.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time between two looks at the counter.
const TICK: Duration = Duration::from_millis(50);
const METADATA: i16 = 9;

/// Opens `sessions` sessions and changes their target `rounds` times.
pub(crate) fn measure(
    sessions: usize,
    rounds: usize,
    brokers: &Brokers,
    directory: &Path,
    figures: &mut Figures,
) -> Result<(), Box<dyn Error>> {
    let folder = directory.join("moves");
    std::fs::create_dir(&folder)?;
    let management = free_port()?;
    let (mut fleet, _) = Fleet::new(2, 0)?;
    fleet.preamble = format!("management: {{port: {management}}}\nreload: {{watch: false}}\n");
    let proxy = Proxy::start_at(Path::new(KPROXY), &fleet, &brokers.addresses, &folder)?;
    let port = fleet.clusters[0].port();
    let mut clients = Vec::with_capacity(sessions);
    for _ in 0..sessions {
        clients.push(Client::connect(port)?);
    }
    // The id of the Kafka cluster is learned from an answer that passes.
    for client in clients.iter_mut().take(1) {
        brokers.behind(client)?;
    }
    let bystander = Bystander::at(fleet.clusters[1].port())?;
    let before = bystander.p99(Duration::from_secs(5))?;
    for round in 1..=rounds {
        fleet.clusters[0].target = fleet.clusters[0].target.other();
        proxy.write(&fleet)?;
        let mut log = proxy.log();
        log.skip()?;
        let begun = proxy.signal()?;
        let over = AtomicBool::new(false);
        let (took, during) = thread::scope(|scope| {
            let during = scope.spawn(|| bystander.p99_until(&over));
            let applied = log.applied();
            let moved = all_moved(management, (sessions * round) as u64);
            over.store(true, Ordering::Relaxed);
            let took = moved.and_then(|at| Ok(milliseconds(at - begun) - applied?.milliseconds));
            (took, during.join())
        });
        let during = during.map_err(|_| io::Error::other("the bystander panicked"))??;
        let name = "sessions moved to another target: from the commit to the last";
        figures.note(name, "ms", Some(GOAL), took?);
        let name = "  p99 of a client of another virtual cluster ÷ before";
        figures.note(name, "", Some(1.1), during.as_secs_f64() / before.as_secs_f64());
    }
    let behind = |client: &mut Client| {
        brokers
            .behind(client)
            .is_ok_and(|target| target == fleet.clusters[0].target)
    };
    let astray = clients.iter_mut().map(behind).filter(|right| !right).count();
    figures.note("  sessions closed, or not moved", "", Some(0.0), astray as f64);
    println!("moves: {sessions} sessions, {rounds} changes of the target");
    Ok(())
}

/// A client of a virtual cluster that nothing happens to.
struct Bystander(u16);

impl Bystander {
    fn at(port: u16) -> io::Result<Self> {
        Client::connect(port).map(|_| Self(port))
    }

    /// The 99th percentile of the time to an answer, over `time`.
    fn p99(&self, time: Duration) -> io::Result<Duration> {
        let until = Instant::now() + time;
        self.observe(|| Instant::now() < until)
    }

    fn p99_until(&self, over: &AtomicBool) -> io::Result<Duration> {
        self.observe(|| !over.load(Ordering::Relaxed))
    }

    fn observe(&self, goes_on: impl Fn() -> bool) -> io::Result<Duration> {
        let mut client = Client::connect(self.0)?;
        let request = frames::metadata_request(METADATA)?;
        let mut times = Vec::new();
        while goes_on() || times.len() < 200 {
            let asked = Instant::now();
            client.ask(&request)?;
            times.push(asked.elapsed());
            thread::sleep(Duration::from_micros(500));
        }
        times.sort_unstable();
        Ok(times[times.len() * 99 / 100])
    }
}

/// When the counter of moved sessions has come to `count`.
fn all_moved(management: u16, count: u64) -> io::Result<Instant> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = Instant::now();
        match moved(management)? {
            moved if moved >= count => return Ok(now),
            moved if now > deadline => {
                return Err(io::Error::other(format!("{moved} of {count} have moved")));
            }
            _ => thread::sleep(TICK),
        }
    }
}

fn moved(management: u16) -> io::Result<u64> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, management))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer);
    let line = text.lines().find(|line| line.starts_with(COUNTER));
    let value = line.and_then(|line| line.rsplit(' ').next()?.parse().ok());
    value.ok_or_else(|| io::Error::other("no counter of sessions that have moved"))
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
