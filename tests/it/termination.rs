//! Clients that authenticate at kproxy (`SaslTermination`). Promises 5 and 6 are in `offers.rs`, 7 and 8 in `sessions.rs`, 9 in
//! `hostile.rs`, 10 to 12 in `tokens.rs`, 13 in `per_client.rs`.
//!
//! 1. Before a client has authenticated it gets ApiVersions and SASL answered and nothing else, and no broker is connected to
//!    for it.
//! 2. PLAIN and SCRAM let in who knows the password; the broker sees no credentials, and requests go on.
//! 3. A wrong password and a user that does not exist are answered alike (58), after the same delay, and closed.
//! 4. An unknown mechanism is answered 33 with the list, and the client may go on; SaslHandshake v0 35; out of order 34.
//! 5. ApiVersions is answered from what the brokers were last seen to offer, without delegation tokens and SCRAM credentials;
//!    a request for these is answered 35.
//! 6. The client's ApiVersions reaches the broker, and a broker that offers less than was promised closes the session.
//! 7. A client authenticates again, as the same user by the same mechanism; one that does not is closed after its time.
//! 8. A user that is removed, or gets another password, leaves; others stay. An authentication that a reload overtakes is judged by
//!    the new users and rules.
//! 9. Garbage, tokens that are too large and crowds cost a close each.
//! 10. OAUTHBEARER lets in who has a valid token of the issuer, until it ends; others are refused as RFC 7628 has it. The issuer is
//!     asked for its keys once for everybody, and needed only when they change.
//! 11. The token goes on to the broker where the target says so, and the newest one when the broker wants it again.
//! 12. The name of the client is the one that `subjectBuilder` makes of it.
//! 13. With `credentials: perClient` a client that has authenticated here has the credentials of its line at the broker; one
//!     without a line is closed.

mod hostile;
mod offers;
mod per_client;
mod sessions;
mod tokens;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use kafka_protocol::messages::{
    MetadataRequest, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest,
    SaslHandshakeResponse,
};
use kafka_protocol::protocol::StrBytes;
use kproxy::model::{
    CredentialSource, FilterKind, FilterMode, FilterModel, PlainUsers, SaslSubjectBuilder,
    SaslTerminationModel, TerminatedMechanism,
};
use kproxy::sasl::{CredentialSet, ScramHash, ScramVerifier};
use kproxy::session::cause::CloseCause;
use testkit::client::Client;
use testkit::cluster::{Cluster, SASL_AUTHENTICATE, SASL_HANDSHAKE};
use testkit::frames::{self, heartbeat};
use testkit::proxy::{Setup, TestProxy};

/// A little more than a check of a password takes, so that it is not what a test measures.
const DELAY: Duration = Duration::from_millis(150);

const NOBODY: [i32; 0] = [];

fn credentials(users: &[(&str, &str)]) -> Arc<CredentialSet> {
    let iterations = NonZeroU32::new(4096).unwrap();
    let mut set = CredentialSet::default();
    for (name, password) in users {
        for hash in [ScramHash::Sha256, ScramHash::Sha512] {
            let verifier = ScramVerifier::of_password(hash, password, name.as_bytes(), iterations);
            set.add(name, verifier).unwrap();
        }
    }
    Arc::new(set)
}

/// Every mechanism with these users.
fn settings(users: &[(&str, &str)]) -> SaslTerminationModel {
    let users = CredentialSource {
        credentials: credentials(users),
        phantom_iterations: None,
    };
    SaslTerminationModel {
        mechanisms: vec![
            TerminatedMechanism::Scram {
                hash: ScramHash::Sha256,
                users: users.clone(),
            },
            TerminatedMechanism::Scram {
                hash: ScramHash::Sha512,
                users: users.clone(),
            },
            TerminatedMechanism::Plain {
                users: PlainUsers::Credentials(users),
                without_tls: true,
            },
        ],
        max_time_before_reauth: None,
        failed_delay: DELAY,
        subject_builder: SaslSubjectBuilder::default(),
    }
}

fn with(setup: Setup, model: SaslTerminationModel) -> Setup {
    let filter = FilterModel {
        name: "login".into(),
        kind: FilterKind::SaslTermination(model),
        mode: FilterMode::Enforce,
        when: None,
        on_error: Default::default(),
    };
    setup.cluster(|cluster| cluster.filters = vec![Arc::new(filter)])
}

/// In front of a cluster of one node, with two users.
fn start(cluster: &Cluster) -> TestProxy {
    let setup = Setup::to(&[cluster.address(0)]);
    with(setup, settings(&[("alice", "pencil"), ("bob", "eraser")])).start()
}

