//! Promise 15: tokens of an issuer, checked by kproxy and by the broker.

mod keycloak;

use std::{fs, path::Path, sync::OnceLock};

use kproxy::session::cause::CloseCause;
use tempfile::NamedTempFile;

use testkit::{
    entry_point::{EntryPoint, Route},
    java::Tool,
    kafka::{KafkaCluster, Listener, Options},
    kcat::{self, Kcat},
    maven::{Install, KafkaVersion, require, shared},
    oidc::{AUDIENCE, CLIENT, CLIENT_SECRET, Issuer},
    tool::Output,
    topics,
};

const SASL_AUTHENTICATE: i16 = 36;

const MODULE: &str = "org.apache.kafka.common.security.oauthbearer";

/// One node that checks tokens of its own issuer, by Kafka's own validator, and wants a new one every few seconds.
struct Scene {
    issuer: Issuer,
    cluster: KafkaCluster,
}

fn scene() -> Option<&'static Scene> {
    static SCENE: OnceLock<Option<Scene>> = OnceLock::new();
    shared(SCENE.get_or_init(start).as_ref())
}

fn start() -> Option<Scene> {
    let install = require(KafkaVersion::V4_4)?;
    let issuer = Issuer::with_algorithm("RS256");
    let cluster = checking(&install, &issuer.url(), &issuer.jwks_url());
    Some(Scene { issuer, cluster })
}

/// A node that checks tokens of this issuer.
fn checking(install: &Install, issuer: &str, jwks: &str) -> KafkaCluster {
    let listener = "listener.name.sasl_plaintext.oauthbearer";
    let property = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let properties = vec![
        property(
            &format!("{listener}.sasl.jaas.config"),
            &format!("{MODULE}.OAuthBearerLoginModule required;"),
        ),
        property(
            &format!("{listener}.sasl.server.callback.handler.class"),
            &format!("{MODULE}.OAuthBearerValidatorCallbackHandler"),
        ),
        property(&format!("{listener}.connections.max.reauth.ms"), "2000"),
        property("sasl.oauthbearer.jwks.endpoint.url", jwks),
        property("sasl.oauthbearer.expected.audience", AUDIENCE),
        property("sasl.oauthbearer.expected.issuer", issuer),
    ];
    let options = Options {
        properties,
        jvm: vec![allowed(&[jwks.to_owned()])],
        ..Options::default()
    };
    KafkaCluster::start(install, 1, options)
}

/// The addresses that Kafka's classes may ask for keys and tokens.
fn allowed(urls: &[String]) -> String {
    format!(
        "-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={}",
        urls.join(",")
    )
}

