//! Which addresses a process dials, from /proc: what its clients claim does not matter here.

use std::{
    collections::{BTreeSet, HashSet},
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// Between two samples. Kafka clients keep their connections for as long as they live; also a failed connect to
/// a live broker takes part in at least one exchange of requests.
const PERIOD: Duration = Duration::from_millis(3);

/// Samples a process until it is asked for the outcome.
pub struct Recorder {
    stop: Arc<AtomicBool>,
    sampler: JoinHandle<BTreeSet<SocketAddr>>,
}

impl Recorder {
    /// Starts to watch process `pid`, ideally right after its start.
    pub fn of(pid: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let sampler = thread::spawn(move || {
            let mut peers = BTreeSet::new();
            while !stopped.load(Ordering::Relaxed) {
                peers.extend(peers_of(pid));
                thread::sleep(PERIOD);
            }
            peers
        });
        Self { stop, sampler }
    }

    /// Every peer address seen.
    pub fn finish(self) -> BTreeSet<SocketAddr> {
        self.stop.store(true, Ordering::Relaxed);
        self.sampler.join().expect("the sampler does not panic")
    }
}

/// The peers of the process' TCP sockets at this moment; nothing for a process that is gone.
pub fn peers_of(pid: u32) -> Vec<SocketAddr> {
    let sockets = socket_inodes(pid);
    if sockets.is_empty() {
        return Vec::new();
    }
    ["tcp", "tcp6"]
        .into_iter()
        .filter_map(|table| fs::read(format!("/proc/{pid}/net/{table}")).ok())
        .flat_map(|table| {
            let table = String::from_utf8_lossy(&table).into_owned();
            table
                .lines()
                .skip(1)
                .filter_map(|line| parse_line(line, &sockets))
                .collect::<Vec<_>>()
        })
        .collect()
}

fn socket_inodes(pid: u32) -> HashSet<String> {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return HashSet::new();
    };
    descriptors
        .filter_map(|descriptor| fs::read_link(descriptor.ok()?.path()).ok())
        .filter_map(|link| {
            Some(
                link.to_str()?
                    .strip_prefix("socket:[")?
                    .strip_suffix(']')?
                    .to_owned(),
            )
        })
        .collect()
}

/// `sl local remote state tx:rx tr:when retrnsmt uid timeout inode …`; a listening socket has remote port 0.
fn parse_line(line: &str, sockets: &HashSet<String>) -> Option<SocketAddr> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    sockets.get(*fields.get(9)?)?;
    let (ip, port) = fields.get(2)?.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    (port != 0).then_some(SocketAddr::new(parse_ip(ip)?, port))
}

/// The kernel prints each 32-bit word of an address in the machine's byte order.
fn parse_ip(hex: &str) -> Option<IpAddr> {
    let mut bytes = Vec::new();
    for word in hex.as_bytes().chunks(8) {
        let word = u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    if let Ok(v4) = <[u8; 4]>::try_from(bytes.as_slice()) {
        return Some(Ipv4Addr::from(v4).into());
    }
    Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).to_canonical())
}
