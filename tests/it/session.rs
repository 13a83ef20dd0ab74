//! What a session promises:
//!
//! 1. Requests that are pipelined are answered in their order, kproxy's own answers in their places.
//! 2. It does not matter how reads split a stream, in either direction.
//! 3. Frames of any size pass unchanged, and a slow reader gets every byte.
//! 4. The end of a client's stream is passed on; what it is owed still arrives.
//! 5. Only what must change is changed: ApiVersions offers what kproxy knows, Metadata has other addresses and the
//!    same topics. (Addresses in other answers: `tests/it/endpoints.rs`.)

use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, MetadataRequest, MetadataResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use kproxy::session::cause::CloseCause;
use kproxy::wire::api::{self, ApiKey};
use testkit::broker::Broker;
use testkit::client::{Client, End};
use testkit::cluster::{self, Cluster};
use testkit::frames::HEARTBEAT;
use testkit::frames::{self, correlation_id, noise};
use testkit::proxy::Setup;

#[test]
fn pipelined_requests_are_answered_in_order() {
    let broker = Broker::start(|mut connection| {
        // Everything is asked before anything is answered.
        let asked: Vec<_> = (0..500).map_while(|_| connection.request()).collect();
        for asked in asked {
            let body = noise(asked.correlation_id as u64, asked.correlation_id as usize * 7);
            connection.send(&frames::raw_response(asked.correlation_id, &body));
        }
        connection.rest();
    });
    let proxy = Setup::to(&[broker.address]).start();
    let mut client = proxy.client();
    let requests: Vec<u8> = (0..500)
        .flat_map(|id| frames::raw_request(HEARTBEAT, 3, id, &noise(1, id as usize)))
        .collect();
    client.send(&requests);
    for id in 0..500 {
        let answer = client.frame();
        assert_eq!(correlation_id(&answer), id);
        assert_eq!(answer[4..], noise(id as u64, id as usize * 7));
    }
}

#[test]
fn one_byte_at_a_time_is_the_same_as_all_at_once() {
    let broker = Broker::start(|mut connection| {
        while let Some(asked) = connection.request() {
            let frame = match asked.api_key {
                ApiKey::METADATA => {
                    frames::response(asked.api_version, asked.correlation_id, &many_topics(3))
                }
                ApiKey::API_VERSIONS => {
                    frames::response(asked.api_version, asked.correlation_id, &cluster::api_versions())
                }
                _ => frames::raw_response(asked.correlation_id, &asked.content[8..]),
            };
            connection.send_bytewise(&frame);
        }
    });
    let proxy = Setup::to(&[broker.address]).start();
    let mut client = proxy.client();
    let requests = [
        frames::request(3, 1, &ApiVersionsRequest::default()),
        frames::request(12, 2, &MetadataRequest::default()),
        frames::raw_request(HEARTBEAT, 3, 3, b"body"),
        frames::request(0, 4, &ApiVersionsRequest::default()),
        frames::request(1, 5, &MetadataRequest::default()),
    ]
    .concat();
    client.send_bytewise(&requests);
    assert_eq!(frames::decode::<ApiVersionsResponse>(3, &client.frame()).0, 1);
    let (id, metadata) = frames::decode::<MetadataResponse>(12, &client.frame());
    assert_eq!((id, metadata.topics.len()), (2, 3));
    assert_eq!(metadata.brokers[0].port, i32::from(proxy.node(0).port()));
    let heartbeat = client.frame();
    assert_eq!(correlation_id(&heartbeat), 3);
    assert_eq!(&heartbeat[4..], b"\x00\x04testbody");
    assert_eq!(frames::decode::<ApiVersionsResponse>(0, &client.frame()).0, 4);
    let (id, metadata) = frames::decode::<MetadataResponse>(1, &client.frame());
    assert_eq!(
        (id, metadata.brokers[0].port),
        (5, i32::from(proxy.node(0).port()))
    );
}

