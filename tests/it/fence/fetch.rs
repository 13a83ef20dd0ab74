//! Fences of `fetch`.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::{FetchRequest, FetchResponse};
use testkit::broker::{Broker, Connection};
use testkit::cluster::body;
use testkit::frames;
use testkit::proxy::Setup;
use testkit::topics::topic_name;

use super::{TOPICS, fence, hex, id, lift, named, open, set, status};

/// First version with ids of topics in Fetch.
const WITH_IDS: i16 = 13;

/// How long the client lets the broker wait for records.
const MAX_WAIT: Duration = Duration::from_millis(300);

/// A broker with records in every topic; `error` is that of partition 1 of each.
fn broker(error: Arc<AtomicI32>) -> Broker {
    Broker::start(move |mut connection: Connection| {
        while let Some(request) = connection.request() {
            match request.api_key {
                1 => {
                    let fetch: FetchRequest = body(&request);
                    let error = error.load(Ordering::SeqCst) as i16;
                    connection.answer(&request, &records(request.api_version, &fetch, error));
                }
                3 => connection.answer(&request, &named(&request, &Default::default())),
                _ => connection.send(&frames::raw_response(request.correlation_id, b"\0\0")),
            }
        }
    })
}

/// Records of the topics of a request; within a session of all topics.
fn records(version: i16, fetch: &FetchRequest, error: i16) -> FetchResponse {
    let names: Vec<&str> = match fetch.session_epoch > 0 {
        true => TOPICS.to_vec(),
        false => {
            let is_asked = |name: &&&str| {
                fetch
                    .topics
                    .iter()
                    .any(|topic| topic.topic == topic_name(name) || topic.topic_id.into_bytes() == id(name))
            };
            TOPICS.iter().filter(is_asked).copied().collect()
        }
    };
    let topics = names.into_iter().map(|name| {
        let full = PartitionData::default()
            .with_partition_index(0)
            .with_high_watermark(9)
            .with_last_stable_offset(8)
            .with_records(Some(name.as_bytes().to_vec().into()));
        let failing = PartitionData::default()
            .with_partition_index(1)
            .with_error_code(error);
        let topic = FetchableTopicResponse::default().with_partitions(vec![full, failing]);
        match version >= WITH_IDS {
            true => topic.with_topic_id(hex(name).parse().unwrap()),
            false => topic.with_topic(topic_name(name)),
        }
    });
    let answer = FetchResponse::default().with_responses(topics.collect());
    match version >= 7 {
        true => answer.with_session_id(5),
        false => answer,
    }
}

fn fetch(version: i16, epoch: i32, topics: &[&str]) -> FetchRequest {
    let topic = |name: &&str| {
        let partitions = [0, 1].map(|index| {
            FetchPartition::default()
                .with_partition(index)
                .with_partition_max_bytes(1 << 20)
        });
        let topic = FetchTopic::default().with_partitions(partitions.to_vec());
        match version >= WITH_IDS {
            true => topic.with_topic_id(hex(name).parse().unwrap()),
            false => topic.with_topic(topic_name(name)),
        }
    };
    let fetch = FetchRequest::default()
        .with_max_wait_ms(MAX_WAIT.as_millis() as i32)
        .with_max_bytes(1 << 20)
        .with_topics(topics.iter().map(topic).collect());
    match version >= 7 {
        true => fetch
            .with_session_id(if epoch > 0 { 5 } else { 0 })
            .with_session_epoch(epoch),
        false => fetch,
    }
}

/// Topic, partition, records, error and high watermark.
fn delivered(version: i16, answer: &FetchResponse) -> Vec<(String, i32, String, i16)> {
    let name = |topic: &FetchableTopicResponse| match version >= WITH_IDS {
        true => {
            let known = TOPICS.iter().find(|name| id(name) == topic.topic_id.into_bytes());
            known.unwrap().to_string()
        }
        false => topic.topic.to_string(),
    };
    let partitions = answer.responses.iter().flat_map(|topic| {
        let name = name(topic);
        topic.partitions.iter().map(move |partition| {
            let records = partition.records.as_deref().unwrap_or_default();
            let records = String::from_utf8_lossy(records).into_owned();
            (
                name.clone(),
                partition.partition_index,
                records,
                partition.error_code,
            )
        })
    });
    partitions.collect()
}

fn row(name: &str, partition: i32, records: &str, error: i16) -> (String, i32, String, i16) {
    (name.into(), partition, records.into(), error)
}

#[test]
fn records_of_fenced_topics_are_taken_out_of_answers_in_every_version() {
    let broker = broker(Arc::default());
    let proxy = Setup::to(&[broker.address]).start();
    let mut client = open(&proxy);
    set(&proxy, fence("orders", "fetch", "retriable"));
    for version in 4..=17 {
        // The answer that begins a session, or has none, names every partition.
        let began = Instant::now();
        let answer = client.call(version, 2, &fetch(version, 0, &["orders", "other"]));
        let expected = [
            row("orders", 0, "", 0),
            row("orders", 1, "", 0),
            row("other", 0, "other", 0),
            row("other", 1, "", 0),
        ];
        assert_eq!(delivered(version, &answer), expected, "version {version}");
        assert!(began.elapsed() < MAX_WAIT, "other records do not wait");
        let emptied = &answer.responses[0].partitions[0];
        assert_eq!((emptied.high_watermark, emptied.last_stable_offset), (9, 8));
        if version < 7 {
            continue;
        }
        let answer = client.call(version, 3, &fetch(version, 1, &[]));
        let expected = [
            row("other", 0, "other", 0),
            row("other", 1, "", 0),
            row("pay", 0, "pay", 0),
            row("pay", 1, "", 0),
        ];
        assert_eq!(delivered(version, &answer), expected, "version {version}");
        assert_eq!(answer.session_id, 5);
    }
    lift(&proxy);
    let answer = client.call(12, 4, &fetch(12, 0, &["orders"]));
    assert_eq!(delivered(12, &answer)[0].2, "orders");
}

#[test]
fn an_answer_of_which_nothing_is_left_comes_when_the_time_of_the_request_is_over() {
    let error = Arc::<AtomicI32>::default();
    let broker = broker(Arc::clone(&error));
    let proxy = Setup::to(&[broker.address]).start();
    let mut client = open(&proxy);
    set(&proxy, fence("*", "fetch", "retriable"));
    let began = Instant::now();
    let answer = client.call(12, 2, &fetch(12, 1, &[]));
    assert!(answer.responses.is_empty());
    assert!(began.elapsed() >= MAX_WAIT);
    // An error is told at once.
    error.store(6, Ordering::SeqCst);
    let answer = client.call(12, 3, &fetch(12, 1, &[]));
    let expected = TOPICS.map(|name| row(name, 1, "", 6));
    assert_eq!(delivered(12, &answer), expected);
    assert_eq!((status(&proxy).emptied, status(&proxy).answered), (2, 0));
}
