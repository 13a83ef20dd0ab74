//! The broker of a scenario.

use std::collections::VecDeque;

use kproxy::testing::{BrokerCall, ScriptedAnswer};
use kproxy::wire::api::ApiKey;
use kproxy::wire::error_code::ErrorCode;
use kproxy::wire::schema::{Direction, Draft, DraftValue, Editable, Message};
use serde_json::Value;

use super::bodies;

/// Answers as the scenario says, and knows the names of topics.
pub(super) struct ScenarioBroker {
    /// Requests that it waits for, with their answers, in their order.
    expected: VecDeque<Value>,
    names: Vec<([u8; 16], String)>,
}

impl ScenarioBroker {
    pub(super) fn new(given: &Value) -> Self {
        let expected = given["mockedUpstreamResponses"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let names = given["topicNames"].as_object().into_iter().flatten();
        Self {
            expected: expected.into(),
            names: names
                .map(|(id, name)| (bodies::topic_id(id), name.as_str().unwrap().to_owned()))
                .collect(),
        }
    }

    /// Whether every request has come.
    pub(super) fn is_done(&self) -> bool {
        self.expected.is_empty()
    }

    pub(super) fn answer(&mut self, call: &BrokerCall, faults: &mut Vec<String>) -> ScriptedAnswer {
        let is_next = |next: &Value| next["expectedRequestHeader"]["requestApiKey"] == call.api_key;
        match self.expected.pop_front_if(|next| is_next(next)) {
            Some(next) => Self::scripted(&next, call, faults),
            None if call.api_key == ApiKey::METADATA => self.names(call),
            None => {
                faults.push(format!(
                    "the broker gets request {} of API {}",
                    call.correlation_id, call.api_key
                ));
                ScriptedAnswer::Usual
            }
        }
    }

    fn scripted(next: &Value, call: &BrokerCall, faults: &mut Vec<String>) -> ScriptedAnswer {
        let (api, version) = (call.api_key, call.version);
        // Fetch requests keep denied topics, so that sessions stay what the broker thinks that they are.
        if api != ApiKey::FETCH {
            let wanted = bodies::encode(api, Direction::Request, version, &next["expectedRequest"]);
            let wanted = bodies::decode(api, Direction::Request, version, &wanted);
            let forwarded = bodies::decode(api, Direction::Request, version, &call.body);
            bodies::differences("forwarded", &forwarded, &wanted, faults);
        }
        if next["upstreamResponse"].is_null() {
            return ScriptedAnswer::Silence;
        }
        let answer = bodies::encode(api, Direction::Response, version, &next["upstreamResponse"]);
        ScriptedAnswer::Body(match api {
            ApiKey::FETCH => with_all_topics(version, &call.body, &answer),
            _ => answer,
        })
    }

    /// Names of the topics that it will tell of.
    fn existing(&self) -> impl Iterator<Item = &str> {
        let answers = self
            .expected
            .iter()
            .map(|next| &next["upstreamResponse"]["topics"]);
        let topics = answers.flat_map(|topics| topics.as_array().into_iter().flatten());
        topics.filter_map(|topic| topic["name"].as_str())
    }

    /// Metadata of topics by their ids, or of all.
    fn names(&self, call: &BrokerCall) -> ScriptedAnswer {
        let asked = Message::read(call.api_key, Direction::Request, call.version, &call.body).unwrap();
        let mut answer = Draft::new(call.api_key, Direction::Response, call.version).unwrap();
        if asked
            .root()
            .field("topics")
            .is_some_and(|topics| topics.is_null())
        {
            for name in self.existing() {
                answer.push("topics").set("name", name);
            }
        }
        for topic in asked.root().array("topics") {
            let id = topic.uuid("topic_id").unwrap_or_default();
            let known = self.names.iter().find(|(known, _)| *known == id);
            let told = answer.push("topics").set("topic_id", id);
            match known {
                Some((_, name)) => told.set("name", name.as_str()),
                None => told
                    .set("error_code", ErrorCode::UNKNOWN_TOPIC_ID)
                    .set("name", DraftValue::Null),
            };
        }
        ScriptedAnswer::Body(answer.encode())
    }
}

/// An answer to Fetch with records of every topic of the request that it says nothing of.
fn with_all_topics(version: i16, asked: &[u8], answer: &[u8]) -> Vec<u8> {
    let mut asked = Editable::read(ApiKey::FETCH, Direction::Request, version, asked).unwrap();
    let mut answer = Editable::read(ApiKey::FETCH, Direction::Response, version, answer).unwrap();
    for topic in asked.list("topics").unwrap() {
        let (name, id) = (topic.text("topic").map(str::to_owned), topic.id("topic_id"));
        let mut told = answer.list("responses").unwrap().iter();
        if told.any(|told| told.text("topic").map(str::to_owned) == name && told.id("topic_id") == id) {
            continue;
        }
        let mut more = answer.element("responses");
        if let Some(name) = &name {
            more.set_text("topic", Some(name));
        }
        if let Some(id) = id {
            more.set_id("topic_id", id);
        }
        for partition in topic.list("partitions").unwrap() {
            let mut read = more.element("partitions");
            read.set_int("partition_index", partition.int("partition"));
            read.set_int("high_watermark", 7);
            read.set_text("records", Some("secret"));
            more.extend("partitions", [read]);
        }
        answer.extend("responses", [more]);
    }
    answer.write()
}
