//! The filter over bytes: what it forwards, answers and keeps.

mod assignment;
mod hostile;

use std::sync::Arc;

use super::*;
use crate::filter::conditional::ConditionalFilter;
use crate::filter::{Subject, testing};
use crate::model::FilterCondition;
use crate::model::acl::parse_rules;
use crate::wire::api::{self, ApiKey};
use crate::wire::header::RequestHead;
use crate::wire::schema::{self, Direction, Editable};

const RULES: &str = "
    from io.kroxylicious.filter.authorization import TopicResource as Topic, GroupResource as Group,
        TransactionalIdResource as TransactionalId;
    allow User with name = \"alice\" to * Topic with name in {\"a\", \"b\"};
    allow User with name = \"alice\" to * Group with name = \"g\";
    otherwise deny;";

fn filter(rules: &str) -> Authorization {
    let rules = AclRules::new(parse_rules(rules).unwrap()).unwrap();
    let settings = AuthorizationModel {
        rules: Arc::new(rules),
        in_file: false,
        unanswered: UnansweredDenial::Close,
    };
    Authorization::new("authz", &settings, false)
}

fn alice() -> ClientSession {
    let mut session = testing::session();
    session.set_subject(Arc::new(Subject::user("alice")));
    session
}

/// A request with its body, as far as it has arrived.
fn request(key: i16, version: i16, body: &[u8], complete: bool) -> Request<'static> {
    let head = RequestHead {
        api_key: key,
        api_version: version,
        correlation_id: 1,
    };
    Request::new(api::api(key).unwrap(), head, body.to_vec().into(), 0, complete)
}

fn response(key: i16, version: i16, body: &[u8]) -> Response<'static> {
    Response::new(api::api(key).unwrap(), version, body.to_vec().into(), 0, true)
}

