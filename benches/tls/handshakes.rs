//! Short connections: connect, handshake, one request, goodbye.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use tokio::task::JoinSet;

use crate::Options;
use crate::common::contender::Kind;
use crate::common::frames;
use crate::common::load::within;
use crate::common::process::{Process, cpu_time, run_local};
use crate::common::stats::Histogram;
use crate::material::{self, Version};
use crate::report::{self, Bound, Series, cores, number};
use crate::roles::{Counts, TlsBroker};
use crate::secure::End;
use crate::setup::{Gateway, Running, Setup, Sides};

/// Clients at a time, over all threads.
const CLIENTS: usize = 32;
/// Threads the clients share: as many as the cores a small machine has.
const THREADS: usize = 2;
const WARM_UP: Duration = Duration::from_millis(200);
/// A contender that refuses everybody is not asked without a pause.
const AFTER_FAILURE: Duration = Duration::from_millis(10);

/// One kind of handshake through one set-up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    sides: Sides,
    version: Version,
    resumed: bool,
}

impl Cell {
    /// Such as `both TLS 1.3 resumed`.
    pub(crate) fn name(&self) -> String {
        format!(
            "{} TLS {} {}",
            self.sides.name(),
            self.version.name(),
            if self.resumed { "resumed" } else { "full" }
        )
    }
}

/// Every cell that was asked for.
pub(crate) fn cells(options: &Options) -> Vec<Cell> {
    let mut cells = Vec::new();
    for version in [Version::Tls13, Version::Tls12] {
        for sides in Sides::ALL {
            cells.extend([false, true].map(|resumed| Cell {
                sides,
                version,
                resumed,
            }));
        }
    }
    cells.retain(|cell| options.wants_sides(cell.sides) && options.wants_cell(&cell.name()));
    if options.cell.is_none() && (options.quick || options.smoke) {
        cells.retain(|cell| cell.version == Version::Tls13 && cell.sides != Sides::Up);
    }
    cells
}

#[derive(Default)]
struct Outcome {
    /// Connections a second.
    rate: Series,
    /// Microseconds of the contender's CPU per connection.
    cpu: Series,
    /// Microseconds from connecting to the answer.
    p50: Series,
    p99: Series,
    /// Shares of handshakes that were resumed, of clients and at the broker.
    resumed: Series,
    resumed_upstream: Series,
    client: Series,
    failed: u64,
}

/// Measures and prints every cell, then the goals.
///
/// # Errors
/// When there is no broker to measure against.
pub(crate) fn run(options: &Options, directory: &Path) -> io::Result<()> {
    let cells = cells(options);
    if cells.is_empty() {
        return Ok(());
    }
    println!(
        "\nhandshakes: connections a second (connect, handshake, ApiVersions, close), {CLIENTS} at a time;"
    );
    println!("µs of the proxy's CPU per connection; µs from connecting to the answer");
    println!(
        "{:<26} {} {} {:>17} {:>17}  resumed down, up: HAProxy / kproxy; cores of the clients",
        "",
        report::heading("conn/s"),
        report::heading("CPU"),
        "p50 µs",
        "p99 µs"
    );
    let mut outcomes = Vec::new();
    for cell in cells {
        let outcome = measure(options, cell, directory)?;
        print(cell, &outcome);
        outcomes.push((cell, outcome));
    }
    goals(&outcomes);
    Ok(())
}

fn measure(options: &Options, cell: Cell, directory: &Path) -> io::Result<Outcome> {
    let (_plain, plain_address) = Process::role(&["broker", "1"], None)?;
    let tls = TlsBroker::start(directory, cell.version, cell.resumed)?;
    let broker = if cell.sides.up() {
        &tls.address
    } else {
        &plain_address
    };
    let setup = Setup {
        directory,
        threads: options.threads(),
        connections: 1000,
    };
    let gateways = [Gateway {
        sides: cell.sides,
        broker,
    }];
    let contenders = setup.start_all(&gateways, &options.without);
    let mut outcome = Outcome::default();
    for round in 0..options.rounds() {
        let mut order: Vec<&Running> = contenders.iter().collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for running in order {
            let kind = running.contender.kind;
            let sample = sample(options, cell, running, &tls)
                .inspect_err(|error| println!("{}: {} failed: {error}", cell.name(), kind.name()))
                .ok();
            outcome.push(kind, sample.as_ref());
        }
    }
    Ok(outcome)
}

