//! Keycloak as the issuer: for kproxy, which checks tokens and fetches some, for a Java client, and for the broker.
//!
//! It runs with `KPROXY_TEST_KEYCLOAK=1`.

use std::fs;

use testkit::deployment::Deployment;
use testkit::java::Tool;
use testkit::kafka::{KafkaCluster, Listener};
use testkit::keycloak::Keycloak;
use testkit::maven::{KafkaVersion, require};
use testkit::oidc::{AUDIENCE, CLIENT, CLIENT_SECRET};
use testkit::running::local;
use testkit::topics;
use testkit_clients::consume;

use super::{allowed, checking, client_config};

const RECORDS: usize = 50;

/// Distance of the ports of two virtual clusters.
const APART: u16 = 10;

/// One virtual cluster checks tokens of clients; the other logs in with tokens of its own. Returns their ports.
fn front(keycloak: &Keycloak, cluster: &KafkaCluster) -> (Deployment, u16, u16) {
    let target = cluster.address(1, Listener::SaslPlaintext);
    let (issuer, jwks, tokens) = (keycloak.url(), keycloak.jwks_url(), keycloak.token_url());
    let mut checks = 0;
    let deployment = Deployment::start("", |directory, port| {
        checks = port;
        let logs_in = port + APART;
        fs::write(directory.join("secret"), CLIENT_SECRET).unwrap();
        let gateway = |port| {
            format!(
                "gateways: [{{name: g, portIdentifiesNode: {{bootstrapAddress: 'localhost:{port}', nodeIdRanges: [{{start: 1, end: 1}}]}}}}]"
            )
        };
        format!(
            "filterDefinitions:
  - name: who
    type: SaslInspection
    config: {{requireAuthentication: true}}
  - name: tokens
    type: OauthBearerValidation
    config: {{jwksEndpointUrl: '{jwks}', expectedAudience: {AUDIENCE}, expectedIssuer: '{issuer}'}}
virtualClusters:
  - name: checks
    targetCluster: {{bootstrapServers: '{target}'}}
    filters: [who, tokens]
    {}
  - name: logs-in
    targetCluster:
      bootstrapServers: '{target}'
      sasl: {{mechanism: OAUTHBEARER, tokenEndpointUrl: '{tokens}', clientId: {CLIENT}, clientSecretFile: secret}}
    {}
",
            gateway(port),
            gateway(logs_in)
        )
    });
    (deployment, checks, checks + APART)
}

#[test]
fn tokens_of_keycloak_are_checked_and_fetched() {
    let Some(install) = require(KafkaVersion::V4_4) else {
        return;
    };
    let Some(keycloak) = Keycloak::start() else { return };
    let cluster = checking(&install, keycloak.url(), &keycloak.jwks_url());
    topics::create_spread(&cluster, "keycloak");
    let (deployment, checks, logs_in) = front(&keycloak, &cluster);
    let config = client_config(&keycloak.token_url());
    let produced = Tool::java(
        &install,
        "org.apache.kafka.tools.VerifiableProducer",
        &[allowed(&[keycloak.token_url()])],
    )
    .args(["--bootstrap-server", &local(checks).to_string()])
    .args([
        "--topic",
        "keycloak",
        "--max-messages",
        &RECORDS.to_string(),
        "--throughput",
        "10",
    ])
    .args(["--command-config", config.path().to_str().unwrap()])
    .run();
    let acknowledged = format!("\"acked\":{RECORDS}");
    assert!(
        produced.stdout.contains(&acknowledged),
        "{produced}{}",
        deployment.log(0)
    );
    let consumed = consume(
        &local(logs_in).to_string(),
        "keycloak",
        "keycloak-readers",
        RECORDS,
        &[],
    );
    assert_eq!(consumed.len(), RECORDS, "{}", deployment.log(0));
}
