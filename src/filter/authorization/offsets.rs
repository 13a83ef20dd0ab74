//! Offsets of groups: committing, fetching and deleting them.

use super::access::Access;
use super::partitions::{OFFSET_COMMIT, OFFSET_DELETE, OFFSET_FETCH, TXN_OFFSET_COMMIT};
use super::verdict::{AskedRequest, Verdict};
use crate::model::acl::AclOperation::{Delete, Describe, Read, Write};
use crate::wire::error_code::ErrorCode;
use crate::wire::schema::Editable;

pub(super) fn commit(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    if !access.group(Read, asked.body.text("group_id").unwrap_or_default()) {
        return OFFSET_COMMIT.deny_all(asked, ErrorCode::GROUP_AUTHORIZATION_FAILED);
    }
    OFFSET_COMMIT.decide(access, asked, Read)
}

pub(super) fn commit_in_transaction(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    if !access.transaction(Write, asked.body.text("transactional_id").unwrap_or_default()) {
        return TXN_OFFSET_COMMIT.deny_all(asked, ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    }
    if !access.group(Read, asked.body.text("group_id").unwrap_or_default()) {
        return TXN_OFFSET_COMMIT.deny_all(asked, ErrorCode::GROUP_AUTHORIZATION_FAILED);
    }
    TXN_OFFSET_COMMIT.decide(access, asked, Read)
}

pub(super) fn delete(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    if !access.group(Delete, asked.body.text("group_id").unwrap_or_default()) {
        return Verdict::Answer(asked.error(ErrorCode::GROUP_AUTHORIZATION_FAILED));
    }
    OFFSET_DELETE.decide(access, asked, Read)
}

pub(super) fn fetch(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    if asked.body.has("groups") {
        fetch_of_groups(access, asked)
    } else {
        fetch_of_one(access, asked)
    }
}

/// Versions before 8: one group.
fn fetch_of_one(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    if !access.group(Describe, asked.body.text("group_id").unwrap_or_default()) {
        let answer = asked.error(ErrorCode::GROUP_AUTHORIZATION_FAILED);
        if answer.has("error_code") {
            return Verdict::Answer(answer);
        }
        return OFFSET_FETCH.deny_all(asked, ErrorCode::GROUP_AUTHORIZATION_FAILED);
    }
    if asked.body.is_null("topics") {
        return Verdict::Look(Box::new(keep_visible));
    }
    let answer = asked.answer();
    let denied = OFFSET_FETCH.split(access, asked.body, &answer, Describe).denied;
    if denied.is_empty() {
        return Verdict::Allow;
    }
    Verdict::Part(Box::new(move |_, answer| answer.extend("topics", denied)))
}

/// Takes the topics out of `holder` that the client may not see.
fn keep_visible(access: &mut Access<'_>, holder: &mut Editable<'_>) {
    if let Some(topics) = holder.list("topics") {
        topics.retain(|topic| {
            let name = access.topic_in(topic, "name");
            name.is_some_and(|name| access.sees(Describe, &name))
        });
    }
}

/// What is added to the answer for one group.
struct OfGroup {
    group: String,
    /// Topics that were denied; `None` if the client asked for all topics.
    denied: Option<Vec<Editable<'static>>>,
}

/// Versions 8 and later: several groups.
fn fetch_of_groups(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    let mut answer = asked.answer();
    let mut denied = Vec::new();
    let mut parts = Vec::new();
    if let Some(groups) = asked.body.list("groups") {
        groups.retain_mut(|group| {
            let name = group.text("group_id").unwrap_or_default().to_owned();
            if !access.group(Describe, &name) {
                let mut refused = answer.element("groups");
                refused.set_text("group_id", Some(&name));
                refused.set_int("error_code", ErrorCode::GROUP_AUTHORIZATION_FAILED.into());
                denied.push(refused);
                return false;
            }
            let template = answer.element("groups");
            let asks_for_all = group.is_null("topics");
            let refused = OFFSET_FETCH.split(access, group, &template, Describe).denied;
            if asks_for_all || !refused.is_empty() {
                parts.push(OfGroup {
                    group: name,
                    denied: (!asks_for_all).then_some(refused),
                });
            }
            true
        });
    }
    if denied.is_empty() && parts.is_empty() {
        return Verdict::Allow;
    }
    if asked.body.list("groups").is_none_or(|groups| groups.is_empty()) {
        answer.set_list("groups", denied);
        return Verdict::Answer(answer);
    }
    Verdict::Part(Box::new(move |access, answer| {
        for part in parts {
            let groups = answer.list("groups").into_iter().flatten();
            for group in groups.filter(|group| group.text("group_id") == Some(&part.group)) {
                match &part.denied {
                    None => keep_visible(access, group),
                    Some(_) if group.int("error_code") != 0 => {}
                    Some(denied) => group.extend("topics", denied.iter().cloned().map(Editable::owned)),
                }
            }
        }
        answer.extend("groups", denied.into_iter().map(Editable::owned));
    }))
}
