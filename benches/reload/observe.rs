//! What those who look cost and how long they wait: `/status`, `/metrics` and `/overview`, at rest and while all clusters
//! are reloaded again and again, and ten viewers of the status page.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::client::Brokers;
use crate::common::process::{cpu_time, free_port};
use crate::common::stats::Spread;
use crate::figures::shown;
use crate::fleet::Fleet;
use crate::proxy::Proxy;

/// Questions of one kind in a round.
const QUESTIONS: usize = 8;
const PATIENCE: Duration = Duration::from_secs(60);
/// Viewers of the page, how often each asks, and for how long they do.
const VIEWERS: u32 = 10;
const INTERVAL: Duration = Duration::from_secs(2);
const VIEWED: Duration = Duration::from_secs(30);

const PATHS: [&str; 3] = ["/status", "/metrics", "/overview"];

/// Samples by what they are of, in the order of the table.
#[derive(Default)]
struct Samples(BTreeMap<(usize, String), Vec<f64>>);

impl Samples {
    fn note(&mut self, program: usize, what: String, sample: f64) {
        self.0.entry((program, what)).or_default().push(sample);
    }

    fn print(&self, programs: &[&Path]) {
        for ((program, what), samples) in &self.0 {
            if let Some(spread) = Spread::of(samples.iter().copied()) {
                let name = programs[*program].display();
                println!("  {what:<58} {:<24} {name}", shown(spread));
            }
        }
    }
}

/// Measures the programs in turn, each `rounds` times.
pub(crate) fn measure(
    programs: &[&Path],
    fleet: &mut Fleet,
    brokers: &Brokers,
    rounds: usize,
    directory: &Path,
) -> Result<(), Box<dyn Error>> {
    let port = free_port()?;
    let preamble = std::mem::replace(
        &mut fleet.preamble,
        format!("management: {{port: {port}}}\nreload: {{watch: false}}\n"),
    );
    let mut samples = Samples::default();
    for round in 0..rounds {
        for (program, path) in programs.iter().enumerate() {
            let folder = directory.join(format!("observe-{round}-{program}"));
            std::fs::create_dir(&folder)?;
            let proxy = Proxy::start_at(path, fleet, &brokers.addresses, &folder)?;
            ask_all(port, "at rest", program, &mut samples)?;
            while_reloading(&proxy, fleet, || {
                ask_all(port, "while all clusters are reloaded", program, &mut samples)
            })?;
            if ask(port, "/overview", None).is_ok_and(|asked| asked.status == 200) {
                let share = viewers(port, proxy.id())?;
                samples.note(program, "ten viewers of the page, % of a core".into(), share);
            }
        }
    }
    fleet.preamble = preamble;
    println!("answers, ms, and what viewers cost; each program {rounds} times in turn:");
    samples.print(programs);
    Ok(())
}

fn ask_all(port: u16, when: &str, program: usize, samples: &mut Samples) -> io::Result<()> {
    for _ in 0..QUESTIONS {
        for path in PATHS {
            let asked = ask(port, path, None)?;
            if asked.status == 200 {
                samples.note(program, format!("{path} {when}: first byte"), asked.first);
                samples.note(program, format!("{path} {when}: whole"), asked.whole);
                samples.note(program, format!("{path} {when}: MB"), asked.bytes as f64 / 1e6);
            }
        }
    }
    Ok(())
}

/// Runs `meanwhile` while every cluster gets another upstream again and again.
fn while_reloading(
    proxy: &Proxy,
    fleet: &mut Fleet,
    meanwhile: impl FnOnce() -> io::Result<()>,
) -> Result<(), Box<dyn Error>> {
    let ended = AtomicBool::new(false);
    let begun = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reloads = scope.spawn(|| -> io::Result<usize> {
            let mut log = proxy.log();
            log.skip()?;
            let mut made = 0;
            while !ended.load(Ordering::Relaxed) {
                for cluster in &mut fleet.clusters {
                    cluster.target = cluster.target.other();
                }
                proxy.write(fleet)?;
                proxy.signal()?;
                begun.store(true, Ordering::Relaxed);
                log.applied()?;
                made += 1;
            }
            Ok(made)
        });
        while !begun.load(Ordering::Relaxed) && !reloads.is_finished() {
            std::thread::yield_now();
        }
        let asked = meanwhile();
        ended.store(true, Ordering::Relaxed);
        let made = reloads
            .join()
            .map_err(|_| io::Error::other("the reloads panicked"))??;
        asked?;
        println!("  {made} reloads of all clusters meanwhile");
        Ok::<_, io::Error>(())
    })?;
    Ok(())
}

/// Processor time of the process while viewers ask as the page does, in percent of one core.
fn viewers(port: u16, process: u32) -> io::Result<f64> {
    // The first one has the first look taken.
    ask(port, "/overview", Some(""))?;
    let (began, before) = (Instant::now(), cpu_time(process)?);
    std::thread::scope(|scope| {
        for number in 0..VIEWERS {
            scope.spawn(move || {
                std::thread::sleep(INTERVAL * number / VIEWERS);
                let mut tag = String::new();
                while began.elapsed() < VIEWED {
                    if let Ok(asked) = ask(port, "/overview", Some(&tag)) {
                        tag = asked.tag.unwrap_or(tag);
                    }
                    std::thread::sleep(INTERVAL);
                }
            });
        }
    });
    let used = cpu_time(process)?.saturating_sub(before);
    Ok(used.as_secs_f64() / began.elapsed().as_secs_f64() * 100.0)
}

struct Asked {
    status: u16,
    /// Milliseconds until the first byte, and until the last.
    first: f64,
    whole: f64,
    bytes: usize,
    tag: Option<String>,
}

/// Asks on a connection of its own; with `tag`, as the page does that has what has this tag.
fn ask(port: u16, path: &str, tag: Option<&str>) -> io::Result<Asked> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let more = tag.map_or_else(String::new, |tag| {
        format!("Accept: text/html\r\nIf-None-Match: {tag}\r\n")
    });
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{more}\r\n");
    let began = Instant::now();
    stream.write_all(head.as_bytes())?;
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = stream.read(&mut buffer)?;
    let first = began.elapsed();
    let head = String::from_utf8_lossy(&buffer[..bytes.min(1024)]).into_owned();
    while let read @ 1.. = stream.read(&mut buffer)? {
        bytes += read;
    }
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: "));
    Ok(Asked {
        status: head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or_default(),
        first: milliseconds(first),
        whole: milliseconds(began.elapsed()),
        bytes,
        tag: tag.map(str::to_owned),
    })
}
