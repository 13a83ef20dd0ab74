//! Share groups (KIP-932). A broker that sends records of a partition has given them to the member: what the client may
//! not read must not be asked for. A broker forgets such partitions, and is told of them again when the right comes back.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::access::{Access, NO_ID, TopicUuid};
use super::fetch_session::{DeniedTopic, MOST_PARTITIONS, TopicKey, add_partitions, remove_partitions};
use super::groups::may;
use super::partitions::{ALTER_SHARE_GROUP_OFFSETS, DESCRIBE_SHARE_GROUP_OFFSETS, SHARE};
use super::verdict::{AskedRequest, Verdict};
use crate::model::acl::AclOperation::{Delete, Describe, Read};
use crate::wire::error_code::ErrorCode;
use crate::wire::schema::Editable;

/// Epochs of requests that begin and end a share session.
const INITIAL_EPOCH: i64 = 0;
const FINAL_EPOCH: i64 = -1;

/// The share session of a client.
#[derive(Debug, Default)]
pub(super) struct ShareSession {
    /// Partitions by topic, in ascending order.
    topics: HashMap<TopicUuid, Vec<i32>>,
    partitions: usize,
    /// Topics that the client has in its session and the broker does not.
    withheld: HashSet<TopicUuid>,
}

impl ShareSession {
    /// Adds partitions of a topic; a topic without any is nothing to fetch. False: there are too many.
    fn add(&mut self, id: TopicUuid, partitions: &[i64]) -> bool {
        if !partitions.is_empty() {
            self.partitions += add_partitions(self.topics.entry(id).or_default(), partitions);
        }
        self.partitions <= MOST_PARTITIONS
    }

    fn forget(&mut self, id: TopicUuid, partitions: &[i32]) {
        if let Some(known) = self.topics.get_mut(&id) {
            self.partitions -= remove_partitions(known, partitions);
            if known.is_empty() {
                self.topics.remove(&id);
                self.withheld.remove(&id);
            }
        }
    }
}

