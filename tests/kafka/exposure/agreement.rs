//! Promise 4: protocol versions and cipher suites, allowed and denied on either side.

use super::{kafka, other};
use testkit::{
    edge::{Edge, block, by_name, cluster, openssl, target, trust},
    kafka::{KafkaCluster, Listener},
    openssl::SClient,
};

#[test]
fn clients_get_what_the_gateway_allows() {
    let Some(kafka) = kafka() else { return };
    let port = block();
    let plain = target(kafka, Listener::Plaintext, None);
    let gateway = |tls: &str| [by_name(port, tls)];
    let edge = Edge::start(&[
        cluster("all", &plain, &gateway("")),
        cluster("new", &plain, &gateway("protocols: {allowed: [TLSv1.3]}")),
        cluster("old", &plain, &gateway("protocols: {denied: [TLSv1.3]}")),
        cluster(
            "one",
            &plain,
            &gateway(
                "cipherSuites: {allowed: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]}",
            ),
        ),
        cluster(
            "less",
            &plain,
            &gateway("cipherSuites: {denied: [TLS_AES_256_GCM_SHA384, TLS_AES_128_GCM_SHA256]}"),
        ),
    ]);
    let agrees = |cluster: &str, arguments: &[&str], expected: &str| {
        let answer = openssl(port, cluster).args(arguments).run();
        assert!(answer.served, "{cluster} {arguments:?}: {answer:?}");
        let agreed = [answer.protocol(), answer.cipher()];
        assert!(
            agreed.contains(&Some(expected)),
            "{cluster} {arguments:?}: {answer:?}"
        );
    };
    agrees("all", &[], "TLSv1.3");
    agrees("all", &["-tls1_2"], "TLSv1.2");
    agrees("new", &[], "TLSv1.3");
    agrees("old", &[], "TLSv1.2");
    agrees("one", &[], "TLS_AES_128_GCM_SHA256");
    agrees("one", &["-tls1_2"], "ECDHE-ECDSA-AES128-GCM-SHA256");
    agrees("less", &["-tls1_3"], "TLS_CHACHA20_POLY1305_SHA256");

    let refuses = |cluster: &str, arguments: &[&str], alert: &str, complaint: &str| {
        let answer = openssl(port, cluster).args(arguments).run();
        assert_eq!(
            (answer.served, answer.alert()),
            (false, Some(alert)),
            "{cluster}: {answer:?}"
        );
        edge.expect_close(cluster, &[complaint]);
    };
    refuses(
        "new",
        &["-tls1_2"],
        "protocol version",
        "no protocol version in common",
    );
    refuses(
        "old",
        &["-tls1_3"],
        "protocol version",
        "no protocol version in common",
    );
    let aes_256 = ["-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"];
    refuses("one", &aes_256, "handshake failure", "no cipher suite");
    refuses("less", &aes_256, "handshake failure", "no cipher suite");
    let old_aes_256 = ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"];
    refuses("one", &old_aes_256, "handshake failure", "no cipher suite");
    // Nothing older is ever spoken.
    let ancient = openssl(port, "all")
        .args(["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"])
        .run();
    assert!(!ancient.served, "{ancient:?}");
}

/// The brokers here speak TLS 1.2 with one cipher suite only.
#[test]
fn brokers_get_what_the_target_allows() {
    let Some(other) = other() else { return };
    let port = block();
    let towards = |rules: &str| {
        let trust = trust(&other.tls.broker_trust, "");
        target(other, Listener::Ssl, Some(&format!("{trust}, {rules}")))
    };
    only_one_suite(other);
    let gateway = [by_name(port, "")];
    let edge = Edge::start(&[
        cluster("all", &towards(""), &gateway),
        cluster("old", &towards("protocols: {allowed: [TLSv1.2]}"), &gateway),
        cluster("new", &towards("protocols: {allowed: [TLSv1.3]}"), &gateway),
        cluster("denied", &towards("protocols: {denied: [TLSv1.2]}"), &gateway),
        cluster(
            "suite",
            &towards(
                "protocols: {allowed: [TLSv1.2]}, \
                 cipherSuites: {allowed: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]}",
            ),
            &gateway,
        ),
        cluster(
            "wrong",
            &towards("cipherSuites: {denied: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]}"),
            &gateway,
        ),
    ]);
    for (cluster, served) in [
        ("all", true),
        ("old", true),
        ("new", false),
        ("denied", false),
        ("suite", true),
        ("wrong", false),
    ] {
        let answer = openssl(port, cluster).run();
        assert_eq!(answer.served, served, "{cluster}: {answer:?}");
    }
    edge.expect_close("new", &["protocol version"]);
    edge.expect_close("denied", &["protocol version"]);
    edge.expect_close("wrong", &["the broker", "cipher suite"]);
}

/// Otherwise nothing above shows anything.
fn only_one_suite(kafka: &KafkaCluster) {
    let port = kafka.address(1, Listener::Ssl).port();
    let answer = SClient::to(port).run();
    assert_eq!(
        (answer.protocol(), answer.cipher()),
        (Some("TLSv1.2"), Some("ECDHE-ECDSA-AES128-GCM-SHA256")),
        "{answer:?}"
    );
}
