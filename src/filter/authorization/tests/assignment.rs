//! What a member of a consumer group is told that it is assigned.

use super::*;

const HEARTBEAT: i16 = ApiKey::CONSUMER_GROUP_HEARTBEAT;

/// Ids of a topic that alice may see, and of one that she may not.
const SEEN: [u8; 16] = [1; 16];
const HIDDEN: [u8; 16] = [9; 16];

/// A heartbeat of the member `m` in group `g`. `None`: as before.
fn beat(epoch: i64, pattern: Option<&str>, names: Option<&[&str]>) -> Vec<u8> {
    draft(HEARTBEAT, Direction::Request, 1, |body| {
        body.set_text("group_id", Some("g"));
        body.set_text("member_id", Some("m"));
        body.set_int("member_epoch", epoch);
        body.set_text("subscribed_topic_regex", pattern);
        if let Some(names) = names {
            body.set_texts("subscribed_topic_names", names);
        }
    })
}

/// The answer to it, with partition 0 of each of these topics, or without an assignment.
fn beaten(topics: Option<&[[u8; 16]]>) -> Vec<u8> {
    draft(HEARTBEAT, Direction::Response, 1, |body| {
        body.set_text("member_id", Some("m"));
        let Some(topics) = topics else { return };
        let mut assignment = body.element("assignment");
        for id in topics {
            let mut topic = assignment.element("topic_partitions");
            topic.set_id("topic_id", *id);
            topic.set_ints("partitions", &[0]);
            assignment.extend("topic_partitions", [topic]);
        }
        body.set_structure("assignment", assignment);
    })
}

/// The topics of the assignment that the client is told; `None`: nothing new.
fn told(
    filter: &Authorization,
    session: &mut ClientSession,
    asked: &[u8],
    answer: &[u8],
) -> Option<Vec<[u8; 16]>> {
    let mut heard = response(HEARTBEAT, 1, answer);
    match now(filter.request(session, &mut request(HEARTBEAT, 1, asked, true))) {
        OnRequest::ForwardBlind => {}
        OnRequest::ForwardNoting(note) => {
            let step = filter.response(session, &mut heard, &mut Some(note));
            assert!(matches!(step, FilterStep::Now(OnResponse::Forward)), "{step:?}");
        }
        other => panic!("{other:?}"),
    }
    let mut heard = Editable::read(HEARTBEAT, Direction::Response, 1, heard.body()).unwrap();
    let topics = heard.structure("assignment")?.list("topic_partitions").unwrap();
    topics.iter().map(|topic| topic.id("topic_id")).collect()
}

fn knowing() -> Authorization {
    let filter = filter(RULES);
    filter.topics.learn(&[(SEEN, "a"), (HIDDEN, "secret")]);
    filter
}

#[test]
fn a_member_by_a_regular_expression_is_assigned_what_it_may_see() {
    let (filter, mut session) = (knowing(), alice());
    let both = beaten(Some(&[SEEN, HIDDEN]));
    assert_eq!(
        told(
            &filter,
            &mut session,
            &beat(0, Some("a|secret"), Some(&[])),
            &both
        ),
        Some(vec![SEEN])
    );
    let nothing = beaten(None);
    assert_eq!(told(&filter, &mut session, &beat(1, None, None), &nothing), None);
    assert_eq!(
        told(
            &filter,
            &mut session,
            &beat(1, None, None),
            &beaten(Some(&[HIDDEN]))
        ),
        Some(vec![])
    );
}

#[test]
fn a_member_that_joined_in_another_session_may_have_a_regular_expression() {
    let (filter, mut session) = (knowing(), alice());
    let both = beaten(Some(&[SEEN, HIDDEN]));
    assert_eq!(
        told(&filter, &mut session, &beat(3, None, None), &both),
        Some(vec![SEEN])
    );
}

#[test]
fn a_member_by_names_is_told_what_the_broker_says() {
    let (filter, mut session) = (knowing(), alice());
    let both = beaten(Some(&[SEEN, HIDDEN]));
    let all = Some(vec![SEEN, HIDDEN]);
    let join = beat(0, None, Some(&["a"]));
    assert_eq!(told(&filter, &mut session, &join, &both), all);
    assert_eq!(told(&filter, &mut session, &beat(1, None, None), &both), all);
    // It begins and ends to subscribe by an expression.
    let begin = beat(1, Some(".*"), Some(&[]));
    assert_eq!(told(&filter, &mut session, &begin, &both), Some(vec![SEEN]));
    let end = beat(1, Some(""), Some(&["a"]));
    assert_eq!(told(&filter, &mut session, &end, &both), all);
}

#[test]
fn an_assignment_follows_the_rights_without_the_broker() {
    let (before, mut session) = (knowing(), alice());
    let after = filter(&RULES.replace("\"b\"", "\"secret\"")).after(&before);
    let both = beaten(Some(&[SEEN, HIDDEN]));
    told(&before, &mut session, &beat(0, Some(".*"), Some(&[])), &both);
    for _ in 0..2 {
        let next = told(&after, &mut session, &beat(1, None, None), &beaten(None));
        assert_eq!(next, Some(vec![SEEN, HIDDEN]));
        let next = told(&after, &mut session, &beat(1, None, None), &beaten(None));
        assert_eq!(next, None);
        let next = told(&before, &mut session, &beat(1, None, None), &beaten(None));
        assert_eq!(next, Some(vec![SEEN]));
    }
}

#[test]
fn an_assigned_topic_that_is_not_known_is_asked_for_with_the_next_heartbeat() {
    let (filter, mut session) = (filter(RULES), alice());
    let both = beaten(Some(&[SEEN, HIDDEN, [7; 16]]));
    assert_eq!(
        told(&filter, &mut session, &beat(0, Some(".*"), Some(&[])), &both),
        Some(vec![])
    );
    let next = beat(1, None, None);
    let step = filter.request(&mut session, &mut request(HEARTBEAT, 1, &next, true));
    assert!(matches!(step, FilterStep::Ask(_)), "{step:?}");
    session.set_answer(draft(3, Direction::Response, 12, |answer| {
        for (id, name) in [(SEEN, "a"), (HIDDEN, "secret")] {
            let mut topic = answer.element("topics");
            topic.set_id("topic_id", id);
            topic.set_text("name", Some(name));
            answer.extend("topics", [topic]);
        }
    }));
    assert_eq!(
        told(&filter, &mut session, &next, &beaten(None)),
        Some(vec![SEEN])
    );
    // The topic that the broker does not know either is not asked for again.
    assert_eq!(told(&filter, &mut session, &next, &beaten(None)), None);
}

#[test]
fn members_of_one_session_are_few() {
    let (filter, mut session) = (knowing(), alice());
    let both = beaten(Some(&[SEEN, HIDDEN]));
    for number in 0..40 {
        let joins = draft(HEARTBEAT, Direction::Request, 1, |body| {
            body.set_text("group_id", Some("g"));
            body.set_text("member_id", Some(&number.to_string()));
            body.set_text("subscribed_topic_regex", Some(".*"));
        });
        assert_eq!(told(&filter, &mut session, &joins, &both), Some(vec![SEEN]));
    }
}
