//! Bytes per second and what they cost, once the handshakes are over.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::common::contender::Kind;
use crate::common::frames::Exchange;
use crate::common::load::{Load, Running as Traffic};
use crate::common::outbox::Template;
use crate::common::process::{Process, cpu_time, run_local};
use crate::material::{self, Version};
use crate::report::{self, Bound, Series, cores};
use crate::roles::TlsBroker;
use crate::secure::End;
use crate::setup::{Gateway, Running, Setup, Sides};
use crate::{Options, report::number};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
/// Sizes, each with the requests in flight per connection that keep a proxy busy throughout.
const SIZES: [(usize, usize); 4] = [(KIB, 32), (16 * KIB, 8), (64 * KIB, 4), (MIB, 2)];
const CONNECTIONS: [usize; 3] = [1, 8, 32];
/// Versions whose answers hold no broker addresses.
const PRODUCE: i16 = 9;
const FETCH: i16 = 12;
/// Load before a window, so that no window sees connections and buffers grow.
const WARM_UP: Duration = Duration::from_millis(120);
/// Bytes in flight from which on a cell is measured for longer.
const HEAVY: usize = 32 * MIB;
/// A client or broker thread that is busier than this sets the pace itself.
const SATURATED: f64 = 0.95;

/// One kind of traffic through one set-up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    sides: Sides,
    exchange: Exchange,
    connections: usize,
    depth: usize,
}

impl Cell {
    /// Such as `down produce 16KiB c8 d8`.
    pub(crate) fn name(&self) -> String {
        let api = match self.exchange {
            Exchange::Fetch { .. } => "fetch",
            _ => "produce",
        };
        let size = match self.exchange.size() {
            MIB => "1MiB".to_owned(),
            size => format!("{}KiB", size / KIB),
        };
        format!(
            "{} {api} {size} c{} d{}",
            self.sides.name(),
            self.connections,
            self.depth
        )
    }

    /// The cells in which the goals are judged: neither one connection's latency nor the kernel's buffers.
    const fn judged(&self) -> bool {
        self.connections == 8
    }

    fn window(&self, options: &Options) -> Duration {
        let window = options.window(350, 150, 60);
        if self.exchange.size() * self.connections * self.depth >= HEAVY {
            window * 3
        } else {
            window
        }
    }
}

/// Every cell that was asked for.
pub(crate) fn cells(options: &Options) -> Vec<Cell> {
    let mut cells = Vec::new();
    for sides in Sides::ALL {
        for (size, depth) in SIZES {
            let produce = Exchange::Produce {
                version: PRODUCE,
                size,
            };
            let fetch = Exchange::Fetch { version: FETCH, size };
            for exchange in [produce, fetch] {
                cells.extend(CONNECTIONS.map(|connections| Cell {
                    sides,
                    exchange,
                    connections,
                    depth,
                }));
            }
        }
    }
    cells.retain(|cell| options.wants_sides(cell.sides) && options.wants_cell(&cell.name()));
    // A cell asked for by name is measured whether it is part of a short run or not.
    if options.cell.is_none() && (options.quick || options.smoke) {
        cells.retain(Cell::judged);
    }
    if options.smoke {
        cells.retain(|cell| matches!(cell.exchange.size(), KIB | MIB));
    }
    cells
}

/// One cell's figures over the rounds.
#[derive(Default)]
struct Outcome {
    /// MB/s of frames, the larger direction.
    rate: Series,
    /// Microseconds of the contender's CPU per MiB.
    cpu: Series,
    /// Microseconds.
    p50: Series,
    /// Cores kept busy.
    client: Series,
    broker: Series,
    proxy: Series,
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
        "\nthroughput: MB/s; µs of the proxy's CPU per MiB; cores that client, broker and proxy kept busy"
    );
    println!(
        "{:<26} {} {} {:>17}  client, broker, HAProxy / client, broker, kproxy",
        "",
        report::heading("MB/s"),
        report::heading("CPU"),
        "p50 µs"
    );
    let (plain, plain_address) = Process::role(&["broker", "1"], None)?;
    let tls = TlsBroker::start(directory, Version::Tls13, true)?;
    let mut outcomes = Vec::new();
    for sides in Sides::ALL {
        let of_sides: Vec<Cell> = cells.iter().copied().filter(|cell| cell.sides == sides).collect();
        if of_sides.is_empty() {
            continue;
        }
        let (broker, broker_pid) = if sides.up() {
            (&tls.address, tls.pid)
        } else {
            (&plain_address, plain.id())
        };
        let setup = Setup {
            directory,
            threads: options.threads(),
            connections: 1000,
        };
        let contenders = setup.start_all(&[Gateway { sides, broker }], &options.without);
        if contenders.is_empty() {
            continue;
        }
        for cell in of_sides {
            let outcome = measure(options, cell, &contenders, broker_pid)?;
            print(cell, &outcome);
            outcomes.push((cell, outcome));
        }
    }
    goals(&outcomes);
    Ok(())
}

