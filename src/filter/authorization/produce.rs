//! The beginning of a Produce request, by which most of them are decided: its records are never held for that.

use super::access::{Access, NO_ID, TopicUuid};
use crate::model::acl::AclOperation::Write;
use crate::wire::Malformed;
use crate::wire::cursor::{ReadError, Reader, unless_incomplete};

/// First version with compact lengths, and first version with ids.
const FLEXIBLE: i16 = 9;
const WITH_IDS: i16 = 13;

/// Everything before the records of a request for one topic.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Beginning<'a> {
    transactional_id: Option<&'a [u8]>,
    topic: FirstTopic<'a>,
}

#[derive(Debug, PartialEq, Eq)]
enum FirstTopic<'a> {
    /// There is none, or there are several.
    NotOne,
    Name(&'a [u8]),
    Id(TopicUuid),
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
        let transactional_id = if version >= 3 {
            reader.nullable_string()?
        } else {
            None
        };
        reader.skip(2 + 4)?;
        let topics = reader.array_len(0)?;
        let topic = if topics != 1 {
            FirstTopic::NotOne
        } else if version >= WITH_IDS {
            FirstTopic::Id(reader.take(16)?.try_into().unwrap_or(NO_ID))
        } else {
            FirstTopic::Name(reader.string()?)
        };
        Ok(Self {
            transactional_id,
            topic,
        })
    }

    /// Decides by the beginning alone, if it can.
    pub(super) fn judge(&self, access: &mut Access<'_>) -> Judged {
        let text = |bytes| std::str::from_utf8(bytes).ok();
        let may_transact = match self.transactional_id {
            None => true,
            Some(id) => text(id).is_some_and(|id| access.transaction(Write, id)),
        };
        let may_write = may_transact
            && match self.topic {
                FirstTopic::NotOne => false,
                FirstTopic::Name(name) => text(name).is_some_and(|name| access.topic(Write, name)),
                FirstTopic::Id(id) => match access.name_of(&id) {
                    Some(name) => access.topic(Write, &name),
                    None => false,
                },
            };
        if may_write {
            Judged::Allowed
        } else {
            Judged::NeedsAll
        }
    }
}
