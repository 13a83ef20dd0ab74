//! The reader that keeps the names of topics up: broker-most in every chain with a filter that needs names.

use std::sync::Arc;

use super::{
    ClientSession, Filter, FilterStep, Interest, Level, Note, OnRequest, OnResponse, Request, Response,
    TopicNameMap, TopicUuid,
};
use crate::wire::api::ApiKey;
use crate::wire::schema::{Direction, Message, Structure};

/// Answers that tell names of topics together with their ids, from the first version that does. CreateTopics is none of them: a
/// request that only validates may be answered with ids of topics that will never exist.
const TELLING: [(i16, i16); 4] = [
    (ApiKey::METADATA, 10),
    (ApiKey::CONSUMER_GROUP_DESCRIBE, 0),
    (ApiKey::DESCRIBE_TOPIC_PARTITIONS, 0),
    (ApiKey::SHARE_GROUP_DESCRIBE, 0),
];

/// A filter that nobody configures. It changes nothing and stops nothing.
#[derive(Debug)]
pub(super) struct TopicNameReader(pub(super) Arc<TopicNameMap>);

impl Filter for TopicNameReader {
    fn name(&self) -> &str {
        "topic names"
    }

    fn interest(&self, interest: &mut Interest) {
        for (api_key, first) in TELLING {
            interest.responses(api_key, first..=i16::MAX, Level::Whole);
        }
    }

    fn request(&self, _session: &mut ClientSession, _request: &mut Request<'_>) -> FilterStep<OnRequest> {
        FilterStep::Now(OnRequest::Forward)
    }

    fn response(
        &self,
        _session: &mut ClientSession,
        response: &mut Response<'_>,
        _note: &mut Option<Note>,
    ) -> FilterStep<OnResponse> {
        if !response.is_complete() {
            return FilterStep::More;
        }
        learn(&self.0, response.api_key(), response.version(), response.body());
        FilterStep::Now(OnResponse::Forward)
    }
}

/// Enters the names that an answer tells. One that is not understood tells none.
pub(super) fn learn(names: &TopicNameMap, api_key: i16, version: i16, body: &[u8]) {
    let Ok(message) = Message::read(api_key, Direction::Response, version, body) else {
        return;
    };
    let root = message.root();
    let mut told = Vec::new();
    match api_key {
        ApiKey::CONSUMER_GROUP_DESCRIBE => {
            for member in root.array("groups").flat_map(|group| group.array("members")) {
                let assigned = ["assignment", "target_assignment"];
                let assigned = assigned.into_iter().filter_map(|field| member.structure(field));
                told.extend(assigned.flat_map(assigned_topics));
            }
        }
        ApiKey::SHARE_GROUP_DESCRIBE => {
            let members = root.array("groups").flat_map(|group| group.array("members"));
            let assigned = members.filter_map(|member| member.structure("assignment"));
            told.extend(assigned.flat_map(assigned_topics));
        }
        _ => told.extend(root.array("topics").filter_map(|topic| pair(topic, "name"))),
    }
    if !told.is_empty() {
        names.learn(&told);
    }
}

fn assigned_topics(assignment: Structure<'_>) -> impl Iterator<Item = (TopicUuid, &str)> {
    let topics = assignment.array("topic_partitions");
    topics.filter_map(|topic| pair(topic, "topic_name"))
}

/// Id and name of a topic; `None` where one is missing, as in an answer with an error.
fn pair<'a>(topic: Structure<'a>, name: &str) -> Option<(TopicUuid, &'a str)> {
    let id = topic.uuid("topic_id").filter(|id| *id != TopicUuid::default())?;
    Some((id, topic.text(name)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::testing;
    use crate::wire::schema::Editable;

    fn body(api_key: i16, version: i16, fill: impl FnOnce(&mut Editable<'static>)) -> Vec<u8> {
        let mut body = Editable::new(api_key, Direction::Response, version).unwrap();
        fill(&mut body);
        body.write()
    }

    fn topic(list: &mut Editable<'static>, field: &str, number: u8, name: &str) {
        let array = if field == "name" {
            "topics"
        } else {
            "topic_partitions"
        };
        let mut topic = list.element(array);
        topic.set_id("topic_id", [number; 16]);
        topic.set_text(field, Some(name));
        list.extend(array, [topic]);
    }

    /// A group with one member, whose assignments have these topics.
    fn group(api_key: i16, fields: &[(&str, u8, &str)]) -> Vec<u8> {
        body(api_key, 1, |answer| {
            let mut group = answer.element("groups");
            let mut member = group.element("members");
            for (field, number, name) in fields {
                topic(member.structure(field).unwrap(), "topic_name", *number, name);
            }
            group.extend("members", [member]);
            answer.extend("groups", [group]);
        })
    }

    #[test]
    fn every_answer_with_names_and_ids_is_read() {
        let names = Arc::new(TopicNameMap::default());
        let reader = TopicNameReader(Arc::clone(&names));
        let flat = |number, name| move |answer: &mut Editable<'static>| topic(answer, "name", number, name);
        let answers = [
            (
                ApiKey::METADATA,
                10,
                body(ApiKey::METADATA, 10, flat(1, "metadata")),
            ),
            (
                ApiKey::DESCRIBE_TOPIC_PARTITIONS,
                0,
                body(ApiKey::DESCRIBE_TOPIC_PARTITIONS, 0, flat(3, "described")),
            ),
            (
                ApiKey::CONSUMER_GROUP_DESCRIBE,
                1,
                group(
                    ApiKey::CONSUMER_GROUP_DESCRIBE,
                    &[("assignment", 4, "has"), ("target_assignment", 5, "gets")],
                ),
            ),
            (
                ApiKey::SHARE_GROUP_DESCRIBE,
                1,
                group(ApiKey::SHARE_GROUP_DESCRIBE, &[("assignment", 6, "shares")]),
            ),
            // No id, and no body that is one.
            (ApiKey::METADATA, 12, body(ApiKey::METADATA, 12, flat(0, "no id"))),
            (ApiKey::METADATA, 12, b"nothing".to_vec()),
        ];
        for (api_key, version, body) in answers {
            let mut interest = Interest::default();
            reader.interest(&mut interest);
            assert_eq!(interest.of(api_key).response(version), Level::Whole);
            let mut answer = testing::response(api_key, version, &body);
            let step = reader.response(&mut testing::session(), &mut answer, &mut None);
            assert!(matches!(step, FilterStep::Now(OnResponse::Forward)));
        }
        let mut known = names.snapshot();
        known.sort();
        let known: Vec<_> = known.iter().map(|(id, name)| (id[0], &**name)).collect();
        assert_eq!(
            known,
            [
                (1, "metadata"),
                (3, "described"),
                (4, "has"),
                (5, "gets"),
                (6, "shares")
            ]
        );
    }
}
