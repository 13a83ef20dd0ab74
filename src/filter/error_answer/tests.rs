use super::*;
use crate::wire::api::{self, apis};

fn api_of(key: i16) -> &'static Api {
    api::api(key).unwrap()
}

/// A request of this version with the defaults of its schema.
fn empty_request(api: &Api, version: i16) -> Vec<u8> {
    let mut draft = Draft::new(api.key, Direction::Request, version).unwrap();
    if api.key == ApiKey::PRODUCE {
        draft.set("acks", -1_i16);
    }
    draft.encode()
}

#[test]
fn every_version_of_every_api_is_answered_by_a_body_of_its_version() {
    for api in apis() {
        for version in api.min..=api.max {
            let request = empty_request(api, version);
            let answer = error_answer(api, version, &request, ErrorCode::UNSUPPORTED_VERSION);
            let answer = answer.unwrap_or_else(|| panic!("{} {version} is not answered", api.name));
            Message::read(api.key, Direction::Response, version, &answer)
                .unwrap_or_else(|error| panic!("{} {version}: {error}", api.name));
        }
    }
}

#[test]
fn each_partition_of_a_produce_request_has_the_error_and_no_record_has_gone_anywhere() {
    let api = api_of(ApiKey::PRODUCE);
    let mut request = Draft::new(api.key, Direction::Request, 9).unwrap();
    request.set("acks", -1_i16);
    let topic = request.push("topic_data").set("name", "orders");
    topic.push("partition_data").set("index", 3);
    topic.push("partition_data").set("index", 7);
    let answer = error_answer(api, 9, &request.encode(), ErrorCode::TOPIC_AUTHORIZATION_FAILED).unwrap();
    let answer = Message::read(api.key, Direction::Response, 9, &answer).unwrap();
    let topics: Vec<_> = answer.root().array("responses").collect();
    assert_eq!(topics[0].text("name"), Some("orders"));
    let partitions = topics[0].array("partition_responses");
    let partitions: Vec<_> = partitions
        .map(|partition| ["index", "error_code", "base_offset"].map(|name| partition.int(name).unwrap()))
        .collect();
    assert_eq!(partitions, [[3, 29, -1], [7, 29, -1]]);
}

#[test]
fn what_nobody_answers_and_what_is_no_request_has_no_answer() {
    let produce = api_of(ApiKey::PRODUCE);
    let unanswered = Draft::new(produce.key, Direction::Request, 9).unwrap().encode();
    assert_eq!(error_answer(produce, 9, &unanswered, 31), None);
    let metadata = api_of(ApiKey::METADATA);
    assert_eq!(error_answer(metadata, 1, b"\x7f\xff\xff\xff", 31), None);
    assert_eq!(error_answer(metadata, i16::MAX, b"", 31), None);
}

#[test]
fn a_request_that_names_too_much_has_no_answer() {
    let api = api_of(ApiKey::DESCRIBE_GROUPS);
    let groups = |count: u32| [&count.to_be_bytes()[..], &vec![0; 2 * count as usize]].concat();
    let most = MOST_ELEMENTS as u32;
    assert!(error_answer(api, 0, &groups(most), 31).is_some());
    assert_eq!(error_answer(api, 0, &groups(most + 1), 31), None);
}
