//! Whole exchanges of every mechanism.

use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;
use crate::sasl::{CredentialSet, ScramVerifier};

const NONCE: &str = "3rfcNHYJY1ZVvWVs7j";

fn credentials() -> Arc<CredentialSet> {
    let iterations = NonZeroU32::new(4096).unwrap();
    let mut set = CredentialSet::default();
    for hash in [ScramHash::Sha256, ScramHash::Sha512] {
        let verifier = ScramVerifier::of_password(hash, "pencil", b"0123456789abcdef", iterations);
        set.add("user", verifier).unwrap();
    }
    Arc::new(set)
}

#[derive(Debug)]
struct Judge;

impl crate::sasl::TokenJudge for Judge {
    fn judge(&self, token: &str, now: u64) -> TokenVerdict {
        match token {
            "good" => TokenVerdict::Accepted(TokenFacts {
                subject: "service".into(),
                scopes: vec!["read".into()],
                expires: Some(now + 60),
            }),
            "later" if now < 100 => TokenVerdict::Wait(Box::pin(std::future::ready(()))),
            "later" => self.judge("good", now),
            _ => TokenVerdict::Refused("it is bad".into()),
        }
    }
}

fn realm() -> Arc<SaslRealm> {
    let source = VerifierSource::new(credentials(), None);
    let bearer = BearerSource {
        judge: Arc::new(Judge),
        scope: None,
        max_bytes: 131_072,
    };
    let realm = SaslRealm::new([7; 32])
        .with_scram(ScramHash::Sha512, source.clone())
        .with_scram(ScramHash::Sha256, source.clone())
        .with_plain(PlainSource::Verifiers(source))
        .with_bearer(bearer);
    Arc::new(realm)
}

fn begin(mechanism: ServerMechanism) -> ServerExchange {
    ServerExchange::new(realm(), mechanism)
}

fn challenge(step: ServerStep) -> String {
    match step {
        ServerStep::Challenge(bytes) => String::from_utf8(bytes).unwrap(),
        ServerStep::Refused(why) => panic!("refused: {why}"),
        _ => panic!("no challenge"),
    }
}

fn refused(step: ServerStep) -> String {
    match step {
        ServerStep::Refused(why) => why,
        _ => panic!("not refused"),
    }
}

fn accepted(step: ServerStep) -> SaslIdentity {
    match step {
        ServerStep::Accepted { identity, .. } => identity,
        ServerStep::Refused(why) => panic!("refused: {why}"),
        _ => panic!("not accepted"),
    }
}

/// What a client with this password answers.
fn proof(hash: ScramHash, password: &str, first: &str, server_first: &str) -> String {
    let field = |name: &str| {
        let found = server_first.split(',').find_map(|part| part.strip_prefix(name));
        found.unwrap()
    };
    let salt = data_encoding::BASE64.decode(field("s=").as_bytes()).unwrap();
    let salted = hash.salted(password.as_bytes(), &salt, field("i=").parse().unwrap());
    let without_proof = format!("c=biws,r={}", field("r="));
    let signed = format!("{first},{server_first},{without_proof}");
    let key = hash.hmac(&salted, b"Client Key");
    let signature = hash.hmac(&hash.digest(&key), signed.as_bytes());
    let proof: Vec<u8> = key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
    format!("{without_proof},p={}", data_encoding::BASE64.encode(&proof))
}

fn scram(mechanism: ServerMechanism, hash: ScramHash, name: &str, password: &str) -> ServerStep {
    let mut exchange = begin(mechanism);
    let first = format!("n={name},r=abc");
    let answer = challenge(exchange.receive(format!("n,,{first}").as_bytes(), 0, NONCE));
    let last = proof(hash, password, &first, &answer);
    exchange.receive(last.as_bytes(), 0, NONCE)
}

#[test]
fn a_user_logs_in_by_scram() {
    for (mechanism, hash) in [
        (ServerMechanism::ScramSha256, ScramHash::Sha256),
        (ServerMechanism::ScramSha512, ScramHash::Sha512),
    ] {
        let identity = accepted(scram(mechanism, hash, "user", "pencil"));
        assert_eq!((identity.name.as_str(), identity.mechanism), ("user", mechanism));
        for (name, password) in [("user", "pen"), ("nobody", "pencil")] {
            let why = refused(scram(mechanism, hash, name, password));
            assert!(why.ends_with("name and password do not belong together"), "{why}");
        }
    }
}

