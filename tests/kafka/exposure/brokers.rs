//! Promise 5: which brokers kproxy believes, and what it shows to them.

use super::{BROKER_NAME, kafka};
use testkit::{
    edge::{DOMAIN, Edge, block, by_name, certificates, cluster, key, openssl, target, target_at, trust},
    haproxy::{Haproxy, Relay},
    kafka::Listener,
    topics,
    wait::eventually,
};

/// Often enough for either order of events.
const TIMES: usize = 30;

/// Which settings lead to a broker, and what is said of those that do not.
#[test]
fn brokers_are_believed_as_configured() {
    let Some(kafka) = kafka() else { return };
    let (port, certificates) = (block(), certificates());
    let trusted = trust(&kafka.tls.broker_trust, "");
    let ssl = |tls: &str| target(kafka, Listener::Ssl, Some(tls));
    // The certificate does not cover this name.
    let localhost = format!("localhost:{}", kafka.address(1, Listener::Ssl).port());
    let by_another_name = |tls: &str| target_at(&localhost, Some(tls));
    let insecure = "trust: {insecure: true}";
    let named = |name: &str| format!("{trusted}, serverName: {name}");
    let cases = [
        ("trusted", ssl(&trusted), None),
        ("insecure", ssl(insecure), None),
        ("insecure-name", by_another_name(insecure), None),
        ("server-name", by_another_name(&named(BROKER_NAME)), None),
        ("server-name-everywhere", ssl(&named(BROKER_NAME)), None),
        ("platform", ssl(""), Some("issuer that is not trusted")),
        (
            "stranger",
            ssl(&trust(&certificates.stranger_trust, "")),
            Some("issuer that is not trusted"),
        ),
        ("another-name", by_another_name(&trusted), Some("another name")),
        ("wrong-name", ssl(&named("wrong.test")), Some("another name")),
    ];
    assert_each(port, &cases);
}

/// Brokers that want a certificate of their clients.
#[test]
fn brokers_get_the_certificate_that_they_want() {
    let Some(kafka) = kafka() else { return };
    let (port, certificates) = (block(), certificates());
    let mutual = |tls: &str| {
        let trust = trust(&kafka.tls.broker_trust, "");
        target(kafka, Listener::MutualSsl, Some(&format!("{trust}, {tls}")))
    };
    let cases = [
        ("shown", mutual(&key(&kafka.tls.client)), None),
        ("not-shown", mutual(""), Some("the broker")),
        (
            "not-known",
            mutual(&key(&certificates.stranger)),
            Some("the broker"),
        ),
    ];
    assert_each(port, &cases);
}

/// Under TLS 1.3 a broker refuses when kproxy is already sending, and closes: whichever kproxy comes across first, the
/// refusal is what is told.
#[test]
fn a_broker_that_refuses_in_the_middle_is_understood() {
    let Some(kafka) = kafka() else { return };
    let port = block();
    let tls = format!(
        "{}, {}",
        trust(&kafka.tls.broker_trust, ""),
        key(&certificates().stranger)
    );
    let target = target(kafka, Listener::MutualSsl, Some(&tls));
    let edge = Edge::start(&[cluster("orders", &target, &[by_name(port, "")])]);
    for _ in 0..TIMES {
        assert!(!openssl(port, "orders").run().served);
    }
    let closed = || {
        let log = edge.binary.log();
        let lines = log.lines().filter(|line| line.contains("session closed"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    eventually("all sessions have ended", || closed().len() == TIMES);
    for line in closed() {
        assert!(line.contains("cause=\"upstream_rejected_certificate\""), "{line}");
    }
}

/// A cluster for each case; the first moves records as well.
fn assert_each(port: u16, cases: &[(&str, String, Option<&str>)]) {
    let gateway = [by_name(port, "")];
    let clusters: Vec<String> = cases
        .iter()
        .map(|(name, target, _)| cluster(name, target, &gateway))
        .collect();
    let edge = Edge::start(&clusters);
    for (name, _, complaint) in cases {
        let answer = openssl(port, name).run();
        assert_eq!(
            answer.served,
            complaint.is_none(),
            "{name}: {answer:?} {}",
            edge.binary.log()
        );
        if let Some(complaint) = complaint {
            edge.expect_close(name, &[complaint]);
        }
    }
    let Some(kafka) = kafka() else { return };
    let name = cases[0].0;
    let topic = format!("brokers-{name}");
    topics::create_spread(kafka, &topic);
    edge.tls(format!("{name}.{DOMAIN}:{port}")).round_trip(&topic, 60);
}

/// After the first connection to a broker the next ones cost it no full handshake. HAProxy stands for the broker: it
/// can tell.
#[test]
fn tls_sessions_with_brokers_are_resumed() {
    let Some(kafka) = kafka() else { return };
    let port = block();
    let plain = kafka.address(1, Listener::Plaintext);
    let trusted = trust(&kafka.tls.broker_trust, "");
    for versions in ["", "ssl-max-ver TLSv1.2"] {
        let bind = format!("ssl crt {} {versions}", kafka.tls.broker.both.display());
        let broker = Haproxy::start(&[Relay::to(plain).bind(&bind)]);
        let target = target_at(&broker.address(0).to_string(), Some(&trusted));
        let _edge = Edge::start(&[cluster("orders", &target, &[by_name(port, "")])]);
        let ended = || broker.log().iter().filter(|line| line.starts_with("0 ")).count();
        // kproxy has tried the broker out itself.
        eventually("the broker has seen the end of it", || ended() == 1);
        for connection in 1..=5 {
            assert!(openssl(port, "orders").run().served);
            eventually("the broker has seen the end of it", || ended() == 1 + connection);
        }
        let resumed = broker.log().iter().filter(|line| line.ends_with(" 1")).count();
        assert!((4..=5).contains(&resumed), "{:?}", broker.log());
    }
}
