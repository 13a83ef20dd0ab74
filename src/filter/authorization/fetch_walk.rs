//! A Fetch request read without decoding it: in its steady state a consumer asks for what is known, and nothing is changed.
//!
//! Tagged fields are left to the tables: no consumer sends any, and one of them says that a broker copies.

use super::access::{NO_ID, TopicUuid};
use crate::wire::Malformed;
use crate::wire::api::ApiKey;
use crate::wire::cursor::{ReadError, Reader};
use crate::wire::schema::{self, Direction};

/// The reason to leave a request to the tables.
const NOT_PLAIN: ReadError = ReadError::Malformed(Malformed::new("request: it has tagged fields"));

/// First versions with these fields, and the first one without the first of all.
const WITH_MAX_BYTES: i16 = since(&["max_bytes"]);
const WITH_ISOLATION: i16 = since(&["isolation_level"]);
const WITH_LOG_START: i16 = since(&["topics", "partitions", "log_start_offset"]);
const WITH_SESSIONS: i16 = since(&["session_epoch"]);
const WITH_LEADER_EPOCH: i16 = since(&["topics", "partitions", "current_leader_epoch"]);
const WITH_RACK: i16 = since(&["rack_id"]);
const FLEXIBLE: i16 = schema::first_flexible(ApiKey::FETCH);
const WITH_IDS: i16 = since(&["topics", "topic_id"]);
const WITHOUT_REPLICA: i16 = schema::first_without(ApiKey::FETCH, Direction::Request, &["replica_id"]);

const fn since(path: &[&str]) -> i16 {
    schema::first_with(ApiKey::FETCH, Direction::Request, path)
}

/// A topic as a message names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TopicRef<'a> {
    Name(&'a [u8]),
    Id(TopicUuid),
}

/// A request on the way from its first field to its last. Topics and partitions come in the order of the wire.
#[derive(Debug)]
pub(super) struct FetchWalk<'a> {
    version: i16,
    reader: Reader<'a>,
    /// Number of the fetch session, and of the request in it; 0 and −1 before there were any.
    pub(super) session: (i32, i32),
    /// The sender says that it is a broker which copies (a follower).
    pub(super) copies: bool,
    topics: usize,
    partitions: usize,
}

impl<'a> FetchWalk<'a> {
    /// Walks to the first topic of a request that has arrived whole.
    pub(super) fn begin(version: i16, body: &'a [u8]) -> Result<Self, ReadError> {
        let mut reader = Reader::new(body, version >= FLEXIBLE);
        // Later versions say it in a tagged field, which `ends_plainly` refuses.
        let copies = version < WITHOUT_REPLICA && reader.i32()? >= 0;
        reader.skip(4 + 4)?;
        if version >= WITH_MAX_BYTES {
            reader.skip(4)?;
        }
        if version >= WITH_ISOLATION {
            reader.skip(1)?;
        }
        let session = match version >= WITH_SESSIONS {
            true => (reader.i32()?, reader.i32()?),
            false => (0, -1),
        };
        let topics = reader.array_len(1)?;
        Ok(Self {
            version,
            reader,
            session,
            copies,
            topics,
            partitions: 0,
        })
    }

    /// The next topic, whose partitions [`Self::partition`] gives before the next is asked for. `None` after the last.
    pub(super) fn topic(&mut self) -> Result<Option<TopicRef<'a>>, ReadError> {
        let Some(left) = self.topics.checked_sub(1) else {
            return Ok(None);
        };
        self.topics = left;
        let topic = match self.version >= WITH_IDS {
            true => TopicRef::Id(self.reader.take(16)?.try_into().unwrap_or(NO_ID)),
            false => TopicRef::Name(self.reader.string()?),
        };
        self.partitions = self.reader.array_len(1)?;
        Ok(Some(topic))
    }

    /// The next partition of the topic. `None` after the last.
    pub(super) fn partition(&mut self) -> Result<Option<i32>, ReadError> {
        let Some(left) = self.partitions.checked_sub(1) else {
            self.no_tags()?;
            return Ok(None);
        };
        self.partitions = left;
        let partition = self.reader.i32()?;
        let since = |first, length| if self.version >= first { length } else { 0 };
        let epochs = since(WITH_LEADER_EPOCH, 4) + since(FLEXIBLE, 4);
        self.reader.skip(8 + 4 + epochs + since(WITH_LOG_START, 8))?;
        self.no_tags()?;
        Ok(Some(partition))
    }

    /// Walks over the end of a structure without tagged fields.
    fn no_tags(&mut self) -> Result<(), ReadError> {
        if self.version >= FLEXIBLE && self.reader.take(1)? != [0] {
            return Err(NOT_PLAIN);
        }
        Ok(())
    }

    /// Walks from the last topic to the end. Whether the request takes nothing out of its session, and has no tagged fields:
    /// one of them may say that a broker copies.
    pub(super) fn ends_plainly(mut self) -> Result<bool, ReadError> {
        if self.version >= WITH_SESSIONS && self.reader.array_len(0)? > 0 {
            return Ok(false);
        }
        if self.version >= WITH_RACK {
            self.reader.string()?;
        }
        let no_tags: &[u8] = if self.version >= FLEXIBLE { &[0] } else { &[] };
        Ok(self.reader.rest() == no_tags)
    }
}
