//! Promise 16: with credentials of its own kproxy opens a cluster that wants SASL to clients that have none, and repeats
//! its logins in time (KIP-368).

use std::fs;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use data_encoding::BASE64URL_NOPAD;
use kproxy::config::Secret;
use kproxy::sasl::client::{AwsCredential, MskLogin};
use kproxy::time::parse_rfc3339;
use testkit::deployment::Deployment;
use testkit::java::Tool;
use testkit::kafka::{KafkaCluster, Listener, Options, PASSWORD, USER};
use testkit::maven::{KafkaVersion, msk_iam, require, shared};
use testkit::topics;
use testkit_clients::{TestProducer, consume, sorted, values};

/// Longest time that a login lasts in this cluster.
const REAUTHENTICATE_AFTER: Duration = Duration::from_secs(3);

/// A cluster with logins that do not last, and with every mechanism.
fn lapsing() -> Option<&'static KafkaCluster> {
    static CLUSTER: OnceLock<Option<KafkaCluster>> = OnceLock::new();
    let start = || {
        let module = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
        let property = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let properties = vec![
            property(
                "connections.max.reauth.ms",
                &REAUTHENTICATE_AFTER.as_millis().to_string(),
            ),
            property(
                "sasl.enabled.mechanisms",
                "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
            ),
            property(
                "listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config",
                module,
            ),
            property("listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config", module),
        ];
        let options = Options {
            properties,
            ..Options::default()
        };
        let cluster = KafkaCluster::start(&require(KafkaVersion::V4_4)?, 1, options);
        let added = Tool::new(&cluster.install, "org.apache.kafka.tools.ConfigCommand")
            .args([
                "--bootstrap-server",
                &cluster.address(1, Listener::Plaintext).to_string(),
                "--alter",
            ])
            .args(["--add-config", &format!("SCRAM-SHA-512=[password={PASSWORD}]")])
            .args(["--entity-type", "users", "--entity-name", USER])
            .run();
        assert!(added.success(), "{added}");
        Some(cluster)
    };
    shared(CLUSTER.get_or_init(start).as_ref())
}

/// kproxy in front of the listener with SASL, with these keys of `sasl`.
fn front(cluster: &KafkaCluster, sasl: &str) -> (Deployment, SocketAddr) {
    let target = cluster.address(1, Listener::SaslPlaintext);
    let mut bootstrap = None;
    let deployment = Deployment::start("", |directory, port| {
        fs::write(directory.join("password"), format!("{PASSWORD}\n")).unwrap();
        fs::write(directory.join("token"), unsigned_token(USER)).unwrap();
        bootstrap = Some(testkit::running::local(port));
        format!(
            "virtualClusters:\n  - name: demo\n    targetCluster: {{bootstrapServers: '{target}', sasl: {sasl}}}\n    \
             gateways:\n      - name: g\n        portIdentifiesNode: {{bootstrapAddress: 'localhost:{port}', nodeIdRanges: [{{start: 1, end: 1}}]}}\n"
        )
    });
    (deployment, bootstrap.unwrap())
}

