//! Promise 19: brokers that only a forward proxy reaches are as good as others.

use std::fs;
use std::net::SocketAddr;

use testkit::deployment::Deployment;
use testkit::dialled::Recorder;
use testkit::forward_proxy::TestForwardProxy;
use testkit::kafka::{KafkaCluster, Listener};
use testkit::topics;
use testkit_clients::{TestProducer, consume, sorted, values};

const USER: &str = "svc-kproxy";
const PASSWORD: &str = "jump-secret";

/// Produces and consumes through kproxy with these keys of the target, and checks that kproxy has connected to no broker itself.
fn serves(topic: &str, cluster: &KafkaCluster, listener: Listener, forward: &TestForwardProxy, keys: &str) {
    topics::create_spread(cluster, topic);
    forward.demand(USER, PASSWORD);
    let mut bootstrap = None;
    let deployment = Deployment::start("", |directory, port| {
        bootstrap = Some(testkit::running::local(port));
        fs::write(directory.join("jump"), format!("{USER}:{PASSWORD}\n")).unwrap();
        fs::write(directory.join("ca.pem"), &cluster.tls.brokers.pem).unwrap();
        format!(
            "virtualClusters:\n- name: demo\n  targetCluster: {{{keys}, viaCredentialsFile: jump}}\n  gateways:\n  - name: g\n    \
             portIdentifiesNode: {{bootstrapAddress: 'localhost:{port}', nodeIdRanges: [{{start: 1, end: 3}}]}}\n"
        )
    });
    let recorder = Recorder::of(deployment.binary.id());
    let bootstrap = bootstrap.unwrap().to_string();
    let producer = TestProducer::new(&bootstrap, &[]);
    let sent = values("v", 1000, 100);
    for value in &sent {
        producer.send(topic, value.as_bytes());
    }
    producer.flush();
    producer.deliveries.assert_none_failed();
    let got = consume(&bootstrap, topic, topic, sent.len(), &[]);
    assert_eq!(sorted(got), sorted(sent));
    let brokers: Vec<SocketAddr> = [1, 2, 3].map(|node| cluster.address(node, listener)).to_vec();
    let dialled = recorder.finish();
    assert!(
        brokers.iter().all(|broker| !dialled.contains(broker)),
        "{dialled:?}"
    );
    assert!(dialled.contains(&forward.address()), "{dialled:?}");
    let asked = forward.asked();
    for broker in brokers {
        let port = format!(":{}", broker.port());
        assert!(asked.iter().any(|asked| asked.ends_with(&port)), "{asked:?}");
    }
    assert_eq!(forward.authenticated().len(), asked.len());
    assert!(!deployment.log(0).contains(PASSWORD));
}

#[test]
fn a_cluster_behind_a_socks5_proxy_is_served() {
    let Some(cluster) = super::modern() else { return };
    let broker = cluster.address(1, Listener::Plaintext);
    let forward = TestForwardProxy::socks5().knowing("b1.kafka.test", broker);
    let keys = format!(
        "bootstrapServers: 'b1.kafka.test:{}', via: 'socks5://{}'",
        broker.port(),
        forward.address()
    );
    serves("via-socks5", cluster, Listener::Plaintext, &forward, &keys);
}

#[test]
fn a_cluster_with_tls_behind_an_http_proxy_is_served() {
    let Some(cluster) = super::modern() else { return };
    let broker = cluster.address(1, Listener::Ssl);
    let forward = TestForwardProxy::http().knowing("localhost", broker);
    let keys = format!(
        "bootstrapServers: 'localhost:{}', via: 'http://{}', tls: {{trust: {{storeFile: ca.pem, storeType: PEM}}}}",
        broker.port(),
        forward.address()
    );
    serves("via-connect", cluster, Listener::Ssl, &forward, &keys);
}
