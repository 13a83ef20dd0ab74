//! Promise 4: authentication passes through, and who it was about is known.

use std::{
    collections::BTreeSet,
    fs,
    io::ErrorKind,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use kafka_protocol::{
    messages::{MetadataRequest, SaslAuthenticateRequest, SaslHandshakeRequest},
    protocol::StrBytes,
};
use tempfile::NamedTempFile;

use crate::sasl;
use testkit::{
    entry_point::EntryPoint,
    java::Tool,
    kafka::{PASSWORD, USER},
    raw::Raw,
    tool::Output,
    topics,
};
use testkit_clients::{consume, produce, sorted, values};

/// The broker's answer to a wrong password.
const SASL_AUTHENTICATION_FAILED: i16 = 58;

/// librdkafka's settings for PLAIN.
pub(crate) const PLAIN: [(&str, &str); 4] = [
    ("security.protocol", "sasl_plaintext"),
    ("sasl.mechanism", "PLAIN"),
    ("sasl.username", USER),
    ("sasl.password", PASSWORD),
];

#[test]
fn librdkafka_plain_produces_and_consumes() {
    let Some(entry) = sasl() else { return };
    let topic = "sasl-librdkafka";
    topics::create_spread(entry.cluster, topic);
    let sent = values("v", 300, 100);
    produce(&entry.bootstrap(), topic, &sent, &PLAIN);
    assert_eq!(
        sorted(consume(&entry.bootstrap(), topic, topic, 300, &PLAIN)),
        sorted(sent)
    );
}

#[test]
fn java_plain_produces_and_consumes() {
    java_round_trip(
        "PLAIN",
        &format!("plain.PlainLoginModule required username=\"{USER}\" password=\"{PASSWORD}\""),
    );
}

#[test]
fn java_scram_produces_and_consumes() {
    let module = format!("scram.ScramLoginModule required username=\"{USER}\" password=\"{PASSWORD}\"");
    java_round_trip("SCRAM-SHA-256", &module);
}

#[test]
fn java_oauthbearer_produces_and_consumes() {
    let module = "oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"alice\"";
    java_round_trip("OAUTHBEARER", module);
}

fn java_round_trip(mechanism: &str, login: &str) {
    let Some(entry) = sasl() else { return };
    let topic = format!("sasl-{mechanism}").to_lowercase();
    topics::create_spread(entry.cluster, &topic);
    let config = client_config(mechanism, login);
    let config = config.path().to_str().unwrap();
    let bootstrap = entry.bootstrap();
    let sent = values("v", 50, 20);
    let seen = principals_during(&entry, || {
        produce_and_consume(&entry, &bootstrap, &topic, config, &sent);
    });
    if entry.is_proxied() {
        assert_eq!(seen, [(mechanism.to_owned(), Some(USER.to_owned()))].into());
    }
}

/// Every authentication that kproxy lists while `work` goes on.
fn principals_during(entry: &EntryPoint<'_>, work: impl FnOnce()) -> BTreeSet<(String, Option<String>)> {
    /// Sets its flag also when the test fails.
    struct Done<'a>(&'a AtomicBool);

    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut seen = BTreeSet::new();
            while !over.load(Ordering::Relaxed) {
                for known in entry.known() {
                    seen.extend(known.sasl_mechanism.map(|mechanism| (mechanism, known.principal)));
                }
                thread::sleep(Duration::from_millis(5));
            }
            seen
        });
        let done = Done(&over);
        work();
        drop(done);
        watcher.join().unwrap()
    })
}

pub(crate) fn produce_and_consume(
    entry: &EntryPoint<'_>,
    bootstrap: &str,
    topic: &str,
    config: &str,
    sent: &[String],
) {
    Tool::new(&entry.cluster.install, "org.apache.kafka.tools.ConsoleProducer")
        .args([
            "--bootstrap-server",
            bootstrap,
            "--topic",
            topic,
            "--command-config",
            config,
        ])
        .stdin(sent.join("\n"))
        .succeed();
    let got = Tool::new(
        &entry.cluster.install,
        "org.apache.kafka.tools.consumer.ConsoleConsumer",
    )
    .args([
        "--bootstrap-server",
        bootstrap,
        "--topic",
        topic,
        "--command-config",
        config,
    ])
    .args([
        "--from-beginning",
        "--max-messages",
        "50",
        "--timeout-ms",
        "40000",
    ])
    .succeed();
    assert_eq!(
        sorted(got.lines().map(str::to_owned).collect()),
        sorted(sent.to_vec())
    );
}