impl Outcome {
    fn push(&mut self, kind: Kind, sample: Option<&Sample>) {
        let push = |series: &mut Series, figure: fn(&Sample) -> f64| series.push(kind, sample.map(figure));
        push(&mut self.rate, |sample| sample.rate);
        push(&mut self.cpu, |sample| sample.cpu);
        push(&mut self.p50, |sample| sample.p50);
        push(&mut self.p99, |sample| sample.p99);
        push(&mut self.resumed, |sample| sample.resumed);
        push(&mut self.resumed_upstream, |sample| sample.resumed_upstream);
        push(&mut self.client, |sample| sample.client);
        self.failed += sample.map_or(0, |sample| sample.failed);
    }
}

struct Sample {
    rate: f64,
    cpu: f64,
    p50: f64,
    p99: f64,
    resumed: f64,
    resumed_upstream: f64,
    client: f64,
    failed: u64,
}

/// What the clients have done so far.
struct Tally {
    stop: AtomicBool,
    done: AtomicU64,
    resumed: AtomicU64,
    failed: AtomicU64,
    latencies: Mutex<Histogram>,
    /// Why the first of those that failed did.
    fault: Mutex<Option<io::Error>>,
}

/// Everything that is read where a window begins and where it ends.
#[derive(Clone, Copy)]
struct Edge {
    at: Instant,
    done: u64,
    resumed: u64,
    proxy: Duration,
    client: Duration,
    upstream: Counts,
}

fn sample(options: &Options, cell: Cell, running: &Running, broker: &TlsBroker) -> io::Result<Sample> {
    let tally = Arc::new(Tally {
        stop: AtomicBool::new(false),
        done: AtomicU64::new(0),
        resumed: AtomicU64::new(0),
        failed: AtomicU64::new(0),
        latencies: Mutex::new(Histogram::new()),
        fault: Mutex::new(None),
    });
    let edge = || -> io::Result<Edge> {
        Ok(Edge {
            at: Instant::now(),
            done: tally.done.load(Ordering::Relaxed),
            resumed: tally.resumed.load(Ordering::Relaxed),
            proxy: cpu_time(running.pid)?,
            client: cpu_time(std::process::id())?,
            upstream: broker.counts()?,
        })
    };
    let clients: Vec<_> = (0..THREADS)
        .map(|_| {
            let (address, tally) = (running.addresses[0].clone(), Arc::clone(&tally));
            thread::spawn(move || run_local(visit_until_stopped(cell, address, tally))?)
        })
        .collect();
    thread::sleep(WARM_UP);
    lock(&tally.latencies).clear();
    let first = edge();
    thread::sleep(options.window(1_000, 500, 200));
    let last = edge();
    tally.stop.store(true, Ordering::Relaxed);
    for client in clients {
        client
            .join()
            .map_err(|_| io::Error::other("a client panicked"))??;
    }
    summary(first?, last?, &tally)
}

