//! Fences: for a while, requests about chosen topics do not reach the broker; everything else flows.
//!
//! A fence is no filter that anybody configures. The owner of the configuration puts it behind the filters of a virtual cluster,
//! next to the broker, and takes it away again; live sessions follow at their next request, as with any change of filters. So
//! a cluster without a fence pays nothing for it.
//!
//! - Produce is divided: fenced topics are answered, the rest goes on. Every other request that names a fenced topic is
//!   answered as a whole: one of them done in part would be repeated in whole.
//! - With `hold`, Produce waits in its place, and with it whatever the client sends behind it on that connection. Nothing else
//!   waits: other requests share connections with the heartbeats of groups.
//! - Produce with `acks=0`, which nobody answers, waits in any case; when its time is over, the session ends, as at a broker.
//! - Answers of Fetch lose the records of fenced topics, and come when `max_wait_ms` is over if nothing else is in them.
//!
//! What is fenced is decided by pure functions ([`apis`], [`produce`], [`fetch`]).

mod adoption;
mod apis;
mod fetch;
mod produce;
mod state;
mod tally;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

pub use self::tally::{FencedOutcome, FencedTally};

use self::adoption::FenceAdoption;
use self::apis::{FencedApi, NamedTopic};
use self::fetch::FencedFetch;
use self::produce::{DividedProduce, ProduceBeginning};
use self::state::FencedSession;
use self::tally::HeldRequest;
use super::authorization::questions;
use super::{
    ClientSession, Filter, FilterStep, Interest, Leave, LeaveCause, Level, Note, OnRequest, OnResponse,
    Request, Response, TopicNameMap, TopicUuid, error_answer,
};
use crate::model::{FenceAnswer, FenceModel};
use crate::wire::Malformed;
use crate::wire::api::ApiKey;
use crate::wire::schema::Editable;

/// Longest time of one wait; the chain ends a wait after 10 s. A request that is held for longer waits again.
const ONE_WAIT: Duration = Duration::from_secs(9);

/// Time within which a session that has been told of another fence takes it in.
const UNTIL_TOLD: Duration = Duration::from_millis(20);

/// Why a session ends at a request that nobody answers.
const UNANSWERED: &str =
    "it writes to a fenced topic with acks=0, and the fence has held that for as long as it may";

/// A fence in force.
#[derive(Debug)]
pub struct TopicFence {
    /// Number of the fence, unique in the process.
    serial: u64,
    settings: Arc<FenceModel>,
    facts: FenceFacts,
    names: Arc<TopicNameMap>,
    phase: watch::Sender<FencePhase>,
    adoption: FenceAdoption,
    waiting: Arc<AtomicU64>,
    tally: FencedTally,
    /// Counts of all fences of the cluster.
    totals: Arc<FencedTally>,
}

/// Phases of a fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FencePhase {
    /// It stops requests.
    InForce,
    /// Another fence has taken its place: it stops requests of sessions that have not taken that in.
    Replaced,
    /// Requests go on.
    Lifted,
}

/// Where a fence comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FenceFacts {
    /// When it began.
    pub since: SystemTime,
    /// Who set it by a command; `None`: it is in the configuration.
    pub by: Option<String>,
    /// When it ends by itself, if it does.
    pub until: Option<SystemTime>,
}

/// What is kept of a request for its answer.
enum FencedNote {
    /// Elements of a Produce answer.
    Produce(Vec<Editable<'static>>),
    Fetch(FencedFetch),
}

impl TopicFence {
    /// A fence with these settings. `names` are those of the topics of its cluster, `totals` the counts of all its fences.
    pub fn new(
        settings: Arc<FenceModel>,
        facts: FenceFacts,
        names: Arc<TopicNameMap>,
        totals: Arc<FencedTally>,
    ) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self {
            serial: LAST.fetch_add(1, Ordering::Relaxed),
            settings,
            facts,
            names,
            phase: watch::Sender::new(FencePhase::InForce),
            adoption: FenceAdoption::default(),
            waiting: Arc::default(),
            tally: FencedTally::default(),
            totals,
        }
    }

