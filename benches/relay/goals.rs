//! The goals, judged. Nothing fails here: a machine under other load must not break a build.

use crate::common::contender::Kind;
use crate::common::frames::Exchange;
use crate::common::stats::Spread;
use crate::run::{Outcome, Sample};

/// Which way a figure has to go.
#[derive(Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Bound {
    const fn met(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(least) => figure >= least,
            Self::AtMost(most) => figure <= most,
        }
    }

    /// Whether the round that went best met it: then a miss may be noise.
    const fn within_reach(self, spread: Spread) -> bool {
        match self {
            Self::AtLeast(_) => self.met(spread.high),
            Self::AtMost(_) => self.met(spread.low),
        }
    }

    const fn worse(self, left: f64, right: f64) -> bool {
        match self {
            Self::AtLeast(_) => left < right,
            Self::AtMost(_) => left > right,
        }
    }
}

/// Whom kproxy is compared with.
#[derive(Clone, Copy)]
enum Rival {
    One(Kind),
    /// The blind relay that is fastest in the cell.
    BestRelay,
    /// The one that takes least of the processor in the cell.
    ThriftiestRelay,
}

impl Rival {
    fn of(self, outcome: &Outcome) -> Option<Kind> {
        match self {
            Self::One(kind) => Some(kind),
            Self::BestRelay => outcome.best_relay(),
            Self::ThriftiestRelay => outcome.thriftiest_relay(),
        }
    }
}

struct Goal {
    /// Whose figure it is.
    of: Kind,
    text: &'static str,
    rival: Rival,
    bound: Bound,
    figure: fn(&Sample) -> Option<f64>,
    applies: fn(&Outcome) -> bool,
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

fn one_way(outcome: &Outcome, size: usize) -> bool {
    outcome.cell.deep && outcome.cell.exchange.size() == size
}

const fn rate(sample: &Sample) -> Option<f64> {
    Some(sample.rate)
}

const fn at_haproxy(text: &'static str, least: f64, applies: fn(&Outcome) -> bool) -> Goal {
    Goal {
        of: Kind::Kproxy,
        text,
        rival: Rival::One(Kind::Haproxy),
        bound: Bound::AtLeast(least),
        figure: rate,
        applies,
    }
}

const fn at_unfiltered(text: &'static str, least: f64, applies: fn(&Outcome) -> bool) -> Goal {
    Goal {
        of: Kind::Authorized,
        text,
        rival: Rival::One(Kind::Kproxy),
        bound: Bound::AtLeast(least),
        figure: rate,
        applies,
    }
}

const GOALS: [Goal; 14] = [
    at_unfiltered(
        "throughput with Authorization ≥ 0.9 × without, 1 KiB",
        0.9,
        |outcome| outcome.cell.exchange.size() == KIB,
    ),
    at_unfiltered(
        "throughput with Authorization ≥ 0.97 × without, 64 KiB",
        0.97,
        |outcome| outcome.cell.exchange.size() == 64 * KIB,
    ),
    Goal {
        of: Kind::Kproxy,
        text: "throughput ≥ 0.97 × the best of the blind relays, every cell",
        rival: Rival::BestRelay,
        bound: Bound::AtLeast(0.97),
        figure: rate,
        applies: |_| true,
    },
    at_haproxy("throughput ≥ 1.0 × HAProxy, every cell", 1.0, |_| true),
    Goal {
        of: Kind::Kproxy,
        text: "throughput ≥ 0.97 × the same pump without tracking",
        rival: Rival::One(Kind::Untracked),
        bound: Bound::AtLeast(0.97),
        figure: rate,
        applies: |_| true,
    },
    at_haproxy("throughput ≥ 1.05 × HAProxy, 100 B", 1.05, |outcome| {
        one_way(outcome, 100)
    }),
    at_haproxy("throughput ≥ 1.3 × HAProxy, 1 KiB", 1.3, |outcome| {
        one_way(outcome, KIB)
    }),
    at_haproxy("throughput ≥ 1.8 × HAProxy, 16 KiB", 1.8, |outcome| {
        one_way(outcome, 16 * KIB)
    }),
    at_haproxy("throughput ≥ 1.8 × HAProxy, 64 KiB", 1.8, |outcome| {
        one_way(outcome, 64 * KIB)
    }),
    at_haproxy("throughput ≥ 1.25 × HAProxy, 1 MiB one way", 1.25, |outcome| {
        one_way(outcome, MIB)
    }),
    at_haproxy("throughput ≥ 2.2 × HAProxy, 1 MiB both ways", 2.2, |outcome| {
        matches!(outcome.cell.exchange, Exchange::Echo { size: MIB })
    }),
    Goal {
        of: Kind::Kproxy,
        text: "round trip p50 ≤ HAProxy's, depth 1",
        rival: Rival::One(Kind::Haproxy),
        bound: Bound::AtMost(1.0),
        figure: |sample| Some(sample.p50),
        applies: |outcome| outcome.cell.depth == 1,
    },
    Goal {
        of: Kind::Kproxy,
        text: "CPU per message ≤ HAProxy's, every cell",
        rival: Rival::One(Kind::Haproxy),
        bound: Bound::AtMost(1.0),
        figure: |sample| sample.cpu,
        applies: |_| true,
    },
    Goal {
        of: Kind::Kproxy,
        text: "CPU per message ≤ 1.05 × the thriftiest of the blind relays, every cell",
        rival: Rival::ThriftiestRelay,
        bound: Bound::AtMost(1.05),
        figure: |sample| sample.cpu,
        applies: |_| true,
    },
];

/// Prints each goal with its verdict, the worst cell, and the cells that missed.
pub(crate) fn print(outcomes: &[Outcome]) {
    println!(
        "\ngoals (medians of the rounds' ratios; the goals against HAProxy are judged in the deep cells)"
    );
    for goal in &GOALS {
        judge(goal, outcomes);
    }
}

fn judge(goal: &Goal, outcomes: &[Outcome]) {
    let cells = outcomes.iter().filter(|outcome| (goal.applies)(outcome));
    let figures: Vec<(&Outcome, Spread)> = cells
        .filter_map(|outcome| {
            let rival = goal.rival.of(outcome)?;
            Some((outcome, outcome.ratio(goal.of, rival, goal.figure)?))
        })
        .collect();
    let worst = figures.iter().reduce(|worst, figure| {
        if goal.bound.worse(figure.1.median, worst.1.median) {
            figure
        } else {
            worst
        }
    });
    let Some((worst_outcome, worst)) = worst else {
        println!("  ----  {}: not measured", goal.text);
        return;
    };
    let missed: Vec<_> = figures
        .iter()
        .filter(|(_, spread)| !goal.bound.met(spread.median))
        .collect();
    println!(
        "  {}  {}: worst {:.2} [{:.2}–{:.2}] ({}), met in {} of {} cells",
        if missed.is_empty() { "PASS" } else { "FAIL" },
        goal.text,
        worst.median,
        worst.low,
        worst.high,
        worst_outcome.cell.name(),
        figures.len() - missed.len(),
        figures.len(),
    );
    for (outcome, spread) in missed {
        println!(
            "          {:<26} {:.2} [{:.2}–{:.2}]{}",
            outcome.cell.name(),
            spread.median,
            spread.low,
            spread.high,
            if goal.bound.within_reach(*spread) {
                "  (within the spread)"
            } else {
                ""
            },
        );
    }
}
