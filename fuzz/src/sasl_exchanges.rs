//! Authentications, message by message: clients at kproxy, and kproxy at a broker. The first byte says which.

use std::sync::{Arc, OnceLock};

use kproxy::config::Secret;
use kproxy::sasl::client::{
    AwsCredential, BearerToken, ClientExchange, ClientStep, ExchangeSeed, LoginSecret, ScramKeys,
};
use kproxy::sasl::server::{
    BearerSource, PlainSource, SaslIdentity, SaslRealm, ServerExchange, ServerMechanism, ServerStep,
    VerifierSource,
};
use kproxy::sasl::{CredentialSet, ScramHash, ScramVerifier, TokenFacts, TokenJudge, TokenVerdict};

const NOW: u64 = 1_800_000_000;
const USER: &str = "user";
const PASSWORD: &str = "c4nary-s3cret";
const SALT: &[u8] = b"0123456789abcdef";
const NONCE: &str = "3rfcNHYJY1ZVvWVs7j";

/// Longest text of a fault, in bytes: what it quotes is cut.
const MAX_TEXT: usize = 1000;

pub(crate) fn run(input: &[u8]) {
    let [which, rest @ ..] = input else { return };
    match which % 11 {
        which @ 0..4 => stranger(ServerMechanism::ALL[usize::from(which)], rest),
        4 => changed_on_the_way(ScramHash::Sha256, rest),
        5 => changed_on_the_way(ScramHash::Sha512, rest),
        which => hostile_broker(&secrets()[usize::from(which) - 6], rest),
    }
}

/// The messages of a script: a length in one byte, or in two for long ones, then as many bytes, or as are left.
struct Script<'a>(&'a [u8]);

impl<'a> Iterator for Script<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = match self.0 {
            [] => return None,
            [high @ 0xf0..=0xff, low, rest @ ..] => (usize::from(high & 15) * 256 + usize::from(*low), rest),
            [length, rest @ ..] => (usize::from(*length), rest),
        };
        let (message, rest) = rest.split_at(length.min(rest.len()));
        self.0 = rest;
        Some(message)
    }
}

/// Takes any token of this content but one, which it asks time for.
#[derive(Debug)]
struct Judge;

impl TokenJudge for Judge {
    fn judge(&self, token: &str, now: u64) -> TokenVerdict {
        match token {
            "good" => TokenVerdict::Accepted(TokenFacts {
                subject: USER.to_owned(),
                ..TokenFacts::default()
            }),
            "later" if now == NOW => TokenVerdict::Wait(Box::pin(std::future::ready(()))),
            "later" => self.judge("good", now),
            _ => TokenVerdict::Refused("it is bad".to_owned()),
        }
    }
}

fn realm() -> Arc<SaslRealm> {
    static REALM: OnceLock<Arc<SaslRealm>> = OnceLock::new();
    let realm = || {
        let mut set = CredentialSet::default();
        for hash in [ScramHash::Sha256, ScramHash::Sha512] {
            let verifier = ScramVerifier::of_password(hash, PASSWORD, SALT, ITERATIONS);
            set.add(USER, verifier).expect("a name");
        }
        let source = VerifierSource::new(Arc::new(set), None);
        let bearer = BearerSource {
            judge: Arc::new(Judge),
            scope: Some("kafka".to_owned()),
            max_bytes: 2000,
        };
        let realm = SaslRealm::new([7; 32])
            .with_scram(ScramHash::Sha512, source.clone())
            .with_scram(ScramHash::Sha256, source.clone())
            .with_plain(PlainSource::Verifiers(source))
            .with_bearer(bearer);
        Arc::new(realm)
    };
    Arc::clone(REALM.get_or_init(realm))
}

const ITERATIONS: std::num::NonZeroU32 = std::num::NonZeroU32::new(4096).unwrap();

