//! Drain strategies: the pace at which the sessions of a cluster get the order to leave.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{ConnectionTracker, DrainOrder, SessionHandle};
use crate::model::{DrainPolicy, DrainStrategy};

/// Sessions ordered to leave before other tasks of this thread run.
const SLICE: usize = 256;

/// Sessions that are asked to move before a pause, and the pause: 2,500 sessions a second. Each connects to a broker, and those that
/// do not move are not to wait for it.
const MOVES: usize = 5;
const PAUSE_AFTER_MOVES: Duration = Duration::from_millis(2);

/// The two deadlines of one drain, as points in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainDeadlines {
    /// Soft deadline, see [`DrainOrder::soft`].
    pub soft: Instant,
    /// Hard deadline, see [`DrainOrder::hard`].
    pub hard: Instant,
    /// Whether the process is stopping, see [`DrainOrder::process_ends`].
    pub process_ends: bool,
    /// Whether sessions may move instead, see [`DrainOrder::may_move`].
    pub may_move: bool,
}

impl DrainDeadlines {
    /// The deadlines of `policy`, counted from `now`.
    pub fn of(policy: &DrainPolicy, now: Instant) -> Self {
        Self {
            soft: now + policy.timeout,
            hard: now + policy.hard_timeout,
            process_ends: false,
            may_move: false,
        }
    }

    /// Deadlines as these, for sessions that may go on with another broker connection.
    #[must_use]
    pub fn or_move(self) -> Self {
        Self {
            may_move: true,
            ..self
        }
    }

    /// The deadlines at the end of the process. Both are at most `deadline`, and the last third of the time is left
    /// for answers that are in flight when reading stops.
    pub fn within(policy: &DrainPolicy, now: Instant, deadline: Instant) -> Self {
        let own = Self::of(policy, now);
        let left = deadline.saturating_duration_since(now);
        Self {
            soft: own.soft.min(now + left / 3),
            hard: own.hard.min(deadline),
            process_ends: true,
            may_move: false,
        }
    }
}

impl DrainDeadlines {
    /// The order for one session.
    pub fn order(self, policy: &DrainPolicy) -> DrainOrder {
        let soft = match policy.strategy {
            DrainStrategy::Immediate => Instant::now(),
            DrainStrategy::Graceful | DrainStrategy::Progressive => self.soft,
        };
        DrainOrder {
            soft,
            hard: self.hard,
            process_ends: self.process_ends,
            may_move: self.may_move,
        }
    }
}

/// Orders every session of `trackers` to leave at the pace of the policy, and waits until all have left.
///
/// Draining the same tracker twice is safe: the deadlines of a session only become earlier.
pub async fn drain_trackers(
    trackers: &[Arc<ConnectionTracker>],
    policy: &DrainPolicy,
    deadlines: DrainDeadlines,
) {
    let order = deadlines.order(policy);
    let sessions: Vec<_> = trackers
        .iter()
        .flat_map(|tracker| tracker.begin_drain(order))
        .collect();
    drain_sessions(sessions, policy, deadlines).await;
    // One pass over all: a session may still register with a tracker that was found empty.
    while trackers.iter().any(|tracker| !tracker.is_empty()) {
        for tracker in trackers {
            tracker.emptied().await;
        }
    }
}

/// Orders these sessions to leave at the pace of the policy.
pub async fn drain_sessions(
    sessions: Vec<Arc<SessionHandle>>,
    policy: &DrainPolicy,
    deadlines: DrainDeadlines,
) {
    let order = deadlines.order(policy);
    let until_soft = deadlines.soft.saturating_duration_since(Instant::now());
    let pace = pace(policy, sessions.len(), until_soft);
    for (index, session) in sessions.into_iter().enumerate() {
        // A session that has left, or already has an order, needs no pause.
        let ordered = session.order().is_some() || Arc::strong_count(&session) == 1;
        session.give_order(order);
        match pace {
            Some(pause) if !ordered => tokio::time::sleep(jittered(pause, session.id)).await,
            None if order.may_move && index % MOVES == MOVES - 1 => {
                tokio::time::sleep(PAUSE_AFTER_MOVES).await;
            }
            _ if index % SLICE == SLICE - 1 => tokio::task::yield_now().await,
            _ => {}
        }
    }
}

/// The pause between two sessions of a `progressive` drain: `1 / rate`, or less if the soft deadline would pass
/// before the last session was asked.
fn pace(policy: &DrainPolicy, sessions: usize, until_soft: Duration) -> Option<Duration> {
    let sessions = u32::try_from(sessions).ok().filter(|&n| n > 1)?;
    match policy.strategy {
        DrainStrategy::Progressive => {
            let by_rate = Duration::from_secs(1) / policy.rate.max(1);
            Some(by_rate.min(until_soft / sessions))
        }
        DrainStrategy::Graceful | DrainStrategy::Immediate => None,
    }
}

/// A pause between half and one and a half times `pause`, so that clients do not reconnect in step. Session ids
/// spread well enough: nothing here needs to be unpredictable.
fn jittered(pause: Duration, session: u64) -> Duration {
    let spread = u32::try_from(session.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 54).unwrap_or(0);
    pause / 2 + pause * spread / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(strategy: DrainStrategy) -> DrainPolicy {
        DrainPolicy {
            strategy,
            timeout: Duration::from_secs(30),
            hard_timeout: Duration::from_secs(60),
            rate: 10,
        }
    }

    #[test]
    fn progressive_keeps_the_rate_unless_the_soft_deadline_is_near() {
        let policy = policy(DrainStrategy::Progressive);
        assert_eq!(
            pace(&policy, 20, Duration::from_secs(30)),
            Some(Duration::from_millis(100))
        );
        assert_eq!(
            pace(&policy, 1000, Duration::from_secs(30)),
            Some(Duration::from_millis(30))
        );
        assert_eq!(pace(&policy, 1, Duration::from_secs(30)), None);
    }

    #[test]
    fn jitter_stays_within_half_and_one_and_a_half() {
        let pause = Duration::from_millis(100);
        for session in 0..1000 {
            let got = jittered(pause, session);
            assert!(got >= pause / 2 && got <= pause * 3 / 2, "{got:?}");
        }
    }

    #[test]
    fn a_shutdown_deadline_bounds_both_rungs() {
        let now = Instant::now();
        let deadlines = DrainDeadlines::within(
            &policy(DrainStrategy::Graceful),
            now,
            now + Duration::from_secs(9),
        );
        assert_eq!(deadlines.soft, now + Duration::from_secs(3));
        assert_eq!(deadlines.hard, now + Duration::from_secs(9));
    }
}
