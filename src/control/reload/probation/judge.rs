//! The decision about one virtual cluster on probation: numbers in, verdict out. Pure.

use std::time::Duration;

use super::figures::Figures;
use super::sample::{BrokersSample, ClusterSample};
use crate::model::RollbackSettings;
use crate::names::names;
use crate::session::counters::{Bounds, HistogramCounts, LatencyBounds};

/// Answers that it takes to know a 99th percentile.
pub(super) const MIN_ANSWERS: u64 = 200;

/// Sessions that have to begin before the part of those that fail says anything.
const MIN_SESSIONS: u64 = 5;

/// Failed sessions that it takes: fewer may be chance.
const MIN_FAILED: u64 = 3;

/// Drained sessions that it takes to say that too few came back.
const MIN_DRAINED: u64 = 4;

/// A 99th percentile below this is not slow, whatever it was before.
const NOT_SLOW: Duration = Duration::from_millis(8);

names! {
    /// What came of a probation, or that it goes on.
    #[derive(Default)]
    pub enum ProbationVerdict {
        /// The window has not ended.
        #[default]
        Watching = "watching",
        /// Nothing got worse.
        Healthy = "healthy",
        /// Nothing is known to have got worse, and there was too little traffic to be sure.
        TooLittleTraffic = "too_little_traffic",
        /// Something got worse.
        Degraded = "degraded",
    }
}

names! {
    /// What got worse.
    pub enum DegradationReason {
        /// Brokers cannot be reached.
        ConnectFailures = "connect_failures",
        /// Sessions fail in TLS.
        TlsFailures = "tls_failures",
        /// Clients are not authenticated.
        AuthenticationFailures = "authentication_failures",
        /// Sessions end in errors.
        ErrorCloses = "error_closes",
        /// Requests are not answered.
        Unanswered = "unanswered",
        /// Answers take longer.
        Latency = "latency",
        /// Sessions that were drained do not come back.
        SessionsLost = "sessions_lost",
    }
}

/// What a virtual cluster was like before a reload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::control) struct BeforeReload {
    /// Growth in the time before.
    pub(super) counted: ClusterSample,
    /// Brokers that were unreachable.
    pub(super) unreachable: usize,
}

/// A virtual cluster before a reload and since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClusterPeriods {
    /// `None`: the reload added it.
    pub(super) before: Option<BeforeReload>,
    /// Growth since the reload.
    pub(super) after: ClusterSample,
    /// Growth since the clients had time to come back.
    pub(super) settled: ClusterSample,
    pub(super) brokers_after: BrokersSample,
    /// Live sessions that have waited long for their first answer.
    pub(super) waiting: u64,
    /// Time since the reload.
    pub(super) elapsed: Duration,
    /// Whether the sessions of all its gateways have a place to come back to.
    pub(super) keeps_gateways: bool,
}

/// Parts of the window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule(pub(super) Duration);

impl Schedule {
    /// Time that clients are given to come back; what happens in it is no measure of response times.
    pub(super) fn settled(self) -> Duration {
        self.0 / 6
    }
}

/// Judges one virtual cluster. `Err`: what got worse, with the figures.
pub(super) fn judge(
    periods: &ClusterPeriods,
    bounds: &RollbackSettings,
) -> Result<ProbationVerdict, (DegradationReason, String)> {
    let schedule = Schedule(bounds.window);
    let found = connect_failures(periods, bounds)
        .or_else(|| error_rate(periods, bounds, schedule))
        .or_else(|| sessions_lost(periods, schedule))
        .or_else(|| latency(periods, bounds, schedule));
    if let Some((reason, what)) = found {
        return Err((reason, format!("{what} ({})", Figures(periods))));
    }
    if periods.elapsed < bounds.window {
        return Ok(ProbationVerdict::Watching);
    }
    let has_traffic = periods.after.begun >= MIN_SESSIONS || p99(&periods.settled.latency).is_some();
    Ok(match has_traffic {
        true => ProbationVerdict::Healthy,
        false => ProbationVerdict::TooLittleTraffic,
    })
}

type Found = Option<(DegradationReason, String)>;

