//! Fetch: the records of fenced topics are taken out of answers. A consumer that gets none asks again for the same offset.
//!
//! Requests go on, so that the fetch session (KIP-227) is the same for client and broker. An answer within a session leaves out
//! what has nothing new; the answer that begins one, or has none, has to name every partition, which is empty then.

use std::collections::{BTreeSet, HashSet};
use std::pin::Pin;
use std::time::{Duration, Instant};

use super::apis::NamedTopic;
use super::state::FencedSession;
use super::{FencedNote, FencedOutcome, ONE_WAIT, TopicFence, apis, pass};
use crate::filter::authorization::questions;
use crate::filter::{ClientSession, FilterStep, OnRequest, Request, Response, TopicUuid};
use crate::model::FencedOperation;
use crate::wire::Malformed;
use crate::wire::api::ApiKey;
use crate::wire::error_code::ErrorCode;
use crate::wire::schema::{self, Direction, Editable, Message, Structure};

/// First versions with ids, and with fetch sessions.
const WITH_IDS: i16 = schema::first_with(ApiKey::FETCH, Direction::Request, &["topics", "topic_id"]);
const WITH_SESSIONS: i16 = schema::first_with(ApiKey::FETCH, Direction::Request, &["session_epoch"]);

/// Largest answer that a client may ask for meanwhile: it has to be held whole.
const MOST_CENSORED: i64 = 8 << 20;

type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What the answer to a Fetch request needs.
#[derive(Debug)]
pub(super) struct FencedFetch {
    asked_at: Instant,
    max_wait: Duration,
    /// The answer need not name every partition.
    is_incremental: bool,
    /// The body of the answer, once it is known.
    body: Option<Option<Vec<u8>>>,
}

impl FencedFetch {
    /// The body of the answer, if it is another one than the broker's.
    pub(super) fn into_body(self) -> Option<Vec<u8>> {
        self.body.flatten()
    }
}

impl TopicFence {
    /// Decides about a Fetch request that has arrived whole.
    pub(super) fn fetch(
        &self,
        session: &ClientSession,
        state: &mut FencedSession,
        request: &mut Request<'_>,
    ) -> Result<FilterStep<OnRequest>, Malformed> {
        let version = request.version();
        if version >= WITH_IDS && !self.settings.is_of_all_topics() && !self.knows_ids(state) {
            if !state.has_asked() {
                state.ask();
                return Ok(FilterStep::Ask(questions::ids_of(self.settings.exact_topics())));
            }
            let about = |name: &str| self.settings.matches(name);
            let ids = state
                .all_told()
                .filter(|(_, name)| about(name))
                .map(|(id, _)| *id);
            let ids: HashSet<TopicUuid> = ids.collect();
            state.fetched = Some((self.serial, ids));
        }
        let mut body = Editable::read(ApiKey::FETCH, Direction::Request, version, request.body())?;
        let is_incremental = version >= WITH_SESSIONS && body.int("session_epoch") > 0;
        let named = match apis::fenced(ApiKey::FETCH) {
            Some(row) => row.topics(version, request.body())?.unwrap_or_default(),
            None => Vec::new(),
        };
        if !is_incremental && !named.iter().any(|topic| self.stops_records_of(*topic, state)) {
            return Ok(pass());
        }
        let max_wait = Duration::from_millis(u64::try_from(body.int("max_wait_ms")).unwrap_or_default());
        body.set_int("max_bytes", body.int("max_bytes").min(MOST_CENSORED));
        let body = body.write();
        if body != request.body() && !request.replace_body(&body) {
            return Err(Malformed::new("request: it cannot be changed"));
        }
        Ok(FilterStep::Now(OnRequest::ForwardNoting(Box::new(
            FencedNote::Fetch(FencedFetch {
                asked_at: session.clock().now(),
                max_wait: max_wait.min(ONE_WAIT),
                is_incremental,
                body: None,
            }),
        ))))
    }

