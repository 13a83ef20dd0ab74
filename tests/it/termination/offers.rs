//! ApiVersions before there is a broker.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use kafka_protocol::protocol::StrBytes;
use kproxy::sasl::ScramHash;
use kproxy::session::cause::CloseCause;
use testkit::black_hole::BlackHole;
use testkit::broker::Broker;
use testkit::client::Client;
use testkit::cluster::{API_VERSIONS, Cluster, api_versions};
use testkit::frames;
use testkit::proxy::Setup;
use testkit::wait::eventually;

use super::{NOBODY, expect_served, plain, scram, settings, start, with};

#[track_caller]
fn ask(client: &mut Client, version: i16) -> ApiVersionsResponse {
    let software = ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("tester"))
        .with_client_software_version(StrBytes::from_static_str("1.2"));
    match version {
        0..=2 => client.call(version, 9, &ApiVersionsRequest::default()),
        _ => client.call(version, 9, &software),
    }
}

fn ranges(answer: &ApiVersionsResponse) -> BTreeMap<i16, (i16, i16)> {
    let ranges = answer.api_keys.iter();
    ranges
        .map(|api| (api.api_key, (api.min_version, api.max_version)))
        .collect()
}

#[test]
fn a_crowd_that_asks_what_is_offered_costs_one_question() {
    let cluster = Cluster::start([0]);
    let proxy = start(&cluster);
    let expected = ranges(&api_versions());
    for version in [0, 3, 4, 3, 0] {
        let mut client = proxy.client();
        let answer = ask(&mut client, version);
        assert_eq!(
            (answer.error_code, ranges(&answer)),
            (0, expected.clone()),
            "{version}"
        );
    }
    let asked = cluster
        .log()
        .iter()
        .filter(|asked| asked.api_key == API_VERSIONS)
        .count();
    assert_eq!(asked, 3, "one for each version");
}

#[test]
fn the_client_s_own_question_reaches_the_broker_after_its_authentication() {
    let cluster = Cluster::start([0]);
    let proxy = start(&cluster);
    let mut client = proxy.client();
    ask(&mut client, 3);
    assert_eq!(cluster.asked(API_VERSIONS), NOBODY, "only kproxy has asked");
    assert_eq!(plain(&mut client, "alice", "pencil").error_code, 0);
    expect_served(&mut client);
    assert_eq!(cluster.asked(API_VERSIONS), [0]);
    // On the open connection it is a request like others.
    assert_eq!(ranges(&ask(&mut client, 3)), ranges(&api_versions()));
    assert_eq!(cluster.asked(API_VERSIONS), [0, 0]);
}

#[test]
fn an_unknown_version_is_answered_as_brokers_do() {
    let cluster = Cluster::start([0]);
    let proxy = start(&cluster);
    let mut client = proxy.client();
    let answer = client.ask(&frames::raw_request(API_VERSIONS, 99, 5, b""));
    let (id, answer): (i32, ApiVersionsResponse) = frames::decode(0, &answer);
    assert_eq!((id, answer.error_code), (5, 35));
    assert_eq!(
        scram(&mut client, ScramHash::Sha256, "alice", "pencil").error_code,
        0
    );
    expect_served(&mut client);
}

/// A broker that offers delegation tokens and SCRAM credentials, and fewer versions of Produce once told so.
fn shrinking(is_less: Arc<AtomicBool>) -> Broker {
    Broker::start(move |mut connection| {
        while let Some(asked) = connection.request() {
            match asked.api_key {
                API_VERSIONS => {
                    let mut answer = api_versions();
                    for key in [38, 39, 40, 41, 50, 51] {
                        let api = ApiVersion::default().with_api_key(key).with_max_version(1);
                        answer.api_keys.push(api);
                    }
                    if is_less.load(Ordering::Relaxed) {
                        answer.api_keys[0].max_version = 11;
                    }
                    connection.answer(&asked, &answer);
                }
                _ => connection.send(&frames::raw_response(asked.correlation_id, &7_i32.to_be_bytes())),
            }
        }
    })
}

