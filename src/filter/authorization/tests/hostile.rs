//! Requests and answers that no client and no broker sends.

use super::*;

/// Bytes of `c?` with `?` no text, in place of the name `c?`.
fn not_text(mut body: Vec<u8>) -> Vec<u8> {
    let at = body.windows(2).position(|bytes| bytes == b"c?").unwrap();
    body[at + 1] = 0xff;
    body
}

/// The request with one group or topic of this name.
fn naming(key: i16, version: i16, name: &str) -> Vec<u8> {
    draft(key, Direction::Request, version, |body| {
        body.set_int("acks", 1);
        body.set_text("group_id", Some(name));
        body.set_text("transactional_id", Some(name));
        body.set_text("key", Some(name));
        body.set_texts("groups_names", &[name]);
        for (list, field) in [("topics", "name"), ("topic_data", "name")] {
            if body.has(list) {
                let mut topic = body.element(list);
                topic.set_text(field, Some(name));
                body.set_list(list, vec![topic]);
            }
        }
    })
}

/// Requests with one name, as [`naming`] makes them.
const WITH_A_NAME: [(i16, i16); 10] = [
    (ApiKey::PRODUCE, 2),
    (ApiKey::PRODUCE, 9),
    (ApiKey::LIST_OFFSETS, 5),
    (ApiKey::JOIN_GROUP, 5),
    (ApiKey::HEARTBEAT, 4),
    (ApiKey::FIND_COORDINATOR, 3),
    (ApiKey::DELETE_GROUPS, 2),
    (ApiKey::CREATE_TOPICS, 5),
    (ApiKey::END_TXN, 3),
    (ApiKey::CONSUMER_GROUP_HEARTBEAT, 1),
];

const ALL_BUT_C: &str = "
    from io.kroxylicious.filter.authorization import TopicResource as Topic, GroupResource as Group,
        TransactionalIdResource as TransactionalId;
    deny User with name * to * Topic with name like \"c*\";
    deny User with name * to * Group with name like \"c*\";
    deny User with name * to * TransactionalId with name like \"c*\";
    allow User with name * to * Topic with name *;
    allow User with name * to * Group with name *;
    allow User with name * to * TransactionalId with name *;
    otherwise deny;";

#[test]
fn a_name_that_is_no_text_is_denied_whatever_the_rules_allow() {
    for (key, version) in WITH_A_NAME {
        let allowed = naming(key, version, "d");
        let decided = filter(ALL_BUT_C).request(&mut alice(), &mut request(key, version, &allowed, true));
        assert!(
            matches!(
                decided,
                FilterStep::Now(OnRequest::ForwardBlind | OnRequest::ForwardNoting(_))
            ),
            "{key}: {decided:?}"
        );
        let body = not_text(naming(key, version, "c?"));
        let decided = filter(ALL_BUT_C).request(&mut alice(), &mut request(key, version, &body, true));
        assert!(
            matches!(decided, FilterStep::Now(OnRequest::Answer(_))),
            "{key}: {decided:?}"
        );
    }
}

#[test]
fn a_name_that_is_null_where_none_may_be_ends_the_session() {
    for (key, version) in [
        (ApiKey::PRODUCE, 9),
        (ApiKey::HEARTBEAT, 4),
        (ApiKey::JOIN_GROUP, 6),
        (ApiKey::FIND_COORDINATOR, 3),
        (ApiKey::END_TXN, 3),
        (ApiKey::CREATE_TOPICS, 5),
        (ApiKey::LIST_OFFSETS, 6),
    ] {
        let mut body = naming(key, version, "a-name");
        // A compact length of 0 is null; what follows the name is the same.
        let at = body.windows(6).rposition(|bytes| bytes == b"a-name").unwrap();
        body.splice(at - 1..at + 6, [0]);
        let decided = filter(ALL_BUT_C).request(&mut alice(), &mut request(key, version, &body, true));
        assert!(
            matches!(decided, FilterStep::Now(OnRequest::Leave(_))),
            "{key}: {decided:?}"
        );
    }
}

