//! Assignments of consumer groups (KIP-848). A broker with rules resolves a regular expression to topics that the member
//! may see; the one behind kproxy knows no rules and assigns everything that matches. What the member may not see is taken
//! out of what it is told, and added when the right comes. A broker lets a member own less than it was assigned.

use std::collections::HashMap;

use super::access::{Access, NO_ID, TopicUuid};
use super::fetch_session::MOST_PARTITIONS;
use super::groups;
use super::verdict::{AskedRequest, Verdict};
use crate::model::acl::AclOperation::Describe;
use crate::wire::schema::Editable;

/// Members that are remembered of one session; beyond that it begins anew.
const MOST_MEMBERS: usize = 16;

/// Longest id of a member that is remembered.
const LONGEST_ID: usize = 256;

/// Members of consumer groups by their ids.
#[derive(Debug, Default)]
pub(super) struct GroupMembers(HashMap<Box<str>, GroupMember>);

/// What is known of a member.
#[derive(Debug, Default)]
struct GroupMember {
    /// Whether it may subscribe by a regular expression.
    by_pattern: bool,
    /// What the broker has assigned.
    assigned: Vec<(TopicUuid, Vec<i32>)>,
    /// Topics of it that the member was told.
    shown: Vec<TopicUuid>,
    /// Topics of it whose names the broker has to be asked for.
    unknown: Vec<TopicUuid>,
}

impl GroupMembers {
    /// Takes in a heartbeat. Returns whether what the member is assigned is censored.
    fn follow(&mut self, id: &str, request: &Editable<'_>) -> bool {
        let epoch = request.int("member_epoch");
        if epoch <= 0 {
            self.0.remove(id);
        }
        if epoch < 0 || id.len() > LONGEST_ID {
            return false;
        }
        if self.0.len() >= MOST_MEMBERS && !self.0.contains_key(id) {
            self.0.clear();
        }
        let member = self.0.entry(id.into()).or_insert_with(|| GroupMember {
            // A member that joined in another session says what it subscribes to when that changes.
            by_pattern: epoch > 0 && request.is_null("subscribed_topic_names"),
            ..GroupMember::default()
        });
        if let Some(pattern) = request.text("subscribed_topic_regex") {
            member.by_pattern = !pattern.is_empty();
        }
        if !member.by_pattern {
            *member = GroupMember::default();
        }
        member.by_pattern
    }

    fn take_unknown(&mut self, id: &str) -> Vec<TopicUuid> {
        let member = self.0.get_mut(id);
        member
            .map(|member| std::mem::take(&mut member.unknown))
            .unwrap_or_default()
    }
}

/// ConsumerGroupHeartbeat.
pub(super) fn heartbeat(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    let verdict = groups::heartbeat(access, asked);
    if !matches!(verdict, Verdict::Allow) || !asked.body.has("subscribed_topic_regex") {
        return verdict;
    }
    let id: Box<str> = asked.body.text("member_id").unwrap_or_default().into();
    if !access.members.follow(&id, asked.body) {
        return Verdict::Allow;
    }
    for topic in access.members.take_unknown(&id) {
        // The broker is asked for names that are missing.
        access.name_of(&topic);
    }
    Verdict::Look(Box::new(move |access, answer| censor(access, id, answer)))
}

/// Makes the assignment in an answer one of topics that the member may see.
fn censor(access: &mut Access<'_>, id: Box<str>, answer: &mut Editable<'_>) {
    if answer.int("error_code") != 0 {
        return;
    }
    let mut member = access.members.0.remove(&id).unwrap_or_default();
    let given = answer.structure("assignment").map(assigned);
    let is_new = given.is_some();
    if let Some(given) = given {
        member.assigned = given;
        member.unknown.clear();
    }
    let mut shown = Vec::new();
    for (topic, _) in &member.assigned {
        match access.name_of(topic) {
            Some(name) if access.sees(Describe, &name) => shown.push(*topic),
            None if is_new => member.unknown.push(*topic),
            Some(_) | None => {}
        }
    }
    let told = if is_new {
        shown.len() < member.assigned.len()
    } else {
        shown != member.shown
    };
    if told {
        tell(&member.assigned, &shown, answer);
    }
    let partitions: usize = member.assigned.iter().map(|(_, indexes)| indexes.len()).sum();
    if partitions > MOST_PARTITIONS {
        member = GroupMember::default();
    } else {
        member.shown = shown;
    }
    member.by_pattern = true;
    access.members.0.insert(id, member);
}

fn assigned(assignment: &mut Editable<'_>) -> Vec<(TopicUuid, Vec<i32>)> {
    let topics = assignment.list("topic_partitions").into_iter().flatten();
    topics
        .map(|topic| (topic.id("topic_id").unwrap_or(NO_ID), topic.ints("partitions")))
        .collect()
}

/// Writes the assigned topics that are shown into an answer.
fn tell(assigned: &[(TopicUuid, Vec<i32>)], shown: &[TopicUuid], answer: &mut Editable<'_>) {
    let mut assignment = answer.element("assignment");
    let topics = assigned.iter().filter(|(id, _)| shown.contains(id));
    let topics = topics.map(|(id, partitions)| {
        let mut topic = assignment.element("topic_partitions");
        topic.set_id("topic_id", *id);
        topic.set_ints("partitions", partitions);
        topic
    });
    let topics = topics.collect();
    assignment.set_list("topic_partitions", topics);
    answer.set_structure("assignment", assignment.owned());
}
