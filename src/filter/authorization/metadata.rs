//! What clients learn of topics: Metadata and DescribeTopicPartitions.

use super::access::{Access, NO_ID};
use super::verdict::{AskedRequest, Merge, Verdict};
use crate::model::acl::AclOperation::{Create, Describe};
use crate::model::acl::AclResource;
use crate::wire::api::ApiKey;
use crate::wire::error_code::ErrorCode;
use crate::wire::schema::{self, Direction, Editable};

/// Value of `topic_authorized_operations` where nobody asked for them, or may not know them.
const NOT_ASKED: i64 = i32::MIN as i64;

/// First version of Metadata that says whether topics are created; those before create them.
const SAYS_WHETHER_TO_CREATE: i16 = schema::first_with(
    ApiKey::METADATA,
    Direction::Request,
    &["allow_auto_topic_creation"],
);

/// What the answer to a Metadata request by name needs.
#[derive(Default)]
struct Named {
    /// Names that are answered with error 29.
    denied: Vec<String>,
    /// Names that are answered with error 29 if they do not exist: the client asked to create them and may not.
    uncreatable: Vec<String>,
    /// Whether all topics of the answer are left out: version 0 cannot ask for none.
    only_denied: bool,
}

pub(super) fn metadata(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    let version = asked.version;
    let asks_for_all = asked.body.is_null("topics")
        || (version == 0 && asked.body.list("topics").is_none_or(|topics| topics.is_empty()));
    if asks_for_all {
        return Verdict::Look(Box::new(|access, answer| {
            if let Some(topics) = answer.list("topics") {
                topics.retain(|topic| access.sees(Describe, topic.text("name").unwrap_or_default()));
            }
            complete(access, answer, &Named::default());
        }));
    }
    let creates = version < SAYS_WHETHER_TO_CREATE || asked.body.int("allow_auto_topic_creation") != 0;
    let mut named = Named::default();
    let may_create_some = take_denied(access, asked, creates, &mut named);
    if !named.uncreatable.is_empty() {
        if version >= SAYS_WHETHER_TO_CREATE && !may_create_some {
            asked.body.set_int("allow_auto_topic_creation", 0);
        } else if let Some(existing) = &asked.existing {
            let uncreatable = std::mem::take(&mut named.uncreatable);
            let missing: Vec<String> = uncreatable
                .into_iter()
                .filter(|name| !existing.contains(name))
                .collect();
            if let Some(topics) = asked.body.list("topics") {
                topics.retain(|topic| !is_among(topic.text("name"), &missing));
            }
            named.denied.extend(missing);
        } else {
            return Verdict::WhichExist(named.uncreatable);
        }
    }
    named.only_denied = version == 0 && asked.body.list("topics").is_none_or(|topics| topics.is_empty());
    Verdict::Part(merge(named))
}

fn is_among(name: Option<&str>, names: &[String]) -> bool {
    name.is_some_and(|name| names.iter().any(|other| other == name))
}

/// Takes the names out of the request that the client may not see. Returns whether it may create any that are left.
fn take_denied(
    access: &mut Access<'_>,
    asked: &mut AskedRequest<'_, '_>,
    creates: bool,
    named: &mut Named,
) -> bool {
    let mut may_create_some = false;
    let Some(topics) = asked.body.list("topics") else {
        return false;
    };
    topics.retain(|topic| {
        // What is asked for by its id is judged by the name in the answer. Java clients leave the name empty then.
        let is_by_id = topic.id("topic_id").is_some_and(|id| id != NO_ID);
        let Some(name) = topic.text("name").filter(|_| !is_by_id) else {
            return true;
        };
        if !access.topic(Describe, name) {
            named.denied.push(name.to_owned());
            return false;
        }
        if creates && access.sees(Create, name) {
            may_create_some = true;
        } else if creates {
            named.uncreatable.push(name.to_owned());
        }
        true
    });
    may_create_some
}

fn merge(named: Named) -> Merge {
    Box::new(move |access, answer| {
        if named.only_denied {
            answer.set_list("topics", Vec::new());
        }
        complete(access, answer, &named);
        let denied: Vec<_> = named
            .denied
            .iter()
            .map(|name| denied_topic(answer, name))
            .collect();
        answer.extend("topics", denied.into_iter().map(Editable::owned));
    })
}