/// A request that names each of these topics, with partition 0.
fn of_topics(key: i16, version: i16, names: &[&str]) -> Vec<u8> {
    draft(key, Direction::Request, version, |body| {
        body.set_text("group_id", Some("g"));
        body.set_int("acks", 1);
        let list = ["topics", "topic_data"].into_iter().find(|list| body.has(list));
        let list = list.unwrap();
        let partitions = if body.has("topic_data") {
            "partition_data"
        } else {
            "partitions"
        };
        let topics = names.iter().map(|name| {
            let mut topic = body.element(list);
            topic.set_text("name", Some(name));
            topic.set_text("topic", Some(name));
            let partition = topic.element(partitions);
            topic.set_list(partitions, vec![partition]);
            topic
        });
        let topics = topics.collect();
        body.set_list(list, topics);
    })
}

fn names_in(body: &[u8], key: i16, way: Direction, version: i16, lists: [&str; 2]) -> Vec<String> {
    let mut body = Editable::read(key, way, version, body).unwrap();
    let list = lists.into_iter().find(|list| body.has(list)).unwrap();
    let topics = body.list(list).unwrap().iter();
    topics
        .map(|topic| {
            topic
                .text("name")
                .or_else(|| topic.text("topic"))
                .unwrap()
                .to_owned()
        })
        .collect()
}

#[test]
fn a_topic_that_is_named_twice_is_denied_twice() {
    for (key, version) in [
        (ApiKey::PRODUCE, 9),
        (ApiKey::LIST_OFFSETS, 5),
        (ApiKey::OFFSET_COMMIT, 8),
        (ApiKey::DELETE_RECORDS, 2),
        (ApiKey::OFFSET_FOR_LEADER_EPOCH, 4),
        (ApiKey::METADATA, 9),
        (ApiKey::CREATE_TOPICS, 5),
    ] {
        let body = of_topics(key, version, &["a", "c", "c", "a", "c"]);
        let mut asked = request(key, version, &body, true);
        let OnRequest::ForwardNoting(note) = now(filter(RULES).request(&mut alice(), &mut asked)) else {
            panic!("{key} is not forwarded")
        };
        let left = names_in(
            asked.body(),
            key,
            Direction::Request,
            version,
            ["topics", "topic_data"],
        );
        assert_eq!(left, ["a", "a"], "{key}");
        let nothing = draft(key, Direction::Response, version, |_| {});
        let mut heard = response(key, version, &nothing);
        filter(RULES).response(&mut alice(), &mut heard, &mut Some(note));
        let added = names_in(
            heard.body(),
            key,
            Direction::Response,
            version,
            ["topics", "responses"],
        );
        assert_eq!(added, ["c", "c", "c"], "{key}");
    }
}

#[test]
fn an_answer_about_other_topics_shows_nothing_that_is_denied() {
    let (filter, mut session) = (filter(RULES), alice());
    let begins = fetch(0, 0, &["a", "c"]);
    let got = exchange(
        &filter,
        &mut session,
        &begins,
        &fetched(77, &["d", "e", "c", "c", "b"]),
    );
    for (name, error, records) in shown(&got) {
        assert_eq!((error == 0, records > 0), (name == "b", name == "b"), "{name}");
    }
    for (version, all) in [(12, false), (12, true), (1, true)] {
        let body = draft(ApiKey::METADATA, Direction::Request, version, |body| {
            let mut topic = body.element("topics");
            topic.set_text("name", Some("a"));
            body.set_list("topics", vec![topic]);
            if all {
                body.clear("topics");
            }
        });
        let mut asked = request(ApiKey::METADATA, version, &body, true);
        let OnRequest::ForwardNoting(note) = now(filter.request(&mut session, &mut asked)) else {
            panic!("not forwarded")
        };
        let answer = draft(ApiKey::METADATA, Direction::Response, version, |body| {
            let mut topic = body.element("topics");
            topic.set_text("name", Some("secret"));
            body.set_list("topics", vec![topic]);
        });
        let mut heard = response(ApiKey::METADATA, version, &answer);
        filter.response(&mut session, &mut heard, &mut Some(note));
        assert!(
            !heard.body().windows(6).any(|bytes| bytes == b"secret"),
            "{version} {all}"
        );
    }
}