/// The keys of the user. Deriving them is what takes time.
fn keys(hash: ScramHash) -> &'static ScramKeys {
    static KEYS: [OnceLock<ScramKeys>; 2] = [OnceLock::new(), OnceLock::new()];
    let place = &KEYS[usize::from(hash == ScramHash::Sha512)];
    place.get_or_init(|| ScramKeys::derive(hash, PASSWORD, SALT, ITERATIONS))
}

/// A client that says anything is accepted with the credentials of a user only, and nothing after an end changes it.
fn stranger(mechanism: ServerMechanism, script: &[u8]) {
    let mut exchange = ServerExchange::new(realm(), mechanism);
    let mut is_over = false;
    for message in Script(script) {
        let mut step = exchange.receive(message, NOW, NONCE);
        if let ServerStep::Check(check) = &step {
            let password = check.password.reveal();
            assert!(
                password != PASSWORD
                    || check.name.contains(PASSWORD)
                    || !format!("{check:?}").contains(PASSWORD)
            );
            let is_right = check.name == USER && check.password.reveal() == PASSWORD;
            step = exchange.password_checked(Ok(is_right));
        } else if let ServerStep::Wait(_) = &step {
            step = exchange.token_awaited(NOW + 1);
        }
        match step {
            ServerStep::Challenge(challenge) => {
                assert!(!is_over, "an exchange begins again");
                assert!(challenge.len() <= realm().max_message(mechanism) + 200);
            }
            ServerStep::Accepted {
                identity,
                message: last,
            } => {
                assert!(!is_over, "an exchange that is over is accepted");
                assert!(last.is_empty());
                assert_is_user(mechanism, &identity, message);
                is_over = true;
            }
            ServerStep::Refused(why) => {
                assert_text(&why);
                is_over = true;
            }
            ServerStep::Check(_) | ServerStep::Wait(_) => panic!("it was given what it waited for"),
        }
    }
}

/// In the eyes of a plain reader the message has what only the user knows.
fn assert_is_user(mechanism: ServerMechanism, identity: &SaslIdentity, message: &[u8]) {
    assert_eq!((identity.mechanism, &*identity.name), (mechanism, USER));
    let message = std::str::from_utf8(message).expect("text");
    match mechanism {
        ServerMechanism::Plain => {
            let parts: Vec<_> = message.split('\0').collect();
            assert_eq!(parts[1..], [USER, PASSWORD]);
            assert!(["", USER].contains(&parts[0]));
        }
        ServerMechanism::OauthBearer => {
            assert!(["good", "later"].iter().any(|token| message.contains(token)));
            assert!(message.starts_with("n,,\u{1}") || message.starts_with("n,a=user,\u{1}"));
        }
        ServerMechanism::ScramSha256 | ServerMechanism::ScramSha512 => {
            // The nonce of the server is the same in every run of this target, so that a proof can be found.
            assert!(message.contains(NONCE));
        }
    }
}

/// Changes a message as two or three bytes of the script say.
fn change(message: &mut Vec<u8>, script: &mut &[u8]) {
    let [how, at, rest @ ..] = *script else { return };
    *script = rest;
    let at = usize::from(*at) % message.len().max(1);
    match (how % 4, rest) {
        (1, _) => message.truncate(at),
        (2, [value, rest @ ..]) => {
            message[at] ^= value;
            *script = rest;
        }
        (3, [value, rest @ ..]) => {
            message.insert(at, *value);
            *script = rest;
        }
        _ => {}
    }
}