fn connect_failures(periods: &ClusterPeriods, bounds: &RollbackSettings) -> Found {
    let brokers = &periods.brokers_after;
    let before = periods.before.as_ref().map_or(0, |before| before.unreachable);
    // Attempts to a broker that fails are repeated; at the end of a short window one has to be enough.
    let now = match periods.elapsed < bounds.window {
        true => brokers.unreachable,
        false => brokers.failing,
    };
    let more = now.saturating_sub(before);
    // Where there are fewer brokers, all of them are enough.
    let bound = bounds.connect_failures.min(brokers.known).max(1);
    (more >= bound).then(|| {
        let what = format!("{more} more brokers than before cannot be reached, the bound is {bound}");
        (DegradationReason::ConnectFailures, what)
    })
}

fn error_rate(periods: &ClusterPeriods, bounds: &RollbackSettings, schedule: Schedule) -> Found {
    let after = &periods.after;
    let failed = after.failed.total() + periods.waiting;
    let is_known = after.begun >= MIN_SESSIONS && failed >= MIN_FAILED;
    if !is_known || periods.elapsed < schedule.settled() {
        return None;
    }
    let now = percent(failed, after.begun);
    let before = periods.before.as_ref().map_or(0.0, |before| {
        percent(before.counted.failed.total(), before.counted.begun)
    });
    let bound = f64::from(bounds.error_rate);
    (now > before + bound).then(|| {
        let what =
            format!("{now:.0} % of sessions fail, {before:.0} % before, the bound is {bound:.0} % more");
        (worst_kind(periods), what)
    })
}

/// The kind of failure that most failed sessions have.
fn worst_kind(periods: &ClusterPeriods) -> DegradationReason {
    let failed = periods.after.failed;
    let kinds = [
        (failed.errors, DegradationReason::ErrorCloses),
        (failed.unanswered + periods.waiting, DegradationReason::Unanswered),
        (failed.unconnected, DegradationReason::ConnectFailures),
        (failed.tls, DegradationReason::TlsFailures),
        (failed.authentication, DegradationReason::AuthenticationFailures),
    ];
    let most = kinds.into_iter().max_by_key(|(count, _)| *count);
    most.map_or(DegradationReason::ErrorCloses, |(_, kind)| kind)
}

fn percent(part: u64, all: u64) -> f64 {
    match all {
        0 => 0.0,
        all => (part.min(all) * 100) as f64 / all as f64,
    }
}

/// Clients come back at once or not at all. Where sessions fail, half of the window is enough to tell.
fn sessions_lost(periods: &ClusterPeriods, schedule: Schedule) -> Found {
    let after = &periods.after;
    let failed = after.failed.total() + periods.waiting;
    let needed = match failed {
        0 => schedule.0,
        _ => schedule.0 / 2,
    };
    if periods.before.is_none() || !periods.keeps_gateways || periods.elapsed < needed {
        return None;
    }
    let returned = after.begun.saturating_sub(failed);
    let is_lost = match after.drained {
        0 => false,
        1..MIN_DRAINED => returned == 0 && failed > 0,
        drained => returned * 2 < drained,
    };
    is_lost.then(|| {
        let what = format!(
            "{} sessions were drained, and {returned} came back",
            after.drained
        );
        (DegradationReason::SessionsLost, what)
    })
}

/// Response times are known by buckets: a rise counts where it is certain.
fn latency(periods: &ClusterPeriods, bounds: &RollbackSettings, schedule: Schedule) -> Found {
    let (_, highest_before) = p99(&periods.before.as_ref()?.counted.latency)?;
    let (lowest, _) = p99(&periods.settled.latency)?;
    if periods.elapsed < 2 * schedule.settled() || lowest < NOT_SLOW || highest_before == Duration::MAX {
        return None;
    }
    let allowed = highest_before.as_secs_f64() * (1.0 + f64::from(bounds.latency_increase) / 100.0);
    (lowest.as_secs_f64() >= allowed).then(|| {
        let what = format!(
            "the 99th percentile of answers is at least {lowest:?}, at most {highest_before:?} before, the bound is {} % more",
            bounds.latency_increase
        );
        (DegradationReason::Latency, what)
    })
}

