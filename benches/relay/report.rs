//! What is printed while cells are measured.

use crate::Options;
use crate::cells::Cell;
use crate::common::contender::Kind;
use crate::common::stats::Spread;
use crate::run::{self, Outcome, Sample};

/// What was asked for and where it runs.
pub(crate) fn preamble(options: &Options, cells: &[Cell], uncounted: Option<&str>, seed: u64) {
    println!("machine: {}", crate::common::process::machine());
    println!(
        "layout: {}; {} cells × {} rounds × {:?}, about {:.0} s; seed {seed}",
        if options.separate {
            "contender alone on CPU 1"
        } else {
            "all on CPU 0"
        },
        cells.len(),
        options.rounds(),
        options.window(),
        run::duration(options, cells).as_secs_f64(),
    );
    if let Some(reason) = uncounted {
        println!("system calls are not counted: {reason}");
    }
    if let Some(note) = run::note_left_out(cells) {
        println!("not measured: {note}");
    }
    println!("a ratio is the median of the rounds' own ratios [lowest–highest]; p50, p99 and CPU in µs;");
    println!("CPU and system calls are the contender's, per request with its answer");
}

/// One cell's table.
pub(crate) fn cell(outcome: &Outcome) {
    println!(
        "\n{:<24} {:>10}  {:<18} {:<18} {:<18} {:>8} {:>8} {:<24} {:>8}",
        outcome.cell.name(),
        "pairs/s",
        "÷ direct",
        "÷ best relay",
        "÷ HAProxy",
        "p50",
        "p99",
        "CPU",
        "syscalls"
    );
    for &kind in outcome.samples.keys() {
        let rate = |sample: &Sample| Some(sample.rate);
        let ratio = |other| bracketed(outcome.ratio(kind, other, rate), 2);
        let median = |of: fn(&Sample) -> Option<f64>| outcome.spread(kind, of).map(|spread| spread.median);
        let cpu = outcome.spread(kind, |sample| sample.cpu);
        let digits = if cpu.is_some_and(|spread| spread.median < 10.0) {
            2
        } else {
            0
        };
        println!(
            "  {:<22} {:>10}  {:<18} {:<18} {:<18} {:>8} {:>8} {:<24} {:>8}",
            kind.name(),
            number(median(|sample| Some(sample.rate)), 0),
            ratio(Kind::Direct),
            outcome.best_relay().map_or_else(|| "–".to_owned(), ratio),
            ratio(Kind::Haproxy),
            number(median(|sample| Some(sample.p50)), 1),
            number(median(|sample| Some(sample.p99)), 1),
            bracketed(cpu, digits),
            number(outcome.syscalls.get(&kind).copied(), 2),
        );
    }
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
}

fn bracketed(spread: Option<Spread>, digits: usize) -> String {
    let Some(Spread { median, low, high }) = spread else {
        return "–".to_owned();
    };
    format!("{median:.digits$} [{low:.digits$}–{high:.digits$}]")
}

impl Outcome {
    /// A figure of one contender over the rounds.
    pub(crate) fn spread(&self, kind: Kind, of: impl Fn(&Sample) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.samples.get(&kind)?.iter().flatten().filter_map(of))
    }

    /// The blind relay whose median throughput is highest.
    pub(crate) fn best_relay(&self) -> Option<Kind> {
        let rates = Kind::RELAYS.map(|kind| (kind, self.spread(kind, |sample| Some(sample.rate))));
        let measured = rates
            .into_iter()
            .filter_map(|(kind, rate)| Some((kind, rate?.median)));
        measured
            .max_by(|left, right| left.1.total_cmp(&right.1))
            .map(|(kind, _)| kind)
    }

    /// The blind relay that takes least of the processor for a message.
    pub(crate) fn thriftiest_relay(&self) -> Option<Kind> {
        let times = Kind::RELAYS.map(|kind| (kind, self.spread(kind, |sample| sample.cpu)));
        let measured = times
            .into_iter()
            .filter_map(|(kind, time)| Some((kind, time?.median)));
        measured
            .min_by(|left, right| left.1.total_cmp(&right.1))
            .map(|(kind, _)| kind)
    }

    /// A figure of one contender divided by that of another in the same round.
    pub(crate) fn ratio(
        &self,
        kind: Kind,
        other: Kind,
        of: impl Fn(&Sample) -> Option<f64>,
    ) -> Option<Spread> {
        if kind == other {
            return None;
        }
        let rounds = self.samples.get(&kind)?.iter().zip(self.samples.get(&other)?);
        Spread::of(rounds.filter_map(|(mine, theirs)| Some(of(mine.as_ref()?)? / of(theirs.as_ref()?)?)))
    }
}
