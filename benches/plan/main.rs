//! `cargo bench --bench plan`: what a reload costs before anything is bound, for ten thousand virtual clusters.
//!
//! `kproxy plan` is measured as a whole command, too, beside a process that runs the clusters and without one. The parser's own share, its events and nothing done with them, is measured beside it in the same run.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod command;
#[path = "../common/mod.rs"]
mod common;

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

use clap::Parser;
use common::stats::Spread;
use kproxy::model::{self, ProxyModel};
use kproxy::{config, reload};

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Time from a changed file to a plan.
#[derive(Debug, Parser)]
struct Options {
    /// Virtual clusters; each has a gateway with three nodes
    #[arg(long, default_value_t = 10_000)]
    clusters: u32,
    /// Times everything is measured
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Measure the command alone
    #[arg(long)]
    command: bool,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// Milliseconds for a file in which nothing changed.
const UNCHANGED_GOAL: f64 = 100.0;
/// Milliseconds from a changed file to a plan; the rest of the 60 belongs to binding and committing.
const CHANGED_GOAL: f64 = 30.0;
/// Milliseconds for `kproxy plan` from its start to its end.
const COMMAND_GOAL: f64 = 300.0;

fn main() -> Result<(), Box<dyn Error>> {
    if common::played_role()? {
        return Ok(());
    }
    let options = Options::parse();
    if !options.command {
        measure_parts(&options)?;
    }
    report(&command::measure(options.clusters, options.rounds)?);
    Ok(())
}

fn measure_parts(options: &Options) -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("proxy.yaml");
    let text = configuration(options.clusters, "broker-1");
    fs::write(&path, &text)?;
    println!(
        "{} clusters, proxy.yaml {:.1} MB; milliseconds, median [lowest–highest] of {}",
        options.clusters,
        text.len() as f64 / 1e6,
        options.rounds
    );
    let before = model::load_all(&path);
    let old = before.model.map_err(|why| why[0].clone())?;
    let changed = text.replacen("broker-1", "broker-9", 1);
    let mut times: Vec<(&str, Vec<f64>)> = Vec::new();
    for _ in 0..options.rounds {
        let round = measure(&old, &changed)?;
        fs::write(&path, &text)?;
        let unchanged = timed(|| before.sources.is_current());
        fs::write(&path, &changed)?;
        let loaded = timed(|| model::load_all(&path));
        let new = loaded.0.model.map_err(|why| why[0].clone())?;
        let plan = timed(|| reload::Plan::between(&old, &new));
        let mut loader = model::Loader::after(&path, &before.sources, &old, &before.warnings);
        let first = timed(|| loader.load_all(&path));
        // Another cluster, as the next edit would have it.
        fs::write(&path, changed.replacen("broker-1", "broker-9", 1))?;
        let next = timed(|| loader.load_all(&path));
        let first_model = first.0.model.map_err(|why| why[0].clone())?;
        let next_model = next.0.model.map_err(|why| why[0].clone())?;
        let next_plan = timed(|| reload::Plan::between(&first_model, &next_model));
        if first_model != new || next_plan.0.steps.len() != 1 {
            return Err("a loader finds what a load of the whole file finds".into());
        }
        if !unchanged.0 || plan.0.steps.len() != 1 {
            return Err("one cluster has changed, and only in the second file".into());
        }
        let whole = [
            ("nothing changed: read, hash", unchanged.1),
            ("one changed, the whole file: read to plan", loaded.1 + plan.1),
            ("one changed, the first time: read", first.1),
            ("one changed: read to plan", next.1 + next_plan.1),
        ];
        for (name, time) in round.into_iter().chain(whole) {
            match times.iter_mut().find(|(known, _)| *known == name) {
                Some((_, times)) => times.push(milliseconds(time)),
                None => times.push((name, vec![milliseconds(time)])),
            }
        }
    }
    report(&times);
    Ok(())
}

/// Every stage by itself.
fn measure(old: &ProxyModel, text: &str) -> Result<Vec<(&'static str, Duration)>, Box<dyn Error>> {
    let (events, bare) = timed(|| {
        granit_parser::Parser::new_from_str(text)
            .filter(Result::is_ok)
            .count()
    });
    black_box(events);
    let (parsed, decode) = timed(|| config::parse(text.as_bytes(), "proxy.yaml"));
    let config = parsed.config.ok_or("not a configuration")?;
    let (model, resolve) = timed(|| model::resolve(&config));
    let (new, _) = model.map_err(|why| why[0].clone())?;
    let ((), drop_config) = timed(|| drop(config));
    let again = model::parse(text.as_bytes(), "proxy.yaml").map_err(|why| why[0].clone())?;
    let (equal, compare) = timed(|| again == new);
    let (plan, between) = timed(|| reload::Plan::between(old, &new));
    let ((), drop_model) = timed(|| drop(new));
    if !equal || plan.steps.len() != 1 {
        return Err("equal texts are equal models, and one cluster has changed".into());
    }
    Ok(vec![
        ("bare parser", bare),
        ("parse and decode", decode),
        ("resolve", resolve),
        ("drop what was decoded", drop_config),
        ("compare equal models", compare),
        ("plan", between),
        ("drop a model", drop_model),
    ])
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    let result = black_box(work());
    (result, begun.elapsed())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn report(times: &[(&str, Vec<f64>)]) {
    for (name, times) in times {
        let Some(Spread { median, low, high }) = Spread::of(times.iter().copied()) else {
            continue;
        };
        println!("  {name:<42} {median:>6.1} [{low:.1}–{high:.1}]");
        let goal = match *name {
            "nothing changed: read, hash" => UNCHANGED_GOAL,
            "one changed: read to plan" => CHANGED_GOAL,
            name if name.starts_with("kproxy plan") => COMMAND_GOAL,
            _ => continue,
        };
        let verdict = if low <= goal { "PASS" } else { "FAIL" };
        println!("  {verdict}  at its quickest ≤ {goal} ms");
    }
}

/// A file such as a generator would write.
fn configuration(clusters: u32, broker: &str) -> String {
    let mut yaml = String::from("virtualClusters:\n");
    for n in 0..clusters {
        let (ip, port) = (format!("127.{}.{}.1", n / 200 + 1, n % 200 + 1), 9000 + n % 7);
        writeln!(
            yaml,
            "  - name: cluster-{n}\n    targetCluster:\n      bootstrapServers: \
             broker-0.kafka-{n}.example.com:9092,{broker}.kafka-{n}.example.com:9092\n    drain:\n      timeout: 30s\n    \
             maxConnections: 1000\n    logNetwork: false\n    gateways:\n      - name: default\n        \
             bindAddress: {ip}\n        portIdentifiesNode:\n          \
             bootstrapAddress: cluster-{n}.kafka.example.com:{port}\n          nodeIdRanges:\n            \
             - {{name: brokers, start: 0, end: 2}}"
        )
        .ok();
    }
    yaml
}
