use super::*;
use crate::filter::Subject;
use crate::filter::testing::{request, session};
use crate::wire::api;
use crate::wire::schema::{Direction, Draft};

/// An audit into a file of its own, and what it has written when it is gone.
struct Recorded {
    file: tempfile::TempDir,
    audit: ClientAudit,
}

fn audit(change: impl FnOnce(&mut AuditModel)) -> Recorded {
    let file = tempfile::tempdir().unwrap();
    let mut settings = AuditModel {
        target: AuditTarget::File(file.path().join("audit")),
        auth: true,
        denied: true,
        admin: true,
        connect: true,
        sample: 100,
    };
    change(&mut settings);
    let audit = ClientAudit::new("audit", &settings).unwrap();
    Recorded { file, audit }
}

impl Recorded {
    fn lines(&self) -> Vec<serde_json::Value> {
        AuditFile::flush_shared(std::time::Instant::now() + std::time::Duration::from_secs(20));
        let file = std::fs::File::open(self.file.path().join("audit"));
        let text = file.and_then(std::io::read_to_string).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

fn field(lines: &[serde_json::Value], name: &str) -> Vec<String> {
    lines
        .iter()
        .map(|line| line[name].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn a_session_has_a_line_when_it_begins_and_when_it_ends() {
    let recorded = audit(|_| {});
    let mut session = session();
    recorded.audit.opened(&mut session);
    // A reload that brings another chain with the filter does this.
    recorded.audit.opened(&mut session);
    drop(session);
    assert_eq!(field(&recorded.lines(), "verdict"), ["began", "ended"]);
}

#[test]
fn a_denial_says_who_was_denied_what_by_which_rule() {
    let recorded = audit(|settings| settings.connect = false);
    let mut session = session();
    recorded.audit.opened(&mut session);
    session.set_subject(Subject::user("alice").into());
    session.record(&SessionEvent::Denied(Denial {
        filter: "acl",
        api: api::api(ApiKey::PRODUCE).unwrap(),
        version: 9,
        resource: "Topic:orders",
        rule: "line 7",
        is_shadow: false,
    }));
    let lines = recorded.lines();
    let line = lines[0].as_object().unwrap();
    let expected = serde_json::json!({
        "event": "denied", "verdict": "denied", "cluster": "demo", "gateway": "default", "session": 1,
        "generation": 1, "client": "127.0.0.1:40000", "principal": "User:alice", "api": "Produce", "version": 9,
        "resource": "Topic:orders", "filter": "acl", "rule": "line 7",
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(line.get(key), Some(value), "{key}");
    }
    assert_eq!(line.len(), expected.as_object().unwrap().len() + 1, "{line:?}");
}

#[test]
fn an_administrative_request_has_a_line_with_what_came_of_it() {
    let recorded = audit(|settings| settings.connect = false);
    let mut session = session();
    recorded.audit.opened(&mut session);
    let mut delete = Draft::new(ApiKey::DELETE_TOPICS, Direction::Request, 5).unwrap();
    delete
        .push_value("topic_names", "orders")
        .push_value("topic_names", "bills");
    let body = delete.encode();
    let step = recorded
        .audit
        .request(&mut session, &mut request(ApiKey::DELETE_TOPICS, 5, None, &body));
    let FilterStep::Now(OnRequest::ForwardNoting(note)) = step else {
        panic!("{step:?}");
    };
    let mut answer = Draft::new(ApiKey::DELETE_TOPICS, Direction::Response, 5).unwrap();
    answer.push("responses").set("name", "orders");
    answer
        .push("responses")
        .set("name", "bills")
        .set("error_code", 3_i16);
    let mut answer = crate::filter::testing::response(ApiKey::DELETE_TOPICS, 5, &answer.encode());
    recorded
        .audit
        .response(&mut session, &mut answer, &mut Some(note));
    let lines = recorded.lines();
    assert_eq!(field(&lines, "resource"), ["topic:orders,topic:bills"]);
    assert_eq!(field(&lines, "verdict"), ["failed"]);
    assert_eq!(field(&lines, "error"), ["UNKNOWN_TOPIC_OR_PARTITION"]);
}

#[test]
fn of_a_hundred_events_so_many_are_written_as_the_percentage_says() {
    for percent in [0, 1, 33, 50, 99, 100] {
        let recorded = audit(|settings| settings.sample = percent);
        let drawn = (0..1000).filter(|_| recorded.audit.writer.is_drawn()).count();
        assert_eq!(drawn, usize::from(percent) * 10);
    }
}

#[test]
fn events_that_are_not_listed_have_no_line() {
    let recorded = audit(|settings| {
        (settings.auth, settings.connect, settings.admin) = (false, false, false);
    });
    let mut session = session();
    recorded.audit.opened(&mut session);
    session.record(&SessionEvent::Authenticated);
    let mut interest = Interest::default();
    recorded.audit.interest(&mut interest);
    assert!(!interest.of(ApiKey::CREATE_TOPICS).is_any() && !interest.of(ApiKey::SASL_AUTHENTICATE).is_any());
    drop(session);
    assert_eq!(recorded.lines().len(), 0);
}
