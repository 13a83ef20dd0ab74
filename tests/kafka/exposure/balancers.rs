//! Promise 6: the PROXY protocol, from load balancers and to brokers.

use std::{
    net::{IpAddr, Ipv4Addr},
    process::Command,
};

use serde_json::Value;

use super::kafka;
use testkit::{
    edge::{
        DOMAIN, Edge, asks, asks_from, at, block, by_name, by_names, by_port, certificates, cluster, key,
        openssl, target, target_at, with,
    },
    haproxy::{Haproxy, Relay},
    kafka::Listener,
    topics,
    wait::eventually,
};

/// Nobody has it: a client address that can only come from a header.
const CLIENT: &str = "203.0.113.7:4711";
const HEADER: &[u8] = b"PROXY TCP4 203.0.113.7 127.0.0.1 4711 9092\r\n";
/// A client's address that no load balancer here has.
const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));

const MODES: [&str; 3] = ["disabled", "allowed", "required"];
/// How HAProxy introduces its clients, if at all.
const SENDS: [&str; 5] = [
    "",
    "send-proxy",
    "send-proxy-v2",
    "send-proxy-v2 proxy-v2-options crc32c",
    "send-proxy-v2-ssl",
];

/// What a mode makes of a connection with and without a header.
fn accepts(mode: &str, sends: &str) -> bool {
    match mode {
        "disabled" => sends.is_empty(),
        "allowed" => true,
        _ => !sends.is_empty(),
    }
}

#[test]
fn each_mode_takes_what_it_should_without_tls() {
    let Some(kafka) = kafka() else { return };
    let ports = block();
    let plain = target(kafka, Listener::Plaintext, None);
    let gateway = |mode: &str, at: u16| [by_port(at, &format!("proxyProtocol: {{mode: {mode}}}"))];
    let of = |place: u16| ports + 5 * place;
    let clusters: Vec<String> = (0..)
        .zip(MODES)
        .map(|(place, mode)| cluster(mode, &plain, &gateway(mode, of(place))))
        .collect();
    let edge = Edge::start(&clusters);
    for (place, mode) in (0..).zip(MODES) {
        let balancer = Haproxy::start(&SENDS.map(|sends| Relay::to(at(of(place))).server(sends)));
        for (relay, sends) in SENDS.iter().enumerate() {
            let answered = asks_from(SOURCE, balancer.address(relay)).is_some();
            assert_eq!(
                answered,
                accepts(mode, sends),
                "{mode} {sends:?}: {}",
                edge.binary.log()
            );
            if answered && !sends.is_empty() {
                edge.expect_close(mode, &["client=127.0.0.9:"]);
            }
        }
    }
    edge.expect_line(&["unexpected_proxy_header"]);
    edge.expect_line(&["proxy_header_missing"]);
    // None of those whose header was not taken goes by its address.
    let log = edge.binary.log();
    let mut disabled = log.lines().filter(|line| line.contains("cluster=disabled"));
    assert!(disabled.all(|line| !line.contains("127.0.0.9")), "{log}");
}

#[test]
fn each_mode_takes_what_it_should_before_tls() {
    let Some(kafka) = kafka() else { return };
    let (ports, certificates) = (block(), certificates());
    let plain = target(kafka, Listener::Plaintext, None);
    let terminating = format!("tls: {{{}}}", key(&certificates.server));
    let mut clusters = Vec::new();
    let of = |place: u16| ports + 10 * place;
    for (place, mode) in (0..).zip(MODES) {
        let header = format!("proxyProtocol: {{mode: {mode}}}");
        let by_sni = with(&by_name(of(place), ""), &header);
        clusters.push(cluster(mode, &plain, &[by_sni]));
        let by_port = by_port(of(place) + 1, &format!("{terminating}, {header}"));
        clusters.push(cluster(&format!("port-{mode}"), &plain, &[by_port]));
    }
    let edge = Edge::start(&clusters);
    for (place, mode) in (0..).zip(MODES) {
        for port in [of(place), of(place) + 1] {
            let balancer = Haproxy::start(&SENDS.map(|sends| Relay::to(at(port)).server(sends)));
            for (relay, sends) in SENDS.iter().enumerate() {
                let answer = openssl(balancer.port(relay), mode)
                    .args(["-bind", "127.0.0.9:0"])
                    .run();
                assert_eq!(
                    answer.served,
                    accepts(mode, sends),
                    "{mode} {sends:?}: {answer:?}"
                );
            }
        }
    }
    for cluster in ["allowed", "required", "port-allowed", "port-required"] {
        edge.expect_close(cluster, &["client=127.0.0.9:"]);
    }
}

