use super::*;
use crate::drain::SaslFacts;
use crate::filter::testing::{request, session};
use crate::model::SaslSubjectBuilder;
use crate::wire::api;

fn filter(require_authentication: bool) -> SaslInspection {
    let mechanisms = vec!["OAUTHBEARER", "SCRAM-SHA-256"];
    let model = SaslInspectionModel {
        mechanisms,
        subject_builder: SaslSubjectBuilder::default(),
        require_authentication,
    };
    SaslInspection::new("who".into(), model)
}

fn asked(
    filter: &SaslInspection,
    session: &mut ClientSession,
    key: i16,
    body: &[u8],
) -> FilterStep<OnRequest> {
    filter.request(session, &mut request(key, 1, None, body))
}

fn mechanism(name: &str) -> Vec<u8> {
    [&(name.len() as i16).to_be_bytes()[..], name.as_bytes()].concat()
}

fn answered(filter: &SaslInspection, body: &[u8]) -> Vec<u8> {
    let api = api::api(ApiKey::SASL_HANDSHAKE).unwrap();
    let content = [b"\0\0\0\x07", body].concat();
    let mut response = Response::new(api, 1, content.into(), 4, true);
    let step = filter.response(&mut session(), &mut response, &mut None);
    assert!(matches!(step, FilterStep::Now(OnResponse::Forward)), "{step:?}");
    response.body().to_vec()
}

#[test]
fn a_mechanism_that_is_not_enabled_is_answered_with_those_that_are() {
    let filter = filter(false);
    let mut session = session();
    for name in ["OAUTHBEARER", "SCRAM-SHA-256"] {
        let step = asked(&filter, &mut session, ApiKey::SASL_HANDSHAKE, &mechanism(name));
        assert!(
            matches!(step, FilterStep::Now(OnRequest::Forward)),
            "{name} {step:?}"
        );
    }
    for name in ["PLAIN", "GSSAPI", "SCRAM-SHA-512", "oauthbearer", ""] {
        let step = asked(&filter, &mut session, ApiKey::SASL_HANDSHAKE, &mechanism(name));
        let FilterStep::Now(OnRequest::Answer(answer)) = step else {
            panic!("{name} {step:?}")
        };
        let names = vec![b"OAUTHBEARER".as_slice(), b"SCRAM-SHA-256"];
        assert_eq!(sasl::handshake_outcome(&answer), Some((33, names)));
    }
}

#[test]
fn a_client_learns_the_mechanisms_that_both_sides_have() {
    let filter = filter(false);
    let refused = handshake_answer(33, ["PLAIN", "SCRAM-SHA-256", "GSSAPI"].into_iter());
    let common = handshake_answer(33, ["SCRAM-SHA-256"].into_iter());
    assert_eq!(answered(&filter, &refused), common);
    let none = handshake_answer(33, ["PLAIN"].into_iter());
    assert_eq!(answered(&filter, &none), handshake_answer(33, std::iter::empty()));
    let accepted = handshake_answer(0, ["PLAIN", "SCRAM-SHA-256"].into_iter());
    assert_eq!(
        answered(&filter, &accepted),
        accepted,
        "what the broker accepts passes unchanged"
    );
}

#[test]
fn nobody_gets_further_without_a_name_where_it_is_required() {
    let filter = filter(true);
    let mut session = session();
    filter.opened(&mut session);
    let step = asked(&filter, &mut session, ApiKey::API_VERSIONS, b"");
    assert!(
        matches!(step, FilterStep::Now(OnRequest::ForwardBlind)),
        "{step:?}"
    );
    let step = asked(&filter, &mut session, ApiKey::METADATA, &[0, 0, 0, 0]);
    let FilterStep::Now(OnRequest::AnswerAndLeave(_, leave)) = step else {
        panic!("{step:?}")
    };
    assert_eq!(leave.cause, LeaveCause::AuthenticationFailed);
    assert_eq!(leave.detail, "Metadata before the client has authenticated");
    let large = vec![0; MAX_ANSWERED + 1];
    let step = asked(&filter, &mut session, ApiKey::METADATA, &large);
    assert!(matches!(step, FilterStep::Now(OnRequest::Leave(_))), "{step:?}");
    let mut note = |principal: Option<&str>| {
        session.handle().facts.note_sasl(SaslFacts {
            mechanism: "OAUTHBEARER".into(),
            principal: principal.map(Into::into),
        });
        filter.authenticated(&mut session);
        asked(&filter, &mut session, ApiKey::METADATA, &[0, 0, 0, 0])
    };
    assert!(
        matches!(note(None), FilterStep::Now(OnRequest::AnswerAndLeave(..))),
        "a token without a name"
    );
    let step = note(Some("billing"));
    assert!(
        matches!(step, FilterStep::Now(OnRequest::ForwardBlind)),
        "{step:?}"
    );
}

#[test]
fn requests_are_read_only_where_authentication_is_required() {
    let reads = |filter: &SaslInspection| {
        let mut interest = Interest::default();
        filter.interest(&mut interest);
        interest.of(ApiKey::PRODUCE).request(9)
    };
    assert_eq!(reads(&filter(false)), Level::None);
    assert_ne!(reads(&filter(true)), Level::None);
}
