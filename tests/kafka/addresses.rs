//! Promise 6: no client gets past kproxy, and node ports stand on their own.

use std::{
    collections::BTreeSet,
    env,
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Command, Stdio},
    time::Duration,
};

use kafka_protocol::{
    messages::{DescribeConfigsRequest, describe_configs_request::DescribeConfigsResource},
    protocol::StrBytes,
};

use crate::{groups::consumed, plaintext, sasl, sasl::PLAIN};
use testkit::{
    dialled::{Recorder, peers_of},
    entry_point::EntryPoint,
    java::Tool,
    raw::Raw,
    topics,
};
use testkit_clients::{TestProducer, consume, produce, sorted, values};

/// Tells the child process of [`librdkafka_dials_only_the_proxy`] where to go.
const CHILD_BOOTSTRAP: &str = "KPROXY_TEST_CHILD_BOOTSTRAP";
const CHILD_TOPIC: &str = "librdkafka-dials";

#[test]
fn the_recorder_sees_a_dialled_address() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let _connection = TcpStream::connect(address).unwrap();
    assert!(peers_of(std::process::id()).contains(&address));
}

/// Demands that a process dialled addresses of the entry point only, and the leaders of all three partitions there.
fn assert_only_the_front(entry: &EntryPoint<'_>, dialled: &BTreeSet<SocketAddr>) {
    let addresses: BTreeSet<SocketAddr> = entry.addresses().into_iter().collect();
    assert!(
        dialled.is_subset(&addresses),
        "dialled {dialled:?}, the entry point is {addresses:?}"
    );
    for id in entry.cluster.ids() {
        assert!(
            dialled.contains(&entry.node(id)),
            "node {id} was not dialled: {dialled:?}"
        );
    }
}

#[test]
fn java_dials_only_the_proxy() {
    let Some(entry) = plaintext() else { return };
    let topic = "java-dials";
    topics::create_spread(entry.cluster, topic);
    let bootstrap = entry.bootstrap();
    let producer = Tool::new(
        &entry.cluster.install,
        "org.apache.kafka.tools.VerifiableProducer",
    )
    .args(["--bootstrap-server", &bootstrap, "--topic", topic])
    .args([
        "--max-messages",
        "3000",
        "--throughput",
        "1500",
        "--repeating-keys",
        "10",
    ])
    .spawn();
    let recorder = Recorder::of(producer.pid());
    let output = producer.finish();
    assert!(output.success(), "{output}");
    assert_only_the_front(&entry, &recorder.finish());

    let mut consumer = Tool::new(
        &entry.cluster.install,
        "org.apache.kafka.tools.VerifiableConsumer",
    )
    .args([
        "--bootstrap-server",
        &bootstrap,
        "--topic",
        topic,
        "--group-id",
        topic,
    ])
    .spawn();
    let recorder = Recorder::of(consumer.pid());
    consumer.wait_for_output("all records", |stdout| consumed(stdout) == 3_000);
    consumer.terminate();
    assert_only_the_front(&entry, &recorder.finish());
}

#[test]
fn librdkafka_dials_only_the_proxy() {
    let Some(entry) = plaintext() else { return };
    topics::create_spread(entry.cluster, CHILD_TOPIC);
    // This process also is kproxy and the other tests, which do dial brokers: the client gets one of its own.
    let mut child = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "addresses::librdkafka_child",
            "--ignored",
            "--nocapture",
        ])
        .env(CHILD_BOOTSTRAP, entry.bootstrap())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let recorder = Recorder::of(child.id());
    let status = child.wait().unwrap();
    let dialled = recorder.finish();
    assert!(status.success(), "{status}");
    assert_only_the_front(&entry, &dialled);
}

#[test]
#[ignore = "the client process of librdkafka_dials_only_the_proxy"]
fn librdkafka_child() {
    let Ok(bootstrap) = env::var(CHILD_BOOTSTRAP) else {
        return;
    };
    let producer = TestProducer::new(&bootstrap, &[]);
    for value in values("v", 1_000, 100) {
        producer.send(CHILD_TOPIC, value.as_bytes());
    }
    producer.flush();
    consume(&bootstrap, CHILD_TOPIC, CHILD_TOPIC, 1_000, &[]);
}

/// A client that cached a node's address over a restart of kproxy: nothing is known yet when it comes.
#[test]
fn a_client_straight_at_a_node_port_is_served() {
    for id in [1, 2, 3] {
        let Some(entry) = plaintext() else { return };
        served_at_node(&entry, id, &format!("straight-{id}"), &[]);
    }
}

/// kproxy has no credentials here: it learns the topology on the client's own connection.
#[test]
fn a_sasl_client_straight_at_a_node_port_is_served() {
    for id in [1, 2, 3] {
        let Some(entry) = sasl() else { return };
        served_at_node(&entry, id, &format!("straight-sasl-{id}"), &PLAIN);
    }
}

fn served_at_node(entry: &EntryPoint<'_>, id: i32, topic: &str, settings: &[(&str, &str)]) {
    topics::create_spread(entry.cluster, topic);
    let sent = values("v", 100, 100);
    let bootstrap = entry.node(id).to_string();
    produce(&bootstrap, topic, &sent, settings);
    assert_eq!(
        sorted(consume(&bootstrap, topic, topic, 100, settings)),
        sorted(sent)
    );
}

/// Only broker N describes broker N's configuration; any other refuses.
#[test]
fn a_node_port_of_a_fresh_proxy_reaches_that_node() {
    const BROKER: i8 = 4;
    for id in [1, 2, 3] {
        let Some(entry) = plaintext() else { return };
        let resource = DescribeConfigsResource::default()
            .with_resource_type(BROKER)
            .with_resource_name(StrBytes::from_string(id.to_string()))
            .with_configuration_keys(Some(vec![StrBytes::from_static_str("node.id")]));
        let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
        let mut client = Raw::connect(entry.node(id)).unwrap();
        client
            .stream()
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let answer = client.call(4, &request).unwrap();
        let result = &answer.results[0];
        assert_eq!(result.error_code, 0, "{result:?}");
        assert_eq!(result.configs[0].value.as_deref(), Some(id.to_string().as_str()));
    }
}