/// Clients that are told the load balancer's port for every node.
#[test]
fn records_move_through_a_load_balancer() {
    let Some(kafka) = kafka() else { return };
    let port = block();
    let balancer = Haproxy::start(&[Relay::to(at(port)).server("send-proxy-v2")]);
    let gateway = by_names("names", "orders", port, balancer.port(0), "");
    let gateway = with(&gateway, "proxyProtocol: {mode: required}");
    let target = target(kafka, Listener::Plaintext, None);
    let edge = Edge::start(&[cluster("orders", &target, &[gateway])]);
    let topic = "balancers";
    topics::create_spread(kafka, topic);
    edge.tls(format!("orders.{DOMAIN}:{}", balancer.port(0)))
        .round_trip(topic, 60);
}

/// The address of a header is the client's wherever kproxy speaks of it, and for those only whose headers are
/// believed.
#[test]
fn the_address_of_a_header_is_the_clients() {
    let Some(kafka) = kafka() else { return };
    let ports = block();
    let plain = target(kafka, Listener::Plaintext, None);
    let trusting = |peers: &str, at: u16| {
        [by_port(
            at,
            &format!("proxyProtocol: {{mode: allowed, trustedPeers: [{peers}]}}"),
        )]
    };
    let edge = Edge::start(&[
        cluster("orders", &plain, &trusting("127.0.0.0/8", ports)),
        cluster("payments", &plain, &trusting("10.0.0.0/8", ports + 5)),
    ]);
    let _open = asks(at(ports), HEADER).unwrap();
    let listed = || {
        let output = Command::new(env!("CARGO_BIN_EXE_kproxy"))
            .args(["connections", "--json", "--control"])
            .arg(edge.directory.path().join("control.sock"))
            .output()
            .unwrap();
        let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
        listed.to_string()
    };
    eventually("the connection is listed", || listed().contains(CLIENT));
    assert!(asks(at(ports + 5), HEADER).is_none());
    assert!(
        !edge
            .binary
            .log()
            .lines()
            .any(|line| { line.contains("cluster=payments") && line.contains(CLIENT) })
    );
}

/// What brokers are told of a client, by way of a HAProxy that understands it.
#[test]
fn brokers_are_told_who_the_client_is() {
    let Some(kafka) = kafka() else { return };
    let ports = block();
    let broker = kafka.address(1, Listener::Plaintext);
    let behind = Haproxy::start(&[0; 3].map(|_| Relay::to(broker).bind("accept-proxy")));
    let telling = |version: &str, at: u16| {
        [by_port(
            at,
            &format!("proxyProtocol: {{mode: allowed, upstream: {version}}}"),
        )]
    };
    let target = |place| target_at(&behind.address(place).to_string(), None);
    let edge = Edge::start(&[
        cluster("old", &target(0), &telling("v1", ports)),
        cluster("new", &target(1), &telling("v2", ports + 5)),
        cluster(
            "orders",
            &target(2),
            &[with(&by_name(ports + 10, ""), "proxyProtocol: {upstream: v2}")],
        ),
    ]);
    for (place, port) in [(0, ports), (1, ports + 5)] {
        let answered = asks(at(port), HEADER);
        assert!(answered.is_some(), "{}", edge.binary.log());
        drop(answered);
        let expected = format!("{place} {CLIENT}");
        eventually("the load balancer behind logs the client's address", || {
            behind.log().iter().any(|line| line.starts_with(&expected))
        });
    }
    // With TLS also which host it asked for.
    let client = openssl(ports + 10, "orders").args(["-bind", "127.0.0.9:0"]);
    assert!(client.run().served);
    eventually("the load balancer behind logs the host", || {
        let told = |line: &String| line.starts_with("2 127.0.0.9:") && line.contains(" orders.edge.test ");
        behind.log().iter().any(told)
    });
}
