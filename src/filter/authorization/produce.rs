//! The beginning of a Produce request, by which most of them are decided: its records are never held for that.

use super::access::{Access, NO_ID};
use super::fetch_walk::TopicRef;
use crate::model::acl::AclOperation::Write;
use crate::wire::Malformed;
use crate::wire::api::ApiKey;
use crate::wire::cursor::{ReadError, Reader, unless_incomplete};
use crate::wire::schema::{self, Direction};

/// First versions with a transactional id, with compact lengths, and with ids.
const TRANSACTIONAL: i16 = schema::first_with(ApiKey::PRODUCE, Direction::Request, &["transactional_id"]);
const FLEXIBLE: i16 = schema::first_flexible(ApiKey::PRODUCE);
const WITH_IDS: i16 = schema::first_with(ApiKey::PRODUCE, Direction::Request, &["topic_data", "topic_id"]);

/// Everything before the records of a request for one topic.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Beginning<'a> {
    transactional_id: Option<&'a [u8]>,
    /// `None`: there is no topic, or there are several.
    topic: Option<TopicRef<'a>>,
}

/// What the beginning of a request says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// Everything is allowed.
    Allowed,
    /// The rest decides, or something is denied.
    NeedsAll,
}

impl<'a> Beginning<'a> {
    /// Reads it; `None` if it has not arrived.
    ///
    /// # Errors
    /// What is malformed.
    pub(super) fn read(version: i16, body: &'a [u8]) -> Result<Option<Self>, Malformed> {
        unless_incomplete(Self::fields(version, body))
    }

    fn fields(version: i16, body: &'a [u8]) -> Result<Self, ReadError> {
        let mut reader = Reader::new(body, version >= FLEXIBLE);
        let transactional_id = if version >= TRANSACTIONAL {
            reader.nullable_string()?
        } else {
            None
        };
        reader.skip(2 + 4)?;
        let topics = reader.array_len(0)?;
        let topic = if topics != 1 {
            None
        } else if version >= WITH_IDS {
            Some(TopicRef::Id(reader.take(16)?.try_into().unwrap_or(NO_ID)))
        } else {
            Some(TopicRef::Name(reader.string()?))
        };
        Ok(Self {
            transactional_id,
            topic,
        })
    }

    /// Decides by the beginning alone, if it can.
    pub(super) fn judge(&self, access: &mut Access<'_>) -> Judged {
        if let Some(TopicRef::Id(id)) = self.topic {
            access.name_of(&id);
        }
        if self.is_allowed(access) {
            Judged::Allowed
        } else {
            Judged::NeedsAll
        }
    }

    /// Whether the beginning alone says that everything is allowed. No name of an id is looked up that the session has not
    /// used.
    pub(super) fn is_allowed(&self, access: &mut Access<'_>) -> bool {
        let may_transact = match self.transactional_id.map(std::str::from_utf8) {
            None => true,
            Some(Ok(id)) => access.transaction(Write, id),
            Some(Err(_)) => false,
        };
        may_transact && self.topic.is_some_and(|topic| access.topic_of(Write, topic))
    }
}