/// The client and the server of kproxy agree if nobody changes what one says to the other, and only then.
fn changed_on_the_way(hash: ScramHash, mut script: &[u8]) {
    let secret = LoginSecret::Scram {
        hash,
        username: USER.to_owned(),
        password: Secret::new(PASSWORD),
    };
    let mut is_same = true;
    let mut carry = |said: Vec<u8>| {
        let mut carried = said.clone();
        change(&mut carried, &mut script);
        is_same &= carried == said;
        (carried, is_same)
    };
    let mechanism = ServerMechanism::from_name(hash.mechanism()).expect("a mechanism of SCRAM");
    let mut server = ServerExchange::new(realm(), mechanism);
    let (mut client, first) = ClientExchange::begin(&secret, SEED);
    let (first, is_same) = carry(first);
    let ServerStep::Challenge(challenge) = server.receive(&first, NOW, NONCE) else {
        assert!(!is_same);
        return;
    };
    let (challenge, is_same) = carry(challenge);
    let challenge = match client.answered(&challenge) {
        Ok(ClientStep::Derive(challenge)) => challenge,
        other => {
            assert!(!is_same, "{other:?}");
            return;
        }
    };
    // Other salts and numbers of iterations have other keys; any do for one that is wrong anyway.
    let (proof, is_same) = carry(client.proven(&challenge, keys(hash)));
    let step = server.receive(&proof, NOW, NONCE);
    assert_eq!(matches!(step, ServerStep::Accepted { .. }), is_same);
    let ServerStep::Accepted {
        message: signature, ..
    } = step
    else {
        return;
    };
    let (carried, is_same) = carry(signature.clone());
    match client.answered(&carried) {
        Ok(ClientStep::Done) => assert!(is_same || carried.starts_with(&[&signature[..], b","].concat())),
        other => assert!(!is_same, "{other:?}"),
    }
}

const SEED: ExchangeSeed<'static> = ExchangeSeed {
    nonce: "fyko+d2lbbFgONRv9qkxdawL",
    host: "b-1.cluster.abcdef.c2.kafka.eu-central-1.amazonaws.com",
    now: NOW,
};

fn secrets() -> [LoginSecret; 5] {
    let password = || Secret::new(PASSWORD);
    let scram = |hash| LoginSecret::Scram {
        hash,
        username: USER.to_owned(),
        password: password(),
    };
    [
        LoginSecret::Plain {
            username: USER.to_owned(),
            password: password(),
        },
        scram(ScramHash::Sha256),
        scram(ScramHash::Sha512),
        LoginSecret::Bearer(BearerToken::of(password())),
        LoginSecret::MskIam {
            credential: AwsCredential {
                access_key_id: "AKIDEXAMPLE".to_owned(),
                secret_access_key: password(),
                session_token: None,
            },
            region: "eu-central-1".to_owned(),
        },
    ]
}

/// A broker that says anything learns no secret, cannot show that it knows the password, and its words do no harm in a log.
fn hostile_broker(secret: &LoginSecret, script: &[u8]) {
    let (mut exchange, first) = ClientExchange::begin(secret, SEED);
    let says_secret = matches!(secret, LoginSecret::Plain { .. } | LoginSecret::Bearer(_));
    assert_eq!(contains(&first, PASSWORD), says_secret);
    // What the broker itself has said may be shown.
    let mut was_told = false;
    for token in Script(script) {
        was_told |= contains(token, PASSWORD);
        assert!(was_told || !format!("{exchange:?}").contains(PASSWORD));
        match exchange.answered(token) {
            Ok(ClientStep::Send(next)) => assert!(next.len() <= 1),
            Ok(ClientStep::Derive(challenge)) => {
                assert!((4096..=100_000).contains(&challenge.iterations.get()));
                let proof = exchange.proven(&challenge, keys(challenge.hash()));
                assert!(proof.len() <= token.len() + 200 && !contains(&proof, PASSWORD) || was_told);
            }
            Ok(ClientStep::Done) => {
                // The signature is one of the client's nonce: found by nobody who does not know the keys.
                assert!(
                    !matches!(secret, LoginSecret::Scram { .. }),
                    "a broker without the keys"
                );
                return;
            }
            Err(why) => {
                assert_text(&why);
                assert!(!why.contains(PASSWORD) || was_told);
                exchange.reason().into_iter().for_each(assert_text);
                return;
            }
        }
    }
}

fn assert_text(text: &str) {
    assert!(
        text.len() <= MAX_TEXT && !text.chars().any(char::is_control),
        "{} bytes: {text:?}",
        text.len()
    );
}

fn contains(bytes: &[u8], wanted: &str) -> bool {
    bytes
        .windows(wanted.len())
        .any(|window| window == wanted.as_bytes())
}
