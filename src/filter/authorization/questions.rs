//! Questions of kproxy's own about topics.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::access::{NO_ID, TopicUuid};
use crate::filter::{Question, TopicNameMap};
use crate::wire::api::ApiKey;
use crate::wire::schema::{Direction, Editable};

/// First version of Metadata that answers ids.
const BY_ID: i16 = 12;

/// A version of Metadata that every broker has and that creates no topic.
const BY_NAME: i16 = 4;

fn question(version: i16, fill: impl FnOnce(&mut Editable<'static>)) -> Question {
    let body = Editable::new(ApiKey::METADATA, Direction::Request, version).map(|mut body| {
        body.set_int("allow_auto_topic_creation", 0);
        fill(&mut body);
        body.write()
    });
    Question {
        api_key: ApiKey::METADATA,
        api_version: version,
        body: body.unwrap_or_default(),
    }
}

/// Asks for the names of topics.
pub(in crate::filter) fn names_of(ids: &BTreeSet<TopicUuid>) -> Question {
    question(BY_ID, |body| {
        let topics = ids.iter().map(|id| {
            let mut topic = body.element("topics");
            topic.set_id("topic_id", *id);
            topic.set_text("name", None);
            topic
        });
        let topics = topics.collect();
        body.set_list("topics", topics);
    })
}

/// Asks for the ids of topics; `None`: of all of them.
pub(in crate::filter) fn ids_of(names: Option<Vec<&str>>) -> Question {
    question(BY_ID, |body| match names {
        None => body.clear("topics"),
        Some(names) => {
            let topics = names.into_iter().map(|name| {
                let mut topic = body.element("topics");
                topic.set_text("name", Some(name));
                topic
            });
            let topics = topics.collect();
            body.set_list("topics", topics);
        }
    })
}

/// Asks which of these topics exist.
pub(super) fn which_exist(names: &[String]) -> Question {
    question(BY_NAME, |body| {
        let topics = names.iter().map(|name| {
            let mut topic = body.element("topics");
            topic.set_text("name", Some(name));
            topic
        });
        let topics = topics.collect();
        body.set_list("topics", topics);
    })
}

/// Asks for all topics.
pub(super) fn all_topics() -> Question {
    question(BY_NAME, |body| body.clear("topics"))
}

/// Enters the names that the broker tells, and returns them.
pub(in crate::filter) fn read_names(topics: &TopicNameMap, body: &[u8]) -> Vec<(TopicUuid, Arc<str>)> {
    let Ok(mut answer) = Editable::read(ApiKey::METADATA, Direction::Response, BY_ID, body) else {
        return Vec::new();
    };
    let told = answer.list("topics").into_iter().flatten();
    let told = told.filter_map(|topic| Some((topic.id("topic_id")?, topic.text("name")?)));
    let told: Vec<_> = told
        .filter(|(id, name)| *id != NO_ID && !name.is_empty())
        .collect();
    topics.learn(&told);
    told.into_iter().map(|(id, name)| (id, name.into())).collect()
}

/// The topics that exist, of those that the broker was asked for.
pub(super) fn read_existing(body: &[u8]) -> Vec<String> {
    let Ok(mut answer) = Editable::read(ApiKey::METADATA, Direction::Response, BY_NAME, body) else {
        return Vec::new();
    };
    let topics = answer.list("topics").into_iter().flatten();
    let existing = topics.filter(|topic| topic.int("error_code") == 0);
    existing
        .filter_map(|topic| topic.text("name").map(str::to_owned))
        .collect()
}
