//! The order to leave: its deadlines, and how several orders join.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// An order to leave, given to one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainOrder {
    /// Soft deadline. Until then requests are still read and forwarded, and the session leaves as soon as it is
    /// quiet. After it no request is read; the session leaves when all requests in flight are answered.
    pub soft: Instant,
    /// Hard deadline. The session is closed even if requests are unanswered, and counted as forced.
    pub hard: Instant,
    /// Whether the process is stopping. If so, a client without unanswered requests is not waited for, because a
    /// supervisor may wait for less than the deadlines above (`docker stop`: 10 s).
    pub process_ends: bool,
    /// Whether the session may go on with another broker connection instead of leaving.
    pub may_move: bool,
}

impl DrainOrder {
    /// Joins both orders: each deadline is the earlier one of the two.
    #[must_use]
    pub fn joined(self, other: Self) -> Self {
        Self {
            soft: self.soft.min(other.soft),
            hard: self.hard.min(other.hard),
            process_ends: self.process_ends || other.process_ends,
            may_move: self.may_move && other.may_move,
        }
    }
}

/// The order that a session has, if any. Orders only get stricter: a second order joins the first, and each deadline
/// is the earlier one of the two. A drain that began before therefore cannot delay the end of the process.
#[derive(Debug)]
pub(super) struct OrderSlot {
    soft: AtomicU64,
    /// Hard deadline above two bits: [`ENDS`] and [`LEAVES`]. This saves words of each session.
    hard: AtomicU64,
}

/// Value of an empty slot.
const NONE: u64 = u64::MAX;

/// The process is stopping.
const ENDS: u64 = 1;

/// The session may not move to another broker connection.
const LEAVES: u64 = 2;

/// Bits behind the hard deadline.
const FLAG_BITS: u32 = 2;
const FLAGS: u64 = ENDS | LEAVES;

impl Default for OrderSlot {
    fn default() -> Self {
        Self {
            soft: AtomicU64::new(NONE),
            hard: AtomicU64::new(NONE),
        }
    }
}

impl OrderSlot {
    /// Returns the order. Cheap enough to be called on every poll.
    pub(super) fn get(&self) -> Option<DrainOrder> {
        // Written last, so a reader that sees it also sees the other values.
        let soft = self.soft.load(Ordering::Acquire);
        let hard = self.hard.load(Ordering::Relaxed);
        // An order that was taken back while another one joined it has left its first word.
        (soft != NONE && hard != NONE).then(|| DrainOrder {
            soft: at(soft),
            hard: at(hard >> FLAG_BITS),
            process_ends: hard & ENDS != 0,
            may_move: hard & LEAVES == 0,
        })
    }

    /// Removes the order if it lets the session move. Returns whether it did; an order that comes meanwhile stays.
    pub(super) fn take_if_movable(&self) -> bool {
        let hard = self.hard.load(Ordering::Acquire);
        if hard == NONE || hard & LEAVES != 0 {
            return false;
        }
        // This word first: another order writes it last, so that one that comes from here on is not lost.
        let soft = self.soft.swap(NONE, Ordering::AcqRel);
        let taken = self
            .hard
            .compare_exchange(hard, NONE, Ordering::AcqRel, Ordering::Acquire);
        if taken.is_err() {
            self.soft.fetch_min(soft, Ordering::AcqRel);
        }
        taken.is_ok()
    }

    /// Joins `order`. Returns whether a deadline became earlier or the process began to stop.
    pub(super) fn tighten(&self, order: DrainOrder) -> bool {
        let soft = since(order.soft);
        let ends = if order.process_ends { ENDS } else { 0 };
        let leaves = if order.may_move { 0 } else { LEAVES };
        let hard = (since(order.hard).min(NONE >> (FLAG_BITS + 1)) << FLAG_BITS) | ends | leaves;
        let harder = self
            .hard
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| tighter(now, hard));
        let softer = self.soft.fetch_min(soft, Ordering::AcqRel) > soft;
        harder.is_ok() || softer
    }
}

/// Joins two hard words: the earlier deadline, and whether either says that the process is stopping. `None` if
/// nothing changes.
fn tighter(now: u64, new: u64) -> Option<u64> {
    let both = match now {
        NONE => new,
        _ => ((now >> FLAG_BITS).min(new >> FLAG_BITS) << FLAG_BITS) | ((now | new) & FLAGS),
    };
    (both != now).then_some(both)
}

/// The zero point of stored deadlines, which are nanoseconds since the first call of this function.
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
            may_move: false,
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

    #[test]
    fn an_order_that_lets_the_session_move_is_taken_back_and_no_other() {
        let now = Instant::now();
        let order = |may_move| DrainOrder {
            soft: now + Duration::from_secs(30),
            hard: now + Duration::from_secs(60),
            process_ends: false,
            may_move,
        };
        let slot = OrderSlot::default();
        assert!(!slot.take_if_movable(), "there is none");
        assert!(slot.tighten(order(true)));
        assert!(slot.get().unwrap().may_move);
        assert!(slot.take_if_movable());
        assert_eq!(slot.get(), None);
        assert!(slot.tighten(order(true)));
        assert!(slot.tighten(order(false)), "the session has to leave now");
        assert!(!slot.take_if_movable());
        assert_eq!(slot.get(), Some(order(false)));
    }
}
