//! Promise 2: one port for any number of clusters, told apart by the names that clients ask for.

use super::{kafka, other};
use testkit::{
    certificates::Leaf,
    edge::{DOMAIN, Edge, at, block, by_name, by_names, certificates, cluster, key, openssl, target, trust},
    haproxy::{Haproxy, Relay},
    kafka::{Listener, PASSWORD, USER},
    kcat::{Kcat, hosts},
    openssl::SClient,
    topics,
};

/// What clients of these names are told, in the order of ids.
fn brokers(ids: &[i32], host: &str, port: u16) -> Vec<(i32, String)> {
    let broker = |id: &i32| (*id, format!("broker-{id}.{host}.{DOMAIN}:{port}"));
    ids.iter().map(broker).collect()
}

/// Both have the same patterns, and their names in them tell them apart.
#[test]
fn two_clusters_share_a_port() {
    let (Some(kafka), Some(other)) = (kafka(), other()) else {
        return;
    };
    let port = block();
    let edge = Edge::start(&[
        cluster(
            "orders",
            &target(kafka, Listener::Plaintext, None),
            &[by_name(port, "")],
        ),
        cluster(
            "payments",
            &target(other, Listener::Plaintext, None),
            &[by_name(port, "")],
        ),
    ]);
    let client = |name: &str| edge.tls(format!("{name}.{DOMAIN}:{port}"));
    assert_eq!(client("orders").brokers(), brokers(&[1, 2, 3], "orders", port));
    assert_eq!(client("payments").brokers(), brokers(&[1], "payments", port));

    // The same topic in both: neither cluster sees what the other has.
    let topic = "names-shared";
    topics::create_spread(kafka, topic);
    topics::create_spread(other, topic);
    let sent = |name: &str| (0..30).map(|n| format!("{name}-{n}")).collect::<Vec<_>>();
    for name in ["orders", "payments"] {
        client(name).produce(topic, &sent(name));
    }
    for name in ["orders", "payments"] {
        let mut got = client(name).consume(topic, 30);
        got.sort_unstable();
        let mut expected = sent(name);
        expected.sort_unstable();
        assert_eq!(got, expected);
    }
}

#[test]
fn names_are_the_same_in_any_case() {
    let Some(kafka) = kafka() else { return };
    let port = block();
    let target = target(kafka, Listener::Plaintext, None);
    let _edge = Edge::start(&[cluster("orders", &target, &[by_name(port, "")])]);
    for name in [
        "ORDERS.Edge.TEST",
        "Broker-2.orders.EDGE.test",
        "orders.edge.test",
    ] {
        let answer = SClient::named(port, name).run();
        assert!(answer.served, "{name}: {answer:?}");
    }
}

/// Behind a load balancer that passes bytes on, clients know the load balancer's port only.
#[test]
fn the_advertised_port_may_be_another_than_the_bound_one() {
    let Some(kafka) = kafka() else { return };
    let port = block();
    let balancer = Haproxy::start(&[Relay::to(at(port))]);
    let outside = balancer.port(0);
    let gateway = by_names("names", "orders", port, outside, "");
    let edge = Edge::start(&[cluster(
        "orders",
        &target(kafka, Listener::Plaintext, None),
        &[gateway],
    )]);
    let client = edge.tls(format!("orders.{DOMAIN}:{outside}"));
    assert_eq!(client.brokers(), brokers(&[1, 2, 3], "orders", outside));
    let topic = "names-advertised";
    topics::create_spread(kafka, topic);
    client.round_trip(topic, 60);
}

/// Gateways of one cluster and of several, at one address, each with its own names, certificate and rules.
#[test]
fn gateways_at_one_address_have_certificates_and_rules_of_their_own() {
    let Some(kafka) = kafka() else { return };
    let (port, certificates) = (block(), certificates());
    let plain = target(kafka, Listener::Plaintext, None);
    let own = certificates
        .edge
        .issue(&Leaf::server(&["inside.edge.test", "*.inside.edge.test"]))
        .write(&certificates.directory, "inside");
    let inside = by_names("inside", "inside", port, port, "").replace(&key(&certificates.server), &key(&own));
    let only_new = by_names("public", "public", port, port, "protocols: {allowed: [TLSv1.3]}");
    let edge = Edge::start(&[
        cluster("orders", &plain, &[inside, only_new]),
        cluster("payments", &plain, &[by_name(port, "")]),
    ]);
    let verified = |host: &str, version: &str| {
        openssl(port, host)
            .trust(&certificates.edge_trust)
            .args(["-verify_hostname", &format!("{host}.{DOMAIN}"), version])
            .run()
    };
    let inside = verified("inside", "-tls1_2");
    assert!(inside.served && inside.verified(), "{inside:?}");
    assert!(inside.stdout.contains("CN = inside.edge.test"), "{inside:?}");
    let public = verified("public", "-tls1_3");
    assert!(public.served && public.verified(), "{public:?}");
    assert!(public.stdout.contains("CN = localhost"), "{public:?}");
    let old = verified("public", "-tls1_2");
    assert_eq!(
        (old.served, old.alert()),
        (false, Some("protocol version")),
        "{old:?}"
    );
    let payments = verified("payments", "-tls1_2");
    assert!(payments.served, "{payments:?}");

    let client = edge.tls(format!("inside.{DOMAIN}:{port}"));
    assert_eq!(client.brokers(), brokers(&[1, 2, 3], "inside", port));
    let client = edge.tls(format!("public.{DOMAIN}:{port}"));
    assert_eq!(client.brokers(), brokers(&[1, 2, 3], "public", port));
}

