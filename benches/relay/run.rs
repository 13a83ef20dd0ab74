//! Measuring: cells × rounds × contenders.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use crate::Options;
use crate::cells::{self, Cell};
use crate::common::contender::{Contender, Kind, Setup, USER, haproxy_version};
use crate::common::load::{Load, Running};
use crate::common::outbox::Template;
use crate::common::process::{Process, cpu_time};
use crate::report;
use crate::syscalls::{self, Counter};

/// What one contender did in one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Requests with their answers per second.
    pub(crate) rate: f64,
    /// Microseconds.
    pub(crate) p50: f64,
    /// Microseconds.
    pub(crate) p99: f64,
    /// Microseconds of the contender's CPU per request with its answer; `None` without a contender.
    pub(crate) cpu: Option<f64>,
}

/// One cell, measured.
pub(crate) struct Outcome {
    pub(crate) cell: Cell,
    /// One entry per round; `None` where that contender failed.
    pub(crate) samples: BTreeMap<Kind, Vec<Option<Sample>>>,
    /// System calls of the contender per request with its answer.
    pub(crate) syscalls: BTreeMap<Kind, f64>,
}

/// Load before a window, so that no window sees connections and buffers grow.
const WARM_UP: Duration = Duration::from_millis(120);

/// Measures `cells` and prints each as it is done.
pub(crate) async fn run(options: &Options, cells: &[Cell]) -> io::Result<Vec<Outcome>> {
    let directory = TempDir::new()?;
    let (_broker, broker_address) = Process::role(&["broker", "1"], None)?;
    let contenders = start(options, &broker_address, directory.path());
    let uncounted = syscalls::unavailable();
    let seed = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos() as u64;
    report::preamble(options, cells, uncounted.as_deref(), seed);
    let mut order = Shuffle(seed);
    let mut outcomes = Vec::new();
    for cell in cells {
        let mut bench = Bench {
            options,
            cell,
            load: load(cell)?,
            directory: directory.path(),
        };
        let mut outcome = Outcome {
            cell: cell.clone(),
            samples: BTreeMap::new(),
            syscalls: BTreeMap::new(),
        };
        for _ in 0..options.rounds() {
            for contender in order.of(&contenders) {
                if contender.kind == Kind::Untracked && !cell.untracked {
                    continue;
                }
                let sample = bench.sample(contender).await;
                outcome.samples.entry(contender.kind).or_default().push(sample);
            }
        }
        if uncounted.is_none() {
            bench.count(&contenders, &mut outcome.syscalls).await;
        }
        report::cell(&outcome);
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

fn start(options: &Options, broker: &str, directory: &Path) -> Vec<Contender> {
    let setup = Setup {
        broker,
        directory,
        cpu: options.separate.then_some(1),
        threads: options.threads,
        connections: 256,
        other: options.other.as_deref(),
    };
    let mut contenders = Vec::new();
    for kind in Kind::ALL {
        if options.leaves_out(kind) {
            continue;
        }
        let started = match kind {
            Kind::Haproxy => haproxy_version().and_then(|version| {
                println!("{version}");
                Contender::start(kind, &setup)
            }),
            _ => Contender::start(kind, &setup),
        };
        match started {
            Ok(contender) => contenders.push(contender),
            Err(error) => println!("{} is not part of this run: {error}", kind.name()),
        }
    }
    contenders
}

fn load(cell: &Cell) -> io::Result<Load> {
    let request = Template::request(cell.exchange.request()?);
    Ok(Load {
        connections: cell.connections,
        depth: cell.depth,
        request,
    })
}

/// One cell under measurement.
struct Bench<'a> {
    options: &'a Options,
    cell: &'a Cell,
    load: Load,
    directory: &'a Path,
}

impl Bench<'_> {
    async fn sample(&mut self, contender: &Contender) -> Option<Sample> {
        self.report_failure(contender, self.try_sample(contender).await)
    }

    async fn try_sample(&self, contender: &Contender) -> io::Result<Sample> {
        let mut running = Running::start(&contender.address, &self.load, user_of(contender)).await?;
        running.warm_up(WARM_UP).await?;
        let cpu = || contender.pid().map(cpu_time).transpose();
        let (window, before, after) = running
            .window(self.cell.window(self.options.window()), cpu)
            .await?;
        running.finish().await?;
        let pairs = window.pairs as f64;
        let cpu = after
            .zip(before)
            .map(|(after, before)| (after - before).as_secs_f64() * 1e6 / pairs);
        Ok(Sample {
            rate: pairs / window.elapsed.as_secs_f64(),
            p50: window.p50 / 1e3,
            p99: window.p99 / 1e3,
            cpu,
        })
    }

    /// Counts system calls in a window of its own, because counting slows what is counted.
    async fn count(&mut self, contenders: &[Contender], counts: &mut BTreeMap<Kind, f64>) {
        for contender in contenders {
            let Some(pid) = contender.pid() else { continue };
            if matches!(contender.kind, Kind::Untracked | Kind::Relay(..=128)) {
                continue;
            }
            let counted = self.try_count(contender, pid).await;
            if let Some(per_pair) = self.report_failure(contender, counted) {
                counts.insert(contender.kind, per_pair);
            }
        }
    }

    async fn try_count(&self, contender: &Contender, pid: u32) -> io::Result<f64> {
        let mut counter = Counter::attach(pid, self.directory)?;
        let mut running = Running::start(&contender.address, &self.load, user_of(contender)).await?;
        running.warm_up(WARM_UP).await?;
        let mut counting = false;
        let edge = || {
            counting = !counting;
            if counting {
                counter.resume()
            } else {
                counter.pause()
            }
        };
        let (window, (), ()) = running
            .window(self.cell.window(self.options.window()) / 2, edge)
            .await?;
        running.finish().await?;
        Ok(counter.finish()? as f64 / window.pairs as f64)
    }

    fn report_failure<T>(&self, contender: &Contender, result: io::Result<T>) -> Option<T> {
        result
            .inspect_err(|error| println!("{}: {} failed: {error}", self.cell.name(), contender.kind.name()))
            .ok()
    }
}

/// Who the clients of a contender are, where they have to say so.
fn user_of(contender: &Contender) -> Option<(&'static str, &'static str)> {
    (contender.kind == Kind::Authorized).then_some(USER)
}

/// Orders contenders at random; the seed is printed.
struct Shuffle(u64);

impl Shuffle {
    fn of<'a>(&mut self, contenders: &'a [Contender]) -> Vec<&'a Contender> {
        let mut order: Vec<&Contender> = contenders.iter().collect();
        for last in (1..order.len()).rev() {
            order.swap(last, (self.next() % (last as u64 + 1)) as usize);
        }
        order
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// About how long a run takes.
pub(crate) fn duration(options: &Options, cells: &[Cell]) -> Duration {
    let of_cell = |cell: &Cell| {
        let window = cell.window(options.window());
        let all = Kind::ALL
            .iter()
            .filter(|kind| !options.leaves_out(**kind))
            .count();
        let contenders = if cell.untracked { all } else { all - 1 };
        (WARM_UP + window) * (contenders * options.rounds()) as u32 + (WARM_UP * 2 + window / 2) * 3
    };
    cells.iter().map(of_cell).sum()
}

/// Says what is not measured, where the whole grid was asked for.
pub(crate) fn note_left_out(cells: &[Cell]) -> Option<String> {
    (cells.len() == cells::all().len()).then(cells::left_out)
}
