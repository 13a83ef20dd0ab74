//! Descriptions of groups.

use super::access::Access;
use super::groups::{as_texts, split};
use super::verdict::{AskedRequest, Verdict};
use crate::model::acl::AclOperation::Describe;
use crate::model::acl::AclResource;
use crate::wire::error_code::ErrorCode;
use crate::wire::schema::Editable;

/// Value of `authorized_operations` where nobody asked for them.
const NOT_ASKED: i64 = i32::MIN as i64;

/// What a broker says of a group whose members have topics that the client may not see.
const HIDDEN: &str = "The group has described topic(s) that the client is not authorized to describe.";

/// What a broker says of such a group of Kafka Streams.
const HIDDEN_STREAMS: &str = "The described group uses topics that the client is not authorized to describe.";

/// Whether a described group shows a topic that the client may not see.
type ShowsHidden = fn(&mut Access<'_>, &mut Editable<'_>) -> bool;

pub(super) fn classic(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    describe(access, asked, "groups", HIDDEN, |_, _| false)
}

pub(super) fn consumer(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    describe(access, asked, "group_ids", HIDDEN, |access, group| {
        shows_hidden(access, group, &["assignment", "target_assignment"])
    })
}

pub(super) fn share(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    describe(access, asked, "group_ids", HIDDEN, |access, group| {
        shows_hidden(access, group, &["assignment"])
    })
}

pub(super) fn streams(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    describe(access, asked, "group_ids", HIDDEN_STREAMS, |access, group| {
        let Some(topology) = group.structure("topology") else {
            return false;
        };
        let topics = super::streams::topics(topology);
        topics.iter().any(|topic| !access.sees(Describe, topic))
    })
}

fn describe(
    access: &mut Access<'_>,
    asked: &mut AskedRequest<'_, '_>,
    field: &'static str,
    hidden: &'static str,
    shows_hidden: ShowsHidden,
) -> Verdict {
    let mut answer = asked.answer();
    let ids = asked.body.texts(field);
    let (allowed, denied) = split(&ids, |id| access.group(Describe, id));
    let denied: Vec<_> = denied
        .iter()
        .map(|id| {
            let mut group = answer.element("groups");
            group.set_text("group_id", Some(id));
            group.set_int("error_code", ErrorCode::GROUP_AUTHORIZATION_FAILED.into());
            group
        })
        .collect();
    if allowed.is_empty() && !denied.is_empty() {
        answer.set_list("groups", denied);
        return Verdict::Answer(answer);
    }
    if !denied.is_empty() {
        asked.body.set_texts(field, &as_texts(&allowed));
    }
    Verdict::Part(Box::new(move |access, answer| {
        let empty = answer.element("groups");
        for group in answer.list("groups").into_iter().flatten() {
            mask(access, group);
            if shows_hidden(access, group) {
                let id = group.text("group_id").unwrap_or_default().to_owned();
                *group = empty.clone().owned();
                group.set_text("group_id", Some(&id));
                group.set_int("error_code", ErrorCode::TOPIC_AUTHORIZATION_FAILED.into());
                group.set_text("error_message", Some(hidden));
            }
        }
        answer.extend("groups", denied.into_iter().map(Editable::owned));
    }))
}

/// Leaves of the operations that the broker allows those that the rules allow.
fn mask(access: &mut Access<'_>, group: &mut Editable<'_>) {
    let operations = group.int("authorized_operations");
    if operations != NOT_ASKED {
        let allowed = access.bit_field(AclResource::Group, group.text("group_id").unwrap_or_default());
        group.set_int("authorized_operations", operations & allowed);
    }
}

fn shows_hidden(access: &mut Access<'_>, group: &mut Editable<'_>, assignments: &[&str]) -> bool {
    let mut hidden = false;
    for member in group.list("members").into_iter().flatten() {
        for assignment in assignments {
            let Some(assignment) = member.structure(assignment) else {
                continue;
            };
            for topic in assignment.list("topic_partitions").into_iter().flatten() {
                hidden |= !access.sees(Describe, topic.text("topic_name").unwrap_or_default());
            }
        }
    }
    hidden
}