#[test]
fn answers_of_another_layout_are_completed_or_end_the_session() {
    for row in table::TABLE.iter().filter(|row| !matches!(row.rule, Rule::Pass)) {
        let known = schema::request_versions(row.key).unwrap();
        for version in known.first..=known.last {
            let others = [version - 1, version + 1].map(|other| {
                Editable::new(row.key, Direction::Response, other).map_or_else(Vec::new, |body| body.write())
            });
            let bodies = [vec![], vec![0xff; 9], vec![0; 3], vec![0xff; 70], vec![0; 200]];
            for answer in others.into_iter().chain(bodies) {
                let (filter, mut session) = (filter(RULES), alice());
                let body = draft(row.key, Direction::Request, version, |_| {});
                let mut asked = request(row.key, version, &body, true);
                let FilterStep::Now(OnRequest::ForwardNoting(note)) =
                    filter.request(&mut session, &mut asked)
                else {
                    continue;
                };
                let mut heard = response(row.key, version, &answer);
                let step = filter.response(&mut session, &mut heard, &mut Some(note));
                let reads = Editable::read(row.key, Direction::Response, version, heard.body()).is_ok();
                match step {
                    FilterStep::Now(OnResponse::Forward) => assert!(reads, "{} {version}", row.key),
                    FilterStep::Now(OnResponse::Leave(_)) => {}
                    // The beginning of a fetch session has not arrived.
                    other => assert!(
                        matches!(other, FilterStep::More) && answer.len() < 10,
                        "{other:?}"
                    ),
                }
            }
        }
    }
}

#[test]
fn a_topic_that_is_asked_for_by_its_id_is_judged_by_the_name_in_the_answer() {
    for name in [None, Some(""), Some("a"), Some("c")] {
        let (filter, mut session) = (filter(RULES), alice());
        let ids = [[1; 16], [2; 16]];
        let body = draft(ApiKey::METADATA, Direction::Request, 13, |body| {
            for id in ids {
                let mut topic = body.element("topics");
                topic.set_id("topic_id", id);
                topic.set_text("name", name);
                body.extend("topics", [topic]);
            }
        });
        let mut asked = request(ApiKey::METADATA, 13, &body, true);
        let OnRequest::ForwardNoting(note) = now(filter.request(&mut session, &mut asked)) else {
            panic!("not forwarded")
        };
        let mut forwarded = Editable::read(ApiKey::METADATA, Direction::Request, 13, asked.body()).unwrap();
        assert_eq!(forwarded.list("topics").unwrap().len(), 2, "{name:?}");
        let answer = draft(ApiKey::METADATA, Direction::Response, 13, |body| {
            for (id, name) in ids.into_iter().zip(["a", "secret"]) {
                let mut topic = body.element("topics");
                topic.set_id("topic_id", id);
                topic.set_text("name", Some(name));
                body.extend("topics", [topic]);
            }
        });
        let mut heard = response(ApiKey::METADATA, 13, &answer);
        filter.response(&mut session, &mut heard, &mut Some(note));
        let mut heard = Editable::read(ApiKey::METADATA, Direction::Response, 13, heard.body()).unwrap();
        let topics = heard.list("topics").unwrap().iter();
        let told: Vec<_> = topics
            .map(|topic| (topic.text("name"), topic.int("error_code")))
            .collect();
        assert_eq!(told, [(Some("a"), 0), (None, 29)]);
    }
}

/// What a decision about a request counts as denied.
fn denied(key: i16, version: i16, body: &[u8]) -> Vec<String> {
    let (filter, mut session) = (filter(RULES), alice());
    let rule = table::row(key).unwrap().rule;
    let mut rights = SessionRights::default();
    rights.renew(&filter.rules, session.subject());
    let settled = Authorization::decide(
        &filter.topics,
        &mut rights,
        &request(key, version, body, true),
        rule,
    )
    .unwrap();
    let decided = settled.decided.iter().filter(|decided| !decided.decision.allowed);
    let denied = decided
        .map(|decided| format!("{}:{}", decided.resource.name(), decided.name))
        .collect();
    // The filter counts them.
    let _ = filter.request(&mut session, &mut request(key, version, body, true));
    assert!(filter.decisions.totals().count() > 0, "{key}");
    denied
}

