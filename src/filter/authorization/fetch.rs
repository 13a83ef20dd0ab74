//! Fetch: requests go on as they are, so that the fetch session is the same for client and broker, and answers are
//! censored only where something denied may be in them.

use std::collections::{BTreeMap, HashSet};

use super::access::Access;
use super::fetch_session::{DeniedTopic, FetchSession, MOST_PARTITIONS, TopicKey, remove_partitions};
use super::fetch_walk::FetchWalk;
use super::partitions::FETCH;
use super::verdict::AskedRequest;
use crate::model::acl::AclOperation::Read;
use crate::model::acl::AclResource;
use crate::wire::api::ApiKey;
use crate::wire::cursor::ReadError;
use crate::wire::error_code::ErrorCode;
use crate::wire::schema::{self, Direction, Editable};

/// Epochs of requests that are not incremental (`FetchMetadata`).
const INITIAL_EPOCH: i64 = 0;
const FINAL_EPOCH: i64 = -1;

/// First version with fetch sessions.
const FIRST_WITH_SESSIONS: i16 = schema::first_with(ApiKey::FETCH, Direction::Request, &["session_epoch"]);

/// Largest answer that a client may ask for while some of it is censored: it has to be held whole.
const MOST_CENSORED: i64 = 8 << 20;

/// Bytes of an answer before the number of its session: throttle time and error.
const BEFORE_SESSION_ID: usize = 4 + 2;

/// The number of the session that the beginning of an answer tells; `None` if it has not arrived.
pub(super) fn session_id(answer: &[u8]) -> Option<i32> {
    let id = answer.get(BEFORE_SESSION_ID..)?.first_chunk::<4>()?;
    Some(i32::from_be_bytes(*id))
}