/// kproxy with both filters in front of the node.
fn entry(scene: &'static Scene) -> EntryPoint<'static> {
    let yaml = format!(
        "filterDefinitions:
  - name: who
    type: SaslInspection
    config: {{requireAuthentication: true}}
  - name: tokens
    type: OauthBearerValidation
    config: {{jwksEndpointUrl: '{}', expectedAudience: {AUDIENCE}, expectedIssuer: '{}'}}
defaultFilters: [who, tokens]
virtualClusters:
  - name: orders
    targetCluster: {{bootstrapServers: 'localhost:1'}}
    gateways: [{{name: g, portIdentifiesNode: {{bootstrapAddress: 'localhost:1000'}}}}]
",
        scene.issuer.jwks_url(),
        scene.issuer.url()
    );
    let model = kproxy::model::parse(yaml.as_bytes(), "filters.yaml").unwrap();
    let filters = model.clusters["orders"].filters.clone();
    Route::chosen().open_with(&scene.cluster, Listener::SaslPlaintext, |cluster| {
        cluster.filters = filters;
    })
}

/// Settings of a Java client that gets its tokens from this endpoint.
fn client_config(token_url: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    let settings = format!(
        "security.protocol=SASL_PLAINTEXT
sasl.mechanism=OAUTHBEARER
sasl.login.callback.handler.class={MODULE}.OAuthBearerLoginCallbackHandler
sasl.oauthbearer.token.endpoint.url={token_url}
sasl.jaas.config={MODULE}.OAuthBearerLoginModule required clientId=\"{CLIENT}\" clientSecret=\"{CLIENT_SECRET}\" \
         scope=\"kafka\";
"
    );
    fs::write(file.path(), settings).unwrap();
    file
}

fn java(cluster: &KafkaCluster, class: &str, issuer: &Issuer, arguments: &[&str], config: &Path) -> Output {
    Tool::java(&cluster.install, class, &[allowed(&[issuer.token_url()])])
        .args(arguments.iter().copied())
        .args(["--command-config", config.to_str().unwrap()])
        .run()
}

#[test]
fn a_java_client_authenticates_again_and_again_and_loses_nothing() {
    let Some(scene) = scene() else { return };
    let entry = entry(scene);
    let topic = "tokens-java";
    topics::create_spread(&scene.cluster, topic);
    let config = client_config(&scene.issuer.token_url());
    let bootstrap = entry.bootstrap();
    // Ten seconds, in which the broker wants to know five times who that is.
    let produced = java(
        &scene.cluster,
        "org.apache.kafka.tools.VerifiableProducer",
        &scene.issuer,
        &[
            "--bootstrap-server",
            &bootstrap,
            "--topic",
            topic,
            "--max-messages",
            "100",
            "--throughput",
            "10",
        ],
        config.path(),
    );
    assert!(produced.success(), "{produced}");
    assert!(produced.stdout.contains("\"acked\":100"), "{produced}");
    if entry.is_proxied() {
        assert!(
            entry.asked(SASL_AUTHENTICATE) >= 4,
            "{}",
            entry.asked(SASL_AUTHENTICATE)
        );
    }
    let consumed = java(
        &scene.cluster,
        "org.apache.kafka.tools.consumer.ConsoleConsumer",
        &scene.issuer,
        &[
            "--bootstrap-server",
            &bootstrap,
            "--topic",
            topic,
            "--from-beginning",
            "--max-messages",
            "100",
            "--timeout-ms",
            "40000",
            "--group",
            "tokens",
        ],
        config.path(),
    );
    assert_eq!(consumed.stdout.lines().count(), 100, "{consumed}");
}

#[test]
fn a_java_client_of_another_issuer_is_told_so() {
    let Some(scene) = scene() else { return };
    let entry = entry(scene);
    let other = Issuer::with_algorithm("RS256");
    let refused = java(
        &scene.cluster,
        "org.apache.kafka.tools.TopicCommand",
        &other,
        &["--bootstrap-server", &entry.bootstrap(), "--list"],
        client_config(&other.token_url()).path(),
    );
    assert!(!refused.success(), "{refused}");
    let said = format!("{}{}", refused.stdout, refused.stderr);
    assert!(said.contains("SaslAuthenticationException"), "{refused}");
    if entry.is_proxied() {
        assert!(
            said.contains("invalid_token: the signature of the token is not valid"),
            "{refused}"
        );
    }
}

/// librdkafka writes such a token by itself, for tests.
#[test]
fn librdkafka_with_an_unsigned_token_is_told_so() {
    let Some(scene) = scene().filter(|_| kcat::require()) else {
        return;
    };
    let entry = entry(scene);
    let output = Kcat::to(entry.bootstrap())
        .set("security.protocol", "sasl_plaintext")
        .set("sasl.mechanism", "OAUTHBEARER")
        .set("enable.sasl.oauthbearer.unsecure.jwt", "true")
        .set("sasl.oauthbearer.config", "principal=billing")
        .tool()
        .args(["-L", "-m", "5"])
        .run();
    assert!(!output.success(), "{output}");
    if entry.is_proxied() {
        let said = "invalid_token: the algorithm of the token is not accepted";
        assert!(output.stderr.contains(said), "{output}");
    }
}

/// The broker knows nothing of tokens; kproxy wants a new one every three seconds.
#[test]
fn a_java_client_authenticates_at_kproxy_by_its_tokens_and_again() {
    if Route::chosen() == Route::Direct {
        return;
    }
    let Some(scene) = scene() else { return };
    let yaml = format!(
        "filterDefinitions:
  - name: login
    type: SaslTermination
    config:
      mechanisms:
        - {{mechanism: OAUTHBEARER, jwksEndpointUrl: '{}', expectedAudience: {AUDIENCE}, expectedIssuer: '{}'}}
      maxTimeBeforeReauth: 3s
defaultFilters: [login]
virtualClusters:
  - name: orders
    targetCluster: {{bootstrapServers: 'localhost:1'}}
    gateways: [{{name: g, portIdentifiesNode: {{bootstrapAddress: 'localhost:1000'}}}}]
",
        scene.issuer.jwks_url(),
        scene.issuer.url()
    );
    let model = kproxy::model::parse(yaml.as_bytes(), "filters.yaml").unwrap();
    let filters = model.clusters["orders"].filters.clone();
    let entry = Route::Proxied.open_with(&scene.cluster, Listener::Plaintext, |cluster| {
        cluster.filters = filters;
    });
    let topic = "tokens-terminated";
    topics::create_spread(&scene.cluster, topic);
    let config = client_config(&scene.issuer.token_url());
    let arguments = [
        "--bootstrap-server",
        &entry.bootstrap(),
        "--topic",
        topic,
        "--max-messages",
        "100",
        "--throughput",
        "10",
    ];
    let class = "org.apache.kafka.tools.VerifiableProducer";
    let produced = java(&scene.cluster, class, &scene.issuer, &arguments, config.path());
    assert!(produced.success(), "{produced}");
    assert!(produced.stdout.contains("\"acked\":100"), "{produced}");
    // Counted on connections that are open: the broker, whose listener has no SASL, would refuse them.
    let again = entry.asked(SASL_AUTHENTICATE);
    assert!(again >= 2, "{again}");
    assert_eq!(entry.closes(CloseCause::AuthenticationExpired), 0, "{produced}");
    let other = Issuer::with_algorithm("RS256");
    let list = ["--bootstrap-server", &entry.bootstrap(), "--list"];
    let class = "org.apache.kafka.tools.TopicCommand";
    let refused = java(
        &scene.cluster,
        class,
        &other,
        &list,
        client_config(&other.token_url()).path(),
    );
    let said = format!("{}{}", refused.stdout, refused.stderr);
    assert!(
        !refused.success() && said.contains("SaslAuthenticationException"),
        "{refused}"
    );
}
