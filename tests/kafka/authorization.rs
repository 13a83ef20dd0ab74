//! Promise 17: `Authorization` answers as a broker answers that has the same rules itself.
//!
//! The same calls, of every API that is about topics, groups and transactions and in every version that Kafka has, are
//! made by three users at a broker with StandardAuthorizer, and through kproxy at a broker without an authorizer. A consumer
//! whose right is taken away while it consumes is told so. Applications with librdkafka and kcat that lack some rights
//! are told the same (`authorization/clients.rs`).

mod clients;

use std::{collections::BTreeMap, fs, path::PathBuf, sync::OnceLock};

use kproxy::{app::Proxy, model::ProxyModel};
use serde_json::Value;
use tempfile::NamedTempFile;
use testkit::{
    java::Tool,
    kafka::{KafkaCluster, Listener, Options},
    maven::{Install, KafkaVersion, require, shared},
};

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kafka/authorization");
const USERS: [&str; 4] = ["admin", "alice", "bob", "eve"];

fn script(name: &str) -> String {
    String::from_utf8(fs::read(PathBuf::from(SCRIPTS).join(name)).unwrap()).unwrap()
}

/// One node that knows the users. The authorizer lets `admin` and those without a name do everything.
fn broker(install: &Install, authorizes: bool) -> KafkaCluster {
    let users: String = USERS
        .map(|user| format!(" user_{user}=\"{user}-secret\""))
        .concat();
    let mut properties = vec![
        ("num.partitions", "1".to_owned()),
        ("offsets.topic.num.partitions", "1".to_owned()),
        ("transaction.state.log.num.partitions", "1".to_owned()),
        ("share.coordinator.state.topic.num.partitions", "1".to_owned()),
        ("group.initial.rebalance.delay.ms", "0".to_owned()),
        ("unstable.api.versions.enable", "true".to_owned()),
        ("transaction.two.phase.commit.enable", "true".to_owned()),
        ("sasl.enabled.mechanisms", "PLAIN".to_owned()),
        (
            "listener.name.sasl_plaintext.plain.sasl.jaas.config",
            format!(
                "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"admin\" \
                 password=\"admin-secret\"{users};"
            ),
        ),
    ];
    if authorizes {
        let class = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";
        properties.push(("authorizer.class.name", class.to_owned()));
        properties.push(("super.users", "User:ANONYMOUS;User:admin".to_owned()));
    }
    let options = Options {
        properties: properties
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
        ..Options::default()
    };
    KafkaCluster::start(install, 1, options)
}

/// A broker that lets everybody do everything, shared by the tests: rules are kproxy's alone.
fn open_broker() -> Option<&'static KafkaCluster> {
    static BROKER: OnceLock<Option<KafkaCluster>> = OnceLock::new();
    let start = || Some(broker(&require(KafkaVersion::V4_4)?, false));
    shared(BROKER.get_or_init(start).as_ref())
}

/// Settings with the rules that `acls.jsonl` gives to a broker.
fn rules_of_the_scripts() -> String {
    format!("{{authorizer: AclAuthorizerService, authorizerConfig: {{aclFile: '{SCRIPTS}/rules.acl'}}}}")
}

