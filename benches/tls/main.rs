//! `cargo bench --bench tls`: what TLS costs kproxy, beside HAProxy doing the same in the same run.
//!
//! Both terminate TLS to clients (*down*), encrypt to brokers (*up*), or *both*, with the same certificates, TLS 1.3,
//! X25519 and AES-128-GCM, and as many threads. Rounds are interleaved and compared round by round. Client and broker
//! speak TLS too and share the machine with what is measured, so the contender's own CPU stands beside every rate, and
//! the load's beside that.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "../common/mod.rs"]
mod common;
mod handshakes;
mod library;
mod material;
mod memory;
mod report;
mod roles;
mod secure;
mod setup;
mod storm;
mod throughput;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use common::contender::haproxy_version;
use common::process::{again_on_first_cpu, machine};
use setup::Sides;
use tempfile::TempDir;

/// The library's own memory is part of what is measured, so it gets the allocator the program has.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Throughput, handshakes, memory and storms with TLS.
#[derive(Debug, Parser)]
struct Options {
    /// What to measure [default: everything]
    parts: Vec<Part>,
    /// A few cells, few rounds, short windows: for work in progress, not for figures to publish
    #[arg(long)]
    quick: bool,
    /// Only whether everything works, in half a minute: its figures mean nothing
    #[arg(long)]
    smoke: bool,
    /// Rounds of each measurement
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Length of a measured window in milliseconds
    #[arg(long, value_name = "MS")]
    window: Option<u64>,
    /// Only throughput and handshake cells whose name contains one of these, separated by '|'
    #[arg(long, value_name = "NAMES")]
    cell: Option<String>,
    /// Only these sides: down, up, both
    #[arg(long, value_name = "SIDES", value_delimiter = ',')]
    sides: Vec<String>,
    /// RSA-2048 certificates instead of P-256
    #[arg(long)]
    rsa: bool,
    /// Threads of HAProxy and kproxy
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Everything on CPU 0, so that the total work is exposed; sets one thread
    #[arg(long)]
    one_cpu: bool,
    /// Idle sessions whose memory is measured
    #[arg(long, value_name = "N")]
    sessions: Option<usize>,
    /// Connections of a storm
    #[arg(long, value_name = "N")]
    storm: Option<usize>,
    /// Contenders to leave out: haproxy, kproxy
    #[arg(long, value_delimiter = ',')]
    without: Vec<String>,
    /// List the cells and end
    #[arg(long)]
    list: bool,
    /// Set once this process was moved to its CPU
    #[arg(long, hide = true)]
    pinned: bool,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    Throughput,
    Handshakes,
    Memory,
    Storm,
}

impl Options {
    fn wants(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }

    fn wants_cell(&self, name: &str) -> bool {
        let parts = self.cell.as_ref();
        parts.is_none_or(|parts| parts.split('|').any(|part| name.contains(part)))
    }

    fn wants_sides(&self, sides: Sides) -> bool {
        self.sides.is_empty() || self.sides.iter().any(|name| name == sides.name())
    }

    /// `full` of something, less of it where less was asked for.
    const fn scaled<T: Copy>(&self, full: T, quick: T, smoke: T) -> T {
        if self.smoke {
            smoke
        } else if self.quick {
            quick
        } else {
            full
        }
    }

    fn rounds(&self) -> usize {
        self.rounds.unwrap_or_else(|| self.scaled(5, 3, 1)).max(1)
    }

    /// `full` milliseconds where nothing else was asked for.
    fn window(&self, full: u64, quick: u64, smoke: u64) -> Duration {
        Duration::from_millis(self.window.unwrap_or_else(|| self.scaled(full, quick, smoke)))
    }

    fn threads(&self) -> usize {
        if self.one_cpu { 1 } else { self.threads }
    }
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    if roles::played()? || common::played_role()? {
        return Ok(ExitCode::SUCCESS);
    }
    let options = Options::parse();
    if options.list {
        list(&options);
        return Ok(ExitCode::SUCCESS);
    }
    if options.one_cpu
        && !options.pinned
        && let Some(code) = again_on_first_cpu()?
    {
        return Ok(code);
    }
    let directory = TempDir::new()?;
    material::write(directory.path(), options.rsa)?;
    preamble(&options);
    if options.wants(Part::Throughput) {
        throughput::run(&options, directory.path())?;
    }
    if options.wants(Part::Handshakes) {
        handshakes::run(&options, directory.path())?;
    }
    if options.wants(Part::Memory) {
        memory::run(&options, directory.path())?;
    }
    if options.wants(Part::Storm) {
        storm::run(&options, directory.path())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn list(options: &Options) {
    let throughput = throughput::cells(options).into_iter().map(|cell| cell.name());
    let handshakes = handshakes::cells(options).into_iter().map(|cell| cell.name());
    for name in throughput.chain(handshakes) {
        println!("{name}");
    }
}

fn preamble(options: &Options) {
    println!("machine: {}", machine());
    println!(
        "{}; {} key, X25519, AES-128-GCM; {} threads each{}; {} rounds",
        haproxy_version().unwrap_or_else(|error| format!("no HAProxy: {error}")),
        if options.rsa { "RSA-2048" } else { "P-256" },
        options.threads(),
        if options.one_cpu { ", all on CPU 0" } else { "" },
        options.rounds(),
    );
    println!(
        "pairs of figures are HAProxy's and kproxy's, medians of the rounds; a ratio is kproxy ÷ HAProxy,"
    );
    println!("the median of the rounds' own ratios [lowest–highest]");
}