#[test]
fn a_header_cut_anywhere_is_the_same_as_whole() {
    let requests = [
        frames::request(12, 1, &MetadataRequest::default()),
        frames::raw_request(HEARTBEAT, 3, 2, b"b"),
    ]
    .concat();
    let answers = [
        frames::response(12, 1, &many_topics(1)),
        frames::raw_response(2, b"yes"),
    ]
    .concat();
    let cuts = answers.len() - 1;
    let broker = Broker::start(move |mut connection| {
        // Every connection cuts the answers at another place.
        let cut = 1 + connection.index % cuts;
        while let (Some(_), Some(_)) = (connection.request(), connection.request()) {
            connection.send_cut(&answers, &[cut]);
        }
    });
    let proxy = Setup::to(&[broker.address]).start();
    for cut in 0..cuts {
        let mut client = proxy.client();
        let (first, second) = requests.split_at(1 + cut % (requests.len() - 1));
        client.send(first);
        client.send(second);
        let (id, metadata) = frames::decode::<MetadataResponse>(12, &client.frame());
        assert_eq!(
            (id, metadata.brokers[0].port),
            (1, i32::from(proxy.node(0).port())),
            "cut {cut}"
        );
        assert_eq!(client.frame(), b"\x00\x00\x00\x02yes");
    }
}

#[test]
fn ten_mebibytes_pass_both_ways_unchanged() {
    const LEN: usize = 10 << 20;
    let broker = Broker::start(|mut connection| {
        while let Some(asked) = connection.request() {
            let body = asked.content[14..].to_vec();
            connection.send(&frames::raw_response(asked.correlation_id, &body));
        }
    });
    let proxy = Setup::to(&[broker.address]).start();
    let mut client = proxy.client();
    let body = noise(7, LEN);
    for id in 0..2 {
        let answer = client.ask(&frames::raw_request(HEARTBEAT, 3, id, &body));
        assert_eq!(correlation_id(&answer), id);
        assert!(answer[4..] == body, "the body is another");
    }
}

#[test]
fn a_slow_reader_gets_all_of_twenty_mebibytes() {
    const LEN: usize = 20 << 20;
    let broker = Broker::start(|mut connection| {
        while let Some(asked) = connection.request() {
            connection.send(&frames::raw_response(asked.correlation_id, &noise(3, LEN)));
        }
    });
    let proxy = Setup::to(&[broker.address]).start();
    let mut slow = Client::with_small_window(proxy.bootstrap());
    slow.send(&frames::raw_request(HEARTBEAT, 3, 1, b""));
    // Others are served while it does not read.
    let mut other = proxy.client();
    assert_eq!(
        other.ask(&frames::raw_request(HEARTBEAT, 3, 9, b"")).len(),
        LEN + 4
    );
    let answer = slow.frame();
    assert_eq!(correlation_id(&answer), 1);
    assert!(answer[4..] == noise(3, LEN), "the body is another");
}

#[test]
fn a_client_that_half_closes_gets_its_answer_and_then_the_end() {
    let broker = Broker::start(|mut connection| {
        let Some(asked) = connection.request() else { return };
        // Answers only when it has seen the end.
        assert_eq!(connection.rest(), b"");
        connection.send(&frames::raw_response(asked.correlation_id, b"late"));
        connection.fin();
    });
    let proxy = Setup::to(&[broker.address]).start();
    let mut client = proxy.client();
    client.send(&frames::raw_request(HEARTBEAT, 3, 5, b""));
    client.finish();
    assert_eq!(client.frame(), b"\x00\x00\x00\x05late");
    client.expect_fin();
    proxy.expect_closes(CloseCause::ClientClosed, 1);
}

