//! `cargo bench --bench metadata`: rewriting the brokers of a Metadata answer, however many topics follow them.
//!
//! First the walk alone, in this process: find the end of the broker list, write it anew; and the shape walk over the whole
//! answer, which is what comes before a filter sees it. Then the whole answer
//! through a running kproxy, beside the blind relay: what a client waits longer for is the rewrite and all that
//! surrounds it.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod common;

use std::error::Error;
use std::hint::black_box;
use std::io;
use std::process::ExitCode;
use std::time::Instant;

use common::contender::{Contender, Kind, Setup};
use common::process::{Process, again_on_first_cpu, run_local};
use common::stats::Spread;
use common::{frames, load};
use kproxy::wire::rewrite::{self, Advertised, Nodes};
use kproxy::wire::schema::{Direction, Message};
use tempfile::TempDir;

/// Versions with and without flexible encoding, and the newest.
const VERSIONS: [i16; 3] = [8, 12, 13];
const METADATA: i16 = 3;
const PARTITIONS: i32 = 100;
const TOPICS: [usize; 3] = [10, 100, 1_000];
const BROKERS: [usize; 2] = [3, 100];
/// The goal, in microseconds, for 1 000 topics of 100 partitions.
const GOAL: f64 = 100.0;
/// The goal of the shape walk, in bytes per second.
const SHAPE_GOAL: f64 = 1e9;
const ROUNDS: usize = 201;

/// Every node at one address, the way a gateway advertises them.
struct Advertise;

impl Nodes for Advertise {
    fn advertised(&self, node_id: i32) -> Option<Advertised<'_>> {
        let port = 9_192 + u16::try_from(node_id).ok()?;
        Some(Advertised {
            host: "kafka.example.com",
            port,
        })
    }
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    if common::played_role()? {
        return Ok(ExitCode::SUCCESS);
    }
    if !std::env::args().any(|argument| argument == "--pinned")
        && let Some(code) = again_on_first_cpu()?
    {
        return Ok(code);
    }
    println!(
        "{:<44} {:>12} {:>30} {:>14}",
        "Metadata", "answer", "rewrite, µs", "bytes written"
    );
    for version in VERSIONS {
        for brokers in BROKERS {
            for topics in TOPICS {
                walk(version, brokers, topics)?;
            }
        }
    }
    println!("\n{:<44} {:>12} {:>30}", "shape walk, names", "answer", "GB/s");
    for version in VERSIONS {
        shape_walk(version)?;
    }
    run_local(round_trips())??;
    Ok(ExitCode::SUCCESS)
}

/// Times the walk over one whole answer.
fn walk(version: i16, brokers: usize, topics: usize) -> Result<(), Box<dyn Error>> {
    let ports: Vec<u16> = (0..brokers as u16).map(|id| 19_092 + id).collect();
    let frame = frames::metadata_response(version, &ports, topics, PARTITIONS)?;
    let header = if version < 9 { 8 } else { 9 };
    let body = &frame[header..];
    let mut written = Vec::new();
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        written.clear();
        let begun = Instant::now();
        let prefix =
            rewrite::prefix_len(METADATA, version, black_box(body))?.ok_or("the answer is not whole")?;
        let counts = rewrite::rewrite(METADATA, version, &body[..prefix], &Advertise, &mut written)?;
        times.push(begun.elapsed().as_secs_f64() * 1e6);
        if counts.rewritten as usize != brokers {
            return Err(format!("{} of {brokers} brokers rewritten", counts.rewritten).into());
        }
    }
    let time = Spread::of(times).ok_or("nothing measured")?;
    println!(
        "{:<44} {:>9.2} MB {:>12.2} [{:.2}–{:.2}] {:>14}{}",
        format!("v{version}, {brokers} brokers, {topics} topics × {PARTITIONS}"),
        frame.len() as f64 / 1e6,
        time.median,
        time.low,
        time.high,
        written.len(),
        verdict(topics, time.median),
    );
    Ok(())
}

/// Times the shape walk over the largest answer, and the search for the names in it.
fn shape_walk(version: i16) -> Result<(), Box<dyn Error>> {
    let frame = frames::metadata_response(version, &[19_092; 3], TOPICS[1], PARTITIONS)?;
    let body = &frame[if version < 9 { 8 } else { 9 }..];
    let (mut walks, mut searches) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let message = Message::read(METADATA, Direction::Response, version, black_box(body))?;
        walks.push(body.len() as f64 / begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        black_box(message.names().count());
        searches.push(body.len() as f64 / begun.elapsed().as_secs_f64());
    }
    let walk = Spread::of(walks).ok_or("nothing measured")?;
    let search = Spread::of(searches).ok_or("nothing measured")?;
    println!(
        "{:<44} {:>9.2} MB {:>12.2} [{:.2}–{:.2}] {:>14.2}  {} (≥ 1 GB/s)",
        format!("v{version}, 3 brokers, {} topics × {PARTITIONS}", TOPICS[1]),
        frame.len() as f64 / 1e6,
        walk.median / 1e9,
        walk.low / 1e9,
        walk.high / 1e9,
        search.median / 1e9,
        if walk.median >= SHAPE_GOAL { "PASS" } else { "FAIL" },
    );
    Ok(())
}

fn verdict(topics: usize, microseconds: f64) -> &'static str {
    match (topics == TOPICS[TOPICS.len() - 1], microseconds <= GOAL) {
        (false, _) => "",
        (true, true) => "  PASS (≤ 100 µs)",
        (true, false) => "  FAIL (≤ 100 µs)",
    }
}

/// The largest answer through the relay and through kproxy, in turns.
async fn round_trips() -> io::Result<()> {
    let topics = TOPICS[TOPICS.len() - 1];
    let directory = TempDir::new()?;
    let (_broker, broker) = Process::role(&["broker", &topics.to_string()], None)?;
    let setup = Setup {
        broker: &broker,
        directory: directory.path(),
        cpu: None,
        threads: 1,
        connections: 1,
        other: None,
    };
    let relay = Contender::start(Kind::Relay(256), &setup)?;
    let kproxy = Contender::start(Kind::Kproxy, &setup)?;
    let mut relayed = load::connect(&relay.address).await?;
    let mut proxied = load::connect(&kproxy.address).await?;
    println!("\nround trip of {topics} topics × {PARTITIONS}, µs");
    for version in VERSIONS {
        let request = frames::metadata_request(version)?;
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            for (stream, times) in [&mut relayed, &mut proxied].into_iter().zip(&mut times) {
                let begun = Instant::now();
                load::exchange(stream, &request).await?;
                times.push(begun.elapsed().as_secs_f64() * 1e6);
            }
        }
        let [relay, kproxy] = times.map(Spread::of);
        if let (Some(relay), Some(kproxy)) = (relay, kproxy) {
            let ratio = kproxy.median / relay.median;
            println!(
                "  v{version}: relay {:.0}, kproxy {:.0} ({ratio:.2} ×)",
                relay.median, kproxy.median
            );
        }
    }
    Ok(())
}
