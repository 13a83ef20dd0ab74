//! Fetch sessions (KIP-227): a client names a partition once, and the broker remembers it.

use std::collections::BTreeMap;

use super::access::{Access, TopicUuid};
use super::fetch_walk::TopicRef;
use crate::model::acl::AclOperation::Read;
use crate::wire::error_code::ErrorCode;
use crate::wire::schema::Editable;

/// A topic as a fetch session names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

    /// What is told of it in a record of what was denied.
    pub(super) fn shown(&self, access: &Access<'_>) -> Box<str> {
        match self {
            Self::Name(name) => name.clone(),
            Self::Id(id) => match access.known_name(id) {
                Some(name) => (&*name).into(),
                None => format!("{:032x}", u128::from_be_bytes(*id)).into(),
            },
        }
    }

    /// The error that the topic is answered with; `None` if the client may read it.
    pub(super) fn refused(&self, access: &mut Access<'_>) -> Option<i64> {
        match self {
            Self::Name(name) => refused_name(access, name),
            Self::Id(id) => refused_id(access, id),
        }
    }
}

fn refused_name(access: &mut Access<'_>, name: &str) -> Option<i64> {
    let may_read = access.topic(Read, name);
    (!may_read).then_some(ErrorCode::TOPIC_AUTHORIZATION_FAILED.into())
}

fn refused_id(access: &mut Access<'_>, id: &TopicUuid) -> Option<i64> {
    match access.name_of(id) {
        Some(name) => refused_name(access, &name),
        None => Some(ErrorCode::UNKNOWN_TOPIC_ID.into()),
    }
}

/// Partitions by topic, both in ascending order.
#[derive(Debug, Default)]
pub(super) struct TopicPartitions {
    named: BTreeMap<Box<str>, Vec<i32>>,
    by_id: BTreeMap<TopicUuid, Vec<i32>>,
}

impl TopicPartitions {
    /// Number of topics.
    pub(super) fn len(&self) -> usize {
        self.named.len() + self.by_id.len()
    }

    /// The partitions of a topic as a request names it.
    pub(super) fn get(&self, topic: TopicRef<'_>) -> Option<&[i32]> {
        let found = match topic {
            TopicRef::Name(name) => self.named.get(std::str::from_utf8(name).ok()?),
            TopicRef::Id(id) => self.by_id.get(&id),
        };
        found.map(Vec::as_slice)
    }

    fn get_mut(&mut self, key: &TopicKey) -> Option<&mut Vec<i32>> {
        match key {
            TopicKey::Name(name) => self.named.get_mut(name),
            TopicKey::Id(id) => self.by_id.get_mut(id),
        }
    }

    fn get_or_add(&mut self, key: TopicKey) -> &mut Vec<i32> {
        match key {
            TopicKey::Name(name) => self.named.entry(name).or_default(),
            TopicKey::Id(id) => self.by_id.entry(id).or_default(),
        }
    }

    fn remove(&mut self, key: &TopicKey) {
        match key {
            TopicKey::Name(name) => self.named.remove(name),
            TopicKey::Id(id) => self.by_id.remove(id),
        };
    }

    /// The topics that the client may not read.
    fn denied(&self, access: &mut Access<'_>) -> Vec<DeniedTopic> {
        let mut denied = Vec::new();
        let mut note = |key, partitions: &[i32], error| {
            denied.push(DeniedTopic {
                key,
                partitions: partitions.to_vec(),
                error,
            });
        };
        for (name, partitions) in &self.named {
            if let Some(error) = refused_name(access, name) {
                note(TopicKey::Name(name.clone()), partitions, error);
            }
        }
        for (id, partitions) in &self.by_id {
            if let Some(error) = refused_id(access, id) {
                note(TopicKey::Id(*id), partitions, error);
            }
        }
        denied
    }
}

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
    /// Adds partitions of a topic; a topic without any is nothing to fetch. False: there are too many.
    pub(super) fn add(&mut self, key: TopicKey, partitions: &[i64]) -> bool {
        if !partitions.is_empty() {
            let topics = self.topics.len();
            self.partitions += add_partitions(self.topics.get_or_add(key), partitions);
            self.all_readable &= self.topics.len() == topics;
        }
        self.partitions <= MOST_PARTITIONS
    }

    /// Removes partitions.
    pub(super) fn forget(&mut self, key: &TopicKey, partitions: &[i32]) {
        let Some(known) = self.topics.get_mut(key) else {
            return;
        };
        self.partitions -= remove_partitions(known, partitions);
        if known.is_empty() {
            self.topics.remove(key);
        }
    }

    /// The topics that the client may not read, with the error for each.
    pub(super) fn denied(&mut self, access: &mut Access<'_>) -> Vec<DeniedTopic> {
        if self.all_readable {
            return Vec::new();
        }
        let denied = self.topics.denied(access);
        self.all_readable = denied.is_empty();
        denied
    }
}

/// Adds partitions to those of a topic, which are in ascending order. Returns how many are new.
pub(super) fn add_partitions(known: &mut Vec<i32>, partitions: &[i64]) -> usize {
    let before = known.len();
    // A sort, because a place for each by itself would take a time that grows with the square of their number.
    known.extend(partitions.iter().map(|partition| *partition as i32));
    known.sort_unstable();
    known.dedup();
    known.len() - before
}

/// Removes partitions from those of a topic. Returns how many were there.
pub(super) fn remove_partitions(known: &mut Vec<i32>, partitions: &[i32]) -> usize {
    let before = known.len();
    let mut removed = partitions.to_vec();
    removed.sort_unstable();
    known.retain(|partition| removed.binary_search(partition).is_err());
    before - known.len()
}

/// A topic that is answered with an error.
#[derive(Debug, Clone)]
pub(super) struct DeniedTopic {
    pub(super) key: TopicKey,
    pub(super) partitions: Vec<i32>,
    pub(super) error: i64,
}
