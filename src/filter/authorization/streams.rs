//! Groups of Kafka Streams (KIP-1071).

use super::access::Access;
use super::groups;
use super::verdict::{AskedRequest, Verdict};
use crate::model::acl::AclOperation::{Create, Describe};
use crate::wire::error_code::ErrorCode;
use crate::wire::schema::Editable;

/// Names of the topics of a topology.
pub(super) fn topics(topology: &mut Editable<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for part in topology.list("subtopologies").into_iter().flatten() {
        names.extend(part.texts("source_topics").into_iter().map(str::to_owned));
        names.extend(
            part.texts("repartition_sink_topics")
                .into_iter()
                .map(str::to_owned),
        );
        names.extend(internal_topics(part));
    }
    names
}

/// Names of the topics of a part of a topology that the broker creates.
fn internal_topics(part: &mut Editable<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for list in ["state_changelog_topics", "repartition_source_topics"] {
        let topics = part.list(list).into_iter().flatten();
        names.extend(topics.map(|topic| topic.text("name").unwrap_or_default().to_owned()));
    }
    names
}

/// The group, and every topic of the topology. The broker creates topics that are missing: one that the client may not
/// create has to exist.
pub(super) fn heartbeat(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    match groups::member(access, asked) {
        Verdict::Allow => {}
        denied => return denied,
    }
    let Some(topology) = asked.body.structure("topology") else {
        return Verdict::Allow;
    };
    let all = topics(topology);
    if all.iter().filter(|topic| !access.topic(Describe, topic)).count() > 0 {
        return Verdict::Answer(asked.error(ErrorCode::TOPIC_AUTHORIZATION_FAILED));
    }
    let parts = topology.list("subtopologies").into_iter().flatten();
    let mut created: Vec<String> = parts.flat_map(internal_topics).collect();
    created.retain(|topic| !access.sees(Create, topic));
    if created.is_empty() {
        return Verdict::Allow;
    }
    match &asked.existing {
        None => Verdict::WhichExist(created),
        Some(existing) if created.iter().all(|topic| existing.contains(topic)) => Verdict::Allow,
        Some(_) => Verdict::Answer(asked.error(ErrorCode::TOPIC_AUTHORIZATION_FAILED)),
    }
}
