//! What a session has of filters: the chain in force, older chains with answers to come, and where a frame stands
//! between two filters.
//!
//! A frame that a filter has to wait for stays with the pump, and is presented again. What the filters before have decided
//! about it is kept as [`FrameProgress`], so that none of them is asked twice.

mod adopting;
mod collecting;
mod failing;
mod own_answers;
mod passing;
mod requests;
mod responses;
#[cfg(test)]
mod tests;
mod waiting;

pub use requests::own_answer;

use std::collections::VecDeque;
use std::sync::Arc;

use collecting::{FrameHold, FrameWay};
use passing::PassedRun;

use self::waiting::{OpenQuestion, WaitOutcome};
use crate::filter::{
    Chain, ChainedFilter, ClientSession, FilterFailure, Leave, LeaveCause, Level, MOST_REPETITIONS, Note,
    Question,
};
use crate::session::cause::{CloseCause, Fault};
use crate::session::inspect::Wait;
use crate::session::inspect::in_flight::{Expects, InFlightTracker};
use crate::session::inspect::kafka::KafkaInspector;
use crate::session::inspect::seam::{InstalledChain, Subscriptions};

/// Chains whose answers are outstanding, the one in force included. With more of them, requests wait until the answers of
/// the oldest have come.
const MOST_CHAINS: usize = 4;

/// The filters of one session.
#[derive(Debug)]
pub(super) struct FilterTrack {
    /// What the filters know of the session and keep in it.
    pub(super) session: ClientSession,
    /// Chains with answers outstanding, oldest first; the last is in force.
    chains: VecDeque<NumberedChain>,
    /// A newer chain for which there is no room yet.
    next: Option<Option<Arc<Chain>>>,
    /// Number of the chain in force.
    newest: u64,
    /// What the answers to requests that are [`Expects::Filtered`] are for, in the same order.
    expected: VecDeque<ExpectedAnswer>,
    /// Requests that passed at once and are not counted yet.
    passed: PassedRun,
    /// The request that is on its way through the filters, and the answer.
    request: Option<FrameProgress>,
    response: Option<FrameProgress>,
    /// The memory of the frames that are collected.
    request_hold: FrameHold,
    answer_hold: FrameHold,
    /// What the paused direction waits for, until the pump takes it.
    wait: Option<Wait>,
    /// A question to the broker is to be asked, or is unanswered.
    asking: Option<OpenQuestion>,
    /// Questions whose answers nobody waits for any more.
    abandoned: usize,
    question: Option<Question>,
    /// Why the session ends as soon as everything before is answered.
    leaving: Option<Fault>,
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
struct ExpectedAnswer {
    /// Number of the chain that saw the request.
    chain: u64,
    /// Positions of the filters, a bit each.
    readers: u64,
    /// Notes with the position of their filter.
    notes: Vec<(u8, Note)>,
    /// Bits of filters of the chain in force that read it as well, because rules may have changed since the request.
    rechecked_by: Option<(u64, u64)>,
    /// What filters keep of requests from before they came in force, up to this one.
    kept: Vec<Note>,
}

/// A frame between two filters.
#[derive(Debug, Default)]
struct FrameProgress {
    /// Number of filters that have decided.
    decided: usize,
    /// The content of the frame as they left it, if they changed it.
    changed: Option<Vec<u8>>,
    /// The frame was complete then.
    complete: bool,
    /// Filters to show the answer to a request to, with their notes; or the filters that have read an answer.
    readers: u64,
    notes: Vec<(u8, Note)>,
    /// Filters that a request passes by, because it cannot be held for them.
    passed_by: u64,
    /// Filters that have read an answer again.
    reread: u64,
    /// A filter that has seen the beginning of the answer reads all of it.
    wants_whole: bool,
    /// Times that the next filter was asked again.
    repetitions: u8,
    /// What the next filter waits for.
    waiting: Option<WaitOutcome>,
    /// The next filter has failed, which has been counted; the rest of the frame is awaited.
    failure: Option<FilterFailure>,
}

impl KafkaInspector {
    /// Takes in the filters of the cluster when its settings have changed.
    pub(super) fn refresh_filters(&mut self) {
        self.open_filters(None);
    }

    /// Takes in the filters of the cluster when the session opens. `filtered` is what they keep of it already.
    pub(super) fn open_filters(&mut self, filtered: Option<Box<ClientSession>>) {
        let installed = self.context.binding().cluster.chain();
        let chain = installed.as_ref().map(|installed| Arc::clone(&installed.chain));
        let adopted = match &mut self.filters {
            None if chain.is_none() => false,
            None => {
                let session = filtered.map_or_else(|| self.context.new_filter_session(), |session| *session);
                let mut track = Box::new(FilterTrack::new(session, chain));
                track.recheck(&mut self.in_flight);
                self.filters = Some(track);
                true
            }
            Some(track) => track.adopt(chain, &mut self.in_flight),
        };
        if adopted {
            self.subscribe(installed);
        }
    }

