//! Thousands of TLS clients arrive at once while others are being served: what those notice.
//!
//! Everything but the proxy stands for other machines, whose work and whose waiting must not be mistaken for the
//! proxy's: the storm and its broker yield to everybody, the sessions that are watched and their brokers go first. One
//! of those has no proxy in its way; what it notices is the machine's share.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, nice, setpriority_process};

use crate::Options;
use crate::common::contender::Kind;
use crate::common::frames::Exchange;
use crate::common::process::{Process, allow_descriptors, run_local};
use crate::common::stats::{Histogram, Spread};
use crate::material::{self, Version};
use crate::report::{self, Bound, bracketed};
use crate::roles::{BACKGROUND, TlsBroker};
use crate::secure::End;
use crate::setup::{Gateway, KINDS, Setup, Sides};

/// Between two requests of a session that is watched.
const PACE: Duration = Duration::from_millis(1);
const REQUEST: Exchange = Exchange::Produce {
    version: 9,
    size: 1024,
};
/// The priority of what is watched.
const FOREGROUND: i32 = -10;
/// Descriptors of a proxy beyond two per connection.
const SPARE: u64 = 1_000;
/// The goal: p99 during a storm ÷ p99 before it.
const GOAL: f64 = 2.0;

/// The sessions that are watched: straight to a broker, through the proxy without TLS, and with.
const WATCHED: [&str; 3] = ["no proxy", "plain", "TLS"];

/// What one watched session saw over the rounds.
#[derive(Default)]
struct Seen {
    before: [Vec<f64>; 2],
    during: [Vec<f64>; 2],
}

impl Seen {
    fn ratio(&self, quantile: usize) -> Option<Spread> {
        Spread::of(self.ratios(quantile))
    }

    fn ratios(&self, quantile: usize) -> impl Iterator<Item = f64> {
        let rounds = self.during[quantile].iter().zip(&self.before[quantile]);
        rounds.map(|(during, before)| during / before)
    }
}

/// What one contender went through.
#[derive(Default)]
struct Outcome {
    seconds: Vec<f64>,
    served: Vec<f64>,
    failed: usize,
    watched: [Seen; 3],
}

/// Measures and prints storms on every set-up, then the goals.
///
/// # Errors
/// When there is no broker to measure against.
pub(crate) fn run(options: &Options, directory: &Path) -> io::Result<()> {
    let wanted = options
        .storm
        .unwrap_or_else(|| options.scaled(10_000, 3_000, 300));
    let limit = allow_descriptors(wanted as u64 * 2 + SPARE);
    let count = wanted.min((limit.saturating_sub(SPARE) / 2) as usize);
    println!(
        "\nstorm: {count} TLS 1.3 clients at once, full handshakes, which stay; µs of a 1 KiB request every"
    );
    println!("millisecond on sessions of other clusters, before → during");
    if count < wanted {
        println!("{wanted} do not fit into the {limit} descriptors a process may have here");
    }
    let mut outcomes = Vec::new();
    for sides in [Sides::Down, Sides::Both] {
        if !options.wants_sides(sides) {
            continue;
        }
        let mut of_sides: Vec<(Kind, Outcome)> = KINDS
            .into_iter()
            .filter(|kind| !options.without.iter().any(|name| name == kind.name()))
            .map(|kind| (kind, Outcome::default()))
            .collect();
        for _ in 0..options.rounds().min(3) {
            for (kind, outcome) in &mut of_sides {
                if let Err(error) = measure(options, directory, sides, *kind, count, outcome) {
                    println!("{} {} failed: {error}", sides.name(), kind.name());
                }
            }
        }
        for (kind, outcome) in of_sides {
            print(sides, kind, &outcome);
            outcomes.push((sides, kind, outcome));
        }
    }
    goals(&outcomes);
    Ok(())
}

fn measure(
    options: &Options,
    directory: &Path,
    sides: Sides,
    kind: Kind,
    count: usize,
    outcome: &mut Outcome,
) -> io::Result<()> {
    let (quiet_broker, quiet) = Process::role(&["broker", "1"], None)?;
    let (stormy_broker, stormy_plain) = Process::role(&["broker", "1"], None)?;
    let quiet_tls = TlsBroker::start(directory, Version::Tls13, true)?;
    let stormy_tls = TlsBroker::start(directory, Version::Tls13, true)?;
    set_priorities(&[quiet_broker.id(), quiet_tls.pid], FOREGROUND);
    set_priorities(&[stormy_broker.id(), stormy_tls.pid], BACKGROUND);
    let (behind_tls, stormy) = if sides.up() {
        (&quiet_tls.address, &stormy_tls.address)
    } else {
        (&quiet, &stormy_plain)
    };
    let setup = Setup {
        directory,
        threads: options.threads(),
        connections: count + 100,
    };
    let gateway = |sides, broker| Gateway { sides, broker };
    let running = setup.start(
        kind,
        &[
            gateway(Sides::Neither, &quiet),
            gateway(sides, behind_tls),
            gateway(sides, stormy),
        ],
    )?;
    let [plain, tls, storm] = running.addresses.as_slice() else {
        return Err(io::Error::other("three gateways were asked for"));
    };
    let watched = [(&quiet, false), (plain, false), (tls, true)]
        .map(|(address, tls)| Watched::start(address.clone(), tls));
    thread::sleep(options.window(2_000, 1_000, 300));
    for watched in &watched {
        watched.storm.store(true, Ordering::Relaxed);
    }
    let arrived = Process::role(&["storm", storm, &count.to_string()], None);
    let seen = watched.map(Watched::finish);
    let (_held, line) = arrived?;
    outcome.take(&line, seen)
}