#[test]
fn a_half_close_behind_many_requests_loses_none_of_them() {
    let broker = Broker::echoing(b"ok");
    let proxy = Setup::to(&[broker.address]).start();
    let mut client = proxy.client();
    let requests: Vec<u8> = (0..100)
        .flat_map(|id| frames::raw_request(HEARTBEAT, 3, id, b""))
        .collect();
    client.send(&requests);
    client.finish();
    for id in 0..100 {
        assert_eq!(correlation_id(&client.frame()), id);
    }
    client.expect_fin();
    proxy.expect_closes(CloseCause::ClientClosed, 1);
}

#[test]
fn a_broker_that_closes_between_answers_is_passed_on_as_an_end() {
    let broker = Broker::start(|mut connection| {
        let Some(asked) = connection.request() else { return };
        connection.send(&frames::raw_response(asked.correlation_id, b"last"));
        connection.close();
    });
    let proxy = Setup::to(&[broker.address]).start();
    let mut client = proxy.client();
    assert_eq!(
        client.ask(&frames::raw_request(HEARTBEAT, 3, 5, b"")),
        b"\x00\x00\x00\x05last"
    );
    client.expect_fin();
    drop(client);
    proxy.expect_closes(CloseCause::UpstreamClosed, 1);
}

/// A Metadata answer of the one broker and `count` topics.
fn many_topics(count: usize) -> MetadataResponse {
    let partition = |index| {
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(0.into())
            .with_replica_nodes(vec![0.into(), 1.into(), 2.into()])
    };
    let topic = |index| {
        MetadataResponseTopic::default()
            .with_name(Some(TopicName(StrBytes::from_string(format!("topic-{index}")))))
            .with_partitions((0..5).map(partition).collect())
    };
    MetadataResponse::default()
        .with_brokers(vec![cluster::broker(0, "10.1.2.3:9092".parse().unwrap())])
        .with_cluster_id(Some(StrBytes::from_static_str("the-cluster")))
        .with_topics((0..count).map(topic).collect())
}

#[test]
fn metadata_has_other_brokers_and_the_same_topics() {
    let broker = Broker::start(|mut connection| {
        while let Some(asked) = connection.request() {
            connection.answer(&asked, &many_topics(1000));
        }
    });
    let proxy = Setup::to(&[broker.address])
        .advertising("kproxy-$(nodeId).example")
        .start();
    let mut client = proxy.client();
    for version in 1..=13 {
        let original = frames::response(version, 7, &many_topics(1000));
        let answer = client.ask(&frames::request(version, 7, &MetadataRequest::default()));
        let (_, metadata) = frames::decode::<MetadataResponse>(version, &answer);
        assert_eq!(metadata.brokers.len(), 1, "v{version}");
        assert_eq!(metadata.brokers[0].host.as_str(), "kproxy-0.example");
        assert_eq!(metadata.brokers[0].port, i32::from(proxy.node(0).port()));
        // Behind the brokers every byte is the original's.
        let grown = "kproxy-0.example".len() - "10.1.2.3".len();
        assert_eq!(answer.len() + 4, original.len() + grown);
        let topics = 40_000;
        assert!(
            answer[answer.len() - topics..] == original[original.len() - topics..],
            "v{version}"
        );
    }
}

#[test]
fn metadata_beyond_what_is_held_streams_however_it_is_cut() {
    // 600 topics with names of 30 KB: 17 MiB.
    let topic = |index: usize| {
        let name = format!("{index:030000}");
        MetadataResponseTopic::default().with_name(Some(TopicName(StrBytes::from_string(name))))
    };
    let metadata = many_topics(0).with_topics((0..600).map(topic).collect());
    let answer = frames::response(12, 1, &metadata);
    assert!(answer.len() > 17 << 20);
    let broker = Broker::start(move |mut connection| {
        let cut = [8, 9, 13][connection.index];
        connection.request();
        connection.send(&answer[..cut]);
        // The client got its other answer, so the first part has been read by itself.
        connection.send(&answer[cut..]);
        connection.rest();
    });
    let proxy = Setup::to(&[broker.address]).start();
    for _ in 0..3 {
        let mut client = proxy.client();
        let answer = client.ask(&frames::request(12, 1, &MetadataRequest::default()));
        assert_eq!(
            frames::decode::<MetadataResponse>(12, &answer).1.topics.len(),
            600
        );
    }
}