    /// Its settings.
    pub fn settings(&self) -> &Arc<FenceModel> {
        &self.settings
    }

    /// Where it comes from.
    pub fn facts(&self) -> &FenceFacts {
        &self.facts
    }

    /// Number of requests that it has stopped with this outcome.
    pub fn count_of(&self, outcome: FencedOutcome) -> u64 {
        self.tally.get(outcome)
    }

    /// Number of requests that wait now.
    pub fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// How many of these sessions it is not in force for yet, and how many sessions have requests unanswered that they sent
    /// before it was. With 0, no write that the fence stops is on its way to a broker, but those with `acks=0`.
    pub fn unsettled(&self, sessions: impl IntoIterator<Item = u64>) -> usize {
        self.adoption.unsettled(sessions)
    }

    /// Lets every request go on that waits, and those that find it still in force.
    pub fn lift(&self) {
        self.phase.send_replace(FencePhase::Lifted);
    }

    /// Has another fence decide about the requests that wait. Called when the sessions have been told of it.
    pub fn replace(&self) {
        self.phase.send_replace(FencePhase::Replaced);
    }

    fn is_lifted(&self) -> bool {
        *self.phase.borrow() == FencePhase::Lifted
    }

    fn count(&self, outcome: FencedOutcome) {
        self.tally.count(outcome);
        self.totals.count(outcome);
    }

