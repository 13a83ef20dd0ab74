//! Fetch sessions (KIP-227): a client names a partition once, and the broker remembers it.

use std::collections::HashMap;

use super::access::{Access, TopicUuid};
use crate::model::acl::AclOperation::Read;
use crate::wire::error_code::ErrorCode;
use crate::wire::schema::Editable;

/// A topic as a fetch session names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum TopicKey {
    Name(Box<str>),
    Id(TopicUuid),
}

impl TopicKey {
    /// The topic that an element of a message is about.
    pub(super) fn of(element: &Editable<'_>, field: &str) -> Self {
        match element.id("topic_id") {
            Some(id) => Self::Id(id),
            None => Self::Name(element.text(field).unwrap_or_default().into()),
        }
    }

    /// The error that the topic is answered with; `None` if the client may read it.
    pub(super) fn refused(&self, access: &mut Access<'_>) -> Option<i64> {
        let may_read = match self {
            Self::Name(name) => access.topic(Read, name),
            Self::Id(id) => match access.name_of(id) {
                Some(name) => access.topic(Read, &name),
                None => return Some(ErrorCode::UNKNOWN_TOPIC_ID.into()),
            },
        };
        (!may_read).then_some(ErrorCode::TOPIC_AUTHORIZATION_FAILED.into())
    }
}

/// Partitions by topic.
pub(super) type TopicPartitions = HashMap<TopicKey, Vec<i32>>;

/// Partitions that one session may have before kproxy refuses to begin it; the client then fetches without a session.
pub(super) const MOST_PARTITIONS: usize = 100_000;

/// What the broker remembers of a fetch session.
#[derive(Debug, Default)]
pub(super) struct FetchSession {
    /// Its number; 0 while the broker has not told it.
    pub(super) id: i32,
    /// Its partitions.
    pub(super) topics: TopicPartitions,
    partitions: usize,
    /// Whether every topic has been found readable, with the rules as they are.
    pub(super) all_readable: bool,
}

impl FetchSession {
    /// Adds the partitions of `topics`. False: there are too many.
    pub(super) fn add(&mut self, key: TopicKey, partitions: &[i64]) -> bool {
        let known = self.topics.entry(key).or_insert_with(|| {
            self.all_readable = false;
            Vec::new()
        });
        for partition in partitions {
            let partition = *partition as i32;
            if let Err(at) = known.binary_search(&partition) {
                known.insert(at, partition);
                self.partitions += 1;
            }
        }
        self.partitions <= MOST_PARTITIONS
    }

    /// Removes partitions.
    pub(super) fn forget(&mut self, key: &TopicKey, partitions: &[i32]) {
        let Some(known) = self.topics.get_mut(key) else {
            return;
        };
        for partition in partitions {
            if let Ok(at) = known.binary_search(partition) {
                known.remove(at);
                self.partitions -= 1;
            }
        }
        if known.is_empty() {
            self.topics.remove(key);
        }
    }

    /// The topics that the client may not read, with the error for each.
    pub(super) fn denied(&mut self, access: &mut Access<'_>) -> Vec<DeniedTopic> {
        if self.all_readable {
            return Vec::new();
        }
        let mut denied = Vec::new();
        for (key, partitions) in &self.topics {
            if let Some(error) = key.refused(access) {
                denied.push(DeniedTopic {
                    key: key.clone(),
                    partitions: partitions.clone(),
                    error,
                });
            }
        }
        self.all_readable = denied.is_empty();
        denied
    }
}

/// A topic that is answered with an error.
#[derive(Debug, Clone)]
pub(super) struct DeniedTopic {
    pub(super) key: TopicKey,
    pub(super) partitions: Vec<i32>,
    pub(super) error: i64,
}