/// kproxy's configuration before a broker, with the settings of a filter `Authorization`.
fn model(broker: &KafkaCluster, settings: &str) -> ProxyModel {
    let yaml = format!(
        "filterDefinitions:
  - {{name: authz, type: Authorization, config: {settings}}}
virtualClusters:
  - name: orders
    targetCluster: {{bootstrapServers: '{target}'}}
    filters: [authz]
    gateways:
      - name: default
        portIdentifiesNode: {{bootstrapAddress: '127.0.0.1:0', nodeIdRanges: [{{name: n, start: 1, end: 1}}]}}
",
        target = broker.address(1, Listener::SaslPlaintext)
    );
    let file = NamedTempFile::new().unwrap();
    fs::write(file.path(), yaml).unwrap();
    kproxy::model::load(file.path()).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn front(kproxy: &Proxy) -> String {
    kproxy.bootstrap("orders", "default").unwrap().to_string()
}

/// Answers by call: API, name, user, version.
type Answers = BTreeMap<(String, String, String, i64), Value>;

/// Performs the calls of the scripts at `address`; what admin does goes straight to the broker.
fn perform(install: &Install, address: &str, brokers: &str, scripts: &[&str]) -> Answers {
    let steps: Vec<String> = scripts.iter().map(|name| script(name)).collect();
    let printed = Tool::java(install, &format!("{SCRIPTS}/Oracle.java"), &[])
        .args([address, brokers])
        .stdin(steps.join("\n"))
        .succeed();
    let mut answers = Answers::new();
    for line in printed.lines() {
        let mut line: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        let call = (
            text("api"),
            text("name"),
            text("user"),
            line["version"].as_i64().unwrap(),
        );
        if call.2 != "admin" {
            answers.insert(call, line["answer"].take());
        }
    }
    answers
}

#[test]
fn denials_are_those_of_a_broker_with_the_same_rules() {
    let Some(install) = require(KafkaVersion::V4_4) else {
        return;
    };
    let strict = broker(&install, true);
    let at = strict.address(1, Listener::SaslPlaintext).to_string();
    let expected = perform(&install, &at, &at, &["setup.jsonl", "acls.jsonl", "calls.jsonl"]);
    drop(strict);
    let open = open_broker().unwrap();
    let kproxy = Proxy::start(model(open, &rules_of_the_scripts())).unwrap();
    let at = open.address(1, Listener::SaslPlaintext).to_string();
    let got = perform(&install, &front(&kproxy), &at, &["setup.jsonl", "calls.jsonl"]);
    let different: Vec<String> = expected
        .iter()
        .filter(|(call, answer)| got.get(call) != Some(answer))
        .map(|(call, answer)| {
            format!(
                "{call:?}\n  broker {answer}\n  kproxy {:?}",
                got.get(call).map(Value::to_string)
            )
        })
        .collect();
    assert!(
        different.is_empty(),
        "{} of {} answers differ:\n{}",
        different.len(),
        expected.len(),
        different.join("\n")
    );
    assert!(expected.len() > 1000, "{} calls", expected.len());
}

/// Settings of a Java client that logs in as `user`.
fn login(user: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    let settings = format!(
        "security.protocol=SASL_PLAINTEXT
sasl.mechanism=PLAIN
sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username=\"{user}\" password=\"{user}-secret\";
"
    );
    fs::write(file.path(), settings).unwrap();
    file
}

/// Rules by which alice may do these things with a topic.
fn rules_for(topic: &str, operations: &str) -> String {
    format!(
        "{{rules: 'from io.kroxylicious.filter.authorization import TopicResource as Topic;
         allow User with name = \"alice\" to {operations} Topic with name = \"{topic}\"; otherwise deny;'}}"
    )
}

#[test]
fn a_right_that_is_taken_away_reaches_a_consumer_that_waits_for_records() {
    let Some(open) = open_broker() else { return };
    let kproxy = Proxy::start(model(open, &rules_for("live", "{CREATE, READ, WRITE}"))).unwrap();
    let client = login("alice");
    let config = client.path().to_str().unwrap();
    let produce = |topic: &str| {
        Tool::new(&open.install, "org.apache.kafka.tools.ConsoleProducer")
            .args(["--bootstrap-server", &front(&kproxy), "--topic", topic])
            .args(["--command-config", config])
            .stdin("first\n")
            .run()
    };
    let written = produce("live");
    assert!(written.success(), "{written}");
    let denied = produce("other");
    let said = format!("{}{}", denied.stdout, denied.stderr);
    assert!(said.contains("TopicAuthorizationException"), "{denied}");
    let mut consumer = Tool::new(&open.install, "org.apache.kafka.tools.consumer.ConsoleConsumer")
        .args(["--bootstrap-server", &front(&kproxy), "--topic", "live"])
        .args(["--from-beginning", "--command-config", config])
        .spawn();
    consumer.wait_for_output("the first record", |output| output.contains("first"));
    kproxy
        .reload(model(open, &rules_for("live", "{CREATE, WRITE}")))
        .unwrap();
    let ended = consumer.finish();
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert!(
        !ended.timed_out && said.contains("TopicAuthorizationException"),
        "{ended}"
    );
}