/// A decision about a Fetch request.
pub(super) enum FetchVerdict {
    /// Nothing in its answer is denied.
    Allow,
    /// Nothing in its answer is denied, and the answer tells the number of the session.
    Begin,
    /// Its answer is censored.
    Censor(FetchNote),
    /// kproxy answers it.
    Answer(Editable<'static>),
}

/// What the answer to a Fetch request needs.
#[derive(Debug, Default)]
pub(super) struct FetchNote {
    /// The answer tells the number of the session.
    pub(super) begins: bool,
    /// Topics that were denied when the request was made.
    pub(super) denied: Vec<DeniedTopic>,
}

/// Decides about a request.
pub(super) fn request(
    access: &mut Access<'_>,
    asked: &mut AskedRequest<'_, '_>,
    current: &mut Option<FetchSession>,
) -> FetchVerdict {
    if copies(asked.body) {
        return refuse_to_copy(access, asked);
    }
    let epoch = asked.body.int("session_epoch");
    if asked.version < FIRST_WITH_SESSIONS || epoch == FINAL_EPOCH {
        if asked.body.int("session_id") != 0 {
            *current = None;
        }
        let mut whole = FetchSession::default();
        return full(access, asked, &mut whole, false);
    }
    if epoch == INITIAL_EPOCH {
        let mut session = FetchSession::default();
        let verdict = full(access, asked, &mut session, true);
        let begins = match &verdict {
            FetchVerdict::Begin => true,
            FetchVerdict::Censor(note) => note.begins,
            FetchVerdict::Allow | FetchVerdict::Answer(_) => false,
        };
        *current = begins.then_some(session);
        return verdict;
    }
    let Some(session) = current
        .as_mut()
        .filter(|session| i64::from(session.id) == asked.body.int("session_id"))
    else {
        return unknown_session(asked);
    };
    let has_room = add_partitions(asked.body, session);
    for topic in asked.body.list("forgotten_topics_data").into_iter().flatten() {
        let partitions = topic.ints("partitions");
        session.forget(&TopicKey::of(topic, "topic"), &partitions);
    }
    if !has_room {
        *current = None;
        return unknown_session(asked);
    }
    let denied = session.denied(access);
    if denied.is_empty() {
        return FetchVerdict::Allow;
    }
    spare_the_broker(asked.body, &denied);
    FetchVerdict::Censor(FetchNote {
        begins: false,
        denied,
    })
}

/// Whether a request says that it comes from a broker that copies partitions (a follower).
fn copies(request: &mut Editable<'_>) -> bool {
    if request.has("replica_id") {
        return request.int("replica_id") >= 0;
    }
    let says = !request.is_null("replica_state");
    says && request
        .structure("replica_state")
        .is_some_and(|state| state.int("replica_id") >= 0)
}

/// Denies everything that is to be copied: it takes a right on the cluster, which rules do not give. A broker would take the
/// client for the follower, give it records that are not committed, and believe what it says of its log.
fn refuse_to_copy(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> FetchVerdict {
    let error = ErrorCode::TOPIC_AUTHORIZATION_FAILED.into();
    let mut denied = Vec::new();
    for topic in asked.body.list("topics").into_iter().flatten() {
        let partitions = FETCH.indexes(topic).into_iter().map(|index| index as i32);
        let key = TopicKey::of(topic, "topic");
        access.refuse(AclResource::Topic, Read, &key.shown(access));
        denied.push(DeniedTopic {
            key,
            partitions: partitions.collect(),
            error,
        });
    }
    if denied.is_empty() {
        return unknown_session(asked);
    }
    let mut answer = asked.answer();
    append(&mut answer, &denied);
    FetchVerdict::Answer(answer)
}

/// Whether nothing of a complete request is denied, new to its session or taken out of it, and its answer tells nothing. A
/// broker that copies is never among them. A topic that a request without a session names twice, as no client does, is counted
/// twice.
pub(super) fn passes(
    access: &mut Access<'_>,
    (version, body): (i16, &[u8]),
    current: Option<&FetchSession>,
) -> Result<bool, ReadError> {
    let mut walk = FetchWalk::begin(version, body)?;
    if walk.copies {
        return Ok(false);
    }
    let (id, epoch) = (walk.session.0, i64::from(walk.session.1));
    let known = match epoch {
        FINAL_EPOCH if id == 0 => None,
        INITIAL_EPOCH | FINAL_EPOCH => return Ok(false),
        _ => match current.filter(|session| session.id == id && session.all_readable) {
            Some(session) => Some(&session.topics),
            None => return Ok(false),
        },
    };
    let mut count = 0;
    while let Some(topic) = walk.topic()? {
        let known = match known {
            None if !access.topic_of(Read, topic) => return Ok(false),
            None => None,
            Some(topics) => match topics.get(topic) {
                Some(partitions) => Some(partitions),
                None => return Ok(false),
            },
        };
        while let Some(partition) = walk.partition()? {
            count += 1;
            if known.is_some_and(|known| known.binary_search(&partition).is_err()) {
                return Ok(false);
            }
        }
    }
    Ok(count <= MOST_PARTITIONS && walk.ends_plainly()?)
}

/// A request that names everything it wants.
fn full(
    access: &mut Access<'_>,
    asked: &mut AskedRequest<'_, '_>,
    session: &mut FetchSession,
    begins: bool,
) -> FetchVerdict {
    let has_room = add_partitions(asked.body, session);
    if !has_room {
        // Beyond what kproxy remembers the client has to do without a session.
        asked.body.set_int("session_id", 0);
        asked.body.set_int("session_epoch", FINAL_EPOCH);
    }
    let denied = session.denied(access);
    if denied.is_empty() && begins && has_room {
        return FetchVerdict::Begin;
    }
    if denied.is_empty() {
        return if has_room {
            FetchVerdict::Allow
        } else {
            FetchVerdict::Censor(FetchNote::default())
        };
    }
    if denied.len() == session.topics.len() {
        let mut answer = asked.answer();
        append(&mut answer, &denied);
        return FetchVerdict::Answer(answer);
    }
    spare_the_broker(asked.body, &denied);
    FetchVerdict::Censor(FetchNote {
        begins: begins && has_room,
        denied,
    })
}

/// The client begins a new session when it hears that the broker does not know the one it names.
fn unknown_session(asked: &AskedRequest<'_, '_>) -> FetchVerdict {
    FetchVerdict::Answer(asked.error(ErrorCode::FETCH_SESSION_ID_NOT_FOUND))
}

fn add_partitions(request: &mut Editable<'_>, session: &mut FetchSession) -> bool {
    let mut has_room = true;
    for topic in request.list("topics").into_iter().flatten() {
        let key = TopicKey::of(topic, "topic");
        let partitions = FETCH.indexes(topic);
        has_room &= session.add(key, &partitions);
    }
    has_room
}

/// Asks for as little as possible of what will be taken out of the answer.
fn spare_the_broker(request: &mut Editable<'_>, denied: &[DeniedTopic]) {
    let denied: HashSet<_> = denied.iter().map(|denied| &denied.key).collect();
    for topic in request.list("topics").into_iter().flatten() {
        let key = TopicKey::of(topic, "topic");
        if denied.contains(&key) {
            for partition in topic.list("partitions").into_iter().flatten() {
                partition.set_int("partition_max_bytes", 1);
            }
        }
    }
    if request.int("max_bytes") > MOST_CENSORED {
        request.set_int("max_bytes", MOST_CENSORED);
    }
}

/// Takes what the client may not read out of an answer, and adds the errors of `denied`. Returns whether anything changed.
pub(super) fn censor(access: &mut Access<'_>, answer: &mut Editable<'_>, denied: &[DeniedTopic]) -> bool {
    let mut changed = false;
    let mut missing: BTreeMap<_, _> = denied
        .iter()
        .map(|denied| (&denied.key, denied.clone()))
        .collect();
    let is_whole = answer.int("error_code") == 0;
    for topic in answer.list(FETCH.answers).into_iter().flatten() {
        let key = TopicKey::of(topic, FETCH.name);
        let Some(error) = key.refused(access) else {
            // What was denied when it was asked for may be read now.
            missing.remove(&key);
            continue;
        };
        let indexes: Vec<i64> = topic
            .list(FETCH.results)
            .into_iter()
            .flatten()
            .map(|partition| partition.int(FETCH.result_index))
            .collect();
        let partitions = indexes.iter().map(|index| result(topic, *index, error));
        let partitions = partitions.collect();
        topic.set_list(FETCH.results, partitions);
        if let Some(denied) = missing.get_mut(&key) {
            let answered: Vec<_> = indexes.iter().map(|index| *index as i32).collect();
            remove_partitions(&mut denied.partitions, &answered);
        }
        changed = true;
    }
    missing.retain(|key, denied| !denied.partitions.is_empty() && key.refused(access).is_some());
    if is_whole && !missing.is_empty() {
        let missing: Vec<_> = missing.into_values().collect();
        append(answer, &missing);
        changed = true;
    }
    changed
}

/// A partition that the client may not read, as a broker answers it.
fn result<'a>(topic: &Editable<'_>, index: i64, error: i64) -> Editable<'a> {
    let mut result = FETCH.result(topic, index, error);
    result.set_list("aborted_transactions", Vec::new());
    result.owned()
}

fn append(answer: &mut Editable<'_>, denied: &[DeniedTopic]) {
    let topics: Vec<_> = denied
        .iter()
        .map(|denied| {
            let mut topic = answer.element(FETCH.answers);
            match &denied.key {
                TopicKey::Name(name) => topic.set_text(FETCH.name, Some(name)),
                TopicKey::Id(id) => topic.set_id("topic_id", *id),
            }
            let partitions = denied.partitions.iter();
            let partitions = partitions
                .map(|index| result(&topic, (*index).into(), denied.error))
                .collect();
            topic.set_list(FETCH.results, partitions);
            topic
        })
        .collect();
    answer.extend(FETCH.answers, topics.into_iter().map(Editable::owned));
}
