use std::time::Duration;

use serde_json::json;
use testkit::oidc::{AUDIENCE, Health, Issuer};

use super::*;
use crate::drain::SaslFacts;
use crate::filter::testing::{request, session};
use crate::model::{KeySetModel, KeySetOrigin, KeysOnStart, UpstreamTls, UpstreamTrust};
use crate::pki::Negotiation;
use crate::sasl::jwt::TokenRules;
use crate::wire::sasl::{AuthenticateOutcome, authenticate_outcome};

/// API, version and body of a request.
type Content = (i16, i16, Vec<u8>);

fn model(issuer: &Issuer) -> OauthBearerValidationModel {
    OauthBearerValidationModel {
        keys: KeySetModel {
            origin: KeySetOrigin::Web {
                url: issuer.jwks_url().into(),
                tls: UpstreamTls {
                    trust: UpstreamTrust::Platform,
                    identity: None,
                    server_name: None,
                    revoked: None,
                    negotiation: Negotiation::default(),
                },
            },
            refresh: Duration::from_secs(3600),
            retry: Duration::from_millis(10),
            retry_max: Duration::from_millis(10),
            on_start: KeysOnStart::Require,
        },
        rules: TokenRules {
            audiences: vec![AUDIENCE.into()],
            issuer: Some(issuer.url().into()),
            ..TokenRules::default()
        },
        remembered_for: Duration::from_secs(60),
        remembered: 100,
    }
}

async fn filter(issuer: &Issuer) -> OauthBearerValidation {
    let built = OauthBearerValidation::build("tokens".into(), &model(issuer), None).await;
    built.unwrap()
}

fn asked(
    filter: &OauthBearerValidation,
    session: &mut ClientSession,
    (key, version, body): &Content,
) -> FilterStep<OnRequest> {
    let mut request = request(*key, *version, None, body);
    let step = filter.request(session, &mut request);
    assert_eq!(request.body(), body, "the broker gets what the client sends");
    step
}

fn handshake(version: i16, mechanism: &str) -> Content {
    let name = [&(mechanism.len() as i16).to_be_bytes()[..], mechanism.as_bytes()].concat();
    (ApiKey::SASL_HANDSHAKE, version, name)
}

fn authenticate(version: i16, message: &[u8]) -> Content {
    let body = match version {
        2 => [&varint(message.len() + 1)[..], message, &[0]].concat(),
        _ => [&(message.len() as i32).to_be_bytes()[..], message].concat(),
    };
    (ApiKey::SASL_AUTHENTICATE, version, body)
}