fn draft(key: i16, way: Direction, version: i16, fill: impl FnOnce(&mut Editable<'static>)) -> Vec<u8> {
    let mut message = Editable::new(key, way, version).unwrap();
    fill(&mut message);
    message.write()
}

/// A Fetch request of a session for partition 0 of each topic.
fn fetch(session: i64, epoch: i64, topics: &[&str]) -> Vec<u8> {
    draft(ApiKey::FETCH, Direction::Request, 12, |body| {
        body.set_int("session_id", session);
        body.set_int("session_epoch", epoch);
        for name in topics {
            let mut topic = body.element("topics");
            topic.set_text("topic", Some(name));
            let mut partition = topic.element("partitions");
            partition.set_int("partition_max_bytes", 1000);
            topic.set_list("partitions", vec![partition]);
            body.extend("topics", [topic]);
        }
    })
}

/// An answer with three bytes of records of partition 0 of each topic.
fn fetched(session: i64, topics: &[&str]) -> Vec<u8> {
    draft(ApiKey::FETCH, Direction::Response, 12, |body| {
        body.set_int("session_id", session);
        for name in topics {
            let mut topic = body.element("responses");
            topic.set_text("topic", Some(name));
            let mut partition = topic.element("partitions");
            partition.set_int("high_watermark", 9);
            partition.set_text("records", Some("abc"));
            topic.set_list("partitions", vec![partition]);
            body.extend("responses", [topic]);
        }
    })
}

/// Error and records of partition 0 of each topic of a Fetch answer.
fn shown(body: &[u8]) -> Vec<(String, i64, usize)> {
    let mut answer = Editable::read(ApiKey::FETCH, Direction::Response, 12, body).unwrap();
    let topics = answer.list("responses").unwrap().iter_mut();
    let mut shown: Vec<_> = topics
        .map(|topic| {
            let name = topic.text("topic").unwrap().to_owned();
            let partition = &topic.list("partitions").unwrap()[0];
            let records = partition.text("records").unwrap_or_default().len();
            (name, partition.int("error_code"), records)
        })
        .collect();
    shown.sort();
    shown
}

fn now(step: FilterStep<OnRequest>) -> OnRequest {
    match step {
        FilterStep::Now(decision) => decision,
        other => panic!("{other:?}"),
    }
}

/// Asks the filter about a request and its answer; returns the answer that the client gets.
fn exchange(filter: &Authorization, session: &mut ClientSession, asked: &[u8], answer: &[u8]) -> Vec<u8> {
    let mut request = request(ApiKey::FETCH, 12, asked, true);
    let mut response = response(ApiKey::FETCH, 12, answer);
    match now(filter.request(session, &mut request)) {
        OnRequest::ForwardBlind => answer.to_vec(),
        OnRequest::Answer(body) => body,
        OnRequest::ForwardNoting(note) => {
            let step = filter.response(session, &mut response, &mut Some(note));
            assert!(matches!(step, FilterStep::Now(OnResponse::Forward)), "{step:?}");
            response.body().to_vec()
        }
        other => panic!("{other:?}"),
    }
}

/// APIs between brokers, which no client may use where rules are in force.
const HIDDEN: [i16; 6] = [
    ApiKey::WRITE_TXN_MARKERS,
    ApiKey::INITIALIZE_SHARE_GROUP_STATE,
    ApiKey::READ_SHARE_GROUP_STATE,
    ApiKey::WRITE_SHARE_GROUP_STATE,
    ApiKey::DELETE_SHARE_GROUP_STATE,
    ApiKey::READ_SHARE_GROUP_STATE_SUMMARY,
];

#[test]
fn every_api_and_version_has_been_looked_at() {
    assert!(table::TABLE.is_sorted_by_key(|row| row.key));
    for api in api::apis() {
        let offered = filter(RULES).offers(api);
        if HIDDEN.contains(&api.key) {
            assert_eq!(offered, None, "{}", api.name);
            continue;
        }
        // A version that is added to the table of APIs has to be looked at here before it is offered.
        assert_eq!(offered, Some(api.min..=api.max), "{}", api.name);
        let known = schema::request_versions(api.key).unwrap();
        assert!((known.first..=known.last).contains(&api.max), "{}", api.name);
    }
}

/// APIs with names in them that pass to the broker all the same: they take rights on the cluster, which rules do not give.
const OF_THE_CLUSTER: [i16; 9] = [
    ApiKey::DESCRIBE_ACLS,
    ApiKey::CREATE_ACLS,
    ApiKey::DELETE_ACLS,
    ApiKey::ALTER_REPLICA_LOG_DIRS,
    ApiKey::DESCRIBE_LOG_DIRS,
    ApiKey::ELECT_LEADERS,
    ApiKey::ALTER_PARTITION_REASSIGNMENTS,
    ApiKey::LIST_PARTITION_REASSIGNMENTS,
    ApiKey::DESCRIBE_QUORUM,
];

#[test]
fn an_api_that_names_topics_groups_or_transactions_is_decided_refused_or_passed_on_purpose() {
    let ways = [Direction::Request, Direction::Response];
    for key in schema::api_keys() {
        let has_names = ways.iter().any(|way| schema::has_names(key, *way));
        let passes = table::row(key).is_some_and(|row| matches!(row.rule, Rule::Pass));
        assert_eq!(has_names && passes, OF_THE_CLUSTER.contains(&key), "API {key}");
        // What no client may use is not offered, whatever the table says.
        assert!(api::api(key).is_some() || table::row(key).is_none(), "API {key}");
    }
}

#[test]
fn an_api_that_is_not_in_the_table_is_hidden() {
    assert!(table::row(1000).is_none() && table::row(4).is_none());
}

#[test]
fn a_produce_request_is_decided_as_soon_as_its_topic_is_known() {
    for version in [3, 9, 12] {
        for (name, allowed) in [("a", true), ("c", false)] {
            let body = draft(ApiKey::PRODUCE, Direction::Request, version, |body| {
                body.set_int("acks", 1);
                let mut topic = body.element("topic_data");
                topic.set_text("name", Some(name));
                let mut partition = topic.element("partition_data");
                partition.set_text("records", Some("records"));
                topic.set_list("partition_data", vec![partition]);
                body.extend("topic_data", [topic]);
            });
            let mut decided_at = None;
            for length in 0..=body.len() {
                let complete = length == body.len();
                let step =
                    filter(RULES).request(&mut alice(), &mut request(0, version, &body[..length], complete));
                match step {
                    FilterStep::More => assert!(!complete && decided_at.is_none()),
                    FilterStep::Now(OnRequest::ForwardBlind) if allowed => {
                        decided_at = decided_at.or(Some(length))
                    }
                    FilterStep::Now(OnRequest::Answer(_)) if !allowed => decided_at = Some(length),
                    other => panic!("{version} {name} {length}: {other:?}"),
                }
            }
            let decided_at = decided_at.unwrap();
            assert_eq!(
                decided_at < body.len() - 7,
                allowed,
                "{version} {name}: {decided_at}"
            );
        }
    }
}

#[test]
fn a_denied_produce_request_without_an_answer_ends_the_session_or_is_dropped() {
    let body = draft(ApiKey::PRODUCE, Direction::Request, 9, |body| {
        let mut topic = body.element("topic_data");
        topic.set_text("name", Some("c"));
        body.extend("topic_data", [topic]);
    });
    let mut filter = filter(RULES);
    let decided = now(filter.request(&mut alice(), &mut request(0, 9, &body, true)));
    assert!(matches!(decided, OnRequest::Leave(leave) if leave.cause == LeaveCause::Denied));
    filter.unanswered = UnansweredDenial::Drop;
    let decided = now(filter.request(&mut alice(), &mut request(0, 9, &body, true)));
    assert!(matches!(decided, OnRequest::Silence));
}

#[test]
fn a_consumer_with_all_rights_has_its_answers_cut_through() {
    let (filter, mut session) = (filter(RULES), alice());
    let answer = fetched(77, &["a", "b"]);
    assert_eq!(
        exchange(&filter, &mut session, &fetch(0, 0, &["a", "b"]), &answer),
        answer
    );
    for epoch in 1..4 {
        let mut request = request(ApiKey::FETCH, 12, &fetch(77, epoch, &[]), true);
        assert!(matches!(
            now(filter.request(&mut session, &mut request)),
            OnRequest::ForwardBlind
        ));
    }
}

#[test]
fn what_a_session_may_not_read_is_taken_out_of_every_answer() {
    let (filter, mut session) = (filter(RULES), alice());
    let answer = fetched(77, &["a", "c"]);
    let got = exchange(&filter, &mut session, &fetch(0, 0, &["a", "c"]), &answer);
    let expected = [("a".to_owned(), 0, 3), ("c".to_owned(), 29, 0)];
    assert_eq!(shown(&got), expected);
    // The broker tells nothing of it, or more of it.
    for answer in [fetched(77, &["a"]), answer] {
        assert_eq!(
            shown(&exchange(&filter, &mut session, &fetch(77, 1, &[]), &answer)),
            expected
        );
    }
}

#[test]
fn it_hides_names_also_where_it_has_a_condition() {
    let filter: Arc<dyn Filter> = Arc::new(filter("otherwise deny;"));
    assert!(filter.hides_names());
    let condition = FilterCondition::parse("true").unwrap();
    assert!(ConditionalFilter::new(filter, condition).hides_names());
}

#[test]
fn a_fetch_of_nothing_but_denied_topics_is_answered_without_the_broker() {
    let got = exchange(&filter(RULES), &mut alice(), &fetch(0, 0, &["c", "d"]), &[]);
    assert_eq!(shown(&got), [("c".to_owned(), 29, 0), ("d".to_owned(), 29, 0)]);
}

/// A Fetch request that says that broker 1 makes it.
fn copying(version: i16) -> Vec<u8> {
    draft(ApiKey::FETCH, Direction::Request, version, |body| {
        if body.has("replica_id") {
            body.set_int("replica_id", 1);
        } else {
            body.structure("replica_state").unwrap().set_int("replica_id", 1);
        }
        body.set_int("session_epoch", -1);
        let mut topic = body.element("topics");
        topic.set_text("topic", Some("a"));
        topic.set_id("topic_id", [1; 16]);
        let partition = topic.element("partitions");
        topic.set_list("partitions", vec![partition]);
        body.extend("topics", [topic]);
    })
}

#[test]
fn nobody_copies_partitions_as_a_broker() {
    for version in 4..=18 {
        let (filter, mut session) = (filter(RULES), alice());
        filter.topics.learn(&[([1; 16], "a")]);
        let mut request = request(ApiKey::FETCH, version, &copying(version), true);
        let OnRequest::Answer(body) = now(filter.request(&mut session, &mut request)) else {
            panic!("version {version} is not answered")
        };
        let mut answer = Editable::read(ApiKey::FETCH, Direction::Response, version, &body).unwrap();
        let topics = answer.list("responses").unwrap();
        assert_eq!(topics[0].list("partitions").unwrap()[0].int("error_code"), 29);
    }
}

#[test]
fn an_unknown_fetch_session_is_begun_anew() {
    let got = exchange(&filter(RULES), &mut alice(), &fetch(5, 3, &[]), &[]);
    let answer = Editable::read(ApiKey::FETCH, Direction::Response, 12, &got).unwrap();
    assert_eq!(answer.int("error_code"), 70);
}

#[test]
fn a_right_that_is_taken_away_reaches_a_live_session_and_comes_back() {
    let (before, after) = (filter(RULES), filter(&RULES.replace(", \"b\"", "")));
    let mut session = alice();
    let answer = fetched(77, &["a", "b"]);
    exchange(&before, &mut session, &fetch(0, 0, &["a", "b"]), &answer);
    // A request is in flight when the rules change: its answer is shown to the new filter.
    let mut late = response(ApiKey::FETCH, 12, &answer);
    assert!(matches!(
        after.response(&mut session, &mut late, &mut None),
        FilterStep::Now(OnResponse::Forward)
    ));
    let expected = [("a".to_owned(), 0, 3), ("b".to_owned(), 29, 0)];
    assert_eq!(shown(late.body()), expected);
    assert_eq!(
        shown(&exchange(
            &after,
            &mut session,
            &fetch(77, 1, &[]),
            &fetched(77, &[])
        )),
        expected[1..]
    );
    let mut request = request(ApiKey::FETCH, 12, &fetch(77, 2, &[]), true);
    assert!(matches!(
        now(before.request(&mut session, &mut request)),
        OnRequest::ForwardBlind
    ));
}

#[test]
fn ids_that_are_not_known_are_asked_for_once() {
    let (filter, mut session) = (filter(RULES), alice());
    let body = draft(ApiKey::FETCH, Direction::Request, 13, |body| {
        body.set_int("session_epoch", -1);
        for id in [[1; 16], [2; 16], [3; 16]] {
            let mut topic = body.element("topics");
            topic.set_id("topic_id", id);
            let partition = topic.element("partitions");
            topic.set_list("partitions", vec![partition]);
            body.extend("topics", [topic]);
        }
    });
    let FilterStep::Ask(question) = filter.request(&mut session, &mut request(1, 13, &body, true)) else {
        panic!("no question")
    };
    assert_eq!((question.api_key, question.api_version), (3, 12));
    session.set_answer(draft(3, Direction::Response, 12, |answer| {
        for (id, name) in [([1; 16], "a"), ([2; 16], "secret")] {
            let mut topic = answer.element("topics");
            topic.set_id("topic_id", id);
            topic.set_text("name", Some(name));
            answer.extend("topics", [topic]);
        }
    }));
    let OnRequest::ForwardNoting(note) = now(filter.request(&mut session, &mut request(1, 13, &body, true)))
    else {
        panic!("not forwarded")
    };
    let mut answer = response(1, 13, &draft(1, Direction::Response, 13, |_| {}));
    let step = filter.response(&mut session, &mut answer, &mut Some(note));
    assert!(matches!(step, FilterStep::Now(OnResponse::Forward)));
    let mut answer = Editable::read(1, Direction::Response, 13, answer.body()).unwrap();
    let topics = answer.list("responses").unwrap().iter_mut();
    let mut errors: Vec<_> = topics
        .map(|topic| {
            (
                topic.id("topic_id").unwrap()[0],
                topic.list("partitions").unwrap()[0].int("error_code"),
            )
        })
        .collect();
    errors.sort_unstable();
    assert_eq!(errors, [(2, 29), (3, 100)]);
}

#[test]
fn a_transaction_gets_all_of_its_partitions_or_none() {
    let with = |names: &[&str]| {
        draft(ApiKey::ADD_PARTITIONS_TO_TXN, Direction::Request, 3, |body| {
            body.set_text("v3_and_below_transactional_id", Some("t"));
            for name in names {
                let mut topic = body.element("v3_and_below_topics");
                topic.set_text("name", Some(name));
                topic.set_ints("partitions", &[0]);
                body.extend("v3_and_below_topics", [topic]);
            }
        })
    };
    let rules = RULES.replace(
        "otherwise",
        "allow User with name = \"alice\" to * TransactionalId with name = \"t\"; otherwise",
    );
    let filter = filter(&rules);
    let decided = now(filter.request(&mut alice(), &mut request(24, 3, &with(&["a", "b"]), true)));
    assert!(matches!(decided, OnRequest::ForwardBlind));
    let OnRequest::Answer(body) =
        now(filter.request(&mut alice(), &mut request(24, 3, &with(&["a", "c"]), true)))
    else {
        panic!("forwarded")
    };
    let mut answer = Editable::read(24, Direction::Response, 3, &body).unwrap();
    let topics = answer.list("results_by_topic_v3_and_below").unwrap().iter_mut();
    let mut errors: Vec<_> = topics
        .map(|topic| {
            let error = topic.list("results_by_partition").unwrap()[0].int("partition_error_code");
            (topic.text("name").unwrap().to_owned(), error)
        })
        .collect();
    errors.sort();
    assert_eq!(errors, [("a".to_owned(), 55), ("c".to_owned(), 29)]);
}

#[test]
fn shadow_counts_and_changes_nothing() {
    let mut shadow = filter(&format!(
        "{}otherwise deny;",
        RULES.split("allow").next().unwrap()
    ));
    shadow.shadow = true;
    let answer = fetched(77, &["a", "c"]);
    let mut session = testing::session();
    assert_eq!(
        exchange(&shadow, &mut session, &fetch(0, 0, &["a", "c"]), &answer),
        answer
    );
    assert_eq!(
        exchange(&shadow, &mut session, &fetch(77, 1, &[]), &answer),
        answer
    );
    assert_eq!(
        exchange(&shadow, &mut session, &fetch(5, 1, &[]), &answer),
        answer
    );
    let api = api::api(ApiKey::WRITE_TXN_MARKERS).unwrap();
    assert_eq!(shadow.offers(api), Some(api.min..=api.max));
}

#[test]
fn an_anonymous_client_may_do_nothing() {
    let body = draft(3, Direction::Request, 12, |body| {
        let mut topic = body.element("topics");
        topic.set_text("name", Some("a"));
        body.extend("topics", [topic]);
    });
    let filter = filter(RULES);
    let mut session = testing::session();
    let mut request = request(3, 12, &body, true);
    let OnRequest::ForwardNoting(_) = now(filter.request(&mut session, &mut request)) else {
        panic!("not looked at")
    };
    let mut asked = Editable::read(3, Direction::Request, 12, request.body()).unwrap();
    assert!(asked.list("topics").unwrap().is_empty());
}

#[test]
fn malformed_requests_end_the_session() {
    for row in table::TABLE.iter().filter(|row| !matches!(row.rule, Rule::Pass)) {
        let mut malformed = request(row.key, row.last, &[0xff; 5], true);
        let decided = filter(RULES).request(&mut alice(), &mut malformed);
        assert!(
            matches!(decided, FilterStep::Now(OnRequest::Leave(_))),
            "{}: {decided:?}",
            row.key
        );
    }
}

#[test]
fn default_requests_of_every_version_are_decided() {
    for row in table::TABLE.iter().filter(|row| !matches!(row.rule, Rule::Pass)) {
        let api = api::api(row.key).unwrap();
        let known = schema::request_versions(row.key).unwrap();
        for version in known.first..=known.last {
            let body = draft(row.key, Direction::Request, version, |_| {});
            let mut asked = request(row.key, version, &body, true);
            match filter(RULES).request(&mut testing::session(), &mut asked) {
                FilterStep::Now(OnRequest::Answer(body)) => {
                    let read = Editable::read(row.key, Direction::Response, version, &body);
                    assert!(read.is_ok(), "{} {version}", api.name);
                }
                FilterStep::More => panic!("{} {version}", api.name),
                _ => {}
            }
        }
    }
}

/// A session whose client has fetched `a` and `b` in fetch session 77, and produced to `a`.
fn busy(filter: &Authorization) -> ClientSession {
    let mut session = alice();
    exchange(
        filter,
        &mut session,
        &fetch(0, 0, &["a", "b"]),
        &fetched(77, &["a", "b"]),
    );
    session
}

/// A Fetch request of a version before ids; `forgets` a topic.
fn fetch_of(version: i16, (session, epoch): (i64, i64), topics: &[&str], forgets: Option<&str>) -> Vec<u8> {
    draft(ApiKey::FETCH, Direction::Request, version, |body| {
        body.set_int("session_id", session);
        body.set_int("session_epoch", epoch);
        body.set_text("rack_id", Some("r"));
        for name in topics {
            let mut topic = body.element("topics");
            topic.set_text("topic", Some(name));
            let partition = topic.element("partitions");
            topic.set_list("partitions", vec![partition]);
            body.extend("topics", [topic]);
        }
        if let Some(name) = forgets {
            let mut topic = body.element("forgotten_topics_data");
            topic.set_text("topic", Some(name));
            body.extend("forgotten_topics_data", [topic]);
        }
    })
}

fn produce_of(version: i16, transaction: Option<&str>, topics: &[&str]) -> Vec<u8> {
    draft(ApiKey::PRODUCE, Direction::Request, version, |body| {
        body.set_text("transactional_id", transaction);
        body.set_int("acks", 1);
        for name in topics {
            let mut topic = body.element("topic_data");
            topic.set_text("name", Some(name));
            let partition = topic.element("partition_data");
            topic.set_list("partition_data", vec![partition]);
            body.extend("topic_data", [topic]);
        }
    })
}

fn passes(
    filter: &Authorization,
    session: &mut ClientSession,
    (key, version): (i16, i16),
    body: &[u8],
) -> bool {
    filter.passes(session, &request(key, version, body, true))
}

#[test]
fn what_a_busy_client_asks_passes_at_once() {
    let filter = filter(RULES);
    let session = &mut busy(&filter);
    for version in 7..=12 {
        let key = (ApiKey::FETCH, version);
        for (asked, topics, expected) in [
            ((77, 5), &["a", "b"][..], true),
            ((77, 5), &[], true),
            ((77, 5), &["c"], false),
            ((78, 5), &["a"], false),
            ((77, 0), &["a"], false),
            ((77, -1), &["a"], false),
            ((0, -1), &["a", "b"], true),
            ((0, -1), &["a", "c"], false),
        ] {
            let body = fetch_of(version, asked, topics, None);
            assert_eq!(
                passes(&filter, session, key, &body),
                expected,
                "{key:?} {asked:?} {topics:?}"
            );
            let forgets = fetch_of(version, asked, topics, Some("a"));
            assert!(!passes(&filter, session, key, &forgets), "{key:?} {asked:?}");
        }
        let partial = request(key.0, version, &fetch_of(version, (77, 5), &[], None), false);
        assert!(!filter.passes(session, &partial));
    }
    for version in 3..=12 {
        for (topics, expected) in [
            (&["a"][..], true),
            (&["c"], false),
            (&["a", "b"], false),
            (&[], false),
        ] {
            let body = produce_of(version, None, topics);
            let key = (ApiKey::PRODUCE, version);
            assert_eq!(
                passes(&filter, session, key, &body),
                expected,
                "{key:?} {topics:?}"
            );
            assert!(!passes(
                &filter,
                session,
                key,
                &produce_of(version, Some("t"), topics)
            ));
        }
    }
}

#[test]
fn a_broker_that_copies_never_passes_at_once() {
    let filter = filter(RULES);
    let session = &mut busy(&filter);
    for version in 0..=14 {
        let body = draft(ApiKey::FETCH, Direction::Request, version, |body| {
            body.set_int("replica_id", 0);
        });
        assert!(
            !passes(&filter, session, (ApiKey::FETCH, version), &body),
            "v{version}"
        );
    }
    for version in 15..=18 {
        let plain = draft(ApiKey::FETCH, Direction::Request, version, |_| {});
        let plain = [&plain[..plain.len() - 1], &[1, 1, 13, 0, 0, 0, 0], &[0; 9]].concat();
        assert!(
            !passes(&filter, session, (ApiKey::FETCH, version), &plain),
            "v{version}"
        );
    }
}

/// Every byte of some requests changed: what passes at once would have passed by the tables as well, without a trace.
#[test]
fn nothing_passes_at_once_that_all_of_it_would_not_let_pass() {
    let filter = filter(RULES);
    let mut bodies = Vec::new();
    for version in 0..=12 {
        bodies.push((
            ApiKey::FETCH,
            version,
            fetch_of(version, (0, -1), &["a", "b"], None),
        ));
        bodies.push((ApiKey::FETCH, version, fetch_of(version, (77, 5), &["a"], None)));
    }
    for version in 3..=12 {
        bodies.push((ApiKey::PRODUCE, version, produce_of(version, None, &["a"])));
    }
    let (mut passed, session) = (0, &mut busy(&filter));
    for (key, version, body) in bodies {
        for at in 0..body.len() {
            for value in [0, 1, 2, b'a', b'c', 0x7f, 0x80, 0xff] {
                let mut body = body.clone();
                body[at] = value;
                // What follows the first topic of a Produce request is left to the broker, as it always was.
                let is_read =
                    key == ApiKey::PRODUCE || Editable::read(key, Direction::Request, version, &body).is_ok();
                if !passes(&filter, session, (key, version), &body) {
                    continue;
                }
                assert!(is_read, "{key} v{version} byte {at} = {value}");
                passed += 1;
                let step = filter.request(&mut busy(&filter), &mut request(key, version, &body, true));
                let is_blind = matches!(step, FilterStep::Now(OnRequest::ForwardBlind));
                assert!(is_blind, "{key} v{version} byte {at} = {value}: {step:?}");
            }
        }
    }
    assert!(passed > 1000, "{passed}");
}

#[test]
fn requests_that_pass_at_once_are_counted_when_they_have_passed() {
    let filter = filter(RULES);
    let session = &mut busy(&filter);
    let count = || -> u64 { filter.decisions.totals().map(|total| total.count).sum() };
    let before = count();
    let body = produce_of(9, None, &["a"]);
    for _ in 0..3 {
        assert!(passes(&filter, session, (ApiKey::PRODUCE, 9), &body));
        filter.passed(session);
    }
    // Looked at, but another filter decided about it.
    assert!(passes(&filter, session, (ApiKey::PRODUCE, 9), &body));
    assert_eq!(count(), before);
    filter.count_passed(session);
    filter.count_passed(session);
    assert_eq!(count(), before + 3);
}

#[test]
fn nothing_passes_at_once_by_rules_or_a_client_of_before() {
    let (before, after) = (filter(RULES), filter(&RULES.replace("{\"a\", \"b\"}", "{\"b\"}")));
    let session = &mut busy(&before);
    let body = fetch_of(12, (77, 5), &["a"], None);
    assert!(passes(&before, session, (ApiKey::FETCH, 12), &body));
    assert!(!passes(&after, session, (ApiKey::FETCH, 12), &body));
    session.set_subject(Arc::new(Subject::user("bob")));
    assert!(!passes(&before, session, (ApiKey::FETCH, 12), &body));
}