    /// The row of a request that this fence may stop.
    fn row(&self, api_key: i16) -> Option<&'static FencedApi> {
        apis::fenced(api_key).filter(|row| self.settings.stops(row.operation))
    }

    /// Whether it is about a topic; `Err`: the name of this id is not known.
    fn is_about(&self, topic: NamedTopic<'_>, state: &FencedSession) -> Result<bool, TopicUuid> {
        match topic {
            _ if self.settings.is_of_all_topics() => Ok(true),
            NamedTopic::Name(name) => Ok(self.settings.matches(name)),
            NamedTopic::Id(id) => match state.told(&id).or_else(|| self.names.name(&id)) {
                Some(name) => Ok(self.settings.matches(&name)),
                // A broker that was asked knows no such topic, and will say so.
                None if state.has_asked() => Ok(false),
                None => Err(id),
            },
        }
    }

    /// Whether it is about one of these topics, or the question that has to be answered first.
    fn is_about_any(
        &self,
        topics: &[NamedTopic<'_>],
        state: &mut FencedSession,
    ) -> Result<bool, FilterStep<OnRequest>> {
        let mut missing = std::collections::BTreeSet::new();
        let mut is_about = false;
        for topic in topics {
            match self.is_about(*topic, state) {
                Ok(about) => is_about |= about,
                Err(id) => drop(missing.insert(id)),
            }
        }
        if missing.is_empty() {
            return Ok(is_about);
        }
        state.ask();
        Err(FilterStep::Ask(questions::names_of(&missing)))
    }

    /// Decides about a Produce request as far as it has arrived.
    fn produce(
        &self,
        session: &ClientSession,
        state: &mut FencedSession,
        request: &mut Request<'_>,
    ) -> Result<FilterStep<OnRequest>, Malformed> {
        let Some(beginning) = ProduceBeginning::read(request.version(), request.body())? else {
            return Ok(FilterStep::More);
        };
        let is_answered = beginning.is_answered;
        let is_about = match beginning.topic {
            _ if self.settings.is_of_all_topics() => Ok(true),
            Some(topic) => self.is_about_any(&[topic], state),
            None if !request.is_complete() => return Ok(FilterStep::More),
            None => match produce_topics(request)? {
                Some(topics) => self.is_about_any(&topics, state),
                None => Ok(true),
            },
        };
        match is_about {
            Ok(true) => {}
            Ok(false) => return Ok(pass()),
            Err(step) => return Ok(step),
        }
        if (self.settings.answer == FenceAnswer::Hold || !is_answered)
            && let Some(wait) = self.hold(session, state, request)
        {
            return Ok(FilterStep::Again(wait));
        }
        if !is_answered {
            self.count(FencedOutcome::Closed);
            let leave = Leave::new(LeaveCause::Denied, UNANSWERED);
            return Ok(FilterStep::Now(OnRequest::Leave(leave)));
        }
        if !request.is_complete() {
            return Ok(FilterStep::More);
        }
        self.stop_produce(state, request)
    }

    /// Answers what is fenced of a complete Produce request.
    fn stop_produce(
        &self,
        state: &FencedSession,
        request: &mut Request<'_>,
    ) -> Result<FilterStep<OnRequest>, Malformed> {
        let fenced = |topic: NamedTopic<'_>| self.is_about(topic, state).unwrap_or(true);
        let divided = produce::divide(request.api(), request.version(), request.body(), fenced)?;
        let Some(divided) = divided else {
            return Ok(cannot_answer());
        };
        self.count(FencedOutcome::Retriable);
        Ok(FilterStep::Now(match divided {
            DividedProduce::Answered(body) => OnRequest::Answer(body),
            DividedProduce::Rest(body, elements) => {
                if !request.replace_body(&body) {
                    return Ok(cannot_answer());
                }
                OnRequest::ForwardNoting(Box::new(FencedNote::Produce(elements)))
            }
        }))
    }

    /// The wait of a request, if it may be held any longer.
    fn hold(
        &self,
        session: &ClientSession,
        state: &mut FencedSession,
        request: &Request<'_>,
    ) -> Option<std::pin::Pin<Box<dyn Future<Output = ()> + Send>>> {
        let now = session.clock().now();
        let (since, is_new) = state.held_since(now, || HeldRequest::new(&self.waiting));
        if is_new {
            self.count(FencedOutcome::Held);
            tracing::debug!(
                target: "kproxy::fence",
                cluster = &*session.facts().cluster,
                session = session.id(),
                correlation_id = request.correlation_id(),
                "a request is held"
            );
        }
        let left = (since + self.settings.hold_for).checked_duration_since(now)?;
        if left.is_zero() {
            return None;
        }
        let mut phase = self.phase.subscribe();
        if *phase.borrow_and_update() == FencePhase::Replaced {
            return Some(session.clock().sleep(UNTIL_TOLD));
        }
        let time = session.clock().sleep(left.min(ONE_WAIT));
        Some(Box::pin(async move {
            tokio::select! {
                // An error is a fence that is gone.
                _ = phase.changed() => {}
                () = time => {}
            }
        }))
    }

    /// Decides about a request that has arrived whole and is not Produce.
    fn whole(
        &self,
        state: &mut FencedSession,
        request: &Request<'_>,
        row: &FencedApi,
    ) -> Result<FilterStep<OnRequest>, Malformed> {
        let is_about = match row.topics(request.version(), request.body())? {
            None => Ok(self.settings.is_of_all_topics()),
            Some(topics) => self.is_about_any(&topics, state),
        };
        match is_about {
            Ok(false) => return Ok(pass()),
            Ok(true) => {}
            Err(step) => return Ok(step),
        }
        Ok(
            match error_answer(request.api(), request.version(), request.body(), row.error) {
                None => cannot_answer(),
                Some(body) => {
                    self.count(FencedOutcome::Retriable);
                    FilterStep::Now(OnRequest::Answer(body))
                }
            },
        )
    }

    fn decide(
        &self,
        session: &mut ClientSession,
        state: &mut FencedSession,
        request: &mut Request<'_>,
    ) -> Result<FilterStep<OnRequest>, Malformed> {
        let Some(row) = self.row(request.api_key()) else {
            return Ok(pass());
        };
        if row.key == ApiKey::PRODUCE {
            return self.produce(session, state, request);
        }
        if !request.is_complete() {
            return Ok(FilterStep::More);
        }
        if row.key == ApiKey::FETCH {
            return self.fetch(session, state, request);
        }
        self.whole(state, request, row)
    }
}

impl Filter for TopicFence {
    fn name(&self) -> &str {
        "fence"
    }