/// The bucket of the 99th percentile: its bounds. `None`: too few answers.
pub(super) fn p99(counts: &HistogramCounts<LatencyBounds>) -> Option<(Duration, Duration)> {
    let total = counts.total();
    if total < MIN_ANSWERS {
        return None;
    }
    let above = total / 100;
    let mut left = total - above;
    let bounds = LatencyBounds::upper().map(Duration::from_secs_f64);
    let mut low = Duration::ZERO;
    for (high, count) in bounds.chain([Duration::MAX]).zip(counts.buckets) {
        if count >= left {
            return Some((low, high));
        }
        left -= count;
        low = high;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::sample::FailedSessions;
    use super::*;

    const WINDOW: Duration = Duration::from_secs(60);

    fn bounds() -> RollbackSettings {
        RollbackSettings {
            auto: true,
            window: WINDOW,
            ..RollbackSettings::default()
        }
    }

    /// A histogram of so many answers that took `ms` each.
    fn answers(count: u64, ms: u64) -> HistogramCounts<LatencyBounds> {
        let mut counts = HistogramCounts::default();
        for _ in 0..count {
            counts.observe(Duration::from_millis(ms));
        }
        counts
    }

    /// A cluster that is as it was, at the end of the window.
    fn same() -> ClusterPeriods {
        let busy = ClusterSample {
            begun: 50,
            latency: answers(1000, 3),
            ..ClusterSample::default()
        };
        ClusterPeriods {
            before: Some(BeforeReload {
                counted: busy.clone(),
                unreachable: 0,
            }),
            after: busy.clone(),
            settled: busy,
            brokers_after: BrokersSample {
                known: 3,
                ..BrokersSample::default()
            },
            waiting: 0,
            elapsed: WINDOW,
            keeps_gateways: true,
        }
    }

    #[track_caller]
    fn expect_worse(periods: &ClusterPeriods, expected: DegradationReason, figures: &str) {
        let (reason, detail) = judge(periods, &bounds()).unwrap_err();
        assert_eq!(reason, expected, "{detail}");
        assert!(detail.contains(figures), "{detail}");
        assert!(!detail.contains('\n'));
    }

    #[track_caller]
    fn verdict(periods: &ClusterPeriods) -> ProbationVerdict {
        judge(periods, &bounds()).unwrap()
    }

    #[test]
    fn what_is_as_it_was_is_healthy_at_the_end_of_the_window_and_not_before() {
        let mut periods = same();
        assert_eq!(verdict(&periods), ProbationVerdict::Healthy);
        periods.elapsed = WINDOW - Duration::from_millis(1);
        assert_eq!(verdict(&periods), ProbationVerdict::Watching);
    }

    #[test]
    fn without_traffic_nothing_is_guessed() {
        let mut periods = same();
        periods.after = ClusterSample {
            begun: 2,
            failed: FailedSessions {
                errors: 2,
                ..FailedSessions::default()
            },
            latency: answers(20, 4000),
            ..ClusterSample::default()
        };
        periods.settled = periods.after.clone();
        assert_eq!(verdict(&periods), ProbationVerdict::TooLittleTraffic);
    }

    #[test]
    fn unreachable_brokers_are_worse_without_any_traffic() {
        let mut periods = same();
        periods.elapsed = Duration::from_secs(7);
        periods.brokers_after.unreachable = 1;
        assert_eq!(
            verdict(&periods),
            ProbationVerdict::Watching,
            "one of three may be down"
        );
        periods.brokers_after.unreachable = 2;
        periods.brokers_after.example = Some("b:1: Connection refused".into());
        let figures = "2 of 3 brokers unreachable (b:1: Connection refused)";
        expect_worse(&periods, DegradationReason::ConnectFailures, figures);
        periods.before.as_mut().unwrap().unreachable = 1;
        assert_eq!(
            verdict(&periods),
            ProbationVerdict::Watching,
            "one was down before"
        );
        // All there is.
        periods.before.as_mut().unwrap().unreachable = 0;
        (periods.brokers_after.known, periods.brokers_after.unreachable) = (1, 1);
        expect_worse(&periods, DegradationReason::ConnectFailures, "1 of 1");
    }

    #[test]
    fn at_the_end_of_the_window_one_failed_attempt_is_enough() {
        let mut periods = same();
        (periods.brokers_after.known, periods.brokers_after.failing) = (1, 1);
        expect_worse(
            &periods,
            DegradationReason::ConnectFailures,
            "1 of 1 brokers unreachable",
        );
        periods.elapsed = WINDOW / 2;
        assert_eq!(verdict(&periods), ProbationVerdict::Watching);
    }

    #[test]
    fn sessions_that_fail_more_often_than_before_are_worse() {
        let mut periods = same();
        periods.elapsed = Duration::from_secs(12);
        periods.after.failed.tls = 3;
        let figures = "6 % of sessions fail, 0 % before, the bound is 5 % more";
        expect_worse(&periods, DegradationReason::TlsFailures, figures);
        expect_worse(
            &periods,
            DegradationReason::TlsFailures,
            "3 of 50 sessions failed (TLS 3), before 0 of 50",
        );
        periods.before.as_mut().unwrap().counted.failed.errors = 1;
        assert_eq!(verdict(&periods), ProbationVerdict::Watching, "2 % before");
        periods.after.failed.tls = 2;
        periods.after.begun = 5;
        assert_eq!(verdict(&periods), ProbationVerdict::Watching, "two may be chance");
        periods.after.failed.authentication = 3;
        expect_worse(
            &periods,
            DegradationReason::AuthenticationFailures,
            "authentication 3",
        );
        periods.elapsed = Duration::from_secs(9);
        assert_eq!(
            verdict(&periods),
            ProbationVerdict::Watching,
            "clients may be coming back"
        );
    }

    #[test]
    fn requests_without_an_answer_are_worse_while_their_sessions_live() {
        let mut periods = same();
        periods.elapsed = Duration::from_secs(15);
        periods.waiting = 20;
        expect_worse(&periods, DegradationReason::Unanswered, "no answer 20");
    }

    #[test]
    fn answers_are_slower_where_that_is_certain() {
        let mut periods = same();
        periods.elapsed = Duration::from_secs(30);
        // From the bucket of 2.048 to 4.096 ms into the next: perhaps by nothing.
        periods.settled.latency = answers(1000, 5);
        assert_eq!(verdict(&periods), ProbationVerdict::Watching);
        periods.settled.latency = answers(1000, 20);
        let figures = "at least 16.384ms, at most 4.096ms before";
        expect_worse(&periods, DegradationReason::Latency, figures);
        // The slowest hundredth is not looked at.
        periods.settled.latency = answers(990, 3);
        periods.settled.latency.add(&answers(10, 500));
        assert_eq!(verdict(&periods), ProbationVerdict::Watching);
        periods.settled.latency.add(&answers(1, 500));
        expect_worse(&periods, DegradationReason::Latency, "at least 262.144ms");
        periods.settled.latency = answers(MIN_ANSWERS - 1, 500);
        assert_eq!(verdict(&periods), ProbationVerdict::Watching, "too few");
        periods.settled.latency = answers(1000, 20);
        periods.elapsed = Duration::from_secs(19);
        assert_eq!(verdict(&periods), ProbationVerdict::Watching, "too early");
    }

    #[test]
    fn answers_that_are_fast_are_not_slow() {
        let mut periods = same();
        periods.before.as_mut().unwrap().counted.latency = answers(1000, 0);
        periods.settled.latency = answers(1000, 7);
        assert_eq!(verdict(&periods), ProbationVerdict::Healthy);
    }

    #[test]
    fn sessions_that_do_not_come_back_are_worse() {
        let mut periods = same();
        (periods.after.begun, periods.after.drained) = (4, 10);
        expect_worse(
            &periods,
            DegradationReason::SessionsLost,
            "10 sessions were drained, and 4 came back",
        );
        periods.elapsed = WINDOW / 2;
        assert_eq!(verdict(&periods), ProbationVerdict::Watching, "they may come");
        periods.after.failed.errors = 1;
        expect_worse(&periods, DegradationReason::SessionsLost, "and 3 came back");
        periods.keeps_gateways = false;
        assert_eq!(
            verdict(&periods),
            ProbationVerdict::Watching,
            "they have no place to come back to"
        );
        periods.keeps_gateways = true;
        (periods.after.begun, periods.after.drained) = (1, 2);
        expect_worse(&periods, DegradationReason::SessionsLost, "and 0 came back");
        (
            periods.after.begun,
            periods.after.drained,
            periods.after.failed.errors,
        ) = (0, 2, 0);
        periods.elapsed = WINDOW;
        periods.settled.latency = HistogramCounts::default();
        assert_eq!(
            verdict(&periods),
            ProbationVerdict::TooLittleTraffic,
            "two may have ended"
        );
    }

    #[test]
    fn a_new_cluster_is_judged_by_its_brokers_and_its_failures() {
        let mut periods = same();
        periods.before = None;
        periods.settled.latency = answers(1000, 900);
        periods.after.drained = 40;
        assert_eq!(verdict(&periods), ProbationVerdict::Healthy);
        periods.after.failed.unconnected = 10;
        expect_worse(&periods, DegradationReason::ConnectFailures, "nothing before");
    }
}
