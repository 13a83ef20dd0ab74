//! Groups: members that join, stay and leave, and coordinators.

use super::access::Access;
use super::verdict::{AskedRequest, TakenOut, Verdict};
use crate::model::acl::AclOperation::{self, Delete, Describe, Read};
use crate::model::acl::AclResource;
use crate::wire::error_code::ErrorCode;
use crate::wire::schema::Editable;

/// JoinGroup, SyncGroup, Heartbeat, LeaveGroup: one group, one error.
pub(super) fn member(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    if access.group(Read, asked.body.text("group_id").unwrap_or_default()) {
        return Verdict::Allow;
    }
    Verdict::Answer(asked.error(ErrorCode::GROUP_AUTHORIZATION_FAILED))
}

/// JoinGroup says which protocol was chosen: none.
pub(super) fn join(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    match member(access, asked) {
        Verdict::Answer(mut answer) => {
            answer.clear("protocol_name");
            Verdict::Answer(answer)
        }
        verdict => verdict,
    }
}

/// ConsumerGroupHeartbeat and ShareGroupHeartbeat: the group, and every topic that is subscribed by its name.
pub(super) fn heartbeat(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    match member(access, asked) {
        Verdict::Allow => {}
        denied => return denied,
    }
    let names = asked.body.texts("subscribed_topic_names");
    // All of them, so that each is counted.
    let denied = names
        .into_iter()
        .filter(|name| !access.topic(Describe, name))
        .count();
    if denied == 0 {
        return Verdict::Allow;
    }
    Verdict::Answer(asked.error(ErrorCode::TOPIC_AUTHORIZATION_FAILED))
}

pub(super) fn delete(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    let answer = asked.answer();
    let names = asked.body.texts("groups_names");
    let (allowed, denied) = split(&names, |name| access.group(Delete, name));
    let denied: Vec<_> = denied
        .iter()
        .map(|name| {
            let mut result = answer.element("results");
            result.set_text("group_id", Some(name));
            result.set_int("error_code", ErrorCode::GROUP_AUTHORIZATION_FAILED.into());
            result
        })
        .collect();
    asked.body.set_texts("groups_names", &as_texts(&allowed));
    let left = allowed.len();
    TakenOut { denied, left }.verdict(answer, "results")
}

/// Names that pass `may`, and the others.
pub(super) fn split(names: &[&str], mut may: impl FnMut(&str) -> bool) -> (Vec<String>, Vec<String>) {
    let owned = names.iter().map(|name| (*name).to_owned());
    owned.partition(|name| may(name))
}

pub(super) fn as_texts(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// `key_type` of FindCoordinator.
const GROUP: i64 = 0;
const TRANSACTION: i64 = 1;

/// FindCoordinator: groups and transactions by their names; what share coordinators keep is between brokers.
pub(super) fn coordinator(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    let kind = asked.body.int("key_type");
    let mut may = |name: &str| match kind {
        GROUP => access.group(Describe, name),
        TRANSACTION => access.transaction(Describe, name),
        _ => {
            access.refuse(AclResource::Group, Describe, name);
            false
        }
    };
    let error = match kind {
        GROUP => ErrorCode::GROUP_AUTHORIZATION_FAILED,
        TRANSACTION => ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        _ => ErrorCode::CLUSTER_AUTHORIZATION_FAILED,
    };
    if !asked.body.has("coordinator_keys") {
        if may(asked.body.text("key").unwrap_or_default()) {
            return Verdict::Allow;
        }
        let mut answer = asked.answer();
        no_coordinator(&mut answer, error, ErrorCode::text_of(error));
        return Verdict::Answer(answer);
    }
    let keys = asked.body.texts("coordinator_keys");
    let (allowed, denied) = split(&keys, may);
    if denied.is_empty() {
        return Verdict::Allow;
    }
    let answer = asked.answer();
    // A broker explains only what is about the cluster.
    let text = ErrorCode::text_of(error).filter(|_| kind != GROUP && kind != TRANSACTION);
    let denied: Vec<_> = denied
        .iter()
        .map(|key| {
            let mut result = answer.element("coordinators");
            result.set_text("key", Some(key));
            no_coordinator(&mut result, error, text.or(Some("")));
            result
        })
        .collect();
    asked.body.set_texts("coordinator_keys", &as_texts(&allowed));
    let left = allowed.len();
    TakenOut { denied, left }.verdict(answer, "coordinators")
}

fn no_coordinator(result: &mut Editable<'_>, error: i16, text: Option<&str>) {
    result.set_int("error_code", error.into());
    result.set_text("error_message", text);
    result.set_int("node_id", -1);
    result.set_int("port", -1);
}

/// ListGroups: what the client may not see is left out.
pub(super) fn list(_: &mut Access<'_>, _: &mut AskedRequest<'_, '_>) -> Verdict {
    Verdict::Look(Box::new(|access, answer| {
        if let Some(groups) = answer.list("groups") {
            groups.retain(|group| access.sees_group(Describe, group.text("group_id").unwrap_or_default()));
        }
    }))
}

/// Whether the client may do this with the group of a request.
pub(super) fn may(access: &mut Access<'_>, asked: &AskedRequest<'_, '_>, operation: AclOperation) -> bool {
    access.group(operation, asked.body.text("group_id").unwrap_or_default())
}