    fn interest(&self, interest: &mut Interest) {
        for row in apis::FENCED
            .iter()
            .filter(|row| self.settings.stops(row.operation))
        {
            let level = match row.key {
                ApiKey::PRODUCE => Level::Part,
                _ => Level::Whole,
            };
            interest.requests(row.key, 0..=i16::MAX, level);
        }
    }

    fn topic_names(&self) -> Option<&Arc<TopicNameMap>> {
        (!self.settings.is_of_all_topics()).then_some(&self.names)
    }

    fn adopted(&self, session: &ClientSession, unanswered: usize) -> Option<Note> {
        let unsettled = self.adoption.adopted(session.id(), unanswered)?;
        Some(Box::new(unsettled))
    }

    fn passes(&self, _session: &mut ClientSession, request: &Request<'_>) -> bool {
        if request.api_key() != ApiKey::PRODUCE || self.settings.is_of_all_topics() {
            return false;
        }
        let Ok(Some(beginning)) = ProduceBeginning::read(request.version(), request.body()) else {
            return false;
        };
        match beginning.topic {
            Some(NamedTopic::Name(name)) => !self.settings.matches(name),
            Some(NamedTopic::Id(id)) => self
                .names
                .name(&id)
                .is_some_and(|name| !self.settings.matches(&name)),
            None => false,
        }
    }

    fn request(&self, session: &mut ClientSession, request: &mut Request<'_>) -> FilterStep<OnRequest> {
        let answer = session.take_answer();
        if self.is_lifted() {
            session.state::<FencedSession>().decided();
            return pass();
        }
        let mut state = std::mem::take(session.state::<FencedSession>());
        state.about(request.correlation_id());
        if let Some(answer) = answer {
            state.take_in(&self.names, &answer);
        }
        let step = self.decide(session, &mut state, request);
        let step = step.unwrap_or_else(|malformed| FilterStep::Now(OnRequest::Leave(failed(&malformed))));
        if matches!(step, FilterStep::Now(_)) {
            state.decided();
        }
        *session.state() = state;
        step
    }

    fn response(
        &self,
        session: &mut ClientSession,
        response: &mut Response<'_>,
        note: &mut Option<Note>,
    ) -> FilterStep<OnResponse> {
        if !response.is_complete() {
            return FilterStep::More;
        }
        let kept = note.take().and_then(|note| note.downcast::<FencedNote>().ok());
        let body = match kept.map(|note| *note) {
            None => return FilterStep::Now(OnResponse::Forward),
            Some(FencedNote::Produce(elements)) => {
                produce::complete(response.version(), response.body(), elements).map(Some)
            }
            Some(FencedNote::Fetch(fetch)) => match self.fetched(session, response, fetch) {
                Ok((Some(wait), kept)) => {
                    *note = Some(Box::new(FencedNote::Fetch(kept)));
                    return FilterStep::Again(wait);
                }
                Ok((None, kept)) => Ok(kept.into_body()),
                Err(malformed) => Err(malformed),
            },
        };
        match body {
            Ok(body) if body.as_ref().is_none_or(|body| response.replace_body(body)) => {
                FilterStep::Now(OnResponse::Forward)
            }
            Ok(_) => FilterStep::Now(OnResponse::Leave(Leave::new(
                LeaveCause::Failed,
                "an answer cannot be changed",
            ))),
            Err(malformed) => FilterStep::Now(OnResponse::Leave(failed(&malformed))),
        }
    }
}

/// The topics of a complete Produce request.
fn produce_topics<'r>(request: &'r Request<'_>) -> Result<Option<Vec<NamedTopic<'r>>>, Malformed> {
    match apis::fenced(ApiKey::PRODUCE) {
        Some(row) => row.topics(request.version(), request.body()),
        None => Ok(None),
    }
}

fn pass() -> FilterStep<OnRequest> {
    FilterStep::Now(OnRequest::ForwardBlind)
}

fn failed(malformed: &Malformed) -> Leave {
    Leave::new(LeaveCause::Failed, malformed.to_string())
}

fn cannot_answer() -> FilterStep<OnRequest> {
    FilterStep::Now(OnRequest::Leave(Leave::new(
        LeaveCause::Failed,
        "a request for a fenced topic cannot be answered",
    )))
}
