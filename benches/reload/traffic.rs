//! Requests and answers on a cluster that nobody changes, with and without reloads beside it.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::client::{Brokers, Client};
use crate::common::frames::Exchange;
use crate::common::stats::{Histogram, Spread};
use crate::figures::shown;
use crate::fleet::Fleet;
use crate::proxy::Proxy;

const CONNECTIONS: usize = 4;
/// One request at a time, at this pace: a machine that is not busy.
const PACE: Duration = Duration::from_micros(500);
const REQUEST: Exchange = Exchange::Produce {
    version: 9,
    size: 1024,
};
/// p99 while reloading ÷ p99 in quiet.
const GOAL: f64 = 1.1;

/// Of one of [`CELLS`].
struct Latencies {
    all: Histogram,
    /// p99 of each window.
    windows: Vec<f64>,
}

/// Through the proxy and directly, each in quiet and beside reloads.
const CELLS: [(&str, bool, bool); 4] = [
    ("direct, quiet", false, false),
    ("kproxy, quiet", true, false),
    ("direct, reloading", false, true),
    ("kproxy, reloading", true, true),
];

/// Measures all four in turn, `rounds` times, and prints them. Reloads follow each other as fast as the watcher lets
/// them; what the machine itself does to latency meanwhile, the direct rows tell.
#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
pub(crate) fn measure(
    proxy: &Proxy,
    fleet: &mut Fleet,
    brokers: &Brokers,
    rounds: usize,
    window: Duration,
) -> io::Result<()> {
    let untouched = fleet.clusters.first().map_or(0, |cluster| cluster.port());
    let changing = fleet.clusters.len() - 1;
    let before = fleet.text(proxy.program, &brokers.addresses);
    let cluster = &mut fleet.clusters[changing];
    cluster.target = cluster.target.other();
    let texts = [fleet.text(proxy.program, &brokers.addresses), before];
    let mut latencies: [Latencies; 4] = std::array::from_fn(|_| Latencies {
        all: Histogram::new(),
        windows: Vec::new(),
    });
    let (mut next, reloads) = (0, AtomicUsize::new(0));
    for _ in 0..rounds {
        for ((_, proxied, reloading), latencies) in CELLS.iter().zip(&mut latencies) {
            let port = if *proxied { untouched } else { brokers.first()? };
            let stop = AtomicBool::new(!reloading);
            let measured = std::thread::scope(|scope| {
                let driver = scope.spawn(|| reload(proxy, &texts, &mut next, &stop, &reloads));
                let measured = latencies.window(port, window);
                stop.store(true, Ordering::Relaxed);
                match driver.join() {
                    Ok(driven) => driven.and(measured),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            });
            measured?;
        }
    }
    println!(
        "an untouched cluster, one request each {PACE:?} on {CONNECTIONS} connections, {rounds} windows of {window:?}, \
         {} reloads; µs",
        reloads.into_inner()
    );
    for ((name, ..), latencies) in CELLS.iter().zip(&latencies) {
        let (p50, p99) = latencies.of_all();
        let p99s = Spread::of(latencies.windows.iter().map(|p99| p99 / 1e3));
        println!(
            "  {name:<18} p50 {:.0}, p99 {:.0}; p99 of a window {}",
            p50 / 1e3,
            p99 / 1e3,
            p99s.map(shown).unwrap_or_default()
        );
    }
    let [direct_quiet, quiet, direct_reloading, reloading] = &latencies;
    let ratios = |quiet: &Latencies, reloading: &Latencies| {
        let (quiet, reloading) = (quiet.of_all(), reloading.of_all());
        (reloading.0 / quiet.0, reloading.1 / quiet.1)
    };
    let (p50, p99) = ratios(direct_quiet, direct_reloading);
    println!("     direct, reloading ÷ quiet: p50 {p50:.2}, p99 {p99:.2}");
    let (p50, p99) = ratios(quiet, reloading);
    let verdict = if p99 <= GOAL { "PASS" } else { "FAIL" };
    println!("{verdict} kproxy, reloading ÷ quiet: p50 {p50:.2}, p99 {p99:.2} (goal ≤ {GOAL})");
    Ok(())
}

fn reload(
    proxy: &Proxy,
    texts: &[String; 2],
    next: &mut usize,
    stop: &AtomicBool,
    reloads: &AtomicUsize,
) -> io::Result<()> {
    let mut log = proxy.log();
    while !stop.load(Ordering::Relaxed) {
        log.skip()?;
        proxy.write_text(&texts[*next % 2])?;
        log.applied()?;
        *next += 1;
        reloads.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

impl Latencies {
    /// Those of requests that are sent at a pace.
    fn window(&mut self, port: u16, window: Duration) -> io::Result<()> {
        let mut clients: Vec<Client> = (0..CONNECTIONS)
            .map(|_| Client::connect(port))
            .collect::<io::Result<_>>()?;
        let request = REQUEST.request()?;
        let mut latencies = Histogram::new();
        let begun = Instant::now();
        let mut due = begun;
        while begun.elapsed() < window {
            let client = &mut clients[latencies.count() as usize % CONNECTIONS];
            let sent = Instant::now();
            client.ask(&request)?;
            let latency = u64::try_from(sent.elapsed().as_nanos()).unwrap_or(u64::MAX);
            latencies.record(latency);
            self.all.record(latency);
            due += PACE;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        self.windows.push(latencies.quantile(0.99));
        Ok(())
    }

    /// p50 and p99.
    fn of_all(&self) -> (f64, f64) {
        (self.all.quantile(0.5), self.all.quantile(0.99))
    }
}