/// A token without a signature, which the brokers of the tests accept.
fn unsigned_token(user: &str) -> String {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let claims = format!(r#"{{"sub":"{user}","iat":{now},"exp":{}}}"#, now + 3600);
    let encode = |part: &str| BASE64URL_NOPAD.encode(part.as_bytes());
    format!("{}.{}.", encode(r#"{"alg":"none"}"#), encode(&claims))
}

/// Produces and consumes without SASL for longer than several logins last.
fn outlives_its_logins(topic: &str, sasl: &str) {
    let Some(cluster) = lapsing() else { return };
    topics::create_spread(cluster, topic);
    let (deployment, bootstrap) = front(cluster, sasl);
    let bootstrap = bootstrap.to_string();
    let producer = TestProducer::new(&bootstrap, &[]);
    let renewals = |outcome: &str| {
        let labels = [format!("outcome=\"{outcome}\"")];
        deployment.metric("kproxy_upstream_login_renewals_total", &[labels[0].as_str()])
    };
    let (mut sent, began) = (Vec::new(), Instant::now());
    while renewals("renewed") < 3.0 {
        assert!(
            began.elapsed() < 20 * REAUTHENTICATE_AFTER,
            "{}",
            deployment.log(0)
        );
        for value in values(&format!("v{}", sent.len()), 100, 100) {
            producer.send(topic, value.as_bytes());
            sent.push(value);
        }
        producer.flush();
    }
    producer.deliveries.assert_none_failed();
    assert_eq!(renewals("failed"), 0.0);
    let got = consume(&bootstrap, topic, topic, sent.len(), &[]);
    assert_eq!(sorted(got), sorted(sent));
    let closed = deployment.log(0);
    assert!(
        !closed.contains("upstream_login") && !closed.contains("upstream_closed_early"),
        "{closed}"
    );
    assert!(!closed.contains(PASSWORD));
}

#[test]
fn a_client_without_sasl_outlives_logins_by_plain() {
    outlives_its_logins(
        "credentials-plain",
        "{mechanism: PLAIN, username: alice, passwordFile: password}",
    );
}

#[test]
fn a_client_without_sasl_outlives_logins_by_scram_sha_256() {
    outlives_its_logins(
        "credentials-256",
        "{mechanism: SCRAM-SHA-256, username: alice, passwordFile: password}",
    );
}

#[test]
fn a_client_without_sasl_outlives_logins_by_scram_sha_512() {
    outlives_its_logins(
        "credentials-512",
        "{mechanism: SCRAM-SHA-512, username: alice, passwordFile: password}",
    );
}

#[test]
fn a_client_without_sasl_outlives_logins_by_oauthbearer() {
    outlives_its_logins("credentials-bearer", "{mechanism: OAUTHBEARER, tokenFile: token}");
}

#[test]
fn a_wrong_password_is_told_as_the_broker_tells_it() {
    let Some(cluster) = lapsing() else { return };
    let (deployment, bootstrap) = front(
        cluster,
        "{mechanism: PLAIN, username: alice, password: wrong-secret}",
    );
    let mut client = testkit::client::Client::connect(bootstrap);
    client.send(&testkit::frames::heartbeat(1));
    assert_eq!(client.rest().0.len(), 0);
    let line = deployment.line(0, &["session closed", "upstream_login_refused"]);
    assert!(line.contains("Invalid username or password"), "{line}");
    assert!(!deployment.log(0).contains("wrong-secret"));
}

/// Seconds since 1970 of a moment as AWS writes it: `20201022T210000Z`.
fn seconds(text: &str) -> u64 {
    let part = |from: usize, to: usize| &text[from..to];
    let (date, time) = text.split_once('T').unwrap();
    let date = format!("{}-{}-{}", part(0, 4), &date[4..6], &date[6..8]);
    let at = parse_rfc3339(&format!(
        "{date}T{}:{}:{}.000Z",
        &time[..2],
        &time[2..4],
        &time[4..6]
    ))
    .unwrap();
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn a_payload_for_msk_is_the_one_of_the_java_library() {
    let Some(libraries) = msk_iam() else { return };
    let host = "b-1.demo.abc123.c2.kafka.eu-west-1.amazonaws.com";
    for session_token in [None, Some("session/token+with=signs")] {
        let printed = std::process::Command::new("java")
            .args(["-XX:TieredStopAtLevel=1", "-cp", &libraries])
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/testkit/kafka/PrintPayload.java"
            ))
            .args([host, "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"])
            .args(session_token)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&printed.stdout).into_owned();
        let theirs: serde_json::Value =
            serde_json::from_str(text.trim()).unwrap_or_else(|_| panic!("{printed:?}"));
        let credential = AwsCredential {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: session_token.map(Secret::new),
        };
        let login = MskLogin {
            host,
            region: "eu-west-1",
            credential: &credential,
        };
        let ours = login.message(seconds(theirs["x-amz-date"].as_str().unwrap()));
        let mut ours: serde_json::Value = serde_json::from_slice(&ours).unwrap();
        ours["user-agent"] = theirs["user-agent"].clone();
        assert_eq!(ours, theirs);
    }
}
