//! Filters that operators use: ApiFilter, ConnectionExpiration.
//!
//! 1. A denied API is missing in ApiVersions, and a client that asks all the same has the error of a broker in the version of its
//!    request; its session goes on. With `onDenied: close` it ends, and so it does at a Produce with `acks=0`.
//! 2. A session that is older than `maxAge` leaves when it is quiet: what it has asked is answered. A limit that a reload
//!    sets holds for live sessions.

use std::io::Read as _;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, CreateTopicsRequest, api_versions_response,
};
use kproxy::config::ApiRange;
use kproxy::model::{
    ApiFilterModel, ApiRules, ApiSet, ConnectionExpirationModel, DenialResponse, FilterKind, FilterMode,
    FilterModel,
};
use kproxy::session::cause::CloseCause;
use kproxy::wire::api::ApiKey;
use kproxy::wire::schema::{Direction, Draft};
use testkit::broker::Broker;
use testkit::client::End;
use testkit::frames::{heartbeat, raw_request, raw_response};
use testkit::proxy::{Setup, TestProxy};
use testkit::wait::eventually;

/// Bytes of an answer that come first, some of its head among them.
const HALF: usize = 9;

fn filter(name: &str, kind: FilterKind) -> Arc<FilterModel> {
    Arc::new(FilterModel {
        name: name.to_owned(),
        kind,
        mode: FilterMode::Enforce,
        when: None,
        on_error: Default::default(),
    })
}

fn denying(api_keys: &[i16], on_denied: DenialResponse) -> Arc<FilterModel> {
    let ranges: Vec<_> = api_keys
        .iter()
        .map(|api_key| ApiRange {
            api_key: *api_key,
            versions: 0..=i16::MAX,
        })
        .collect();
    let rules = ApiRules::Denied(ApiSet::of(&ranges));
    filter(
        "off",
        FilterKind::ApiFilter(ApiFilterModel {
            rules,
            on_denied,
            strict: false,
            principals: Vec::new(),
            client_ids: Vec::new(),
        }),
    )
}

fn expiring(max_age: Duration) -> Arc<FilterModel> {
    let jitter = Duration::ZERO;
    let settings = ConnectionExpirationModel { max_age, jitter };
    filter("age", FilterKind::ConnectionExpiration(settings))
}

fn setup(broker: &Broker, filters: &[Arc<FilterModel>]) -> Setup {
    Setup::to(&[broker.address]).cluster(|cluster| cluster.filters = filters.to_vec())
}

fn start(filters: &[Arc<FilterModel>]) -> (Broker, TestProxy) {
    let broker = Broker::start(|mut connection| {
        while let Some(asked) = connection.request() {
            let version = |key| {
                api_versions_response::ApiVersion::default()
                    .with_api_key(key)
                    .with_max_version(5)
            };
            let keys = [ApiKey::HEARTBEAT, ApiKey::CREATE_TOPICS, ApiKey::API_VERSIONS].map(version);
            match asked.api_key {
                ApiKey::API_VERSIONS => {
                    connection.answer(
                        &asked,
                        &ApiVersionsResponse::default().with_api_keys(keys.to_vec()),
                    );
                }
                _ => connection.send(&raw_response(asked.correlation_id, b"\0\0")),
            }
        }
    });
    let proxy = setup(&broker, filters).start();
    (broker, proxy)
}

#[test]
fn a_denied_api_is_not_offered_and_answered_with_an_error() {
    let (_broker, proxy) = start(&[denying(&[ApiKey::CREATE_TOPICS], DenialResponse::Error)]);
    let mut client = proxy.client();
    let offered = client.call(0, 1, &ApiVersionsRequest::default());
    let offered: Vec<_> = offered.api_keys.iter().map(|api| api.api_key).collect();
    assert!(
        offered.contains(&ApiKey::HEARTBEAT) && !offered.contains(&ApiKey::CREATE_TOPICS),
        "{offered:?}"
    );
    let mut topic = kafka_protocol::messages::create_topics_request::CreatableTopic::default();
    topic.name = kafka_protocol::protocol::StrBytes::from_static_str("orders").into();
    for version in [2, 5, 7] {
        let request = CreateTopicsRequest::default().with_topics(vec![topic.clone()]);
        let answer = client.call(version, 2, &request);
        let topics: Vec<_> = answer
            .topics
            .iter()
            .map(|topic| (topic.name.to_string(), topic.error_code))
            .collect();
        assert_eq!(topics, [("orders".to_owned(), 29)]);
    }
    assert_eq!(
        client.ask(&heartbeat(3)),
        b"\0\0\0\x03\0\0",
        "the session goes on"
    );
}

#[test]
fn a_denied_request_ends_the_session_where_that_is_asked_for_or_nothing_else_can_be_said() {
    let (broker, proxy) = start(&[denying(
        &[ApiKey::HEARTBEAT, ApiKey::PRODUCE],
        DenialResponse::Close,
    )]);
    let mut client = proxy.client();
    client.send(&heartbeat(1));
    client.expect_fin();
    proxy.expect_closes(CloseCause::FilterDenied, 1);
    proxy.apply(&setup(
        &broker,
        &[denying(&[ApiKey::PRODUCE], DenialResponse::Error)],
    ));
    let mut client = proxy.client();
    assert_eq!(client.ask(&heartbeat(1)), b"\0\0\0\x01\0\0");
    let silent = Draft::new(ApiKey::PRODUCE, Direction::Request, 7)
        .unwrap()
        .encode();
    client.send(&raw_request(ApiKey::PRODUCE, 7, 2, &silent));
    client.expect_fin();
    proxy.expect_closes(CloseCause::FilterDenied, 2);
}

#[test]
fn a_session_that_ends_cuts_no_answer_that_is_under_way() {
    let (go, gone) = channel();
    let gone = Mutex::new(gone);
    let broker = Broker::start(move |mut connection| {
        let Some(asked) = connection.request() else { return };
        let answer = raw_response(asked.correlation_id, b"\0\0");
        connection.send(&answer[..HALF]);
        gone.lock().unwrap().recv().unwrap();
        connection.send(&answer[HALF..]);
        connection.rest();
    });
    let proxy = setup(&broker, &[denying(&[ApiKey::PRODUCE], DenialResponse::Close)]).start();
    let mut client = proxy.client();
    let denied = raw_request(ApiKey::PRODUCE, 7, 2, b"");
    client.send(&[heartbeat(1), denied].concat());
    let mut half = [0; HALF];
    client.stream.read_exact(&mut half).unwrap();
    go.send(()).unwrap();
    let (rest, end) = client.rest();
    assert_eq!([&half[..], &rest].concat(), raw_response(1, b"\0\0"));
    assert_eq!(end, End::Fin);
    proxy.expect_closes(CloseCause::FilterDenied, 1);
}

#[test]
fn a_session_leaves_at_the_age_that_a_reload_has_set() {
    let (broker, proxy) = start(&[expiring(Duration::from_secs(3600))]);
    let mut client = proxy.client();
    assert_eq!(client.ask(&heartbeat(1)), b"\0\0\0\x01\0\0");
    proxy.apply(&setup(&broker, &[expiring(Duration::from_millis(50))]));
    client.expect_fin();
    eventually("a drained session", || {
        proxy.counters().closes(CloseCause::Drained) == 1
    });
}