#[test]
fn api_versions_offers_no_more_than_kproxy_knows() {
    let broker = Broker::start(|mut connection| {
        let range = |key, min, max| {
            ApiVersion::default()
                .with_api_key(key)
                .with_min_version(min)
                .with_max_version(max)
        };
        let ranges = vec![
            range(0, 0, 99),
            range(1, 4, 99),
            range(3, 0, 7),
            // Between brokers, and unknown.
            range(52, 0, 2),
            range(9999, 0, 3),
        ];
        while let Some(asked) = connection.request() {
            let answer = ApiVersionsResponse::default().with_api_keys(ranges.clone());
            connection.answer(&asked, &answer);
        }
    });
    let proxy = Setup::to(&[broker.address]).start();
    let mut client = proxy.client();
    for version in 0..=4 {
        let answer = client.call(version, 1, &ApiVersionsRequest::default());
        let offered: Vec<_> = answer
            .api_keys
            .iter()
            .map(|api| (api.api_key, api.min_version, api.max_version))
            .collect();
        let newest = |key| api::api(key).unwrap().max;
        assert_eq!(
            offered,
            [(0, 0, newest(0)), (1, 4, newest(1)), (3, 0, 7)],
            "v{version}"
        );
    }
}

#[test]
fn api_versions_too_new_is_answered_by_kproxy_behind_what_was_asked_before() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let broker = Broker::start(move |mut connection| {
        let asked: Vec<_> = (0..3).map_while(|_| connection.request()).collect();
        released.lock().unwrap().recv().unwrap();
        for asked in asked {
            assert_eq!(
                asked.api_key, HEARTBEAT,
                "the other question is not for the broker"
            );
            connection.send(&frames::raw_response(asked.correlation_id, b"ok"));
        }
        connection.rest();
    });
    let proxy = Setup::to(&[broker.address]).start();
    let mut client = proxy.client();
    let requests = [
        frames::raw_request(HEARTBEAT, 3, 1, b""),
        frames::raw_request(ApiKey::API_VERSIONS, 9, 2, b"\x00whatever it holds"),
        frames::raw_request(HEARTBEAT, 3, 3, b""),
        frames::raw_request(HEARTBEAT, 3, 4, b""),
        frames::raw_request(ApiKey::API_VERSIONS, 9, 5, b""),
    ]
    .concat();
    client.send(&requests);
    release.send(()).unwrap();
    for id in 1..=5 {
        let answer = client.frame();
        assert_eq!(correlation_id(&answer), id);
        if matches!(id, 2 | 5) {
            let (_, versions) = frames::decode::<ApiVersionsResponse>(0, &answer);
            assert_eq!(versions.error_code, 35);
            let own = versions
                .api_keys
                .iter()
                .find(|api| api.api_key == ApiKey::API_VERSIONS);
            assert!(own.unwrap().max_version >= 4);
        }
    }
}

#[test]
fn api_versions_too_new_as_the_very_first_request_is_answered_too() {
    let cluster = Cluster::start([0]);
    let proxy = Setup::to(&[cluster.address(0)]).start();
    let mut client = proxy.client();
    let answer = client.ask(&frames::raw_request(ApiKey::API_VERSIONS, 127, 1, b""));
    assert_eq!(frames::decode::<ApiVersionsResponse>(0, &answer).1.error_code, 35);
    // The connection goes on, as librdkafka and the Java client expect.
    let versions = client.call(3, 2, &ApiVersionsRequest::default());
    assert_eq!(versions.error_code, 0);
    client.finish();
    assert_eq!(client.rest(), (vec![], End::Fin));
}
