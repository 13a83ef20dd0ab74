//! Rules that are only tried out: what they would deny is counted, and nothing is changed.

use super::Authorization;
use super::access::AccessDecision;
use super::completing::Kept;
use super::deciding::RequestOutcome;
use super::fetch::FetchNote;
use super::session_rights::{RightsParts, SessionRights};
use crate::filter::{ClientSession, Denial, FilterStep, Note, OnRequest, OnResponse, Response, SessionEvent};
use crate::wire::schema::{Direction, Editable};

/// What happens to a request whose denial is only counted. The number of a fetch session is learned all the same, and an
/// answer is looked at for what it would not show, unless the request would have been another one.
pub(super) fn shadowed(outcome: RequestOutcome, decided: &[AccessDecision]) -> OnRequest {
    match outcome {
        RequestOutcome::Noting(Kept::Fetch(note)) if note.begins => {
            OnRequest::ForwardNoting(Box::new(Kept::Fetch(FetchNote {
                begins: true,
                denied: Vec::new(),
            })))
        }
        RequestOutcome::Noting(Kept::Merge(merge))
            if decided.iter().all(|decided| decided.decision.allowed) =>
        {
            OnRequest::ForwardNoting(Box::new(Kept::Merge(merge)))
        }
        _ => OnRequest::ForwardBlind,
    }
}

impl Authorization {
    /// Counts what the rules would take out of an answer. One that is not understood passes.
    pub(super) fn look_at(
        &self,
        session: &ClientSession,
        rights: &mut SessionRights,
        response: &Response<'_>,
        note: &mut Option<Note>,
    ) -> FilterStep<OnResponse> {
        let kept = note.as_ref().and_then(|note| note.downcast_ref());
        if !matches!(kept, Some(Kept::Merge(_))) {
            return FilterStep::Now(OnResponse::Forward);
        }
        if !response.is_complete() {
            return FilterStep::More;
        }
        let (api_key, version) = (response.api_key(), response.version());
        let body = Editable::read(api_key, Direction::Response, version, response.body());
        let kept = note.take().and_then(|note| note.downcast::<Kept>().ok());
        if let (Some(Kept::Merge(merge)), Ok(mut body)) = (kept.map(|kept| *kept), body)
            && let Some(RightsParts { mut access, .. }) = rights.parts(&self.topics)
        {
            access.notes_hidden = true;
            merge(&mut access, &mut body);
            self.tell_hidden(session, response, &access.decided);
        }
        FilterStep::Now(OnResponse::Forward)
    }

