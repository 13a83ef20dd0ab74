//! The chains of a session: the one in force, older ones with answers to come, and a newer one that waits for room.

use std::collections::VecDeque;
use std::sync::Arc;

use super::bit;
use crate::filter::{Chain, Note};
use crate::session::inspect::in_flight::{Expects, InFlightTracker};

/// Chains whose answers are outstanding, the one in force included. With more of them, requests wait until the answers of
/// the oldest have come.
pub(super) const MOST_CHAINS: usize = 4;

/// The chains of one session, and the answers that their filters are shown.
#[derive(Debug)]
pub(super) struct SessionChains {
    /// Chains with answers outstanding, oldest first; the last is in force.
    chains: VecDeque<NumberedChain>,
    /// A newer chain for which there is no room yet.
    next: Option<Option<Arc<Chain>>>,
    /// Number of the chain in force.
    newest: u64,
    /// What the answers to requests that are [`Expects::Filtered`] are for, in the same order.
    pub(super) expected: VecDeque<ExpectedAnswer>,
}

/// A chain by its number in the session.
#[derive(Debug)]
struct NumberedChain {
    number: u64,
    /// `None`: no filters.
    chain: Option<Arc<Chain>>,
    /// Number of its answers that are outstanding.
    outstanding: usize,
}

/// Filters to show an answer to.
#[derive(Debug)]
pub(super) struct ExpectedAnswer {
    /// Number of the chain that saw the request.
    pub(super) chain: u64,
    /// Positions of the filters, a bit each.
    pub(super) readers: u64,
    /// Notes with the position of their filter.
    pub(super) notes: Vec<(u8, Note)>,
    /// Bits of filters of the chain in force that read it as well, because rules may have changed since the request.
    pub(super) rechecked_by: Option<(u64, u64)>,
    /// What filters keep of requests from before they came in force, up to this one.
    pub(super) kept: Vec<Note>,
}

impl SessionChains {
    /// The chains of a session that has just opened, or that gets its first chain by a reload.
    pub(super) fn new(chain: Option<Arc<Chain>>) -> Self {
        let mut chains = Self {
            chains: VecDeque::new(),
            next: None,
            newest: 0,
            expected: VecDeque::new(),
        };
        chains.put_in_force(chain);
        chains
    }

    /// The chain in force.
    #[inline]
    pub(super) fn in_force(&self) -> Option<&Arc<Chain>> {
        self.chains.back()?.chain.as_ref()
    }

    /// The chain of this number.
    pub(super) fn by_number(&self, number: u64) -> Option<&Arc<Chain>> {
        let numbered = self.chains.iter().find(|chain| chain.number == number)?;
        numbered.chain.as_ref()
    }

    /// Whether a newer chain waits for room.
    #[inline]
    pub(super) fn has_waiting(&self) -> bool {
        self.next.is_some()
    }

    /// Takes in the newest chain of the cluster. Returns whether it is in force; otherwise it waits for room.
    pub(super) fn adopt(&mut self, chain: Option<Arc<Chain>>, in_flight: &mut InFlightTracker) -> bool {
        let waiting = self.next.take();
        let newest = waiting
            .as_ref()
            .unwrap_or(&self.chains[self.chains.len() - 1].chain);
        if is_same(newest.as_ref(), chain.as_ref()) && waiting.is_none() {
            return false;
        }
        self.next = Some(chain);
        self.adopt_waiting(in_flight)
    }

    /// Puts a chain in force for which there was no room, if there is now. Returns whether it did.
    pub(super) fn adopt_waiting(&mut self, in_flight: &mut InFlightTracker) -> bool {
        self.forget_old();
        if self.chains.len() >= MOST_CHAINS {
            return false;
        }
        let Some(chain) = self.next.take() else {
            return false;
        };
        self.put_in_force(chain);
        self.recheck(in_flight);
        self.forget_old();
        true
    }

    fn put_in_force(&mut self, chain: Option<Arc<Chain>>) {
        self.newest += 1;
        self.chains.push_back(NumberedChain {
            number: self.newest,
            chain,
            outstanding: 0,
        });
    }

    /// The chain that was in force before, as long as answers are outstanding.
    fn before(&self) -> Option<&Chain> {
        let before = self.chains.len().checked_sub(2)?;
        self.chains[before].chain.as_deref()
    }

    fn forget_old(&mut self) {
        while self.chains.len() > 1 && self.chains[0].outstanding == 0 {
            self.chains.pop_front();
        }
    }