#[test]
fn delegation_tokens_and_scram_credentials_are_neither_offered_nor_served() {
    let broker = shrinking(Arc::default());
    let proxy = with(Setup::to(&[broker.address]), settings(&[("alice", "pencil")])).start();
    for key in [38, 39, 40, 41, 50, 51] {
        let mut client = proxy.client();
        assert_eq!(ranges(&ask(&mut client, 3)), ranges(&api_versions()));
        assert_eq!(plain(&mut client, "alice", "pencil").error_code, 0);
        let offered = ask(&mut client, 3);
        assert!(!ranges(&offered).contains_key(&key), "{key}");
        client.send(&frames::raw_request(key, 1, 11, &[0; 8]));
        // An error where the API has a place for it, else the end.
        if let Ok(answer) = client.try_frame() {
            let refused = answer.windows(2).any(|code| code == 35_i16.to_be_bytes());
            assert!(refused, "{key}: {answer:?}");
        }
    }
}

#[test]
fn a_broker_that_offers_less_than_was_promised_closes_the_session_and_the_next_is_told_the_truth() {
    let is_less = Arc::new(AtomicBool::new(false));
    let broker = shrinking(Arc::clone(&is_less));
    let proxy = with(Setup::to(&[broker.address]), settings(&[("alice", "pencil")])).start();
    let mut client = proxy.client();
    assert_eq!(ranges(&ask(&mut client, 3))[&0], (0, 13));
    is_less.store(true, Ordering::Relaxed);
    assert_eq!(plain(&mut client, "alice", "pencil").error_code, 0);
    client.expect_fin();
    proxy.expect_closes(CloseCause::ApiVersionsNarrowed, 1);
    let mut client = proxy.client();
    assert_eq!(ranges(&ask(&mut client, 3))[&0], (0, 11));
    assert_eq!(plain(&mut client, "alice", "pencil").error_code, 0);
    expect_served(&mut client);
    // More than was promised disturbs nobody.
    is_less.store(false, Ordering::Relaxed);
    let mut client = proxy.client();
    assert_eq!(ranges(&ask(&mut client, 3))[&0], (0, 11));
    assert_eq!(plain(&mut client, "alice", "pencil").error_code, 0);
    expect_served(&mut client);
}

#[test]
fn a_client_that_expects_another_node_or_cluster_is_sent_back() {
    // The codec of the other brokers does not know version 5 of ApiVersions (KIP-1242).
    let broker = Broker::start(|mut connection| {
        while let Some(asked) = connection.request() {
            let is_other = asked.content.windows(5).any(|bytes| bytes == b"other");
            let error: i16 = if is_other { 129 } else { 0 };
            let body = [&error.to_be_bytes()[..], &[2, 0, 18, 0, 0, 0, 5, 0], &[0; 5]].concat();
            connection.send(&frames::raw_response(asked.correlation_id, &body));
        }
    });
    let proxy = with(Setup::to(&[broker.address]), settings(&[("alice", "pencil")])).start();
    // Software name and version, cluster id, node id.
    let body = |cluster: &str, node: i32| {
        let cluster = [&[cluster.len() as u8 + 1], cluster.as_bytes()].concat();
        [&b"\0\x02t\x02v"[..], &cluster, &node.to_be_bytes(), &[0]].concat()
    };
    let ask = |client: &mut Client, cluster: &str, node: i32| {
        let answer = client.ask(&frames::raw_request(API_VERSIONS, 5, 6, &body(cluster, node)));
        i16::from_be_bytes([answer[4], answer[5]])
    };
    let mut client = proxy.client();
    assert_eq!(ask(&mut client, "other", -1), 0, "nothing is known yet");
    assert_eq!(plain(&mut client, "alice", "pencil").error_code, 0);
    client.expect_fin();
    let mut client = proxy.client();
    assert_eq!(ask(&mut client, "other", -1), 129, "the broker has refused it");
    assert_eq!(ask(&mut client, "right", -1), 0);
    assert_eq!(plain(&mut client, "alice", "pencil").error_code, 0);
    // The broker is asked behind the answer to the client.
    eventually("the broker has accepted another", || {
        ask(&mut proxy.client(), "third", -1) == 129
    });
    assert_eq!(ask(&mut proxy.client(), "right", -1), 0);
}

/// Nobody waits for the connect time-out of the first server.
#[test]
fn a_silent_first_server_does_not_delay_what_is_offered() {
    let hole = BlackHole::new();
    let cluster = Cluster::start([0]);
    let setup = Setup::to(&[hole.address, cluster.address(0)]);
    let setup = setup.network(|network| network.connect_timeout = Duration::from_secs(300));
    let proxy = with(setup, settings(&[("alice", "pencil")])).start();
    let began = Instant::now();
    for version in [0, 3, 4] {
        assert_eq!(ask(&mut proxy.client(), version).error_code, 0);
    }
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}
