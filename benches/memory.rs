//! `cargo bench --bench memory`: what a connection costs a proxy while it says nothing.
//!
//! Thousands of connections through each contender, each of which exchanges one small request and answer, then one
//! large one. Printed is how much the contender's resident memory has grown per connection; the kernel's socket
//! buffers are not part of it.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod common;

use std::error::Error;
use std::io;
use std::path::Path;
use std::time::Duration;

use clap::Parser;
use common::contender::{Contender, Kind, Setup, haproxy_version};
use common::frames::Exchange;
use common::load;
use common::process::{Process, allow_descriptors, descriptors, resident, run_local};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// Resident memory per connection.
#[derive(Debug, Parser)]
struct Options {
    /// Connections through each contender
    #[arg(long, default_value_t = 9_000)]
    connections: usize,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// Exchanges under way at a time.
const TOGETHER: usize = 64;
/// The goal: bytes of memory per idle session.
const GOAL: f64 = 5_000.0;
/// For an allocator to give back what it only keeps for a moment.
const SETTLE: Duration = Duration::from_secs(1);

fn main() -> Result<(), Box<dyn Error>> {
    if common::played_role()? {
        return Ok(());
    }
    let options = Options::parse();
    let limit = allow_descriptors(options.connections as u64 * 2 + 1_000);
    println!(
        "{} connections; this process and its children may have {limit} descriptors",
        options.connections
    );
    println!(
        "{:<10} {:>16} {:>16} {:>16} {:>12}",
        "", "start", "after 100 B", "after 64 KiB", "descriptors"
    );
    for kind in [Kind::Relay(256), Kind::Haproxy, Kind::Kproxy] {
        let directory = TempDir::new()?;
        match run_local(measure(kind, options.connections, directory.path()))? {
            Ok(figures) => print(kind, &figures),
            Err(error) => println!("{:<10} {error}", kind.name()),
        }
    }
    Ok(())
}

struct Figures {
    /// Resident bytes before the first connection.
    start: u64,
    /// Growth per connection after a small and after a large exchange.
    small: f64,
    large: f64,
    descriptors: usize,
}

fn print(kind: Kind, figures: &Figures) {
    let verdict = match kind {
        Kind::Kproxy if figures.small.max(figures.large) <= GOAL => "  PASS (≤ 5 KB)",
        Kind::Kproxy => "  FAIL (≤ 5 KB)",
        _ => "",
    };
    println!(
        "{:<10} {:>13.1} MB {:>13.2} KB {:>13.2} KB {:>12}{verdict}",
        kind.name(),
        figures.start as f64 / 1e6,
        figures.small / 1e3,
        figures.large / 1e3,
        figures.descriptors,
    );
}

async fn measure(kind: Kind, connections: usize, directory: &Path) -> io::Result<Figures> {
    if kind == Kind::Haproxy {
        haproxy_version()?;
    }
    let (_broker, broker) = Process::role(&["broker", "1"], None)?;
    let setup = Setup {
        broker: &broker,
        directory,
        cpu: None,
        threads: 1,
        connections,
        other: None,
    };
    let contender = Contender::start(kind, &setup)?;
    let pid = contender
        .pid()
        .ok_or_else(|| io::Error::other("no process to measure"))?;
    // The first connection grows what all of them share.
    drop(load::connect(&contender.address).await?);
    let start = resident(pid)?;
    let mut streams = Vec::with_capacity(connections);
    for _ in 0..connections {
        streams.push(load::connect(&contender.address).await?);
    }
    let mut growth = [0.0; 2];
    for (growth, size) in growth.iter_mut().zip([100, 64 * 1024]) {
        exchange_on_all(&mut streams, &Exchange::Echo { size }.request()?).await?;
        tokio::time::sleep(SETTLE).await;
        *growth = resident(pid)?.saturating_sub(start) as f64 / connections as f64;
    }
    let [small, large] = growth;
    Ok(Figures {
        start,
        small,
        large,
        descriptors: descriptors(pid)?,
    })
}

async fn exchange_on_all(streams: &mut [TcpStream], request: &[u8]) -> io::Result<()> {
    for together in streams.chunks_mut(TOGETHER) {
        for stream in &mut *together {
            stream.write_all(request).await?;
        }
        for stream in together {
            load::receive(stream).await?;
        }
    }
    Ok(())
}
