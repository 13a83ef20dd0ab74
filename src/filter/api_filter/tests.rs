use super::*;
use crate::config::ApiRange;
use crate::filter::testing::{request, session};
use crate::model::{ApiRules, ApiSet};
use crate::wire::api::{self, ApiKey};
use crate::wire::error_code::ErrorCode;
use crate::wire::schema::{Direction, Draft, Message};

fn set(ranges: &[(i16, RangeInclusive<i16>)]) -> ApiSet {
    let ranges: Vec<_> = ranges
        .iter()
        .map(|(api_key, versions)| ApiRange {
            api_key: *api_key,
            versions: versions.clone(),
        })
        .collect();
    ApiSet::of(&ranges)
}

fn denying(ranges: &[(i16, RangeInclusive<i16>)]) -> ApiFilterModel {
    ApiFilterModel {
        rules: ApiRules::Denied(set(ranges)),
        on_denied: DenialResponse::Error,
        strict: false,
        principals: Vec::new(),
        client_ids: Vec::new(),
    }
}

const ALL: RangeInclusive<i16> = 0..=i16::MAX;

fn api_of(key: i16) -> &'static Api {
    api::api(key).unwrap()
}

fn ask(
    settings: &ApiFilterModel,
    is_shadow: bool,
    key: i16,
    version: i16,
    body: &[u8],
) -> FilterStep<OnRequest> {
    let filter = ApiFilter::new("rules", settings, is_shadow);
    let mut request = request(key, version, Some("app-1"), body);
    filter.request(&mut session(), &mut request)
}

