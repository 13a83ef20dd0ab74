//! Requests of other APIs than Produce and Fetch, in every version.

use kafka_protocol::messages::{ApiKey as KeyOfOracle, ResponseKind};
use kproxy::wire::api::{self, Api, ApiKey};
use kproxy::wire::schema::{Direction, Editable};
use testkit::broker::{Broker, Connection};
use testkit::client::Client;
use testkit::frames::{self, CLIENT_ID, framed};
use testkit::proxy::Setup;

use super::{fence, open, set};

/// Coordinator and controller.
const LOADING: i16 = 14;
const NOT_CONTROLLER: i16 = 41;
const NOT_LEADER: i16 = 6;

/// APIs that a fence of `produce` stops, and those that only one of `all` stops, with the array of their topics.
const PRODUCED: [(i16, &str, i16); 4] = [
    (ApiKey::ADD_PARTITIONS_TO_TXN, "v3_and_below_topics", LOADING),
    (ApiKey::TXN_OFFSET_COMMIT, "topics", LOADING),
    (ApiKey::DELETE_RECORDS, "topics", NOT_LEADER),
    (ApiKey::END_TXN, "", LOADING),
];
const ALL: [(i16, &str, i16); 7] = [
    (ApiKey::OFFSET_COMMIT, "topics", LOADING),
    (ApiKey::OFFSET_DELETE, "topics", LOADING),
    (ApiKey::CREATE_TOPICS, "topics", NOT_CONTROLLER),
    (ApiKey::DELETE_TOPICS, "topics", NOT_CONTROLLER),
    (ApiKey::CREATE_PARTITIONS, "topics", NOT_CONTROLLER),
    (ApiKey::ALTER_CONFIGS, "resources", NOT_CONTROLLER),
    (ApiKey::INCREMENTAL_ALTER_CONFIGS, "resources", NOT_CONTROLLER),
];

/// Answers every request with two bytes, which is no answer of any API here.
fn broker() -> Broker {
    Broker::start(|mut connection: Connection| {
        while let Some(request) = connection.request() {
            connection.send(&frames::raw_response(request.correlation_id, b"\0\0"));
        }
    })
}

/// A request about one topic.
fn about(api: &Api, version: i16, list: &str, topic: &str) -> Vec<u8> {
    let mut request = Editable::new(api.key, Direction::Request, version).unwrap();
    if api.key == ApiKey::END_TXN {
        request.set_int("committed", 1);
    } else if request.has("topic_names") {
        request.set_texts("topic_names", &[topic]);
    } else if request.has("transactions") {
        let mut transaction = request.element("transactions");
        let element = element(&transaction, api, "topics", topic);
        transaction.set_list("topics", vec![element]);
        request.set_list("transactions", vec![transaction]);
    } else {
        let element = element(&request, api, list, topic);
        request.set_list(list, vec![element]);
    }
    let mut head = [api.key.to_be_bytes(), version.to_be_bytes()].concat();
    head.extend_from_slice(&7_i32.to_be_bytes());
    head.extend_from_slice(&(CLIENT_ID.len() as i16).to_be_bytes());
    head.extend_from_slice(CLIENT_ID.as_bytes());
    if api.request_is_flexible(version) {
        head.push(0);
    }
    framed(&[head, request.write()].concat())
}

/// The element of a request for a topic, with one partition where it has any.
fn element(request: &Editable<'static>, api: &Api, list: &str, topic: &str) -> Editable<'static> {
    let mut element = request.element(list);
    if list == "resources" {
        element.set_int("resource_type", 2);
        element.set_text("resource_name", Some(topic));
        return element;
    }
    match element.has("name") {
        true => element.set_text("name", Some(topic)),
        false => element.set_id("topic_id", super::id(topic)),
    }
    if api.key == ApiKey::ADD_PARTITIONS_TO_TXN {
        element.set_ints("partitions", &[0]);
    } else if element.has_ever("partitions") {
        let partition = element.element("partitions");
        element.set_list("partitions", vec![partition]);
    }
    element
}

/// The answer, or `None` if it is the broker's.
fn answer(client: &mut Client, api: &Api, version: i16, request: &[u8]) -> Option<ResponseKind> {
    let content = client.ask(request);
    if content.len() == 6 {
        return None;
    }
    let key = KeyOfOracle::try_from(api.key).unwrap();
    let head = 4 + usize::from(api.response_header_is_flexible(version));
    let mut body = bytes::Bytes::copy_from_slice(&content[head..]);
    let answer = ResponseKind::decode(key, &mut body, version).unwrap();
    assert!(body.is_empty(), "{} {version}", api.name);
    Some(answer)
}

fn expect_errors(client: &mut Client, rows: &[(i16, &str, i16)]) {
    for (key, list, error) in rows {
        let api = api::api(*key).unwrap();
        let known = KeyOfOracle::try_from(*key).unwrap().valid_versions();
        for version in api.min.max(known.min)..=api.max.min(known.max) {
            let what = format!("{} version {version}", api.name);
            let stopped = answer(client, api, version, &about(api, version, list, "orders"));
            let text = format!("{:?}", stopped.expect(&what));
            assert!(text.contains(&format!("error_code: {error}")), "{what}: {text}");
            let other = about(api, version, list, "other");
            if *key != ApiKey::END_TXN && !list.is_empty() {
                assert!(answer(client, api, version, &other).is_none(), "{what}");
            }
        }
    }
}

#[test]
fn what_producers_do_besides_produce_is_answered_with_an_error_that_is_tried_again() {
    let broker = broker();
    let proxy = Setup::to(&[broker.address]).start();
    let mut client = open(&proxy);
    set(&proxy, fence("orders", "produce", "hold"));
    expect_errors(&mut client, &PRODUCED[..3]);
    // The end of a transaction names no topic: only a fence of all of them stops it, and only where it commits.
    let api = api::api(ApiKey::END_TXN).unwrap();
    let commit = about(api, 1, "", "");
    assert!(answer(&mut client, api, 1, &commit).is_none());
    for (key, list, _) in ALL {
        let api = api::api(key).unwrap();
        let request = about(api, api.max, list, "orders");
        assert!(
            answer(&mut client, api, api.max, &request).is_none(),
            "{}",
            api.name
        );
    }
    set(&proxy, fence("*", "produce", "retriable"));
    expect_errors(&mut client, &PRODUCED[3..]);
    let mut abort = commit;
    *abort.last_mut().unwrap() = 0;
    assert!(answer(&mut client, api, 1, &abort).is_none());
}

#[test]
fn administration_and_offsets_are_answered_by_a_fence_of_everything() {
    let written = super::Written::start();
    let proxy = Setup::to(&[written.broker.address]).start();
    let mut client = open(&proxy);
    set(&proxy, fence("orders", "all", "retriable"));
    expect_errors(&mut client, &ALL);
}