#[test]
fn what_no_rule_can_allow_is_counted_and_recorded() {
    assert_eq!(denied(ApiKey::FETCH, 12, &copying(12)), ["Topic:a"]);
    let by_id = format!("Topic:{}", "01".repeat(16));
    assert_eq!(denied(ApiKey::FETCH, 15, &copying(15)), [by_id]);
    let share = draft(ApiKey::FIND_COORDINATOR, Direction::Request, 6, |body| {
        body.set_int("key_type", 2);
        body.set_texts("coordinator_keys", &["g:id:0"]);
    });
    assert_eq!(denied(ApiKey::FIND_COORDINATOR, 6, &share), ["Group:g:id:0"]);
    let between_brokers = draft(ApiKey::ADD_PARTITIONS_TO_TXN, Direction::Request, 4, |body| {
        let mut transaction = body.element("transactions");
        transaction.set_text("transactional_id", Some("t"));
        body.set_list("transactions", vec![transaction]);
    });
    assert_eq!(
        denied(ApiKey::ADD_PARTITIONS_TO_TXN, 4, &between_brokers),
        ["TransactionalId:t"]
    );
}

#[test]
fn an_answer_that_ends_before_its_fetch_session_ends_the_session() {
    let filter = filter(RULES);
    let mut session = alice();
    let asked = draft(ApiKey::FETCH, Direction::Request, 12, |body| {
        body.set_int("session_epoch", 0);
    });
    let mut request = request(ApiKey::FETCH, 12, &asked, true);
    let OnRequest::ForwardNoting(note) = now(filter.request(&mut session, &mut request)) else {
        panic!("it begins a fetch session");
    };
    let mut response = response(ApiKey::FETCH, 12, b"\0\0\0\0\0");
    let step = filter.response(&mut session, &mut response, &mut Some(note));
    assert!(matches!(step, FilterStep::Now(OnResponse::Leave(_))), "{step:?}");
}

#[test]
fn a_fetch_session_keeps_nothing_of_topics_without_partitions_and_has_a_limit() {
    let mut session = fetch_session::FetchSession::default();
    for number in 0..1000 {
        let key = fetch_session::TopicKey::Name(format!("t{number}").into());
        assert!(session.add(key, &[]));
    }
    assert_eq!(session.topics.len(), 0);
    // In descending order each would have its place before all others.
    let descending: Vec<i64> = (0..fetch_session::MOST_PARTITIONS as i64).rev().collect();
    let key = || fetch_session::TopicKey::Name("t".into());
    assert!(session.add(key(), &descending) && session.add(key(), &descending));
    assert!(!session.add(key(), &[-1]));
    session.forget(
        &key(),
        &descending.iter().map(|index| *index as i32).collect::<Vec<_>>(),
    );
    assert!(session.add(key(), &[-1]));
}

#[test]
fn a_share_session_of_too_many_partitions_is_begun_again() {
    let filter = filter(RULES);
    let mut session = alice();
    let version = 1;
    let share = |topics: u8, epoch: i64| {
        draft(ApiKey::SHARE_FETCH, Direction::Request, version, |body| {
            body.set_text("group_id", Some("g"));
            body.set_int("share_session_epoch", epoch);
            let topics = (0..topics).map(|number| {
                let mut topic = body.element("topics");
                topic.set_id("topic_id", [number + 1; 16]);
                let partitions = (0..30_000).map(|index| {
                    let mut partition = topic.element("partitions");
                    partition.set_int("partition_index", index);
                    partition
                });
                let partitions = partitions.collect();
                topic.set_list("partitions", partitions);
                topic
            });
            let topics = topics.collect();
            body.set_list("topics", topics);
        })
    };
    let body = share(4, 0);
    let mut asked = request(ApiKey::SHARE_FETCH, version, &body, true);
    let OnRequest::Answer(answer) = now(filter.request(&mut session, &mut asked)) else {
        panic!("it has more partitions than a session may have");
    };
    let answer = Editable::read(ApiKey::SHARE_FETCH, Direction::Response, version, &answer).unwrap();
    assert_eq!(answer.int("error_code"), 122);
}
