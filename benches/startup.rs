//! `cargo bench --bench startup`: ten thousand virtual clusters, from exec to serving.
//!
//! The kernel has a share in it that no program can avoid, a socket, a bind and a listen for every address; a bare
//! loop over the same addresses in the same run says how much. HAProxy binds the same addresses for comparison.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod common;

use std::error::Error;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use common::contender::{
    haproxy_listen, haproxy_preamble, haproxy_version, kproxy_cluster, kproxy_command, kproxy_preamble,
};
use common::load;
use common::process::{Process, allow_descriptors, descriptors, resident, run_local};
use common::stats::Spread;
use tempfile::TempDir;

/// Time from exec to serving.
#[derive(Debug, Parser)]
struct Options {
    /// Virtual clusters; each has a bootstrap address and one node's address
    #[arg(long, default_value_t = 10_000)]
    clusters: usize,
    /// Starts of each program
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

const PATIENCE: Duration = Duration::from_secs(120);
/// Descriptors beyond one per address: connections to brokers, logs, polling.
const SPARE: u64 = 500;
/// The goal: milliseconds beyond the kernel's share.
const GOAL: f64 = 400.0;
/// Below the ephemeral ports of Linux' default range.
const PORTS: std::ops::Range<u16> = 10_000..32_768;

fn main() -> Result<(), Box<dyn Error>> {
    if common::played_role()? {
        return Ok(());
    }
    let options = Options::parse();
    let limit = allow_descriptors(options.clusters as u64 * 2 + SPARE);
    let clusters = options.clusters.min((limit.saturating_sub(SPARE) / 2) as usize);
    if clusters < options.clusters {
        println!(
            "{} clusters do not fit into the {limit} descriptors allowed here",
            options.clusters
        );
    }
    let addresses = clusters * 2;
    println!("{clusters} clusters, {addresses} addresses; at most {limit} descriptors per process");
    let (_broker, broker) = Process::role(&["broker", "1"], None)?;
    let directory = TempDir::new()?;
    let (ports, _) = bind(PORTS, addresses)?;
    if ports.len() < addresses {
        return Err(format!("only {} of {addresses} ports are free", ports.len()).into());
    }
    write_configurations(directory.path(), &ports, &broker)?;
    let haproxy = haproxy_version();
    let mut rounds = Rounds::default();
    for _ in 0..options.rounds {
        rounds.kernel.push(bind(ports.iter().copied(), addresses)?.1);
        rounds
            .kproxy
            .push(start(Program::Kproxy, directory.path(), &ports)?);
        if haproxy.is_ok() {
            rounds
                .haproxy
                .push(start(Program::Haproxy, directory.path(), &ports)?);
        }
    }
    if let Err(error) = haproxy {
        println!("HAProxy is not part of this run: {error}");
    }
    rounds.print();
    Ok(())
}

/// Binds `wanted` ports of `ports` and lets them go: those that could be had, and how long it took.
fn bind(ports: impl IntoIterator<Item = u16>, wanted: usize) -> io::Result<(Vec<u16>, Duration)> {
    let begun = Instant::now();
    let bound = ports
        .into_iter()
        .filter_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok());
    let listeners: Vec<TcpListener> = bound.take(wanted).collect();
    let elapsed = begun.elapsed();
    let ports: io::Result<Vec<u16>> = listeners
        .iter()
        .map(|listener| Ok(listener.local_addr()?.port()))
        .collect();
    Ok((ports?, elapsed))
}

fn write_configurations(directory: &Path, ports: &[u16], broker: &str) -> io::Result<()> {
    let mut yaml = kproxy_preamble(None);
    let mut cfg = haproxy_preamble(1, "    maxconn 100\n");
    for (number, pair) in ports.chunks_exact(2).enumerate() {
        let name = format!("cluster-{number}");
        kproxy_cluster(&mut yaml, &name, (pair[0], pair[1]), broker);
        haproxy_listen(&mut cfg, &name, pair, broker);
    }
    println!(
        "proxy.yaml {:.1} MB, haproxy.cfg {:.1} MB",
        yaml.len() as f64 / 1e6,
        cfg.len() as f64 / 1e6
    );
    fs::write(directory.join("proxy.yaml"), yaml)?;
    fs::write(directory.join("haproxy.cfg"), cfg)
}

#[derive(Clone, Copy)]
enum Program {
    Kproxy,
    Haproxy,
}

/// One start.
struct Started {
    /// From exec until the last address of the file accepts.
    accepting: Duration,
    /// Until a request there and on the first address has been answered.
    serving: Duration,
    resident: u64,
    descriptors: usize,
}

fn start(program: Program, directory: &Path, ports: &[u16]) -> io::Result<Started> {
    let mut command = match program {
        Program::Kproxy => kproxy_command(&directory.join("proxy.yaml"), directory, None),
        Program::Haproxy => {
            let mut haproxy = Command::new("haproxy");
            haproxy.arg("-db").arg("-f").arg(directory.join("haproxy.cfg"));
            haproxy
        }
    };
    command
        .stdout(Stdio::null())
        .stderr(File::create(directory.join("log"))?);
    let [first, .., last, _] = *ports else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too few clusters"));
    };
    let [first, last] = [first, last].map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let begun = Instant::now();
    let mut process = Process::start(&mut command)?;
    process.wait_for_accept(last, PATIENCE)?;
    let accepting = begun.elapsed();
    run_local(async {
        load::connect(&last.to_string()).await?;
        load::connect(&first.to_string()).await
    })??;
    let serving = begun.elapsed();
    let pid = process.id();
    Ok(Started {
        accepting,
        serving,
        resident: resident(pid)?,
        descriptors: descriptors(pid)?,
    })
}

#[derive(Default)]
struct Rounds {
    kernel: Vec<Duration>,
    kproxy: Vec<Started>,
    haproxy: Vec<Started>,
}

impl Rounds {
    fn print(&self) {
        println!(
            "milliseconds, median [lowest–highest] of {} starts",
            self.kernel.len()
        );
        println!(
            "  bare socket, bind, listen      {}",
            shown(milliseconds(&self.kernel))
        );
        print("kproxy", &self.kproxy);
        print("haproxy", &self.haproxy);
        let beyond = self.kproxy.iter().zip(&self.kernel);
        let beyond = Spread::of(
            beyond.map(|(start, kernel)| (start.serving.as_secs_f64() - kernel.as_secs_f64()) * 1e3),
        );
        if let Some(beyond) = beyond {
            let verdict = if beyond.median <= GOAL { "PASS" } else { "FAIL" };
            println!(
                "  {verdict}  kproxy beyond the kernel's share ≤ {GOAL} ms: {}",
                shown(Some(beyond))
            );
        }
    }
}

fn print(name: &str, starts: &[Started]) {
    let Some(last) = starts.last() else { return };
    let accepting: Vec<Duration> = starts.iter().map(|start| start.accepting).collect();
    let serving: Vec<Duration> = starts.iter().map(|start| start.serving).collect();
    println!(
        "  {name:<8} accepts              {}",
        shown(milliseconds(&accepting))
    );
    println!(
        "  {name:<8} serves               {}, {:.0} MB resident, {} descriptors",
        shown(milliseconds(&serving)),
        last.resident as f64 / 1e6,
        last.descriptors,
    );
}

fn milliseconds(times: &[Duration]) -> Option<Spread> {
    Spread::of(times.iter().map(|time| time.as_secs_f64() * 1e3))
}

fn shown(spread: Option<Spread>) -> String {
    let Some(Spread { median, low, high }) = spread else {
        return "–".to_owned();
    };
    format!("{median:.0} [{low:.0}–{high:.0}]")
}
