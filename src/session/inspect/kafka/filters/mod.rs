//! What a session has of filters: the chain in force, older chains with answers to come, and where a frame stands
//! between two filters.
//!
//! A frame that a filter has to wait for stays with the pump, and is presented again. What the filters before have decided
//! about it is kept as [`FrameProgress`], so that none of them is asked twice.

mod adopting;
mod chains;
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

use std::sync::Arc;

use chains::SessionChains;
use collecting::{FrameHold, FrameWay};
use passing::PassedRun;

use self::waiting::{OpenQuestion, WaitOutcome};
use crate::filter::{
    Chain, ChainedFilter, ClientSession, FilterFailure, Leave, LeaveCause, Level, MOST_REPETITIONS, Note,
    Question,
};
use crate::session::cause::{CloseCause, Fault};
use crate::session::inspect::Wait;
use crate::session::inspect::in_flight::InFlightTracker;
use crate::session::inspect::kafka::KafkaInspector;
use crate::session::inspect::seam::{InstalledChain, Subscriptions};

/// The filters of one session.
#[derive(Debug)]
pub(super) struct FilterTrack {
    /// What the filters know of the session and keep in it.
    pub(super) session: ClientSession,
    /// The chain in force, and older ones with answers to come.
    chains: SessionChains,
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
                track.chains.recheck(&mut self.in_flight);
                track.tell_adopted(&mut self.in_flight);
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
        if track.adopt_waiting(&mut self.in_flight) {
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
            chains: SessionChains::new(chain),
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
        track.open_chain();
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
        self.chains.in_force()
    }

    /// Whether requests may be presented.
    pub(super) fn accepts_requests(&self) -> bool {
        self.asking.as_ref().is_none_or(OpenQuestion::is_late)
            && self.leaving.is_none()
            && !self.chains.has_waiting()
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
        let adopted = self.chains.adopt(chain, in_flight);
        if adopted {
            self.open_chain();
            self.tell_adopted(in_flight);
        }
        adopted
    }

    /// Puts a chain in force for which there was no room, if there is now. Returns whether it did.
    pub(super) fn adopt_waiting(&mut self, in_flight: &mut InFlightTracker) -> bool {
        let adopted = self.chains.adopt_waiting(in_flight);
        if adopted {
            self.open_chain();
            self.tell_adopted(in_flight);
        }
        adopted
    }

    /// Has the filters of the chain that has just come into force prepare the session.
    fn open_chain(&mut self) {
        // A request that stands between two filters of the chain before begins anew.
        self.request = None;
        let chain = self.chain().cloned();
        for chained in chain.iter().flat_map(|chain| chain.filters()) {
            if let Err(failure) = chained.opened(&mut self.session) {
                self.leaving = Some(broken_off(chained, &self.session, &failure));
            }
        }
    }

    /// Notes that the oldest answer that filters read is dealt with.
    pub(super) fn answered(&mut self) {
        self.response = None;
        self.collected(FrameWay::Answers);
        self.chains.answered();
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

/// The filters of `chain` whose bits are set, with their positions.
fn filters_of(chain: &Chain, bits: u64) -> impl DoubleEndedIterator<Item = (usize, &ChainedFilter)> {
    let filters = chain.filters().iter().enumerate();
    filters.filter(move |(position, _)| bits & bit(*position) != 0)
}

fn bit(position: usize) -> u64 {
    1 << position
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
