//! `cargo bench --bench reload`: ten thousand virtual clusters, from the last write to serving what it says.
//!
//! The real binary on a real file. HAProxy and nginx take an equally large configuration in the same run. With `leak`
//! it counts instead what thousands of reloads leave behind.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod client;
#[path = "../common/mod.rs"]
mod common;
mod figures;
mod filters;
mod fleet;
mod leak;
mod lookup;
mod meanwhile;
mod moves;
mod observe;
mod proxy;
mod scenarios;
mod traffic;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clap::Parser;
use client::Brokers;
use common::contender::{KPROXY, haproxy_version};
use common::process::allow_descriptors;
use figures::Figures;
use fleet::{Cluster, Fleet};
use proxy::{Program, Proxy};
use scenarios::Scenarios;

/// Speed and cost of reloads.
#[derive(Debug, Parser)]
struct Options {
    /// Virtual clusters; each has a bootstrap address and one node's address
    #[arg(long, default_value_t = 10_000)]
    clusters: usize,
    /// Times everything is measured
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Parts to measure, of times, lookup, traffic, peers, observe, leak, filters, moves; all but the last four where none is
    /// named
    parts: Vec<String>,
    /// Builds of kproxy that `observe` measures in turn; this one where none is named
    #[arg(long)]
    program: Vec<PathBuf>,
    /// Live sessions of `filters` and `moves`
    #[arg(long, default_value_t = 10_000)]
    sessions: usize,
    /// Reloads of `leak`
    #[arg(long, default_value_t = 10_000)]
    reloads: usize,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// Descriptors beyond one per address: those of clusters that are added, and of connections.
const SPARE: u64 = 1_500;
/// Clusters that are added and removed.
const ADDED: usize = 100;
/// One window of traffic.
const WINDOW: Duration = Duration::from_millis(1_500);

impl Options {
    fn wants(&self, part: &str) -> bool {
        self.parts.iter().any(|wanted| wanted == part)
            || (self.parts.is_empty() && !["leak", "observe", "filters", "moves"].contains(&part))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    if common::played_role()? {
        return Ok(());
    }
    let options = Options::parse();
    let limit = allow_descriptors(options.clusters as u64 * 2 + SPARE);
    let clusters = options
        .clusters
        .min((limit.saturating_sub(SPARE) / 2) as usize)
        .max(ADDED);
    let directory = tempfile::tempdir()?;
    let brokers = Brokers::start()?;
    if options.wants("leak") {
        leak::measure(directory.path(), &brokers, options.reloads)?;
        if options.parts.len() == 1 {
            return Ok(());
        }
    }
    if options.wants("filters") {
        allow_descriptors(options.sessions as u64 * 2 + SPARE);
        let mut figures = Figures::default();
        filters::measure(
            options.sessions,
            options.rounds,
            &brokers,
            directory.path(),
            &mut figures,
        )?;
        figures.print();
        if options.parts.len() == 1 {
            return Ok(());
        }
    }
    if options.wants("moves") {
        // While a session moves, it has a third descriptor.
        allow_descriptors(options.sessions as u64 * 3 + SPARE);
        let mut figures = Figures::default();
        let (sessions, rounds) = (options.sessions, options.rounds);
        moves::measure(sessions, rounds, &brokers, directory.path(), &mut figures)?;
        figures.print();
        if options.parts.len() == 1 {
            return Ok(());
        }
    }
    let (mut fleet, spare) = Fleet::new(clusters, ADDED)?;
    let text = fleet.text(Program::Kproxy, &brokers.addresses);
    println!(
        "{clusters} clusters, {} addresses, {:.1} MB of YAML; at most {limit} descriptors per process; load average {}",
        clusters * 2,
        text.len() as f64 / 1e6,
        load_average(),
    );
    let mut figures = Figures::default();
    if options.wants("lookup") {
        lookup::measure(&text, options.rounds, &mut figures)?;
    }
    if options.wants("observe") {
        let mut programs: Vec<&Path> = options.program.iter().map(AsRef::as_ref).collect();
        if programs.is_empty() {
            programs.push(Path::new(KPROXY));
        }
        observe::measure(&programs, &mut fleet, &brokers, options.rounds, directory.path())?;
        if options.parts.len() == 1 {
            return Ok(());
        }
    }
    kproxy(
        &options,
        directory.path(),
        &brokers,
        &mut fleet,
        &spare,
        &mut figures,
    )?;
    if options.wants("peers") {
        peers(&options, directory.path(), &brokers, &mut fleet);
    }
    println!("load average at the end {}", load_average());
    Ok(())
}

fn kproxy(
    options: &Options,
    directory: &Path,
    brokers: &Brokers,
    fleet: &mut Fleet,
    spare: &[Cluster],
    figures: &mut Figures,
) -> Result<(), Box<dyn Error>> {
    let proxy = Proxy::start(Program::Kproxy, fleet, &brokers.addresses, directory)?;
    if options.wants("times") {
        let mut scenarios = Scenarios {
            log: proxy.log(),
            proxy: &proxy,
            brokers,
            fleet,
            spare,
            figures,
        };
        let done = scenarios.run(options.rounds);
        if done.is_err() {
            println!("{}", proxy.log().last_words());
        }
        done?;
    }
    figures.print();
    if options.wants("traffic") {
        traffic::measure(&proxy, fleet, brokers, options.rounds, WINDOW)?;
    }
    if options.wants("peers") {
        println!(
            "one cluster's upstream changed under new connections, {} times:",
            options.rounds
        );
        meanwhile::measure(&proxy, fleet, brokers, options.rounds)?;
    }
    Ok(())
}

/// The same with whatever else is installed.
fn peers(options: &Options, directory: &Path, brokers: &Brokers, fleet: &mut Fleet) {
    // Installs it where it is missing.
    if let Ok(version) = haproxy_version() {
        println!("  {version}");
    }
    for program in [Program::Haproxy, Program::Nginx] {
        if program == Program::Nginx && Command::new("nginx").arg("-v").output().is_err() {
            println!("  nginx is not part of this run: apt-get install nginx-light libnginx-mod-stream");
            continue;
        }
        let measured = Proxy::start(program, fleet, &brokers.addresses, directory)
            .and_then(|proxy| meanwhile::measure(&proxy, fleet, brokers, options.rounds));
        if let Err(error) = measured {
            println!("  {} is not part of this run: {error}", program.name());
        }
    }
}

fn load_average() -> String {
    let text = std::fs::read("/proc/loadavg").unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.split(' ').next().unwrap_or_default().to_owned()
}