/// A topic that the client may not see, asked for by its name.
fn denied_topic(answer: &Editable<'_>, name: &str) -> Editable<'static> {
    let mut topic = answer.element("topics");
    topic.set_text("name", Some(name));
    topic.set_int("error_code", ErrorCode::TOPIC_AUTHORIZATION_FAILED.into());
    topic
}

/// Hides in the topics of an answer what the client may not see of them.
fn complete(access: &mut Access<'_>, answer: &mut Editable<'_>, named: &Named) {
    for topic in answer.list("topics").into_iter().flatten() {
        let Some(name) = topic.text("name").map(str::to_owned) else {
            continue;
        };
        if !access.sees(Describe, &name) {
            hide(topic);
            topic.set_text("name", None);
        } else if topic.int("error_code") == i64::from(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
            && is_among(Some(&name), &named.uncreatable)
        {
            hide(topic);
        } else {
            mask(access, topic, &name);
        }
    }
}

fn hide(topic: &mut Editable<'_>) {
    topic.set_int("error_code", ErrorCode::TOPIC_AUTHORIZATION_FAILED.into());
    topic.set_int("is_internal", 0);
    topic.set_list("partitions", Vec::new());
    topic.set_int("topic_authorized_operations", NOT_ASKED);
}

/// Leaves of the operations that the broker allows those that the rules allow.
fn mask(access: &mut Access<'_>, topic: &mut Editable<'_>, name: &str) {
    if !topic.has("topic_authorized_operations") {
        return;
    }
    let operations = topic.int("topic_authorized_operations");
    if operations != NOT_ASKED {
        let allowed = access.bit_field(AclResource::Topic, name);
        topic.set_int("topic_authorized_operations", operations & allowed);
    }
}

/// DescribeTopicPartitions. A request for all topics becomes one for those that the client may see, so that no page and no
/// cursor names another.
pub(super) fn partitions(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    let cursor = asked
        .body
        .structure("cursor")
        .and_then(|cursor| cursor.text("topic_name").map(str::to_owned));
    let cursor = cursor.unwrap_or_default();
    let mut names: Vec<String> = Vec::new();
    for topic in asked.body.list("topics").into_iter().flatten() {
        names.push(topic.text("name").unwrap_or_default().to_owned());
    }
    let asks_for_all = names.is_empty();
    if asks_for_all {
        match asked.existing.take() {
            Some(existing) => names = existing,
            None => return Verdict::AllTopics,
        }
    }
    names.retain(|name| *name >= cursor);
    names.sort_unstable();
    let (allowed, mut denied): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| match asks_for_all {
        true => access.sees(Describe, name),
        false => access.topic(Describe, name),
    });
    if asks_for_all {
        denied.clear();
    }
    if allowed.is_empty() {
        let mut answer = asked.answer();
        let denied = denied.iter().map(|name| denied_topic(&answer, name)).collect();
        answer.set_list("topics", denied);
        return Verdict::Answer(answer);
    }
    let topics = allowed.iter().map(|name| {
        let mut topic = asked.body.element("topics");
        topic.set_text("name", Some(name));
        topic
    });
    let topics = topics.collect();
    asked.body.set_list("topics", topics);
    if !allowed.contains(&cursor) {
        // A broker refuses a cursor at a topic that it is not asked for; the first topic is behind it anyway.
        asked.body.set_absent("cursor");
    }
    Verdict::Part(Box::new(move |access, answer| {
        page(access, answer, &allowed, denied, asks_for_all)
    }))
}

/// Completes a page: with what was denied up to its end.
fn page(
    access: &mut Access<'_>,
    answer: &mut Editable<'_>,
    allowed: &[String],
    mut denied: Vec<String>,
    asked_for_all: bool,
) {
    if let Some(topics) = answer.list("topics") {
        let unknown = i64::from(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        topics.retain(|topic| !(asked_for_all && topic.int("error_code") == unknown));
    }
    complete(access, answer, &Named::default());
    if let Some(next) = answer
        .structure("next_cursor")
        .and_then(|cursor| cursor.text("topic_name").map(str::to_owned))
    {
        // A broker has looked one topic further than the cursor.
        let end = allowed.iter().find(|name| **name > next);
        denied.retain(|name| end.is_none_or(|end| name < end));
    }
    let denied: Vec<_> = denied.iter().map(|name| denied_topic(answer, name)).collect();
    answer.extend("topics", denied.into_iter().map(Editable::owned));
}
