//! A client of a virtual cluster that nobody attacks, and a load balancer that asks `/livez`.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::frames::Exchange;
use crate::common::stats::Histogram;
use crate::site::get;

const REQUEST: Exchange = Exchange::Produce {
    version: 9,
    size: 1024,
};
const PACE: Duration = Duration::from_millis(2);
/// A request that takes longer is lost.
const PATIENCE: Duration = Duration::from_secs(10);
/// The time between two probes, shorter than a kubelet's so that a short gap is seen.
const PROBE_EVERY: Duration = Duration::from_millis(200);
const PROBE_PATIENCE: Duration = Duration::from_secs(1);

/// Latencies of one stretch of time, in nanoseconds.
pub(crate) struct Seen {
    pub(crate) latencies: Histogram,
    pub(crate) longest: Duration,
    pub(crate) lost: usize,
}

/// Exchanges requests for `time`.
pub(crate) fn exchange(address: SocketAddr, time: Duration) -> io::Result<Seen> {
    let request = REQUEST.request()?;
    let mut seen = Seen {
        latencies: Histogram::new(),
        longest: Duration::ZERO,
        lost: 0,
    };
    let (begun, mut client) = (Instant::now(), None);
    while begun.elapsed() < time {
        let sent = Instant::now();
        match ask(&mut client, address, &request) {
            Ok(()) => {
                let took = sent.elapsed();
                seen.latencies.record(took.as_nanos() as u64);
                seen.longest = seen.longest.max(took);
            }
            Err(_) => {
                client = None;
                seen.lost += 1;
            }
        }
        thread::sleep(PACE);
    }
    Ok(seen)
}

fn ask(client: &mut Option<TcpStream>, address: SocketAddr, request: &[u8]) -> io::Result<()> {
    if client.is_none() {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        *client = Some(stream);
    }
    let Some(stream) = client else {
        return Err(io::Error::other("no connection"));
    };
    stream.write_all(request)?;
    let mut size = [0; 4];
    stream.read_exact(&mut size)?;
    let mut answer = vec![0; u32::from_be_bytes(size) as usize];
    stream.read_exact(&mut answer)
}

/// How many probes of `/livez` were not answered within a second, and how many there were, until `stop`.
pub(crate) fn probe(management: SocketAddr, stop: &AtomicBool) -> (usize, usize) {
    let (mut missed, mut asked) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        asked += 1;
        if get(management, "/livez", PROBE_PATIENCE).is_err() {
            missed += 1;
        }
        thread::sleep(PROBE_EVERY);
    }
    (missed, asked)
}