#[test]
fn a_name_that_is_nobodys_is_told_so() {
    let Some(kafka) = kafka() else { return };
    let port = block();
    let plain = target(kafka, Listener::Plaintext, None);
    let edge = Edge::start(&[
        cluster("orders", &plain, &[by_name(port, "")]),
        cluster("payments", &plain, &[by_name(port, "")]),
    ]);
    for version in ["-tls1_2", "-tls1_3"] {
        let unknown = openssl(port, "ordres").args([version]).run();
        assert_eq!(
            (unknown.served, unknown.alert()),
            (false, Some("unrecognized name")),
            "{unknown:?}"
        );
        let without = SClient::to(port).args([version]).run();
        assert_eq!(
            (without.served, without.alert()),
            (false, Some("unrecognized name")),
            "{without:?}"
        );
    }
    // What was asked for, and what was probably meant.
    edge.expect_line(&["ordres.edge.test", "orders.edge.test", "127.0.0.1"]);
    for name in [
        "x.orders.edge.test",
        "broker-x.orders.edge.test",
        "broker-1.edge.test",
    ] {
        let unknown = SClient::named(port, name).run();
        assert_eq!(
            (unknown.served, unknown.alert()),
            (false, Some("unrecognized name")),
            "{unknown:?}"
        );
    }
    Kcat::to(format!("other.{DOMAIN}:{port}"))
        .resolving(&hosts(edge.directory.path(), ["other.edge.test"]))
        .tls(&certificates().edge_trust)
        .fails("unrecognized name");
}

/// A client that kept a node's name over a restart of kproxy, which knows nothing of its clusters yet.
#[test]
fn a_client_straight_at_a_nodes_name_is_served_after_a_restart() {
    let Some(kafka) = kafka() else { return };
    let port = block();
    let target = target(kafka, Listener::Plaintext, None);
    let mut edge = Edge::start(&[cluster("orders", &target, &[by_name(port, "")])]);
    let topic = "names-restart";
    topics::create_spread(kafka, topic);
    let client = |edge: &Edge, id: i32| edge.tls(format!("broker-{id}.orders.{DOMAIN}:{port}"));
    client(&edge, 1).round_trip(topic, 30);
    for id in 1..=3 {
        edge.restart();
        assert_eq!(client(&edge, id).brokers(), brokers(&[1, 2, 3], "orders", port));
    }
    edge.restart();
    let again: Vec<String> = (0..30).map(|n| format!("again-{n}")).collect();
    client(&edge, 3).produce(topic, &again);
    assert_eq!(client(&edge, 2).consume(topic, 60).len(), 60);
}

/// Repeats it with SASL in TLS on both sides: kproxy has no credentials and learns on the client's own connection.
#[test]
fn a_sasl_client_straight_at_a_nodes_name_is_served() {
    let Some(kafka) = kafka() else { return };
    let port = block();
    let trusted = trust(&kafka.tls.broker_trust, "");
    let target = target(kafka, Listener::SaslSsl, Some(&trusted));
    let mut edge = Edge::start(&[cluster("orders", &target, &[by_name(port, "")])]);
    let topic = "names-sasl";
    topics::create_spread(kafka, topic);
    for id in 1..=3 {
        let sent: Vec<String> = (0..10).map(|n| format!("{id}-{n}")).collect();
        let client = edge
            .tls(format!("broker-{id}.orders.{DOMAIN}:{port}"))
            .set("security.protocol", "sasl_ssl")
            .set("sasl.mechanism", "PLAIN")
            .set("sasl.username", USER)
            .set("sasl.password", PASSWORD);
        // The first connection ends once the brokers are known. A producing kcat would give up then, as long as it knows
        // one address only.
        assert_eq!(client.brokers(), brokers(&[1, 2, 3], "orders", port));
        client.produce(topic, &sent);
        assert_eq!(client.consume(topic, 10 * id).len(), 10 * id);
        edge.restart();
    }
}
