//! Produce requests: what their beginning says, and how one is divided of which a part is fenced. Pure.

use crate::filter::error_answer;
use crate::wire::Malformed;
use crate::wire::api::{Api, ApiKey};
use crate::wire::cursor::{ReadError, Reader, unless_incomplete};
use crate::wire::error_code::ErrorCode;
use crate::wire::schema::{self, Direction, Editable};

use super::apis::NamedTopic;

/// First versions with a transactional id, with compact lengths, and with ids.
const TRANSACTIONAL: i16 = schema::first_with(ApiKey::PRODUCE, Direction::Request, &["transactional_id"]);
const FLEXIBLE: i16 = schema::first_flexible(ApiKey::PRODUCE);
const WITH_IDS: i16 = schema::first_with(ApiKey::PRODUCE, Direction::Request, &["topic_data", "topic_id"]);

/// Everything before the records of the first topic.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ProduceBeginning<'a> {
    /// Whether somebody answers it.
    pub(super) is_answered: bool,
    /// `None`: there is no topic, or there are several.
    pub(super) topic: Option<NamedTopic<'a>>,
}

impl<'a> ProduceBeginning<'a> {
    /// Reads it; `None` if it has not arrived.
    ///
    /// # Errors
    /// What is malformed.
    pub(super) fn read(version: i16, body: &'a [u8]) -> Result<Option<Self>, Malformed> {
        unless_incomplete(Self::fields(version, body))
    }

    fn fields(version: i16, body: &'a [u8]) -> Result<Self, ReadError> {
        let mut reader = Reader::new(body, version >= FLEXIBLE);
        if version >= TRANSACTIONAL {
            reader.nullable_string()?;
        }
        let acks = reader.i16()?;
        reader.skip(4)?;
        let topic = if reader.array_len(0)? != 1 {
            None
        } else if version >= WITH_IDS {
            reader.take(16)?.try_into().ok().map(NamedTopic::Id)
        } else {
            // A topic whose name is no text has no name that a fence could have.
            let name = reader.string()?;
            std::str::from_utf8(name).ok().map(NamedTopic::Name)
        };
        Ok(Self {
            is_answered: acks != 0,
            topic,
        })
    }
}

/// A request that has been divided.
#[derive(Debug)]
pub(super) enum DividedProduce {
    /// Nothing is left of it: the body of its answer.
    Answered(Vec<u8>),
    /// This body is left of it, and these elements belong to its answer.
    Rest(Vec<u8>, Vec<Editable<'static>>),
}

/// Takes the topics that are `fenced` out of a complete request. `None`: they cannot be answered.
///
/// # Errors
/// What is malformed.
pub(super) fn divide(
    api: &Api,
    version: i16,
    body: &[u8],
    fenced: impl Fn(NamedTopic<'_>) -> bool,
) -> Result<Option<DividedProduce>, Malformed> {
    let mut rest = Editable::read(ApiKey::PRODUCE, Direction::Request, version, body)?;
    let mut stopped = rest.clone();
    let is_fenced = |topic: &Editable<'_>| match topic.text("name") {
        Some(name) => fenced(NamedTopic::Name(name)),
        None => topic.id("topic_id").is_some_and(|id| fenced(NamedTopic::Id(id))),
    };
    if let Some(topics) = rest.list("topic_data") {
        topics.retain(|topic| !is_fenced(topic));
    }
    let is_left = rest.list("topic_data").is_some_and(|topics| !topics.is_empty());
    if let Some(topics) = stopped.list("topic_data") {
        topics.retain(is_fenced);
    }
    let code = ErrorCode::NOT_LEADER_OR_FOLLOWER;
    let Some(answer) = error_answer(api, version, &stopped.write(), code) else {
        return Ok(None);
    };
    if !is_left {
        return Ok(Some(DividedProduce::Answered(answer)));
    }
    let mut answer = Editable::read(ApiKey::PRODUCE, Direction::Response, version, &answer)?;
    let elements = answer.list("responses").map(std::mem::take).unwrap_or_default();
    let elements = elements.into_iter().map(Editable::owned).collect();
    Ok(Some(DividedProduce::Rest(rest.write(), elements)))
}

/// The answer to the rest of a divided request with what was taken out.
///
/// # Errors
/// What is malformed.
pub(super) fn complete(
    version: i16,
    answer: &[u8],
    elements: Vec<Editable<'static>>,
) -> Result<Vec<u8>, Malformed> {
    let mut answer = Editable::read(ApiKey::PRODUCE, Direction::Response, version, answer)?;
    answer.extend("responses", elements.into_iter().map(Editable::owned));
    Ok(answer.write())
}
