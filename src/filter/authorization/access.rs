//! What one client may do, as the functions of the APIs ask for it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::assignment::GroupMembers;
use super::fetch_walk::TopicRef;
use crate::filter::TopicNameMap;
pub(super) use crate::filter::TopicUuid;
use crate::model::acl::{AccessView, AclOperation, AclResource, DecidedBy, Decision};
use crate::wire::error_code::ErrorCode;
use crate::wire::schema::Editable;

/// In place of an id: none.
pub(super) const NO_ID: TopicUuid = [0; 16];

/// The rights of one client while one frame is dealt with.
pub(super) struct Access<'s> {
    view: &'s mut AccessView,
    topics: &'s TopicNameMap,
    /// Names of ids that the session has used.
    used: &'s mut HashMap<TopicUuid, Arc<str>>,
    /// Members of consumer groups of the session.
    pub(super) members: &'s mut GroupMembers,
    /// Ids whose topics are not known.
    pub(super) missing: BTreeSet<TopicUuid>,
    /// Every decision that was made.
    pub(super) decided: Vec<AccessDecision>,
    /// Whether what the client may not see is noted too.
    pub(super) notes_hidden: bool,
}

/// A decision about one resource, or the same one about several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AccessDecision {
    pub(super) resource: AclResource,
    pub(super) operation: AclOperation,
    /// What it is about, where it was denied.
    pub(super) name: Box<str>,
    pub(super) decision: Decision,
    /// Number of resources.
    pub(super) times: u64,
}

impl AccessDecision {
    /// Whether both allow the same by the same rule, of whatever name. The names are left out, which are empty: to compare two
    /// empty texts can cost 100 ns (`memcmp` with a mask reads from the address of nothing).
    pub(super) fn allows_alike(&self, other: &Self) -> bool {
        self.decision.allowed
            && (self.resource, self.operation, self.decision)
                == (other.resource, other.operation, other.decision)
    }
}

/// Names of ids that a session remembers; beyond that it begins anew.
const MOST_USED: usize = 4096;

/// Decisions of one frame that are kept in order to count them; beyond that they are counted as the last one.
const MOST_DECIDED: usize = 64 * 1024;

impl<'s> Access<'s> {
    pub(super) fn new(
        view: &'s mut AccessView,
        topics: &'s TopicNameMap,
        used: &'s mut HashMap<TopicUuid, Arc<str>>,
        members: &'s mut GroupMembers,
    ) -> Self {
        Self {
            view,
            topics,
            used,
            members,
            missing: BTreeSet::new(),
            decided: Vec::new(),
            notes_hidden: false,
        }
    }

    fn may(&mut self, resource: AclResource, operation: AclOperation, name: &str) -> bool {
        let decision = self.view.decide(resource, operation, name);
        note(&mut self.decided, (resource, operation), name, decision)
    }

    /// Whether the client may do this with a topic that a request names so. False also of an id that the session has not
    /// used.
    pub(super) fn topic_of(&mut self, operation: AclOperation, topic: TopicRef<'_>) -> bool {
        let name = match topic {
            TopicRef::Name(name) => std::str::from_utf8(name).ok(),
            TopicRef::Id(id) => self.used.get(&id).map(|name| &**name),
        };
        let Some(name) = name else { return false };
        let decision = self.view.decide(AclResource::Topic, operation, name);
        let about = (AclResource::Topic, operation);
        note(&mut self.decided, about, name, decision)
    }

    /// Takes in that something is denied that no rule can allow.
    pub(super) fn refuse(&mut self, resource: AclResource, operation: AclOperation, name: &str) {
        let refused = Decision {
            allowed: false,
            by: DecidedBy::Otherwise,
        };
        note(&mut self.decided, (resource, operation), name, refused);
    }

    /// Whether the client may do this with a topic.
    pub(super) fn topic(&mut self, operation: AclOperation, name: &str) -> bool {
        self.may(AclResource::Topic, operation, name)
    }

    fn shows(&mut self, resource: AclResource, operation: AclOperation, name: &str) -> bool {
        let decision = self.view.decide(resource, operation, name);
        if self.notes_hidden && !decision.allowed {
            note(&mut self.decided, (resource, operation), name, decision);
        }
        decision.allowed
    }