#[track_caller]
fn handshake(client: &mut Client, version: i16, mechanism: &str) -> SaslHandshakeResponse {
    let mechanism = StrBytes::from_string(mechanism.to_owned());
    client.call(
        version,
        1,
        &SaslHandshakeRequest::default().with_mechanism(mechanism),
    )
}

#[track_caller]
fn authenticate(client: &mut Client, token: &[u8]) -> SaslAuthenticateResponse {
    let token = SaslAuthenticateRequest::default().with_auth_bytes(token.to_vec().into());
    client.call(2, 2, &token)
}

/// The last answer of the exchange.
#[track_caller]
fn plain(client: &mut Client, name: &str, password: &str) -> SaslAuthenticateResponse {
    assert_eq!(handshake(client, 1, "PLAIN").error_code, 0);
    authenticate(client, format!("\0{name}\0{password}").as_bytes())
}

/// The last answer of the exchange.
#[track_caller]
fn scram(client: &mut Client, hash: ScramHash, name: &str, password: &str) -> SaslAuthenticateResponse {
    let challenge = scram_until_proof(client, hash, name);
    scram_proof(client, challenge, password)
}

/// An exchange of SCRAM in which the client has to prove that it knows the password.
struct ScramChallenge {
    hash: ScramHash,
    client_first: String,
    server_first: String,
}

#[track_caller]
fn scram_until_proof(client: &mut Client, hash: ScramHash, name: &str) -> ScramChallenge {
    assert_eq!(handshake(client, 1, hash.mechanism()).error_code, 0);
    let client_first = format!("n={name},r=clientnonce");
    let answer = authenticate(client, format!("n,,{client_first}").as_bytes());
    assert_eq!(answer.error_code, 0);
    ScramChallenge {
        hash,
        client_first,
        server_first: String::from_utf8(answer.auth_bytes.to_vec()).unwrap(),
    }
}

#[track_caller]
fn scram_proof(client: &mut Client, challenge: ScramChallenge, password: &str) -> SaslAuthenticateResponse {
    let ScramChallenge {
        hash,
        client_first,
        server_first,
    } = challenge;
    let field = |name: &str| {
        server_first
            .split(',')
            .find_map(|part| part.strip_prefix(name))
            .unwrap()
    };
    let salt = BASE64.decode(field("s=").as_bytes()).unwrap();
    let salted = hash.salted(password.as_bytes(), &salt, field("i=").parse().unwrap());
    let without_proof = format!("c=biws,r={}", field("r="));
    let signed = format!("{client_first},{server_first},{without_proof}");
    let key = hash.hmac(&salted, b"Client Key");
    let signature = hash.hmac(&hash.digest(&key), signed.as_bytes());
    let proof: Vec<u8> = key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
    let last = format!("{without_proof},p={}", BASE64.encode(&proof));
    let answer = authenticate(client, last.as_bytes());
    if answer.error_code == 0 {
        let server_key = hash.hmac(&salted, b"Server Key");
        let expected = BASE64.encode(&hash.hmac(&server_key, signed.as_bytes()));
        assert_eq!(answer.auth_bytes, format!("v={expected}").into_bytes());
    }
    answer
}

/// The client's requests reach the broker.
#[track_caller]
fn expect_served(client: &mut Client) {
    let answer = client.ask(&heartbeat(77));
    assert_eq!((frames::correlation_id(&answer), answer.len()), (77, 8));
}

#[test]
fn who_knows_the_password_is_let_in_and_the_broker_sees_no_credentials() {
    let cluster = Cluster::start([0]);
    let proxy = start(&cluster);
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let mut client = proxy.client();
        let answer = match ScramHash::of_mechanism(mechanism) {
            Some(hash) => scram(&mut client, hash, "alice", "pencil"),
            None => plain(&mut client, "alice", "pencil"),
        };
        assert_eq!(
            (answer.error_code, answer.session_lifetime_ms),
            (0, 0),
            "{mechanism}"
        );
        expect_served(&mut client);
        let metadata = client.call(12, 5, &MetadataRequest::default().with_topics(None));
        assert_eq!(metadata.brokers[0].port, i32::from(proxy.node(0).port()));
    }
    assert_eq!(cluster.asked(SASL_HANDSHAKE), NOBODY);
    assert_eq!(cluster.asked(SASL_AUTHENTICATE), NOBODY);
}