    /// Has filters know who the client is, after an authentication may have been accepted.
    pub(super) fn refresh_subject(&mut self) {
        if let Some(track) = &mut self.filters {
            track.session.refresh_subject();
            track.tell_filters_of_subject();
        }
    }

    /// Deals with the end of an answer that filters have read.
    pub(super) fn filtered_answer_passed(&mut self) {
        let Some(track) = &mut self.filters else { return };
        track.answered();
        if track.next.is_some() && track.adopt_waiting(&mut self.in_flight) {
            self.subscribe(self.context.binding().cluster.chain());
        }
    }

    fn subscribe(&mut self, installed: Option<Arc<InstalledChain>>) {
        self.subscriptions = match installed {
            Some(installed) => Arc::clone(&installed.subscriptions),
            None => Subscriptions::built_in(),
        };
    }
}

impl FilterTrack {
    /// The filters of a session that has just opened, or that gets its first chain by a reload.
    pub(super) fn new(session: ClientSession, chain: Option<Arc<Chain>>) -> Self {
        let mut track = Self {
            session,
            chains: VecDeque::new(),
            next: None,
            newest: 0,
            expected: VecDeque::new(),
            passed: PassedRun::default(),
            request: None,
            response: None,
            request_hold: FrameHold::None,
            answer_hold: FrameHold::None,
            wait: None,
            asking: None,
            abandoned: 0,
            question: None,
            leaving: None,
        };
        track.put_in_force(chain);
        track
    }

    /// Has the filters in force take in who the client is.
    fn tell_filters_of_subject(&mut self) {
        let Some(chain) = self.chain().cloned() else {
            return;
        };
        for chained in chain.filters() {
            if let Err(failure) = chained.authenticated(&mut self.session) {
                self.leaving = Some(broken_off(chained, &self.session, &failure));
            }
        }
    }

    /// The chain in force.
    pub(super) fn chain(&self) -> Option<&Arc<Chain>> {
        self.chains.back()?.chain.as_ref()
    }

    /// Whether requests may be presented.
    pub(super) fn accepts_requests(&self) -> bool {
        self.asking.as_ref().is_none_or(OpenQuestion::is_late)
            && self.leaving.is_none()
            && self.next.is_none()
    }

    /// The chain that was in force before, as long as answers are outstanding.
    fn chain_before(&self) -> Option<&Chain> {
        let before = self.chains.len().checked_sub(2)?;
        self.chains[before].chain.as_deref()
    }

    /// Removes what the paused direction waits for.
    pub(super) fn take_wait(&mut self) -> Option<Wait> {
        self.wait.take()
    }

    /// Why the session ends, once everything before is answered.
    pub(super) fn leaving(&self, in_flight: &InFlightTracker) -> Option<Fault> {
        self.leaving
            .as_ref()
            .filter(|_| in_flight.is_empty())
            .map(|fault| Fault::new(fault.cause, fault.detail.clone()))
    }

    /// Takes in the newest chain of the cluster. Returns whether it is in force; otherwise requests wait for it.
    pub(super) fn adopt(&mut self, chain: Option<Arc<Chain>>, in_flight: &mut InFlightTracker) -> bool {
        let waiting = self.next.take();
        let newest = waiting
            .as_ref()
            .unwrap_or(&self.chains[self.chains.len() - 1].chain);
        if is_same(newest.as_ref(), chain.as_ref()) && waiting.is_none() {
            return false;
        }
        self.forget_old_chains();
        if self.chains.len() >= MOST_CHAINS {
            self.next = Some(chain);
            return false;
        }
        self.put_in_force(chain);
        self.recheck(in_flight);
        self.forget_old_chains();
        true
    }

    /// Puts a chain in force for which there was no room, if there is now. Returns whether it did.
    pub(super) fn adopt_waiting(&mut self, in_flight: &mut InFlightTracker) -> bool {
        self.forget_old_chains();
        match self.next.take() {
            Some(chain) if self.chains.len() < MOST_CHAINS => {
                self.put_in_force(chain);
                self.recheck(in_flight);
                self.forget_old_chains();
                true
            }
            waiting => {
                self.next = waiting;
                false
            }
        }
    }

    fn put_in_force(&mut self, chain: Option<Arc<Chain>>) {
        self.newest += 1;
        // A request that stands between two filters of the chain before begins anew.
        self.request = None;
        for chained in chain.iter().flat_map(|chain| chain.filters()) {
            if let Err(failure) = chained.opened(&mut self.session) {
                self.leaving = Some(broken_off(chained, &self.session, &failure));
            }
        }
        self.chains.push_back(NumberedChain {
            number: self.newest,
            chain,
            outstanding: 0,
        });
    }

