//! Ratios, and the goals judged. Nothing fails here: a machine under other load must not break a build.

use std::time::Duration;

use crate::common::contender::Kind;
use crate::common::stats::Spread;

/// One figure of one contender over the rounds; `None` where it failed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series {
    haproxy: Vec<Option<f64>>,
    kproxy: Vec<Option<f64>>,
}

impl Series {
    pub(crate) fn push(&mut self, kind: Kind, figure: Option<f64>) {
        match kind {
            Kind::Haproxy => self.haproxy.push(figure),
            _ => self.kproxy.push(figure),
        }
    }

    pub(crate) fn of(&self, kind: Kind) -> Option<Spread> {
        let rounds = match kind {
            Kind::Haproxy => &self.haproxy,
            _ => &self.kproxy,
        };
        Spread::of(rounds.iter().flatten().copied())
    }

    /// kproxy ÷ HAProxy, round by round.
    pub(crate) fn ratio(&self) -> Option<Spread> {
        let rounds = self.kproxy.iter().zip(&self.haproxy);
        Spread::of(rounds.filter_map(|(kproxy, haproxy)| Some((*kproxy)? / (*haproxy)?)))
    }

    /// Such as `812 1204  1.48 [1.40–1.55]`: HAProxy, kproxy, the ratio.
    pub(crate) fn shown(&self, digits: usize) -> String {
        let median = |kind| number(self.of(kind).map(|spread| spread.median), digits);
        format!(
            "{:>9} {:>9}  {:<18}",
            median(Kind::Haproxy),
            median(Kind::Kproxy),
            bracketed(self.ratio(), 2)
        )
    }
}

/// What stands above [`Series::shown`].
pub(crate) fn heading(figure: &str) -> String {
    format!("{figure:>19}  {:<18}", "ratio")
}

pub(crate) fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
}

pub(crate) fn bracketed(spread: Option<Spread>, digits: usize) -> String {
    let Some(Spread { median, low, high }) = spread else {
        return "–".to_owned();
    };
    format!("{median:.digits$} [{low:.digits$}–{high:.digits$}]")
}

/// Which way a figure has to go.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
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
}

/// Prints a goal's verdict and what missed it.
pub(crate) fn goal(text: &str, bound: Bound, figures: impl IntoIterator<Item = (String, Option<Spread>)>) {
    let figures: Vec<(String, Spread)> = figures
        .into_iter()
        .filter_map(|(name, spread)| Some((name, spread?)))
        .collect();
    if figures.is_empty() {
        println!("  ----  {text}: not measured");
        return;
    }
    let missed: Vec<_> = figures
        .iter()
        .filter(|(_, spread)| !bound.met(spread.median))
        .collect();
    println!(
        "  {}  {text}: met in {} of {}",
        if missed.is_empty() { "PASS" } else { "FAIL" },
        figures.len() - missed.len(),
        figures.len()
    );
    for (name, spread) in missed {
        let note = if bound.within_reach(*spread) {
            "  (within the spread)"
        } else {
            ""
        };
        println!("          {name:<34} {}{note}", bracketed(Some(*spread), 2));
    }
}

/// Cores that were kept busy: CPU time over wall time.
pub(crate) fn cores(used: Duration, elapsed: Duration) -> f64 {
    used.as_secs_f64() / elapsed.as_secs_f64()
}