fn answered(step: FilterStep<OnRequest>) -> Vec<u8> {
    match step {
        FilterStep::Now(OnRequest::Answer(body)) => body,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_denied_to_everybody_is_not_offered_and_an_offer_has_no_gap() {
    let filter = |settings: &ApiFilterModel| ApiFilter::new("rules", settings, false);
    let fetch = api_of(ApiKey::FETCH);
    let old = denying(&[(ApiKey::FETCH, 0..=11), (ApiKey::DELETE_TOPICS, ALL)]);
    assert_eq!(filter(&old).offers(fetch), Some(12..=fetch.max));
    assert_eq!(filter(&old).offers(api_of(ApiKey::DELETE_TOPICS)), None);
    assert_eq!(
        filter(&denying(&[(ApiKey::FETCH, 7..=8)])).offers(fetch),
        Some(9..=fetch.max)
    );
    let newest = denying(&[(ApiKey::FETCH, 13..=i16::MAX), (ApiKey::FETCH, 3..=5)]);
    assert_eq!(filter(&newest).offers(fetch), Some(6..=12));
    let some_clients = ApiFilterModel {
        client_ids: vec![NamePattern::parse("app-*")],
        ..old.clone()
    };
    assert_eq!(filter(&some_clients).offers(fetch), Some(0..=fetch.max));
    assert_eq!(
        ApiFilter::new("rules", &old, true).offers(fetch),
        Some(0..=fetch.max)
    );
}

#[test]
fn only_denied_versions_are_read() {
    let mut interest = Interest::default();
    ApiFilter::new("rules", &denying(&[(ApiKey::FETCH, 0..=11)]), false).interest(&mut interest);
    let fetch = interest.of(ApiKey::FETCH);
    assert_eq!(
        [11, 12].map(|version| fetch.request(version)),
        [Level::Part, Level::None]
    );
    assert!(!interest.of(ApiKey::PRODUCE).is_any());
}

#[test]
fn a_denied_request_is_answered_with_the_error_of_its_kind() {
    let body = |key, version| Draft::new(key, Direction::Request, version).unwrap().encode();
    let error = |key: i16, version: i16| {
        let answer = answered(ask(
            &denying(&[(key, ALL)]),
            false,
            key,
            version,
            &body(key, version),
        ));
        let answer = Message::read(key, Direction::Response, version, &answer).unwrap();
        answer.root().int("error_code").unwrap() as i16
    };
    assert_eq!(
        error(ApiKey::LIST_GROUPS, 4),
        ErrorCode::CLUSTER_AUTHORIZATION_FAILED
    );
    assert_eq!(error(ApiKey::HEARTBEAT, 3), ErrorCode::GROUP_AUTHORIZATION_FAILED);
    assert_eq!(
        error(ApiKey::END_TXN, 3),
        ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    );
    assert_eq!(
        error(ApiKey::FIND_COORDINATOR, 2),
        ErrorCode::GROUP_AUTHORIZATION_FAILED
    );
}

#[test]
fn a_denied_fetch_has_an_error_for_each_partition_and_ends_its_fetch_session() {
    let mut fetch = Draft::new(ApiKey::FETCH, Direction::Request, 15).unwrap();
    let topic = fetch.push("topics");
    topic.set("topic_id", [7; 16]);
    topic.push("partitions").set("partition", 4);
    let settings = denying(&[(ApiKey::FETCH, ALL)]);
    let read = |body: &Draft| answered(ask(&settings, false, ApiKey::FETCH, 15, &body.encode()));
    let full = read(&fetch);
    let full = Message::read(ApiKey::FETCH, Direction::Response, 15, &full).unwrap();
    assert_eq!(
        (full.root().int("error_code"), full.root().int("session_id")),
        (Some(0), Some(0))
    );
    let topic = full.root().array("responses").next().unwrap();
    let partition = topic.array("partitions").next().unwrap();
    assert_eq!(topic.uuid("topic_id"), Some([7; 16]));
    assert_eq!(
        (partition.int("partition_index"), partition.int("error_code")),
        (Some(4), Some(29))
    );
    fetch.set("session_id", 99).set("session_epoch", 3);
    let next = read(&fetch);
    let next = Message::read(ApiKey::FETCH, Direction::Response, 15, &next).unwrap();
    assert_eq!(next.root().int("error_code"), Some(70));
}

#[test]
fn a_denied_produce_without_an_answer_ends_the_session() {
    let mut produce = Draft::new(ApiKey::PRODUCE, Direction::Request, 9).unwrap();
    let settings = denying(&[(ApiKey::PRODUCE, ALL)]);
    let unanswered = ask(&settings, false, ApiKey::PRODUCE, 9, &produce.encode());
    assert!(
        matches!(unanswered, FilterStep::Now(OnRequest::Leave(leave)) if leave.cause == LeaveCause::Denied)
    );
    produce.set("acks", 1_i16);
    answered(ask(&settings, false, ApiKey::PRODUCE, 9, &produce.encode()));
}

#[test]
fn only_the_clients_it_is_about_are_denied() {
    let concerns = |principals: &[&str], client_ids: &[&str], user: Option<&str>| {
        let patterns = |list: &[&str]| list.iter().map(|text| NamePattern::parse(text)).collect();
        let settings = ApiFilterModel {
            principals: patterns(principals),
            client_ids: patterns(client_ids),
            on_denied: DenialResponse::Close,
            ..denying(&[(ApiKey::METADATA, ALL)])
        };
        let mut session = session();
        if let Some(user) = user {
            session.set_subject(crate::filter::Subject::user(user).into());
        }
        let mut request = request(ApiKey::METADATA, 1, Some("app-1"), b"");
        let step = ApiFilter::new("rules", &settings, false).request(&mut session, &mut request);
        matches!(step, FilterStep::Now(OnRequest::Leave(_)))
    };
    assert!(concerns(&[], &["app-*"], None) && !concerns(&[], &["batch-*"], None));
    assert!(concerns(&["User:alice"], &[], Some("alice")) && concerns(&["al*"], &[], Some("alice")));
    assert!(!concerns(&["bob"], &[], Some("alice")) && !concerns(&["bob"], &[], None));
    assert!(concerns(&["ANONYMOUS"], &[], None));
    assert!(
        !concerns(&["alice"], &["batch-*"], Some("alice")),
        "both have to match"
    );
}

#[test]
fn in_shadow_mode_a_denial_is_counted_and_nothing_changes() {
    let filter = ApiFilter::new("rules", &denying(&[(ApiKey::METADATA, ALL)]), true);
    let (mut session, mut request) = (session(), request(ApiKey::METADATA, 1, None, b"\0\0\0\0"));
    let step = filter.request(&mut session, &mut request);
    assert!(matches!(step, FilterStep::Now(OnRequest::ForwardBlind)));
    assert_eq!(
        session.take_denied(),
        Some(crate::filter::FilterOutcome::ShadowDenied)
    );
}
