//! Promise 14: clients that authenticate at kproxy (`SaslTermination`) produce and consume, and authenticate again on their
//! open connections. Users may be those of a directory service (`directory_service.rs`).

mod directory_service;
mod other_clients;

use std::{fs, num::NonZeroU32, sync::Arc, thread, time::Duration};

use kproxy::{
    model::{
        CredentialSource, FilterKind, FilterMode, FilterModel, PlainUsers, SaslSubjectBuilder,
        SaslTerminationModel, TerminatedMechanism,
    },
    sasl::{CredentialSet, ScramHash, ScramVerifier},
    session::cause::CloseCause,
};
use tempfile::NamedTempFile;

use crate::modern;
use testkit::{
    entry_point::{EntryPoint, Route},
    java::Tool,
    kafka::Listener,
    topics,
};
use testkit_clients::{TestProducer, consume, produce, sorted, values};

const USER: &str = "gate, =keeper";
/// A user whose name is the same in a message of SCRAM.
const PLAIN_USER: &str = "keeper";
const PASSWORD: &str = "correct horse";

/// Clients authenticate at kproxy; the broker knows none of them. `None` without a Kafka, and without a kproxy.
fn terminating(lifetime: Option<Duration>) -> Option<EntryPoint<'static>> {
    if Route::chosen() == Route::Direct {
        return None;
    }
    let iterations = NonZeroU32::new(4096).unwrap();
    let mut credentials = CredentialSet::default();
    for hash in [ScramHash::Sha256, ScramHash::Sha512] {
        let verifier = ScramVerifier::of_password(hash, PASSWORD, b"0123456789abcdef", iterations);
        credentials.add(USER, verifier.clone()).unwrap();
        credentials.add(PLAIN_USER, verifier).unwrap();
    }
    let users = CredentialSource {
        credentials: Arc::new(credentials),
        phantom_iterations: None,
    };
    let scram = |hash| TerminatedMechanism::Scram {
        hash,
        users: users.clone(),
    };
    let settings = SaslTerminationModel {
        mechanisms: vec![
            scram(ScramHash::Sha256),
            scram(ScramHash::Sha512),
            TerminatedMechanism::Plain {
                users: PlainUsers::Credentials(users.clone()),
                without_tls: true,
            },
        ],
        max_time_before_reauth: lifetime,
        failed_delay: Duration::from_millis(200),
        subject_builder: SaslSubjectBuilder::default(),
    };
    let filter = Arc::new(FilterModel {
        name: "login".into(),
        kind: FilterKind::SaslTermination(settings),
        mode: FilterMode::Enforce,
        when: None,
        on_error: Default::default(),
    });
    let change = |cluster: &mut kproxy::model::VirtualCluster| cluster.filters = vec![filter];
    Some(Route::Proxied.open_with(modern()?, Listener::Plaintext, change))
}

/// Settings of librdkafka, which is built without SCRAM here.
const LIBRDKAFKA: [(&str, &str); 4] = [
    ("security.protocol", "sasl_plaintext"),
    ("sasl.mechanism", "PLAIN"),
    ("sasl.username", USER),
    ("sasl.password", PASSWORD),
];

fn java(mechanism: &str, module: &str, password: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    let settings = format!(
        "security.protocol=SASL_PLAINTEXT
sasl.mechanism={mechanism}
sasl.jaas.config=org.apache.kafka.common.security.{module} required username=\"{USER}\" password=\"{password}\";
group.id=termination-{mechanism}
"
    );
    fs::write(file.path(), settings).unwrap();
    file
}

#[test]
fn librdkafka_authenticates_at_kproxy_and_produces_and_consumes() {
    let Some(entry) = terminating(None) else { return };
    let topic = "terminated-librdkafka";
    topics::create_spread(entry.cluster, topic);
    let sent = values("v", 300, 100);
    produce(&entry.bootstrap(), topic, &sent, &LIBRDKAFKA);
    let got = consume(&entry.bootstrap(), topic, topic, 300, &LIBRDKAFKA);
    assert_eq!(sorted(got), sorted(sent));
}

#[test]
fn java_authenticates_at_kproxy_and_produces_and_consumes() {
    let Some(entry) = terminating(None) else { return };
    for (mechanism, module) in [
        ("PLAIN", "plain.PlainLoginModule"),
        ("SCRAM-SHA-256", "scram.ScramLoginModule"),
        ("SCRAM-SHA-512", "scram.ScramLoginModule"),
    ] {
        let topic = format!("terminated-java-{mechanism}").to_lowercase();
        topics::create_spread(entry.cluster, &topic);
        let config = java(mechanism, module, PASSWORD);
        let sent = values("v", 50, 20);
        crate::sasl::produce_and_consume(
            &entry,
            &entry.bootstrap(),
            &topic,
            config.path().to_str().unwrap(),
            &sent,
        );
    }
}

#[test]
fn java_with_a_wrong_password_is_told_so_by_kproxy() {
    let Some(entry) = terminating(None) else { return };
    for (mechanism, module) in [
        ("PLAIN", "plain.PlainLoginModule"),
        ("SCRAM-SHA-256", "scram.ScramLoginModule"),
    ] {
        let output = crate::sasl::list_topics(&entry, &java(mechanism, module, "wrong"));
        assert!(!output.success(), "{output}");
        let said = format!("{}{}", output.stdout, output.stderr);
        assert!(said.contains("SaslAuthenticationException"), "{output}");
        assert!(said.contains("invalid credentials"), "{output}");
    }
}

/// Several lifetimes long.
const WHILE: Duration = Duration::from_secs(8);
const LIFETIME: Duration = Duration::from_millis(2500);

#[test]
fn librdkafka_authenticates_again_on_its_open_connections() {
    let Some(entry) = terminating(Some(LIFETIME)) else {
        return;
    };
    let topic = "terminated-again-librdkafka";
    topics::create_spread(entry.cluster, topic);
    let producer = TestProducer::new(&entry.bootstrap(), &LIBRDKAFKA);
    let sent = values("v", 80, 20);
    for value in &sent {
        producer.send(topic, value.as_bytes());
        thread::sleep(WHILE / 80);
    }
    producer.flush();
    assert_eq!(entry.closes(CloseCause::AuthenticationExpired), 0);
    let got = consume(&entry.bootstrap(), topic, topic, 80, &LIBRDKAFKA);
    assert_eq!(sorted(got), sorted(sent));
}

#[test]
fn java_authenticates_again_on_its_open_connections() {
    let Some(entry) = terminating(Some(LIFETIME)) else {
        return;
    };
    let topic = "terminated-again-java";
    topics::create_spread(entry.cluster, topic);
    let config = java("SCRAM-SHA-512", "scram.ScramLoginModule", PASSWORD);
    // Waits for messages that do not come.
    let consumer = Tool::new(
        &entry.cluster.install,
        "org.apache.kafka.tools.consumer.ConsoleConsumer",
    );
    let waited = consumer
        .args(["--bootstrap-server", &entry.bootstrap(), "--topic", topic])
        .args(["--command-config", config.path().to_str().unwrap()])
        .args(["--timeout-ms", &WHILE.as_millis().to_string()])
        .run();
    let said = format!("{}{}", waited.stdout, waited.stderr);
    assert!(!said.contains("AuthenticationException"), "{waited}");
    assert_eq!(entry.closes(CloseCause::AuthenticationExpired), 0, "{waited}");
    assert_eq!(entry.closes(CloseCause::AuthenticationFailed), 0, "{waited}");
}