    /// Whether the client may see a topic. Nothing is counted: it is about what an answer shows. It is noted where the rules
    /// are only tried out.
    pub(super) fn sees(&mut self, operation: AclOperation, name: &str) -> bool {
        self.shows(AclResource::Topic, operation, name)
    }

    /// Whether the client may see a group, as [`Self::sees`].
    pub(super) fn sees_group(&mut self, operation: AclOperation, name: &str) -> bool {
        self.shows(AclResource::Group, operation, name)
    }

    /// Whether the client may see a transactional id, as [`Self::sees`].
    pub(super) fn sees_transaction(&mut self, name: &str) -> bool {
        self.shows(AclResource::TransactionalId, AclOperation::Describe, name)
    }

    /// Whether the client may do this with a group.
    pub(super) fn group(&mut self, operation: AclOperation, name: &str) -> bool {
        self.may(AclResource::Group, operation, name)
    }

    /// Whether the client may do this with a transactional id.
    pub(super) fn transaction(&mut self, operation: AclOperation, name: &str) -> bool {
        self.may(AclResource::TransactionalId, operation, name)
    }

    /// Whether the client may do this with some topic or other.
    pub(super) fn some_topic(&self, operation: AclOperation) -> bool {
        self.view.may_somewhere(AclResource::Topic, operation)
    }

    /// Everything that the client may do with a resource, as Kafka reports it (KIP-430).
    pub(super) fn bit_field(&mut self, resource: AclResource, name: &str) -> i64 {
        self.view.rights(resource, name).allowed().bit_field().into()
    }

    /// The name of a topic by its id.
    pub(super) fn name_of(&mut self, id: &TopicUuid) -> Option<Arc<str>> {
        if let Some(name) = self.used.get(id) {
            return Some(Arc::clone(name));
        }
        let Some(name) = self.topics.name(id) else {
            if *id != NO_ID {
                self.missing.insert(*id);
            }
            return None;
        };
        if self.used.len() >= MOST_USED {
            self.used.clear();
        }
        self.used.insert(*id, Arc::clone(&name));
        Some(name)
    }

    /// The name of a topic by its id, if a passing answer has told it: the broker is not asked.
    pub(super) fn known_name(&self, id: &TopicUuid) -> Option<Arc<str>> {
        self.topics.name(id)
    }

    /// The id of a topic by its name, if a passing answer has told it.
    pub(super) fn id_of(&self, name: &str) -> Option<TopicUuid> {
        self.topics.id(name)
    }

    /// The name of the topic that an element of a message is about, by the name in `field` or by its id.
    pub(super) fn topic_in(&mut self, element: &Editable<'_>, field: &str) -> Option<Arc<str>> {
        if !field.is_empty()
            && let Some(name) = element.text(field)
        {
            return Some(name.into());
        }
        self.name_of(&element.id("topic_id")?)
    }

    /// The error that an element about a topic is answered with, as [`Self::topic_in`] finds it; `None` if the client may
    /// do this with it.
    pub(super) fn refuses(
        &mut self,
        element: &Editable<'_>,
        field: &str,
        operation: AclOperation,
    ) -> Option<i64> {
        match self.topic_in(element, field) {
            None => Some(ErrorCode::UNKNOWN_TOPIC_ID.into()),
            Some(name) if self.topic(operation, &name) => None,
            Some(_) => Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED.into()),
        }
    }
}

/// Notes a decision in order to count it. Returns whether it allows.
fn note(
    decided: &mut Vec<AccessDecision>,
    (resource, operation): (AclResource, AclOperation),
    name: &str,
    decision: Decision,
) -> bool {
    let new = AccessDecision {
        resource,
        operation,
        name: if decision.allowed {
            Box::default()
        } else {
            name.into()
        },
        decision,
        times: 1,
    };
    if let Some(last) = decided.last_mut().filter(|last| last.allows_alike(&new)) {
        last.times += 1;
    } else if decided.len() < MOST_DECIDED {
        decided.push(new);
    }
    decision.allowed
}