    fn forget_old_chains(&mut self) {
        while self.chains.len() > 1 && self.chains[0].outstanding == 0 {
            self.chains.pop_front();
        }
    }

    /// Has the chain in force read answers to requests that were forwarded before it came, where it wants to. A filter that
    /// the chain before had as well has decided about those requests.
    fn recheck(&mut self, in_flight: &mut InFlightTracker) {
        let Some(chain) = self.chain().cloned() else {
            return;
        };
        let number = self.newest;
        let kept = kept_filters(&chain, self.chain_before());
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
        self.tell_adopted(in_flight);
    }

    /// Notes that a request has been forwarded whose answer filters read.
    fn expect(&mut self, progress: FrameProgress) {
        self.expected.push_back(ExpectedAnswer {
            chain: self.newest,
            readers: progress.readers,
            notes: progress.notes,
            rechecked_by: None,
            kept: Vec::new(),
        });
        if let Some(chain) = self.chains.back_mut() {
            chain.outstanding += 1;
        }
    }

    /// Notes that the oldest answer that filters read is dealt with.
    pub(super) fn answered(&mut self) {
        self.response = None;
        self.collected(FrameWay::Answers);
        let Some(expected) = self.expected.pop_front() else {
            return;
        };
        if let Some(chain) = self
            .chains
            .iter_mut()
            .find(|chain| chain.number == expected.chain)
        {
            chain.outstanding -= 1;
        }
        self.forget_old_chains();
    }

    fn chain_by_number(&self, number: u64) -> Option<&Arc<Chain>> {
        let numbered = self.chains.iter().find(|chain| chain.number == number)?;
        numbered.chain.as_ref()
    }

    /// Keeps the reason to end the session behind the answers that are due.
    fn leave(&mut self, leave: Leave) {
        self.leaving = Some(fault_of(leave));
    }
}

impl FrameProgress {
    /// Notes that the next filter lets a request pass. `reads`: it is shown the answer.
    fn let_pass(&mut self, reads: bool) {
        if reads {
            self.readers |= bit(self.decided);
        }
        self.decided += 1;
        self.repetitions = 0;
    }

    /// Notes that the next filter is asked again.
    fn ask_again(&mut self) -> Result<(), FilterFailure> {
        self.repetitions += 1;
        if self.repetitions > MOST_REPETITIONS {
            return Err(FilterFailure::new("it does not decide about a frame"));
        }
        Ok(())
    }

    /// Removes why the next filter cannot decide, if that is known already, and whether it has been counted.
    fn take_failure(&mut self) -> Option<(FilterFailure, bool)> {
        let late = self.waiting.take().and_then(|outcome| outcome.failure());
        let known = self.failure.take().map(|failure| (failure, true));
        known.or_else(|| late.map(|failure| (failure, false)))
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

/// The filters of `chain` whose bits are set, with their positions.
fn filters_of(chain: &Chain, bits: u64) -> impl DoubleEndedIterator<Item = (usize, &ChainedFilter)> {
    let filters = chain.filters().iter().enumerate();
    filters.filter(move |(position, _)| bits & bit(*position) != 0)
}

fn bit(position: usize) -> u64 {
    1 << position
}

fn is_same(one: Option<&Arc<Chain>>, other: Option<&Arc<Chain>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        _ => false,
    }
}

/// The end of a session as a filter asked for it.
pub fn fault_of(leave: Leave) -> Fault {
    let cause = match leave.cause {
        LeaveCause::Denied => CloseCause::FilterDenied,
        LeaveCause::AuthenticationFailed => CloseCause::AuthenticationFailed,
        LeaveCause::AuthenticationExpired => CloseCause::AuthenticationExpired,
        LeaveCause::Expired => CloseCause::ConnectionExpired,
        LeaveCause::Failed => CloseCause::FilterFailed,
    };
    Fault::new(cause, leave.detail)
}

/// The end of a session, behind the answers that are due, because a filter has panicked that was told something.
fn broken_off(chained: &ChainedFilter, session: &ClientSession, failure: &FilterFailure) -> Fault {
    chained.note_failure(session, failure);
    failed(chained.filter.name(), &failure.what)
}

/// The end of a session whose filter cannot decide.
fn failed(filter: &str, what: &str) -> Fault {
    Fault::new(CloseCause::FilterFailed, format!("filter {filter}: {what}"))
}

/// Whether a filter that lets a request pass is shown the answer, by its interest in that.
fn reads(level: Level) -> bool {
    level != Level::None
}
