//! Promise 1: TLS on either side of kproxy, on both and on none, whatever tells nodes apart.

use super::{BROKER_NAME, kafka};
use testkit::{
    edge::{
        DOMAIN, Edge, asks, at, block, by_name, by_port, certificates, cluster, key, openssl, target, trust,
    },
    java::Tool,
    kafka::Listener,
    kafka_tls::client_properties,
    topics,
};

#[test]
fn every_combination_moves_records() {
    let Some(kafka) = kafka() else { return };
    let (ports, certificates) = (block(), certificates());
    let broker_trust = trust(&kafka.tls.broker_trust, "");
    let plain = target(kafka, Listener::Plaintext, None);
    let tls = target(kafka, Listener::Ssl, Some(&broker_trust));
    let terminating = format!("tls: {{{}}}", key(&certificates.server));
    let shared = ports + 30;
    let edge = Edge::start(&[
        cluster("neither", &plain, &[by_port(ports, "")]),
        cluster("up", &tls, &[by_port(ports + 5, "")]),
        cluster("down", &plain, &[by_port(ports + 10, &terminating)]),
        cluster("both", &tls, &[by_port(ports + 15, &terminating)]),
        cluster("orders", &plain, &[by_name(shared, "")]),
        cluster("payments", &tls, &[by_name(shared, "")]),
    ]);
    let by_sni = |name: &str| format!("{name}.{DOMAIN}:{shared}");
    for (name, client) in [
        ("neither", edge.plain(at(ports))),
        ("up", edge.plain(at(ports + 5))),
        ("down", edge.tls(at(ports + 10))),
        ("both", edge.tls(at(ports + 15))),
        ("orders", edge.tls(by_sni("orders"))),
        ("payments", edge.tls(by_sni("payments"))),
    ] {
        let topic = format!("sides-{name}");
        topics::create_spread(kafka, &topic);
        client.round_trip(&topic, 60);
        edge.expect_close(name, &["cause=\"client_closed\""]);
    }
}

/// The reference client, with a certificate of its own, to brokers that want one of kproxy.
#[test]
fn java_goes_by_name_with_certificates_on_both_sides() {
    let Some(kafka) = kafka() else { return };
    let (port, certificates) = (block(), certificates());
    let tls = format!(
        "{}, {}",
        trust(&kafka.tls.broker_trust, ""),
        key(&kafka.tls.client)
    );
    let target = target(kafka, Listener::MutualSsl, Some(&tls));
    let gateway = by_name(port, &trust(&certificates.client_trust, ""));
    let edge = Edge::start(&[cluster("orders", &target, &[gateway])]);
    let topic = "sides-java";
    topics::create_spread(kafka, topic);
    let config = client_properties(
        edge.directory.path(),
        "java",
        &certificates.edge_trust,
        Some(&certificates.client),
    );
    let tool = |class: &str| {
        let hosts = format!("-Djdk.net.hosts.file={}", edge.hosts.display());
        Tool::java(&kafka.install, class, &[hosts])
            .args(["--bootstrap-server", &format!("orders.{DOMAIN}:{port}")])
            .args(["--topic", topic, "--command-config", config.to_str().unwrap()])
    };
    let mut sent: Vec<String> = (0..60).map(|n| format!("record-{n}")).collect();
    tool("org.apache.kafka.tools.ConsoleProducer")
        .stdin(sent.join("\n"))
        .succeed();
    let got = tool("org.apache.kafka.tools.consumer.ConsoleConsumer")
        .args([
            "--from-beginning",
            "--max-messages",
            "60",
            "--timeout-ms",
            "40000",
        ])
        .succeed();
    let mut got: Vec<String> = got.lines().map(str::to_owned).collect();
    got.sort_unstable();
    sent.sort_unstable();
    assert_eq!(got, sent);
}

/// Clients and ports that do not belong together part at once, and the log says what was wrong.
#[test]
fn tls_and_plaintext_do_not_mix() {
    let Some(kafka) = kafka() else { return };
    let (ports, certificates) = (block(), certificates());
    let plain = target(kafka, Listener::Plaintext, None);
    let terminating = format!("tls: {{{}}}", key(&certificates.server));
    let edge = Edge::start(&[
        cluster("plain", &plain, &[by_port(ports, "")]),
        cluster("secure", &plain, &[by_port(ports + 5, &terminating)]),
        cluster("orders", &plain, &[by_name(ports + 10, "")]),
        cluster(
            "misled",
            &target(kafka, Listener::Ssl, None),
            &[by_port(ports + 11, "")],
        ),
        cluster(
            "hopeful",
            &target(kafka, Listener::Plaintext, Some("")),
            &[by_port(ports + 16, "")],
        ),
    ]);

    let refused = openssl(ports, BROKER_NAME).run();
    assert!(!refused.served && refused.protocol().is_none(), "{refused:?}");
    edge.expect_close("plain", &["cause=\"tls_on_plaintext_port\""]);

    assert!(asks(at(ports + 5), b"").is_none());
    edge.expect_close("secure", &["cause=\"plaintext_on_tls_port\"", "Kafka"]);
    assert!(asks(at(ports + 10), b"").is_none());
    edge.expect_line(&["cause=\"plaintext_on_tls_port\"", "gateway"]);
    assert!(asks(at(ports + 5), b"GET / HTTP/1.1\r\nHost: edge.test\r\n\r\n").is_none());
    edge.expect_close("secure", &["HTTP"]);

    assert!(asks(at(ports + 11), b"").is_none());
    edge.expect_close("misled", &["cause=\"upstream_speaks_tls\""]);
    assert!(asks(at(ports + 16), b"").is_none());
    edge.expect_close("hopeful", &["cause=\"upstream_speaks_plaintext\""]);
}

/// A client that does not believe kproxy says so, and kproxy notes it.
#[test]
fn a_client_that_distrusts_kproxy_leaves() {
    let Some(kafka) = kafka() else { return };
    let (port, certificates) = (block(), certificates());
    let target = target(kafka, Listener::Plaintext, None);
    let edge = Edge::start(&[cluster("orders", &target, &[by_name(port, "")])]);
    edge.plain(format!("orders.{DOMAIN}:{port}"))
        .tls(&certificates.stranger_trust)
        .fails("certificate verify failed");
    edge.expect_close("orders", &["the client does not accept kproxy's certificate"]);
}