#[test]
fn a_stranger_cannot_tell_who_exists() {
    let ask = |name: &str| {
        let mut exchange = begin(ServerMechanism::ScramSha256);
        let first = format!("n,,n={name},r=abc");
        challenge(exchange.receive(first.as_bytes(), 0, NONCE))
    };
    let (real, phantom) = (ask("user"), ask("nobody"));
    let shape = |answer: &str| {
        let parts: Vec<_> = answer.split(',').map(str::to_owned).collect();
        (parts[0].clone(), parts[1].len(), parts[2].clone())
    };
    assert_eq!(shape(&real), shape(&phantom));
    assert_eq!(phantom, ask("nobody"), "the same user has the same salt");
    assert_ne!(phantom, ask("somebody"));
}

#[test]
fn a_phantom_has_the_iterations_of_the_configuration() {
    let source = VerifierSource::new(credentials(), NonZeroU32::new(12_345));
    let realm = Arc::new(SaslRealm::new([7; 32]).with_scram(ScramHash::Sha256, source));
    let mut exchange = ServerExchange::new(realm, ServerMechanism::ScramSha256);
    let answer = challenge(exchange.receive(b"n,,n=nobody,r=abc", 0, NONCE));
    assert!(answer.ends_with(",i=12345"), "{answer}");
}

#[test]
fn a_user_logs_in_by_plain() {
    for (message, expected) in [
        (&b"\0user\0pencil"[..], true),
        (b"\0user\0pen", false),
        (b"\0nobody\0pencil", false),
    ] {
        let mut exchange = begin(ServerMechanism::Plain);
        let ServerStep::Check(check) = exchange.receive(message, 0, NONCE) else {
            panic!("no check");
        };
        assert!(!format!("{check:?}").contains("pen"), "{check:?}");
        let fits = check.derive().unwrap();
        assert_eq!(fits, expected, "{}", message.escape_ascii());
        match (exchange.password_checked(Ok(fits)), expected) {
            (ServerStep::Accepted { identity, .. }, true) => assert_eq!(identity.name, "user"),
            (ServerStep::Refused(why), false) => assert!(why.contains("belong together"), "{why}"),
            _ => panic!("neither"),
        }
    }
    let mut exchange = begin(ServerMechanism::Plain);
    assert!(matches!(
        exchange.receive(b"\0user\0p", 0, NONCE),
        ServerStep::Check(_)
    ));
    let why = refused(exchange.password_checked(Err("nobody answers".into())));
    assert_eq!(why, "\"user\": nobody answers");
}

#[test]
fn a_token_is_judged_and_its_refusal_acknowledged() {
    let say = |token: &str| format!("n,,\u{1}auth=Bearer {token}\u{1}\u{1}").into_bytes();
    let mut exchange = begin(ServerMechanism::OauthBearer);
    let identity = accepted(exchange.receive(&say("good"), 7, NONCE));
    assert_eq!((identity.name.as_str(), identity.expires), ("service", Some(67)));
    assert!(identity.token.is_some());

    let mut exchange = begin(ServerMechanism::OauthBearer);
    let json = challenge(exchange.receive(&say("bad"), 0, NONCE));
    assert_eq!(json, r#"{"status":"invalid_token"}"#);
    assert_eq!(refused(exchange.receive(&[1], 0, NONCE)), "it is bad");

    let mut exchange = begin(ServerMechanism::OauthBearer);
    assert!(matches!(
        exchange.receive(&say("later"), 0, NONCE),
        ServerStep::Wait(_)
    ));
    accepted(exchange.token_awaited(100));

    let mut exchange = begin(ServerMechanism::OauthBearer);
    let other = b"n,a=other,\x01auth=Bearer good\x01\x01";
    challenge(exchange.receive(other, 0, NONCE));
    assert!(refused(exchange.receive(&[1], 0, NONCE)).contains("another user"));
}

#[test]
fn long_messages_and_uninvited_ones_are_refused() {
    for mechanism in ServerMechanism::ALL {
        let most = realm().max_message(mechanism);
        let mut exchange = begin(mechanism);
        let why = refused(exchange.receive(&vec![b'n'; most + 1], 0, NONCE));
        assert!(why.contains("are allowed"), "{why}");
        refused(exchange.receive(b"", 0, NONCE));
        refused(exchange.password_checked(Ok(true)));
        refused(exchange.token_awaited(0));
    }
}

proptest! {
    #[test]
    fn any_message_has_an_answer(mechanism in 0_usize..4, messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..4)) {
        let mut exchange = begin(ServerMechanism::ALL[mechanism]);
        for message in messages {
            match exchange.receive(&message, 0, NONCE) {
                ServerStep::Accepted { .. } => panic!("accepted"),
                ServerStep::Check(_) => { exchange.password_checked(Ok(false)); }
                _ => {}
            }
        }
    }

    #[test]
    fn any_name_and_password_of_scram_belong_together(name in "[^\\pC]{1,20}", password in "[^\\pC]{1,20}", wrong in "[^\\pC]{1,20}") {
        let iterations = NonZeroU32::new(4096).unwrap();
        let mut set = CredentialSet::default();
        set.add(&name, ScramVerifier::of_password(ScramHash::Sha256, &password, b"salt", iterations)).unwrap();
        let source = VerifierSource::new(Arc::new(set), None);
        let realm = Arc::new(SaslRealm::new([0; 32]).with_scram(ScramHash::Sha256, source));
        for tried in [&password, &wrong] {
            let mut exchange = ServerExchange::new(Arc::clone(&realm), ServerMechanism::ScramSha256);
            let first = format!("n={},r=abc", name.replace('=', "=3D").replace(',', "=2C"));
            let answer = challenge(exchange.receive(format!("n,,{first}").as_bytes(), 0, NONCE));
            let last = proof(ScramHash::Sha256, tried, &first, &answer);
            let is_accepted = matches!(exchange.receive(last.as_bytes(), 0, NONCE), ServerStep::Accepted { .. });
            prop_assert_eq!(is_accepted, *tried == password);
        }
    }
}