    /// Takes the records of fenced topics out of a complete answer. If nothing else is in it, the answer waits first.
    pub(super) fn fetched(
        &self,
        session: &mut ClientSession,
        response: &Response<'_>,
        mut fetch: FencedFetch,
    ) -> Result<(Option<Sleep>, FencedFetch), Malformed> {
        if fetch.body.is_some() || self.is_lifted() {
            return Ok((None, fetch));
        }
        let state = std::mem::take(session.state::<FencedSession>());
        let fenced = |topic: NamedTopic<'_>| self.stops_records_of(topic, &state);
        let emptied = empty(response.version(), response.body(), fetch.is_incremental, fenced);
        *session.state() = state;
        let Emptied { body, stopped, left } = emptied?;
        fetch.body = Some(body);
        if stopped {
            self.count(FencedOutcome::Emptied);
        }
        let now = session.clock().now();
        let wait = (fetch.asked_at + fetch.max_wait).checked_duration_since(now);
        let wait = wait.filter(|wait| stopped && !left && !wait.is_zero());
        Ok((wait.map(|wait| session.clock().sleep(wait)), fetch))
    }

    fn knows_ids(&self, state: &FencedSession) -> bool {
        state
            .fetched
            .as_ref()
            .is_some_and(|(serial, _)| *serial == self.serial)
    }

    /// Whether records of a topic do not reach clients.
    fn stops_records_of(&self, topic: NamedTopic<'_>, state: &FencedSession) -> bool {
        debug_assert!(self.settings.stops(FencedOperation::Fetch), "it reads Fetch");
        match topic {
            _ if self.settings.is_of_all_topics() => true,
            NamedTopic::Name(name) => self.settings.matches(name),
            NamedTopic::Id(id) => {
                let is_listed = state.fetched.as_ref().is_some_and(|(_, ids)| ids.contains(&id));
                is_listed
                    || self
                        .names
                        .name(&id)
                        .is_some_and(|name| self.settings.matches(&name))
            }
        }
    }
}

/// An answer without the records of fenced topics.
struct Emptied {
    /// Its body, if it is another one.
    body: Option<Vec<u8>>,
    /// Records were taken out.
    stopped: bool,
    /// Records of other topics are left, or something that a client has to hear of.
    left: bool,
}

fn empty(
    version: i16,
    body: &[u8],
    is_incremental: bool,
    fenced: impl Fn(NamedTopic<'_>) -> bool,
) -> Result<Emptied, Malformed> {
    let message = Message::read(ApiKey::FETCH, Direction::Response, version, body)?;
    let (mut stopped, mut left, mut positions) = (false, false, BTreeSet::new());
    for (position, topic) in message.root().array("responses").enumerate() {
        let is_fenced = name_of(&topic).is_some_and(&fenced);
        for partition in topic.array("partitions") {
            let has_records = partition
                .content("records")
                .is_some_and(|records| !records.is_empty());
            let has_error = partition.int("error_code") != Some(ErrorCode::NONE.into());
            stopped |= is_fenced && has_records;
            left |= !is_fenced && has_records || has_error;
        }
        if is_fenced {
            positions.insert(position);
        }
    }
    if !stopped {
        return Ok(Emptied {
            body: None,
            stopped,
            left,
        });
    }
    let mut answer = Editable::read(ApiKey::FETCH, Direction::Response, version, body)?;
    if let Some(topics) = answer.list("responses") {
        for position in &positions {
            empty_topic(&mut topics[*position], is_incremental);
        }
        topics.retain_mut(|topic| topic.list("partitions").is_some_and(|list| !list.is_empty()));
    }
    Ok(Emptied {
        body: Some(answer.write()),
        stopped,
        left,
    })
}

fn name_of<'a>(topic: &Structure<'a>) -> Option<NamedTopic<'a>> {
    match topic.knows("topic_id") {
        true => topic.uuid("topic_id").map(NamedTopic::Id),
        false => topic.text("topic").map(NamedTopic::Name),
    }
}

/// Takes the records out of a topic. Partitions with an error stay as they are.
fn empty_topic(topic: &mut Editable<'_>, is_incremental: bool) {
    const KEPT: [&str; 5] = [
        "partition_index",
        "high_watermark",
        "last_stable_offset",
        "log_start_offset",
        "preferred_read_replica",
    ];
    let element = topic.element("partitions");
    let Some(partitions) = topic.list("partitions") else {
        return;
    };
    partitions.retain_mut(|partition| {
        if partition.int("error_code") != 0 {
            return true;
        }
        let mut empty = element.clone();
        for field in KEPT {
            if partition.has(field) {
                empty.set_int(field, partition.int(field));
            }
        }
        *partition = empty.owned();
        !is_incremental
    });
}
