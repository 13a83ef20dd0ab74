//! Creating, growing and deleting topics.

use super::access::{Access, NO_ID, TopicUuid};
use super::groups::{as_texts, split};
use super::verdict::{AskedRequest, TakenOut, Verdict};
use crate::model::acl::AclOperation::{Alter, Create, Delete, Describe, DescribeConfigs};
use crate::wire::error_code::ErrorCode;
use crate::wire::schema::Editable;

/// What a broker says of a topic that the client may not create.
const NOT_CREATED: &str = "Authorization failed.";

pub(super) fn create(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    let mut answer = asked.answer();
    let TakenOut { denied, left } = asked.take_out("topics", |topic| {
        let name = topic.text("name").unwrap_or_default();
        if access.topic(Create, name) {
            return None;
        }
        let mut result = answer.element("topics");
        result.set_text("name", Some(name));
        result.set_int("error_code", ErrorCode::TOPIC_AUTHORIZATION_FAILED.into());
        result.set_text("error_message", Some(NOT_CREATED));
        result.set_list("configs", Vec::new());
        Some(result)
    });
    if left == 0 && !denied.is_empty() {
        answer.set_list("topics", denied);
        return Verdict::Answer(answer);
    }
    Verdict::Part(Box::new(move |access, answer| {
        for topic in answer.list("topics").into_iter().flatten() {
            hide_configs(access, topic);
        }
        answer.extend("topics", denied.into_iter().map(Editable::owned));
    }))
}

/// Takes the configuration out of what is said of a new topic, unless the client may see it.
fn hide_configs(access: &mut Access<'_>, topic: &mut Editable<'_>) {
    let name = topic.text("name").unwrap_or_default();
    if topic.int("error_code") != 0 || !topic.has("configs") || access.sees(DescribeConfigs, name) {
        return;
    }
    topic.set_int(
        "topic_config_error_code",
        ErrorCode::TOPIC_AUTHORIZATION_FAILED.into(),
    );
    topic.set_int("num_partitions", -1);
    topic.set_int("replication_factor", -1);
    topic.set_list("configs", Vec::new());
}

pub(super) fn grow(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    let answer = asked.answer();
    let taken = asked.take_out("topics", |topic| {
        let name = topic.text("name").unwrap_or_default();
        if access.topic(Alter, name) {
            return None;
        }
        let mut result = answer.element("results");
        result.set_text("name", Some(name));
        result.set_int("error_code", ErrorCode::TOPIC_AUTHORIZATION_FAILED.into());
        Some(result)
    });
    taken.verdict(answer, "results")
}

pub(super) fn delete(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    let by_name = asked.body.has("topic_names");
    let mut names: Vec<String> = Vec::new();
    if by_name {
        names.extend(asked.body.texts("topic_names").into_iter().map(str::to_owned));
    } else {
        let topics = asked.body.list("topics").into_iter().flatten();
        names.extend(topics.filter_map(|topic| topic.text("name").map(str::to_owned)));
    }
    // A broker tells of a topic that the client may see, but not delete, whether it exists.
    names.retain(|name| access.sees(Describe, name) && !access.sees(Delete, name));
    let existing = match asked.existing.take() {
        None if !names.is_empty() => return Verdict::WhichExist(names),
        existing => existing.unwrap_or_default(),
    };
    let missing = names
        .into_iter()
        .filter(|name| !existing.contains(name))
        .collect();
    let answer = asked.answer();
    let deleting = Deleting {
        answer: &answer,
        missing,
    };
    let taken = if by_name {
        deleting.by_name(access, asked)
    } else {
        deleting.by_state(access, asked)
    };
    taken.verdict(answer, "responses")
}

/// What decides about topics that are to be deleted.
struct Deleting<'r> {
    answer: &'r Editable<'static>,
    /// Topics that do not exist, of those that the client may see.
    missing: Vec<String>,
}

impl Deleting<'_> {
    fn by_name(&self, access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> TakenOut {
        let names = asked.body.texts("topic_names");
        let (allowed, denied) = split(&names, |name| access.topic(Delete, name));
        let denied = denied.iter().map(|name| self.denied(name, NO_ID)).collect();
        asked.body.set_texts("topic_names", &as_texts(&allowed));
        TakenOut {
            denied,
            left: allowed.len(),
        }
    }

    fn by_state(&self, access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> TakenOut {
        asked.take_out("topics", |topic| {
            let id = topic.id("topic_id").unwrap_or(NO_ID);
            match topic.text("name") {
                Some(name) if access.topic(Delete, name) => None,
                Some(name) => Some(self.denied(name, id)),
                None => self.by_id(access, id),
            }
        })
    }

    fn by_id(&self, access: &mut Access<'_>, id: TopicUuid) -> Option<Editable<'static>> {
        let Some(name) = access.name_of(&id) else {
            return Some(self.result(None, id, ErrorCode::UNKNOWN_TOPIC_ID));
        };
        if access.topic(Delete, &name) {
            return None;
        }
        let shown = access.sees(Describe, &name).then_some(&*name);
        Some(self.result(shown, id, ErrorCode::TOPIC_AUTHORIZATION_FAILED))
    }

    fn denied(&self, name: &str, id: TopicUuid) -> Editable<'static> {
        let error = if self.missing.iter().any(|missing| missing == name) {
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        } else {
            ErrorCode::TOPIC_AUTHORIZATION_FAILED
        };
        self.result(Some(name), id, error)
    }

    fn result(&self, name: Option<&str>, id: TopicUuid, error: i16) -> Editable<'static> {
        let mut result = self.answer.element("responses");
        result.set_text("name", name);
        result.set_id("topic_id", id);
        result.set_int("error_code", error.into());
        result.set_text("error_message", ErrorCode::text_of(error));
        result
    }
}