    /// Counts what an answer would not show, and tells the session of it once.
    fn tell_hidden(&self, session: &ClientSession, response: &Response<'_>, decided: &[AccessDecision]) {
        let mut hidden = decided.iter().filter(|decided| !decided.decision.allowed);
        let Some(first) = hidden.next() else { return };
        let count = |hidden: &AccessDecision| {
            let about = (hidden.resource, hidden.operation);
            self.decisions.count(session, about, hidden.decision, true);
        };
        count(first);
        let more = hidden.inspect(|hidden| count(hidden)).count();
        let resource = format!("{}:{}", first.resource.name(), first.name);
        session.record(&SessionEvent::Denied(Denial {
            filter: &self.name,
            api: response.api(),
            version: response.version(),
            resource: &match more {
                0 => resource,
                more => format!("{resource} and {more} more"),
            },
            rule: self.rule_text(first.decision.by),
            is_shadow: true,
        }));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::filter::{Filter, FilterOutcome, Subject, testing};
    use crate::model::acl::{AclRules, parse_rules};
    use crate::model::{AuthorizationModel, UnansweredDenial};
    use crate::wire::api::ApiKey;
    use crate::wire::schema::Draft;

    fn body(
        api_key: i16,
        way: Direction,
        version: i16,
        fill: impl FnOnce(&mut Editable<'static>),
    ) -> Vec<u8> {
        let mut body = Editable::new(api_key, way, version).unwrap();
        fill(&mut body);
        body.write()
    }

    fn filter() -> Authorization {
        let rules =
            "from io.kroxylicious.filter.authorization import TopicResource as Topic, GroupResource as Group;
            deny User with name = \"alice\" to * Topic with name = \"secret\";
            allow User with name = \"alice\" to * Topic with name like \"*\";
            allow User with name = \"alice\" to * Group with name = \"g\";
            otherwise deny;";
        let settings = AuthorizationModel {
            rules: Arc::new(AclRules::new(parse_rules(rules).unwrap()).unwrap()),
            in_file: false,
            unanswered: UnansweredDenial::Close,
        };
        Authorization::new("authz", &settings, true)
    }

    /// What alice gets, and what is counted of her request.
    fn shown(filter: &Authorization, session: &mut ClientSession, key: i16, asked: &[u8], answer: &[u8]) {
        let mut request = testing::request(key, 4, Some("app"), asked);
        let step = filter.request(session, &mut request);
        let FilterStep::Now(OnRequest::ForwardNoting(note)) = step else {
            panic!("{step:?}");
        };
        assert_eq!(session.take_denied(), None);
        let mut response = testing::response(key, 4, answer);
        let step = filter.response(session, &mut response, &mut Some(note));
        assert!(matches!(step, FilterStep::Now(OnResponse::Forward)), "{step:?}");
        assert_eq!(response.body(), answer);
    }

    #[test]
    fn lists_are_not_changed_and_what_they_would_not_show_is_counted_by_rule() {
        let filter = filter();
        let mut session = testing::session();
        session.set_subject(Arc::new(Subject::user("alice")));
        let mut all = Draft::new(ApiKey::METADATA, Direction::Request, 4).unwrap();
        let all = all.set("topics", None::<&str>).encode();
        let topics = |names: &[&str]| {
            body(ApiKey::METADATA, Direction::Response, 4, |body| {
                for name in names {
                    let mut topic = body.element("topics");
                    topic.set_text("name", Some(name));
                    body.extend("topics", [topic]);
                }
            })
        };
        shown(
            &filter,
            &mut session,
            ApiKey::METADATA,
            &all,
            &topics(&["orders", "secret"]),
        );
        assert_eq!(session.take_denied(), Some(FilterOutcome::ShadowDenied));
        shown(
            &filter,
            &mut session,
            ApiKey::METADATA,
            &all,
            &topics(&["orders"]),
        );
        assert_eq!(session.take_denied(), None);

        let every = body(ApiKey::LIST_GROUPS, Direction::Request, 4, |_| ());
        let groups = body(ApiKey::LIST_GROUPS, Direction::Response, 4, |body| {
            for name in ["g", "h", "i"] {
                let mut group = body.element("groups");
                group.set_text("group_id", Some(name));
                body.extend("groups", [group]);
            }
        });
        shown(&filter, &mut session, ApiKey::LIST_GROUPS, &every, &groups);
        let by_rule: Vec<_> = filter.decisions().unwrap().by_rule().collect();
        let counts: Vec<_> = by_rule.iter().map(|rule| (rule.allows, rule.count)).collect();
        assert_eq!(counts, [(false, 1), (false, 2)], "{by_rule:?}");
        assert!(by_rule.iter().all(|rule| rule.denied.users.contains("alice")));
        let totals: Vec<_> = filter.decisions().unwrap().totals().collect();
        assert!(
            totals.iter().all(|total| total.is_shadow && !total.allowed),
            "{totals:?}"
        );
    }

    #[test]
    fn an_answer_that_is_not_understood_passes() {
        let filter = filter();
        let mut session = testing::session();
        session.set_subject(Arc::new(Subject::user("alice")));
        let every = body(ApiKey::LIST_GROUPS, Direction::Request, 4, |_| ());
        shown(&filter, &mut session, ApiKey::LIST_GROUPS, &every, b"nothing");
        assert_eq!(session.take_denied(), None);
    }
}