/// Going first needs a privilege; without it, the session without a proxy says what waiting there was.
fn set_priorities(pids: &[u32], priority: i32) {
    for pid in pids {
        let pid = i32::try_from(*pid).ok().and_then(Pid::from_raw);
        setpriority_process(pid, priority).ok();
    }
}

impl Outcome {
    fn take(&mut self, line: &str, seen: [io::Result<[Histogram; 2]>; 3]) -> io::Result<()> {
        let figures: Vec<usize> = line.split(' ').filter_map(|figure| figure.parse().ok()).collect();
        let [served, failed, micros] = *figures.as_slice() else {
            return Err(io::Error::other("the storm did not say how it went"));
        };
        if served == 0 {
            return Err(io::Error::other("nobody was served"));
        }
        for (watched, seen) in self.watched.iter_mut().zip(seen) {
            let [before, during] = seen?;
            for (quantile, at) in [0.5, 0.99].into_iter().enumerate() {
                watched.before[quantile].push(before.quantile(at) / 1e3);
                watched.during[quantile].push(during.quantile(at) / 1e3);
            }
        }
        self.seconds.push(micros as f64 / 1e6);
        self.served.push(served as f64 / (micros as f64 / 1e6));
        self.failed += failed;
        Ok(())
    }
}

/// A session that asks something every millisecond, on a thread of its own.
struct Watched {
    storm: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    histograms: Arc<Mutex<[Histogram; 2]>>,
    thread: JoinHandle<io::Result<()>>,
}

impl Watched {
    fn start(address: String, tls: bool) -> Self {
        let (storm, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let histograms = Arc::new(Mutex::new([Histogram::new(), Histogram::new()]));
        let shared = (Arc::clone(&storm), Arc::clone(&stop), Arc::clone(&histograms));
        let thread = thread::spawn(move || {
            let (storm, stop, histograms) = shared;
            nice(FOREGROUND).ok();
            run_local(ask_until_stopped(&address, tls, &storm, &stop, &histograms))?
        });
        Self {
            storm,
            stop,
            histograms,
            thread,
        }
    }

    /// Latencies before and during the storm.
    fn finish(self) -> io::Result<[Histogram; 2]> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread
            .join()
            .map_err(|_| io::Error::other("a watched session panicked"))??;
        let empty = [Histogram::new(), Histogram::new()];
        let mut histograms = self
            .histograms
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        Ok(std::mem::replace(&mut *histograms, empty))
    }
}

async fn ask_until_stopped(
    address: &str,
    tls: bool,
    storm: &AtomicBool,
    stop: &AtomicBool,
    histograms: &Mutex<[Histogram; 2]>,
) -> io::Result<()> {
    let config = tls.then(|| material::client(Version::Tls13, true)).transpose()?;
    let mut end = End::greeted(address, config.as_ref()).await?;
    let request = REQUEST.request()?;
    for _ in 0..10 {
        end.ask(&request).await?;
    }
    while !stop.load(Ordering::Relaxed) {
        let phase = usize::from(storm.load(Ordering::Relaxed));
        let begun = Instant::now();
        end.ask(&request).await?;
        let nanoseconds = begun.elapsed().as_nanos().try_into().unwrap_or(u64::MAX);
        histograms
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)[phase]
            .record(nanoseconds);
        tokio::time::sleep(PACE).await;
    }
    Ok(())
}

fn print(sides: Sides, kind: Kind, outcome: &Outcome) {
    let spread = |samples: &[f64]| Spread::of(samples.iter().copied());
    let median = |samples: &[f64]| report::number(spread(samples).map(|spread| spread.median), 0);
    println!(
        "{} {}: all in {} s, {} connections a second, {} not served",
        sides.name(),
        kind.name(),
        bracketed(spread(&outcome.seconds), 2),
        median(&outcome.served),
        outcome.failed
    );
    for (name, seen) in WATCHED.iter().zip(&outcome.watched) {
        let quantile = |at: usize| {
            format!(
                "{:>7} → {:<7} {:<18}",
                median(&seen.before[at]),
                median(&seen.during[at]),
                bracketed(seen.ratio(at), 2)
            )
        };
        println!("  {name:<10} p50 {}  p99 {}", quantile(0), quantile(1));
    }
}

fn goals(outcomes: &[(Sides, Kind, Outcome)]) {
    println!("\ngoals");
    let judge = |text, kind, figure: fn(&Outcome, &Seen) -> Option<Spread>| {
        let measured = outcomes.iter().filter(|(_, measured, _)| *measured == kind);
        let watched = measured.flat_map(|(sides, _, outcome)| {
            let through_proxy = WATCHED.iter().zip(&outcome.watched).skip(1);
            through_proxy.map(|(name, seen)| (format!("{} {name}", sides.name()), figure(outcome, seen)))
        });
        report::goal(text, Bound::AtMost(GOAL), watched);
    };
    let grown: fn(&Outcome, &Seen) -> Option<Spread> = |_, seen| seen.ratio(1);
    judge(
        "live traffic's p99 in a storm ≤ 2 × before it",
        Kind::Kproxy,
        grown,
    );
    judge(
        "the same ÷ how much the session without a proxy grew",
        Kind::Kproxy,
        |outcome, seen| {
            let [without, ..] = &outcome.watched;
            let rounds = seen.ratios(1).zip(without.ratios(1));
            Spread::of(rounds.map(|(seen, without)| seen / without))
        },
    );
    judge("HAProxy's, for comparison", Kind::Haproxy, grown);
}