    /// Has the chain in force read answers to requests that were forwarded before it came, where it wants to. A filter that
    /// the chain before had as well has decided about those requests.
    pub(super) fn recheck(&mut self, in_flight: &mut InFlightTracker) {
        let Some(chain) = self.in_force().cloned() else {
            return;
        };
        let number = self.newest;
        let kept = kept_filters(&chain, self.before());
        let mut before = std::mem::take(&mut self.expected).into_iter();
        let mut added = 0;
        for asked in in_flight.iter_mut() {
            let filtered = matches!(asked.expects, Expects::Filtered(_));
            let mut expected = if filtered { before.next() } else { None };
            let is_rechecked = expected
                .as_ref()
                .is_some_and(|expected| expected.rechecked_by.is_some());
            let decided = if is_rechecked { 0 } else { kept };
            let readers = match asked.expects {
                Expects::Broker(_) | Expects::Filtered(_) => rechecking(&chain, asked.api_key) & !decided,
                Expects::Token | Expects::Own | Expects::Internal | Expects::Question => 0,
            };
            if readers != 0 {
                let expected = expected.get_or_insert_with(|| ExpectedAnswer {
                    chain: number,
                    readers: 0,
                    notes: Vec::new(),
                    rechecked_by: None,
                    kept: Vec::new(),
                });
                if let Expects::Broker(lift) = asked.expects {
                    asked.expects = Expects::Filtered(lift);
                    added += 1;
                }
                expected.rechecked_by = Some((number, readers));
            }
            self.expected.extend(expected);
        }
        if let Some(newest) = self.chains.back_mut() {
            newest.outstanding += added;
        }
    }

    /// Notes that a request has been forwarded whose answer these filters of the chain in force read.
    pub(super) fn expect(&mut self, readers: u64, notes: Vec<(u8, Note)>) {
        self.expected.push_back(ExpectedAnswer {
            chain: self.newest,
            readers,
            notes,
            rechecked_by: None,
            kept: Vec::new(),
        });
        if let Some(chain) = self.chains.back_mut() {
            chain.outstanding += 1;
        }
    }

    /// Keeps notes until the newest request that went on to the broker is answered.
    pub(super) fn keep_until_answered(&mut self, kept: Vec<Note>, in_flight: &mut InFlightTracker) {
        let forwarded = in_flight.iter_mut().filter_map(|asked| match asked.expects {
            Expects::Broker(lift) | Expects::Filtered(lift) => Some((lift, asked)),
            Expects::Token | Expects::Own | Expects::Internal | Expects::Question => None,
        });
        let Some((lift, newest)) = forwarded.last() else {
            return;
        };
        if matches!(newest.expects, Expects::Broker(_)) {
            newest.expects = Expects::Filtered(lift);
            self.expect(0, Vec::new());
        }
        if let Some(expected) = self.expected.back_mut() {
            expected.kept.extend(kept);
        }
    }

    /// Notes that the oldest answer that filters read is dealt with.
    pub(super) fn answered(&mut self) {
        let Some(expected) = self.expected.pop_front() else {
            return;
        };
        let mut chains = self.chains.iter_mut();
        if let Some(chain) = chains.find(|chain| chain.number == expected.chain) {
            chain.outstanding -= 1;
        }
        self.forget_old();
    }
}

/// Bits of the filters of `chain` that read answers of this API again.
fn rechecking(chain: &Chain, api_key: i16) -> u64 {
    if !chain.interest().of(api_key).rechecks() {
        return 0;
    }
    let filters = chain.filters().iter().enumerate();
    filters
        .filter(|(_, chained)| chained.interest.of(api_key).rechecks())
        .fold(0, |readers, (position, _)| readers | bit(position))
}

/// Bits of the filters of `chain` that `before` has as well, not built anew.
fn kept_filters(chain: &Chain, before: Option<&Chain>) -> u64 {
    let before = before.map_or(&[][..], Chain::filters);
    let is_kept = |filter| before.iter().any(|earlier| Arc::ptr_eq(&earlier.filter, filter));
    let filters = chain.filters().iter().enumerate();
    filters
        .filter(|(_, chained)| is_kept(&chained.filter))
        .fold(0, |kept, (position, _)| kept | bit(position))
}

fn is_same(one: Option<&Arc<Chain>>, other: Option<&Arc<Chain>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        _ => false,
    }
}