fn measure(options: &Options, cell: Cell, contenders: &[Running], broker: u32) -> io::Result<Outcome> {
    let mut outcome = Outcome::default();
    let request = cell.exchange.request()?;
    for round in 0..options.rounds() {
        let mut order: Vec<&Running> = contenders.iter().collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for running in order {
            let kind = running.contender.kind;
            let sample = run_local(sample(cell, &request, running, broker, cell.window(options)))?
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
        push(&mut self.client, |sample| sample.busy[0]);
        push(&mut self.broker, |sample| sample.busy[1]);
        push(&mut self.proxy, |sample| sample.busy[2]);
    }
}

struct Sample {
    rate: f64,
    cpu: f64,
    p50: f64,
    busy: [f64; 3],
}

async fn sample(
    cell: Cell,
    request: &[u8],
    running: &Running,
    broker: u32,
    window: Duration,
) -> io::Result<Sample> {
    let tls = cell
        .sides
        .down()
        .then(|| material::client(Version::Tls13, true))
        .transpose()?;
    let mut ends = Vec::with_capacity(cell.connections);
    for _ in 0..cell.connections {
        ends.push(End::greeted(&running.addresses[0], tls.as_ref()).await?);
    }
    let load = Load {
        connections: cell.connections,
        depth: cell.depth,
        request: Template::request(request.to_vec()),
    };
    let mut traffic = Traffic::over(ends, &load);
    traffic.warm_up(WARM_UP).await?;
    let used = || -> io::Result<[Duration; 3]> {
        Ok([
            cpu_time(std::process::id())?,
            cpu_time(broker)?,
            cpu_time(running.pid)?,
        ])
    };
    let (seen, before, after) = traffic.window(window, used).await?;
    traffic.finish().await?;
    let used = [0, 1, 2].map(|process| after[process].saturating_sub(before[process]));
    let bytes = seen.pairs as f64 * cell.exchange.size() as f64;
    Ok(Sample {
        rate: bytes / 1e6 / seen.elapsed.as_secs_f64(),
        cpu: used[2].as_secs_f64() * 1e6 / (bytes / MIB as f64),
        p50: seen.p50 / 1e3,
        busy: used.map(|used| cores(used, seen.elapsed)),
    })
}

fn print(cell: Cell, outcome: &Outcome) {
    let median = |series: &Series, kind| series.of(kind).map(|spread| spread.median);
    let busy = |kind| {
        let [client, broker, proxy] =
            [&outcome.client, &outcome.broker, &outcome.proxy].map(|series| number(median(series, kind), 2));
        let saturated = [&outcome.client, &outcome.broker]
            .into_iter()
            .any(|series| median(series, kind).is_some_and(|busy| busy > SATURATED));
        format!(
            "{client} {broker} {proxy}{}",
            if saturated { " LOAD-BOUND" } else { "" }
        )
    };
    let [haproxy, kproxy] = [Kind::Haproxy, Kind::Kproxy].map(|kind| number(median(&outcome.p50, kind), 0));
    println!(
        "{:<26} {} {} {haproxy:>8} {kproxy:>8}  {} / {}",
        cell.name(),
        outcome.rate.shown(0),
        outcome.cpu.shown(0),
        busy(Kind::Haproxy),
        busy(Kind::Kproxy),
    );
}

fn goals(outcomes: &[(Cell, Outcome)]) {
    println!("\ngoals, in the cells of 8 connections");
    let judge = |text, bound, applies: fn(usize) -> bool, figure: fn(&Outcome) -> Option<_>| {
        let cells = outcomes
            .iter()
            .filter(|(cell, _)| cell.judged() && applies(cell.exchange.size()));
        report::goal(
            text,
            bound,
            cells.map(|(cell, outcome)| (cell.name(), figure(outcome))),
        );
    };
    judge(
        "throughput ≥ 1.0 × HAProxy, 1 KiB",
        Bound::AtLeast(1.0),
        |size| size == KIB,
        |outcome| outcome.rate.ratio(),
    );
    judge(
        "throughput ≥ 1.4 × HAProxy, 64 KiB",
        Bound::AtLeast(1.4),
        |size| size == 64 * KIB,
        |outcome| outcome.rate.ratio(),
    );
    judge(
        "throughput ≥ 1.25 × HAProxy, 1 MiB",
        Bound::AtLeast(1.25),
        |size| size == MIB,
        |outcome| outcome.rate.ratio(),
    );
    judge(
        "CPU per byte ≤ HAProxy's",
        Bound::AtMost(1.0),
        |_| true,
        |outcome| outcome.cpu.ratio(),
    );
}