/// A decision about a ShareFetch request.
pub(super) enum ShareVerdict {
    /// Nothing is denied.
    Allow,
    /// Its answer is completed with these.
    Censor(Vec<DeniedTopic>),
    /// kproxy answers it.
    Answer(Editable<'static>),
}

pub(super) fn fetch(
    access: &mut Access<'_>,
    asked: &mut AskedRequest<'_, '_>,
    session: &mut ShareSession,
) -> ShareVerdict {
    if !may(access, asked, Read) {
        return ShareVerdict::Answer(asked.error(ErrorCode::GROUP_AUTHORIZATION_FAILED));
    }
    let epoch = asked.body.int("share_session_epoch");
    if epoch == INITIAL_EPOCH || epoch == FINAL_EPOCH {
        *session = ShareSession::default();
    }
    let begins = epoch == INITIAL_EPOCH;
    let mut has_room = true;
    for topic in asked.body.list("topics").into_iter().flatten() {
        let partitions = SHARE.indexes(topic);
        has_room &= session.add(topic.id("topic_id").unwrap_or(NO_ID), &partitions);
    }
    for topic in asked.body.list("forgotten_topics_data").into_iter().flatten() {
        let partitions = topic.ints("partitions");
        session.forget(topic.id("topic_id").unwrap_or(NO_ID), &partitions);
    }
    if !has_room {
        // The client begins a new session when it hears that.
        *session = ShareSession::default();
        return ShareVerdict::Answer(asked.error(ErrorCode::SHARE_SESSION_NOT_FOUND));
    }
    let changes = withhold(access, asked.body, session, begins);
    match changes {
        None => ShareVerdict::Allow,
        Some(denied) => ShareVerdict::Censor(denied),
    }
}

/// Makes the broker's session one of what the client may read, and returns what it may not. `None`: nothing is changed.
fn withhold(
    access: &mut Access<'_>,
    request: &mut Editable<'_>,
    session: &mut ShareSession,
    begins: bool,
) -> Option<Vec<DeniedTopic>> {
    let mut denied = Vec::new();
    let (mut forgotten, mut returned) = (Vec::new(), Vec::new());
    for (id, partitions) in &session.topics {
        let key = TopicKey::Id(*id);
        match key.refused(access) {
            None if session.withheld.remove(id) => returned.push((*id, partitions.clone())),
            None => {}
            Some(error) => {
                if session.withheld.insert(*id) && !begins {
                    forgotten.push((*id, partitions.clone()));
                }
                denied.push(DeniedTopic {
                    key,
                    partitions: partitions.clone(),
                    error,
                });
            }
        }
    }
    if denied.is_empty() && returned.is_empty() {
        return None;
    }
    if let Some(topics) = request.list("topics") {
        topics.retain(|topic| !session.withheld.contains(&topic.id("topic_id").unwrap_or(NO_ID)));
    }
    let named = request.list("topics").into_iter().flatten();
    let named: HashSet<_> = named.filter_map(|topic| topic.id("topic_id")).collect();
    for (id, partitions) in returned {
        if !named.contains(&id) {
            let mut topic = request.element("topics");
            topic.set_id("topic_id", id);
            let partitions = partitions.iter().map(|index| {
                let mut partition = topic.element("partitions");
                partition.set_int("partition_index", (*index).into());
                partition
            });
            let partitions = partitions.collect();
            topic.set_list("partitions", partitions);
            request.extend("topics", [topic.owned()]);
        }
    }
    let forgotten: Vec<_> = forgotten
        .into_iter()
        .map(|(id, partitions)| {
            let mut topic = request.element("forgotten_topics_data");
            topic.set_id("topic_id", id);
            topic.set_ints("partitions", &partitions);
            topic
        })
        .collect();
    if !forgotten.is_empty() {
        request.extend(
            "forgotten_topics_data",
            forgotten.into_iter().map(Editable::owned),
        );
    }
    Some(denied)
}

/// Takes what the client may not read out of an answer, and adds the errors of `denied`. Returns whether anything changed.
pub(super) fn censor(access: &mut Access<'_>, answer: &mut Editable<'_>, denied: &[DeniedTopic]) -> bool {
    let mut changed = false;
    let mut missing: BTreeMap<_, _> = denied.iter().map(|denied| (&denied.key, denied)).collect();
    for topic in answer.list(SHARE.answers).into_iter().flatten() {
        let key = TopicKey::of(topic, "");
        let Some(error) = key.refused(access) else {
            continue;
        };
        missing.remove(&key);
        let results = topic.list(SHARE.results).into_iter().flatten();
        let indexes: Vec<i64> = results
            .map(|partition| partition.int(SHARE.result_index))
            .collect();
        let results = indexes
            .iter()
            .map(|index| SHARE.result(topic, *index, error).owned())
            .collect();
        topic.set_list(SHARE.results, results);
        changed = true;
    }
    if answer.int("error_code") != 0 || missing.is_empty() {
        return changed;
    }
    let topics: Vec<_> = missing
        .values()
        .map(|denied| {
            let mut topic = answer.element(SHARE.answers);
            if let TopicKey::Id(id) = denied.key {
                topic.set_id("topic_id", id);
            }
            let partitions = denied.partitions.iter();
            let partitions = partitions
                .map(|index| SHARE.result(&topic, (*index).into(), denied.error))
                .collect();
            topic.set_list(SHARE.results, partitions);
            topic
        })
        .collect();
    answer.extend(SHARE.answers, topics.into_iter().map(Editable::owned));
    true
}

pub(super) fn acknowledge(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    if !may(access, asked, Read) {
        return Verdict::Answer(asked.error(ErrorCode::GROUP_AUTHORIZATION_FAILED));
    }
    let answer = asked.answer();
    let denied = SHARE.split(access, asked.body, &answer, Read).denied;
    if denied.is_empty() {
        return Verdict::Allow;
    }
    Verdict::Part(Box::new(move |_, answer| {
        if answer.int("error_code") == 0 {
            answer.extend(SHARE.answers, denied);
        }
    }))
}

pub(super) fn describe_offsets(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    let layout = DESCRIBE_SHARE_GROUP_OFFSETS;
    let mut answer = asked.answer();
    let mut denied = Vec::new();
    let mut parts: Vec<(String, Option<Vec<Editable<'static>>>)> = Vec::new();
    let mut left = 0;
    if let Some(groups) = asked.body.list("groups") {
        groups.retain_mut(|group| {
            let name = group.text("group_id").unwrap_or_default().to_owned();
            let mut template = answer.element("groups");
            if !access.group(Describe, &name) {
                template.set_text("group_id", Some(&name));
                template.set_int("error_code", ErrorCode::GROUP_AUTHORIZATION_FAILED.into());
                denied.push(template);
                return false;
            }
            let asks_for_all = group.is_null("topics");
            let refused = layout.split(access, group, &template, Describe).denied;
            parts.push((name, (!asks_for_all).then_some(refused)));
            true
        });
        left = groups.len();
    }
    if left == 0 {
        answer.set_list("groups", denied);
        return Verdict::Answer(answer);
    }
    Verdict::Part(Box::new(move |access, answer| {
        for (name, refused) in parts {
            let groups = answer.list("groups").into_iter().flatten();
            for group in groups.filter(|group| group.text("group_id") == Some(&name)) {
                if let Some(refused) = &refused {
                    if group.int("error_code") == 0 {
                        group.extend("topics", refused.iter().cloned().map(Editable::owned));
                    }
                } else if let Some(topics) = group.list("topics") {
                    topics
                        .retain(|topic| access.sees(Describe, topic.text("topic_name").unwrap_or_default()));
                }
            }
        }
        answer.extend("groups", denied.into_iter().map(Editable::owned));
    }))
}

/// What a broker says of a group whose offsets the client may not change.
fn refused_group(asked: &AskedRequest<'_, '_>) -> Verdict {
    let error = ErrorCode::GROUP_AUTHORIZATION_FAILED;
    let mut answer = asked.error(error);
    answer.set_text("error_message", ErrorCode::text_of(error));
    Verdict::Answer(answer)
}

pub(super) fn alter_offsets(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    if !may(access, asked, Read) {
        return refused_group(asked);
    }
    let layout = ALTER_SHARE_GROUP_OFFSETS;
    let answer = asked.answer();
    let mut taken = layout.split(access, asked.body, &answer, Read);
    for topic in &mut taken.denied {
        if let Some(id) = topic.text("topic_name").and_then(|name| access.id_of(name)) {
            topic.set_id("topic_id", id);
        }
    }
    taken.verdict(answer, layout.answers)
}

pub(super) fn delete_offsets(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    if !may(access, asked, Delete) {
        return refused_group(asked);
    }
    let error = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
    let answer = asked.answer();
    let taken = asked.take_out("topics", |topic| {
        let name = topic.text("topic_name").unwrap_or_default();
        if access.topic(Read, name) {
            return None;
        }
        let mut result = answer.element("responses");
        result.set_text("topic_name", Some(name));
        result.set_int("error_code", error.into());
        result.set_text("error_message", ErrorCode::text_of(error));
        Some(result)
    });
    taken.verdict(answer, "responses")
}