#[test]
fn a_wrong_password_and_an_unknown_user_are_refused_alike_and_late() {
    let cluster = Cluster::start([0]);
    let proxy = start(&cluster);
    let mut texts = Vec::new();
    for (name, password) in [("alice", "wrong"), ("nobody", "pencil")] {
        for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
            let mut client = proxy.client();
            let began = Instant::now();
            let answer = match ScramHash::of_mechanism(mechanism) {
                Some(hash) => scram(&mut client, hash, name, password),
                None => plain(&mut client, name, password),
            };
            assert!(began.elapsed() >= DELAY, "{name} {mechanism}");
            assert_eq!(
                (answer.error_code, answer.auth_bytes.len()),
                (58, 0),
                "{name} {mechanism}"
            );
            client.expect_fin();
            texts.push((mechanism, answer.error_message));
        }
    }
    assert_eq!(texts[..3], texts[3..]);
    proxy.expect_closes(CloseCause::AuthenticationFailed, 6);
    assert_eq!(
        cluster.connections(0),
        0,
        "no broker is connected to for a stranger"
    );
}

#[test]
fn nothing_but_api_versions_and_sasl_passes_before_authentication() {
    let cluster = Cluster::start([0]);
    let proxy = start(&cluster);
    let mut client = proxy.client();
    client.send(&frames::request(
        12,
        7,
        &MetadataRequest::default().with_topics(None),
    ));
    drop(client.rest());
    let mut client = proxy.client();
    assert_eq!(handshake(&mut client, 1, "PLAIN").error_code, 0);
    client.send(&heartbeat(3));
    drop(client.rest());
    proxy.expect_closes(CloseCause::AuthenticationFailed, 2);
    assert_eq!(cluster.connections(0), 0);
}

#[test]
fn requests_behind_the_authentication_in_one_write_are_served_once_it_has_succeeded() {
    let cluster = Cluster::start([0]);
    let proxy = start(&cluster);
    for (password, is_served) in [("pencil", true), ("wrong", false)] {
        let mut client = proxy.client();
        let mechanism = StrBytes::from_static_str("PLAIN");
        let token = format!("\0alice\0{password}").into_bytes();
        let all = [
            frames::request(1, 1, &SaslHandshakeRequest::default().with_mechanism(mechanism)),
            frames::request(
                2,
                2,
                &SaslAuthenticateRequest::default().with_auth_bytes(token.into()),
            ),
            heartbeat(3),
            heartbeat(4),
        ]
        .concat();
        client.send(&all);
        let answered = |client: &mut Client| frames::correlation_id(&client.frame());
        assert_eq!([answered(&mut client), answered(&mut client)], [1, 2]);
        match is_served {
            true => assert_eq!([answered(&mut client), answered(&mut client)], [3, 4]),
            false => drop(client.rest()),
        }
    }
    assert_eq!(cluster.asked(frames::HEARTBEAT).len(), 2);
}

#[test]
fn an_unknown_mechanism_is_answered_with_the_list_and_the_client_may_go_on() {
    let cluster = Cluster::start([0]);
    let proxy = start(&cluster);
    let mut client = proxy.client();
    for unknown in ["GSSAPI", "plain", "SCRAM-SHA-1", ""] {
        let answer = handshake(&mut client, 1, unknown);
        let offered: Vec<_> = answer.mechanisms.iter().map(|name| name.as_str()).collect();
        assert_eq!(answer.error_code, 33, "{unknown}");
        assert_eq!(offered, ["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"]);
    }
    assert_eq!(
        scram(&mut client, ScramHash::Sha512, "bob", "eraser").error_code,
        0
    );
    expect_served(&mut client);
}

#[test]
fn what_comes_out_of_order_is_refused() {
    let cluster = Cluster::start([0]);
    let proxy = start(&cluster);
    let mut old = proxy.client();
    assert_eq!(handshake(&mut old, 0, "PLAIN").error_code, 35);
    old.expect_fin();
    let mut eager = proxy.client();
    assert_eq!(authenticate(&mut eager, b"\0alice\0pencil").error_code, 34);
    eager.expect_fin();
    let mut twice = proxy.client();
    assert_eq!(handshake(&mut twice, 1, "PLAIN").error_code, 0);
    assert_eq!(handshake(&mut twice, 1, "PLAIN").error_code, 34);
    twice.expect_fin();
    proxy.expect_closes(CloseCause::AuthenticationFailed, 3);
}

#[test]
fn plain_is_not_offered_without_tls_unless_that_is_allowed() {
    let cluster = Cluster::start([0]);
    let mut model = settings(&[("alice", "pencil")]);
    let Some(TerminatedMechanism::Plain { without_tls, .. }) = model.mechanisms.last_mut() else {
        panic!("PLAIN is the last");
    };
    *without_tls = false;
    let proxy = with(Setup::to(&[cluster.address(0)]), model).start();
    let mut client = proxy.client();
    let answer = handshake(&mut client, 1, "PLAIN");
    assert_eq!((answer.error_code, answer.mechanisms.len()), (33, 2));
}