fn client_config(mechanism: &str, login: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    let settings = format!(
        "security.protocol=SASL_PLAINTEXT
sasl.mechanism={mechanism}
sasl.jaas.config=org.apache.kafka.common.security.{login};
group.id=sasl-{mechanism}
"
    );
    fs::write(file.path(), settings).unwrap();
    file
}

/// The client is told by Kafka's own error, not by a connection that breaks.
#[test]
fn java_with_a_wrong_password_is_told_so() {
    for (mechanism, module) in [
        ("PLAIN", "plain.PlainLoginModule"),
        ("SCRAM-SHA-256", "scram.ScramLoginModule"),
    ] {
        let Some(entry) = sasl() else { return };
        let login = format!("{module} required username=\"{USER}\" password=\"wrong\"");
        let output = list_topics(&entry, &client_config(mechanism, &login));
        assert!(!output.success(), "{output}");
        let said = format!("{}{}", output.stdout, output.stderr);
        assert!(said.contains("SaslAuthenticationException"), "{output}");
    }
}

pub(crate) fn list_topics(entry: &EntryPoint<'_>, config: &NamedTempFile) -> Output {
    Tool::new(&entry.cluster.install, "org.apache.kafka.tools.TopicCommand")
        .args(["--bootstrap-server", &entry.bootstrap(), "--list"])
        .args(["--command-config", config.path().to_str().unwrap()])
        .run()
}

fn handshake(entry: &EntryPoint<'_>, version: i16) -> Raw {
    let mut client = Raw::connect(entry.address()).unwrap();
    let request = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str("PLAIN"));
    let answer = client.call(version, &request).unwrap();
    assert_eq!(answer.error_code, 0);
    client
}

fn plain_token(password: &str) -> Vec<u8> {
    format!("\0{USER}\0{password}").into_bytes()
}

fn assert_lists_all(client: &mut Raw, entry: &EntryPoint<'_>) {
    let answer = client
        .call(9, &MetadataRequest::default().with_topics(Some(vec![])))
        .unwrap();
    let mut listed: Vec<(i32, i32)> = answer
        .brokers
        .iter()
        .map(|broker| (broker.node_id.0, broker.port))
        .collect();
    listed.sort_unstable();
    let expected: Vec<(i32, i32)> = entry
        .cluster
        .ids()
        .into_iter()
        .map(|id| (id, entry.node(id).port().into()))
        .collect();
    assert_eq!(listed, expected);
}

/// `SaslHandshake` v0: what follows are bare tokens with a size in front, then Kafka frames again.
#[test]
fn handshake_v0_with_bare_tokens_authenticates() {
    let Some(entry) = sasl() else { return };
    let mut client = handshake(&entry, 0);
    client.send_frame(&plain_token(PASSWORD)).unwrap();
    assert_eq!(
        client.read_frame().unwrap(),
        b"",
        "PLAIN's answer is an empty token"
    );
    assert_lists_all(&mut client, &entry);
}

#[test]
fn handshake_v0_with_a_wrong_password_is_closed() {
    let Some(entry) = sasl() else { return };
    let mut client = handshake(&entry, 0);
    client.send_frame(&plain_token("wrong")).unwrap();
    let error = client.read_frame().unwrap_err();
    assert!(
        matches!(
            error.kind(),
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset
        ),
        "{error}"
    );
}

#[test]
fn handshake_v1_authenticates_or_names_the_error() {
    let Some(entry) = sasl() else { return };
    for (password, expected) in [(PASSWORD, 0), ("wrong", SASL_AUTHENTICATION_FAILED)] {
        let mut client = handshake(&entry, 1);
        let request = SaslAuthenticateRequest::default().with_auth_bytes(plain_token(password).into());
        assert_eq!(client.call(2, &request).unwrap().error_code, expected);
        if expected == 0 {
            assert_lists_all(&mut client, &entry);
        } else {
            let error = client.read_frame().unwrap_err();
            assert!(
                matches!(
                    error.kind(),
                    ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset
                ),
                "{error}"
            );
        }
    }
}