fn varint(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn message(token: &str) -> Vec<u8> {
    format!("n,,\u{1}auth=Bearer {token}\u{1}\u{1}").into_bytes()
}

/// A session whose client has asked for OAUTHBEARER.
fn begun(filter: &OauthBearerValidation) -> ClientSession {
    let mut session = session();
    let step = asked(filter, &mut session, &handshake(1, "OAUTHBEARER"));
    assert!(matches!(step, FilterStep::Now(OnRequest::Forward)), "{step:?}");
    session
}

/// The step for a token, after what it waits for.
async fn decided(filter: &OauthBearerValidation, session: &mut ClientSession, message: &[u8]) -> OnRequest {
    let content = authenticate(2, message);
    for _ in 0..=crate::filter::MOST_REPETITIONS {
        match asked(filter, session, &content) {
            FilterStep::Again(wait) => wait.await,
            FilterStep::Now(decision) => return decision,
            step => panic!("{step:?}"),
        }
    }
    panic!("it does not decide")
}

/// Why a token is refused: the text that the client gets, and that of the log.
async fn refused(filter: &OauthBearerValidation, message: &[u8]) -> (String, String) {
    let decision = decided(filter, &mut begun(filter), message).await;
    let OnRequest::AnswerAndLeave(answer, leave) = decision else {
        panic!("{decision:?}")
    };
    assert_eq!(leave.cause, LeaveCause::AuthenticationFailed);
    let outcome = AuthenticateOutcome {
        error_code: 58,
        token: b"",
    };
    assert_eq!(authenticate_outcome(&answer, 2), Ok(Some(outcome)));
    let text = &answer[3..2 + usize::from(answer[2])];
    (
        String::from_utf8(text.to_vec()).unwrap(),
        leave.detail.into_owned(),
    )
}

fn accepted(filter: &OauthBearerValidation, session: &mut ClientSession, name: &str) {
    session.handle().facts.note_sasl(SaslFacts {
        mechanism: OAUTHBEARER.into(),
        principal: Some(name.into()),
    });
    session.refresh_subject();
    filter.authenticated(session);
}

#[tokio::test]
async fn a_valid_token_goes_on_and_names_the_client_once_the_broker_agrees() {
    let issuer = Issuer::start();
    let filter = filter(&issuer).await;
    let mut session = begun(&filter);
    let token = issuer.token_with("billing", &json!({"scope": "read write"}));
    let decision = decided(&filter, &mut session, &message(&token)).await;
    assert!(matches!(decision, OnRequest::Forward), "{decision:?}");
    assert!(session.subject().is_anonymous(), "the broker has not answered");
    accepted(&filter, &mut session, "billing");
    let subject = session.subject();
    assert_eq!(subject.user_name(), Some("billing"));
    assert_eq!(subject.scopes, ["read".into(), "write".into()]);
    assert!(subject.expires.is_some_and(|expires| expires > SystemTime::now()));
}

#[tokio::test]
async fn every_authentication_of_a_session_is_checked() {
    let issuer = Issuer::start();
    let filter = filter(&issuer).await;
    let mut session = begun(&filter);
    let good = message(&issuer.token("billing"));
    assert!(matches!(
        decided(&filter, &mut session, &good).await,
        OnRequest::Forward
    ));
    accepted(&filter, &mut session, "billing");
    let bad = message(&issuer.token_with("billing", &json!({"exp": 1})));
    let again = asked(&filter, &mut session, &handshake(1, "OAUTHBEARER"));
    assert!(matches!(again, FilterStep::Now(OnRequest::Forward)));
    let decision = decided(&filter, &mut session, &bad).await;
    assert!(matches!(decision, OnRequest::AnswerAndLeave(..)), "{decision:?}");
}

#[tokio::test]
async fn a_rejected_token_is_answered_as_a_broker_would_and_the_log_says_why() {
    let issuer = Issuer::start();
    let filter = filter(&issuer).await;
    let (client, log) = refused(
        &filter,
        &message(&issuer.token_with("a", &json!({"aud": "other"}))),
    )
    .await;
    assert_eq!(client, "invalid_token: the token is for another audience");
    assert_eq!(
        log,
        "the token is for the audience `other` (`aud`), which is not one of `expectedAudience`"
    );
    let (client, log) = refused(&filter, b"n,a=eve,\x01auth=Bearer x\x01\x01").await;
    assert_eq!(client, "invalid_token: the token is not a signed JSON Web Token");
    assert!(!log.contains("eve"), "{log}");
    let as_eve = format!("n,a=eve,\u{1}auth=Bearer {}\u{1}\u{1}", issuer.token("billing"));
    let (client, log) = refused(&filter, as_eve.as_bytes()).await;
    assert_eq!(client, "invalid_token: the token names somebody else");
    assert_eq!(
        log,
        "the client asks to act as `eve`, but the token names `billing`"
    );
    for garbage in [&b""[..], b"\0alice\0secret", &[0xff; 64]] {
        let (client, _) = refused(&filter, garbage).await;
        assert_eq!(client, "invalid_token: the message is not one of OAUTHBEARER");
    }
}

#[tokio::test]
async fn the_answer_has_the_form_of_every_version() {
    let issuer = Issuer::start();
    let filter = filter(&issuer).await;
    for version in 0..=2 {
        let mut session = begun(&filter);
        let garbage = format!("garbage {version}");
        let step = asked(&filter, &mut session, &authenticate(version, garbage.as_bytes()));
        let FilterStep::Now(OnRequest::AnswerAndLeave(answer, _)) = step else {
            panic!("{step:?}")
        };
        let outcome = AuthenticateOutcome {
            error_code: 58,
            token: b"",
        };
        assert_eq!(authenticate_outcome(&answer, version), Ok(Some(outcome)));
    }
}

#[tokio::test]
async fn a_token_that_comes_back_waits_for_its_answer() {
    let issuer = Issuer::start();
    let filter = filter(&issuer).await;
    let bad = authenticate(2, b"garbage");
    for attempt in 0..3 {
        let mut session = begun(&filter);
        let mut step = asked(&filter, &mut session, &bad);
        let waits = matches!(step, FilterStep::Again(_));
        assert_eq!(waits, attempt > 0, "{attempt} {step:?}");
        if waits {
            // How long it is, the tests of `rejected` say.
            step = asked(&filter, &mut session, &bad);
        }
        assert!(
            matches!(step, FilterStep::Now(OnRequest::AnswerAndLeave(..))),
            "{step:?}"
        );
    }
    let other = asked(&filter, &mut begun(&filter), &authenticate(2, b"other garbage"));
    assert!(
        matches!(other, FilterStep::Now(_)),
        "another token is answered at once"
    );
}

#[tokio::test]
async fn a_token_with_a_new_key_has_the_keys_fetched() {
    let issuer = Issuer::start();
    let filter = filter(&issuer).await;
    issuer.rotate();
    let token = message(&issuer.token("billing"));
    let decision = decided(&filter, &mut begun(&filter), &token).await;
    assert!(matches!(decision, OnRequest::Forward), "{decision:?}");
    assert_eq!(issuer.jwks_requests(), 2);
}

#[tokio::test]
async fn other_mechanisms_pass_and_tokens_without_frames_do_not() {
    let issuer = Issuer::start();
    let filter = filter(&issuer).await;
    let mut plain = session();
    for content in [
        handshake(0, "PLAIN"),
        handshake(1, "PLAIN"),
        authenticate(1, b"\0alice\0secret"),
    ] {
        let step = asked(&filter, &mut plain, &content);
        assert!(matches!(step, FilterStep::Now(OnRequest::Forward)), "{step:?}");
    }
    let step = asked(&filter, &mut session(), &handshake(0, "OAUTHBEARER"));
    let FilterStep::Now(OnRequest::AnswerAndLeave(answer, _)) = step else {
        panic!("{step:?}")
    };
    assert_eq!(answer, b"\0\x21\0\0\0\0");
    // Who has asked for OAUTHBEARER is checked, whatever is asked for after it.
    let mut sly = begun(&filter);
    asked(&filter, &mut sly, &handshake(1, "PLAIN"));
    let step = asked(&filter, &mut sly, &authenticate(1, &message("forged")));
    assert!(
        matches!(step, FilterStep::Now(OnRequest::AnswerAndLeave(..))),
        "{step:?}"
    );
}

#[tokio::test]
async fn keys_and_memory_are_handed_over_unless_they_are_to_be_others() {
    let issuer = Issuer::start();
    let first = filter(&issuer).await;
    issuer.set_health(Health::Failing);
    let mut model = model(&issuer);
    model.rules.issuer = None;
    let second = OauthBearerValidation::build("tokens".into(), &model, Some(&first))
        .await
        .unwrap();
    assert!(Arc::ptr_eq(first.judge.keys(), second.judge.keys()));
    assert!(Arc::ptr_eq(&first.rejected, &second.rejected));
    let other = Issuer::start();
    let mut moved = self::model(&other);
    moved.remembered = 7;
    let third = OauthBearerValidation::build("tokens".into(), &moved, Some(&second))
        .await
        .unwrap();
    assert!(!Arc::ptr_eq(second.judge.keys(), third.judge.keys()));
    assert!(!Arc::ptr_eq(&second.rejected, &third.rejected));
    let decision = decided(&third, &mut begun(&third), &message(&issuer.token("a"))).await;
    assert!(
        matches!(decision, OnRequest::AnswerAndLeave(..)),
        "a set that was removed is not trusted"
    );
}
