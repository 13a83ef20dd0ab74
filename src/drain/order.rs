//! When a session shall leave.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What a session is told when it shall leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainOrder {
    /// Until here requests are still read and forwarded, and the session leaves when it is quiet. From here on
    /// none is read; the session leaves when what is in flight has been answered.
    pub soft: Instant,
    /// Here the session is closed whatever is unanswered, and counted as forced.
    pub hard: Instant,
    /// The process ends: a client that is owed nothing is not waited for, because a supervisor may wait for less than
    /// the deadlines above (`docker stop`: 10 s).
    pub process_ends: bool,
}

impl DrainOrder {
    /// Both orders at once: of each deadline the earlier counts.
    #[must_use]
    pub fn joined(self, other: Self) -> Self {
        Self {
            soft: self.soft.min(other.soft),
            hard: self.hard.min(other.hard),
            process_ends: self.process_ends || other.process_ends,
        }
    }
}

/// The order a session has, if any. Orders only ever tighten: a second one joins the first, and of each deadline
/// the earlier counts, so that the end of the process is not put off by a drain that began before.
#[derive(Debug)]
pub(super) struct OrderSlot {
    soft: AtomicU64,
    /// Doubled; the lowest bit says that the process ends. One word less for each session.
    hard: AtomicU64,
}

/// Stands for no order.
const NONE: u64 = u64::MAX;

impl Default for OrderSlot {
    fn default() -> Self {
        Self {
            soft: AtomicU64::new(NONE),
            hard: AtomicU64::new(NONE),
        }
    }
}

impl OrderSlot {
    /// Cheap enough to ask on every poll.
    pub(super) fn get(&self) -> Option<DrainOrder> {
        // Written last, so a reader that sees it sees the others as well.
        let soft = self.soft.load(Ordering::Acquire);
        (soft != NONE).then(|| {
            let hard = self.hard.load(Ordering::Relaxed);
            DrainOrder {
                soft: at(soft),
                hard: at(hard >> 1),
                process_ends: hard & 1 == 1,
            }
        })
    }

    /// Returns whether anything became earlier or more urgent.
    pub(super) fn tighten(&self, order: DrainOrder) -> bool {
        let soft = since(order.soft);
        let hard = (since(order.hard).min(NONE >> 2) << 1) | u64::from(order.process_ends);
        let harder = self
            .hard
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| tighter(now, hard));
        let softer = self.soft.fetch_min(soft, Ordering::AcqRel) > soft;
        harder.is_ok() || softer
    }
}

/// The earlier deadline, and whether either says that the process ends; `None`: that is what there is.
fn tighter(now: u64, new: u64) -> Option<u64> {
    let both = match now {
        NONE => new,
        _ => ((now >> 1).min(new >> 1) << 1) | ((now | new) & 1),
    };
    (both != now).then_some(both)
}

/// Deadlines are kept as nanoseconds since the first of them was asked for.
fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

fn since(instant: Instant) -> u64 {
    let nanos = instant.saturating_duration_since(epoch()).as_nanos();
    u64::try_from(nanos).unwrap_or(NONE).min(NONE - 1)
}

fn at(nanos: u64) -> Instant {
    epoch() + Duration::from_nanos(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_orders_the_earlier_deadlines_count() {
        let now = Instant::now();
        let order = |soft, hard| DrainOrder {
            soft: now + Duration::from_secs(soft),
            hard: now + Duration::from_secs(hard),
            process_ends: false,
        };
        let slot = OrderSlot::default();
        assert_eq!(slot.get(), None);
        assert!(slot.tighten(order(30, 60)));
        assert!(!slot.tighten(order(30, 60)), "the same again changes nothing");
        assert!(!slot.tighten(order(40, 70)), "a later one joins the first");
        assert!(slot.tighten(order(40, 50)));
        let got = slot.get().unwrap();
        assert_eq!(got, order(30, 50));
        let last = DrainOrder {
            process_ends: true,
            ..order(60, 60)
        };
        assert!(slot.tighten(last), "the end of the process is news");
        assert!(!slot.tighten(last));
        let got = slot.get().unwrap();
        assert_eq!((got.soft, got.hard), (order(30, 50).soft, order(30, 50).hard));
        assert!(got.process_ends);
    }
}