fn summary(first: Edge, last: Edge, tally: &Tally) -> io::Result<Sample> {
    let done = (last.done - first.done) as f64;
    if done < 1.0 {
        let fault = lock(&tally.fault).take();
        return Err(fault.unwrap_or_else(|| io::Error::other("no connection was served")));
    }
    let latencies = lock(&tally.latencies);
    let elapsed = last.at - first.at;
    let upstream = last.upstream.all.saturating_sub(first.upstream.all);
    let upstream_resumed = last.upstream.resumed.saturating_sub(first.upstream.resumed);
    Ok(Sample {
        rate: done / elapsed.as_secs_f64(),
        cpu: last.proxy.saturating_sub(first.proxy).as_secs_f64() * 1e6 / done,
        p50: latencies.quantile(0.5) / 1e3,
        p99: latencies.quantile(0.99) / 1e3,
        resumed: (last.resumed - first.resumed) as f64 / done,
        resumed_upstream: upstream_resumed as f64 / upstream as f64,
        client: cores(last.client.saturating_sub(first.client), elapsed),
        failed: tally.failed.load(Ordering::Relaxed),
    })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

async fn visit_until_stopped(cell: Cell, address: String, tally: Arc<Tally>) -> io::Result<()> {
    let mut clients = JoinSet::new();
    let request: Arc<[u8]> = frames::api_versions_request()?.into();
    for _ in 0..CLIENTS / THREADS {
        clients.spawn_local(client(
            cell,
            address.clone(),
            Arc::clone(&request),
            Arc::clone(&tally),
        ));
    }
    while let Some(ended) = clients.join_next().await {
        ended.map_err(io::Error::other)??;
    }
    Ok(())
}

/// One client after the other. Each keeps its own tickets, so that no two of them take the same.
async fn client(cell: Cell, address: String, request: Arc<[u8]>, tally: Arc<Tally>) -> io::Result<()> {
    let config = cell
        .sides
        .down()
        .then(|| material::client(cell.version, cell.resumed))
        .transpose()?;
    while !tally.stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        match visit(&address, config.as_ref(), &request).await {
            Ok(resumed) => {
                let nanoseconds = begun.elapsed().as_nanos().try_into().unwrap_or(u64::MAX);
                lock(&tally.latencies).record(nanoseconds);
                tally.resumed.fetch_add(u64::from(resumed), Ordering::Relaxed);
                tally.done.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                tally.failed.fetch_add(1, Ordering::Relaxed);
                lock(&tally.fault).get_or_insert(error);
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
    }
    Ok(())
}

/// One connection; whether its session was resumed.
async fn visit(address: &str, config: Option<&Arc<ClientConfig>>, request: &[u8]) -> io::Result<bool> {
    let mut end = within(End::connect(address, config)).await?;
    end.ask(request).await?;
    let resumed = end.was_resumed();
    end.close().await?;
    Ok(resumed)
}

fn print(cell: Cell, outcome: &Outcome) {
    let median = |series: &Series, kind, digits| number(series.of(kind).map(|spread| spread.median), digits);
    let pair = |series: &Series, digits| {
        let [haproxy, kproxy] = [Kind::Haproxy, Kind::Kproxy].map(|kind| median(series, kind, digits));
        format!("{haproxy:>8} {kproxy:>8}")
    };
    let resumed = |kind| {
        format!(
            "{} {}",
            median(&outcome.resumed, kind, 2),
            median(&outcome.resumed_upstream, kind, 2)
        )
    };
    println!(
        "{:<26} {} {} {} {}  {} / {}; {}{}",
        cell.name(),
        outcome.rate.shown(0),
        outcome.cpu.shown(0),
        pair(&outcome.p50, 0),
        pair(&outcome.p99, 0),
        resumed(Kind::Haproxy),
        resumed(Kind::Kproxy),
        pair(&outcome.client, 2),
        match outcome.failed {
            0 => String::new(),
            failed => format!("; {failed} FAILED"),
        }
    );
}

fn goals(outcomes: &[(Cell, Outcome)]) {
    println!("\ngoals");
    let judge = |text, bound, resumed, figure: fn(&Outcome) -> Option<_>| {
        let cells = outcomes.iter().filter(|(cell, _)| cell.resumed == resumed);
        report::goal(
            text,
            bound,
            cells.map(|(cell, outcome)| (cell.name(), figure(outcome))),
        );
    };
    for (text, resumed) in [
        ("full handshakes a second ≥ 1.0 × HAProxy", false),
        ("resumed handshakes a second ≥ 1.0 × HAProxy", true),
    ] {
        judge(text, Bound::AtLeast(1.0), resumed, |outcome| outcome.rate.ratio());
    }
    for (text, resumed) in [
        ("CPU per full handshake ≤ HAProxy's", false),
        ("CPU per resumed handshake ≤ HAProxy's", true),
    ] {
        judge(text, Bound::AtMost(1.0), resumed, |outcome| outcome.cpu.ratio());
    }
}