/// A realm like [`realm`], in which `user` has this password.
fn realm_with(password: &str) -> Arc<SaslRealm> {
    let iterations = NonZeroU32::new(4096).unwrap();
    let mut set = CredentialSet::default();
    for (name, password) in [("user", password), ("another", "pen")] {
        for hash in [ScramHash::Sha256, ScramHash::Sha512] {
            let verifier = ScramVerifier::of_password(hash, password, b"0123456789abcdef", iterations);
            set.add(name, verifier).unwrap();
        }
    }
    let source = VerifierSource::new(Arc::new(set), None);
    let realm = SaslRealm::new([8; 32])
        .with_scram(ScramHash::Sha256, source.clone())
        .with_plain(PlainSource::Verifiers(source));
    Arc::new(realm)
}

#[test]
fn an_exchange_that_moves_to_another_realm_is_judged_there() {
    let first = "n=user,r=abc";
    let outdated = |why: String| assert!(why.starts_with("the user was removed or has got"), "{why}");
    for (realm, is_same) in [(realm_with("pencil"), true), (realm_with("crayon"), false)] {
        let mut scram = begin(ServerMechanism::ScramSha256);
        let answer = challenge(scram.receive(format!("n,,{first}").as_bytes(), 0, NONCE));
        scram.move_to(&realm);
        let last = proof(ScramHash::Sha256, "pencil", first, &answer);
        let step = scram.receive(last.as_bytes(), 0, NONCE);
        let mut plain = begin(ServerMechanism::Plain);
        let ServerStep::Check(check) = plain.receive(b"\0user\0pencil", 0, NONCE) else {
            panic!("no check")
        };
        plain.move_to(&realm);
        let checked = plain.password_checked(Ok(check.derive().unwrap()));
        match is_same {
            true => [step, checked].map(accepted).map(drop),
            false => [step, checked].map(refused).map(outdated),
        };
        // Nothing has been judged before the first message.
        let mut early = begin(ServerMechanism::Plain);
        early.move_to(&realm);
        let ServerStep::Check(check) = early.receive(b"\0another\0pen", 0, NONCE) else {
            panic!("no check")
        };
        assert_eq!(check.derive(), Some(true));
    }
    // A token that waits for keys is judged by the rules that hold then; here no token is.
    let mut token = begin(ServerMechanism::OauthBearer);
    let step = token.receive(b"n,,\x01auth=Bearer later\x01\x01", 1, NONCE);
    assert!(matches!(step, ServerStep::Wait(_)));
    token.move_to(&realm_with("pencil"));
    assert_eq!(
        refused(token.token_awaited(200)),
        "the mechanism is not offered any more"
    );
}
