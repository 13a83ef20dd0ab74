//! 50 new connections a second, and a few that stay.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use kafka_protocol::{
    messages::{ApiVersionsRequest, MetadataRequest},
    protocol::StrBytes,
};

use super::topology::ClusterPorts;
use testkit::raw::Raw;

/// Connections a second, of all threads together.
const RATE: u32 = 50;
/// One that waits long does not hold up the others.
pub const THREADS: usize = 5;
/// Between two questions of a connection that stays.
const QUESTION: Duration = Duration::from_millis(20);

/// What became of connections.
#[derive(Debug, Default)]
pub struct Tally {
    pub answered: AtomicUsize,
    pub refused: AtomicUsize,
    pub reset: AtomicUsize,
    /// Closed before the answer came.
    pub unanswered: AtomicUsize,
    /// Connections that stay and were closed between two questions, or with one that was never read.
    pub left: AtomicUsize,
    /// Neither closed nor answered in time, or answered wrongly.
    pub other: Mutex<Vec<String>>,
    pub latencies: Mutex<Vec<Duration>>,
}

impl Tally {
    fn count(&self, error: &io::Error, closed: &AtomicUsize) {
        if !std::ptr::eq(closed, &raw const self.left) {
            println!("storm: a connection failed: {error}");
        }
        let counter = match error.kind() {
            ErrorKind::ConnectionRefused => &self.refused,
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => &self.reset,
            ErrorKind::UnexpectedEof => closed,
            _ => {
                let mut other = self.other.lock().expect("no panic under the lock");
                return other.push(error.to_string());
            }
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub fn get(counter: &AtomicUsize) -> usize {
        counter.load(Ordering::Relaxed)
    }

    /// The latency that 99 of 100 connections stay under, and the longest.
    pub fn p99_and_max(&self) -> (Duration, Duration) {
        let mut all = self.latencies.lock().expect("no panic under the lock").clone();
        all.sort_unstable();
        let at = |share: usize| all.get((all.len() * share / 100).min(all.len().saturating_sub(1)));
        (
            at(99).copied().unwrap_or_default(),
            at(100).copied().unwrap_or_default(),
        )
    }
}

/// One thread's share of the new connections, to all places in turn: to the bootstrap port and to that of node 1.
pub fn run(places: &[ClusterPorts], thread: usize, tally: &Tally, stop: &AtomicBool) {
    let every = Duration::from_secs(1) / RATE * u32::try_from(THREADS).expect("a few");
    let mut next = Instant::now();
    let mut turn = thread;
    while !stop.load(Ordering::Relaxed) {
        let place = places[turn % places.len()];
        let address = if (turn / places.len()).is_multiple_of(2) {
            place.at.bootstrap()
        } else {
            place.at.node(1)
        };
        turn += 1;
        let began = Instant::now();
        match exchange(place, address) {
            Ok(()) => {
                tally.answered.fetch_add(1, Ordering::Relaxed);
                let mut latencies = tally.latencies.lock().expect("no panic under the lock");
                latencies.push(began.elapsed());
            }
            Err(error) => tally.count(&error, &tally.unanswered),
        }
        next += every;
        // After a stall the rate goes on as it was, without making up for it.
        next = next.max(Instant::now());
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// What every client does first.
fn exchange(place: ClusterPorts, address: SocketAddr) -> io::Result<()> {
    let mut client = Raw::connect(address)?;
    let local = client.stream().local_addr()?;
    let told = |what: &str, error: io::Error| {
        io::Error::new(error.kind(), format!("{what} from {local} to {address}: {error}"))
    };
    let versions = ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("storm"))
        .with_client_software_version(StrBytes::from_static_str("1"));
    client
        .call(3, &versions)
        .map_err(|error| told("ApiVersions", error))?;
    metadata(place, &mut client).map_err(|error| told("Metadata", error))
}

/// Asks for the brokers and demands that they are where this gateway has them.
fn metadata(place: ClusterPorts, client: &mut Raw) -> io::Result<()> {
    let answer = client.call(9, &MetadataRequest::default().with_topics(Some(vec![])))?;
    let right = |port: i32| place.blocks().any(|block| block.contains(port));
    if !answer.brokers.is_empty() && answer.brokers.iter().all(|broker| right(broker.port)) {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "brokers of {place:?}: {:?}",
        answer.brokers
    )))
}

/// A connection that asks and asks; where it is closed it comes back.
pub fn stay(place: ClusterPorts, tally: &Tally, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let mut client = match Raw::connect(place.at.node(1)) {
            Ok(client) => client,
            Err(error) => {
                tally.count(&error, &tally.unanswered);
                continue;
            }
        };
        let mut first = true;
        while !stop.load(Ordering::Relaxed) {
            match metadata(place, &mut client) {
                Ok(()) => tally.answered.fetch_add(1, Ordering::Relaxed),
                Err(error) => {
                    // Never before its first answer.
                    let closed = if first { &tally.unanswered } else { &tally.left };
                    tally.count(&error, closed);
                    break;
                }
            };
            first = false;
            thread::sleep(QUESTION);
        }
    }
}
