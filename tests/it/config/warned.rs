//! Point 11: warnings.

use kproxy::model;

use super::secured::{Fixture, KEY, NOW, gateways, with_tls};

const YEAR: i64 = 366 * 24 * 60 * 60;

#[test]
fn a_sound_file_has_no_warnings() {
    let fixture = Fixture::new();
    let yaml = with_tls(&format!("{KEY}, trust: {{storeFile: ca.pem}}, crlFile: crl.pem"));
    assert_eq!(fixture.warnings(&yaml, NOW), "");
    // Text alone is no file to warn of, and no violation where nothing is named.
    model::parse(
        gateways(&["name: g, portIdentifiesNode: {bootstrapAddress: \"localhost:9192\"}"]).as_bytes(),
        "f",
    )
    .unwrap();
}

#[test]
fn validity_is_a_matter_of_time() {
    let fixture = Fixture::new();
    fixture.certify("tls", &["localhost"], (2025, 2027));
    fixture.write("crl.pem", fixture.revocation_list(2026));
    let yaml = with_tls(&format!("{KEY}, trust: {{storeFile: ca.pem}}, crlFile: crl.pem"));
    assert_eq!(fixture.warnings(&yaml, NOW), "");
    let expired = fixture.warnings(&yaml, NOW + 2 * YEAR);
    assert!(
        expired.contains(
            "proxy.yaml:5:106: warning: the certificate of `CN=tls` in `tls.crt` expired 367 days ago\n"
        ),
        "{expired}"
    );
    assert!(
        expired.contains(
            "warning: the revocation list of `CN=ca` in `crl.pem` should have been replaced 732 days ago\n"
        ),
        "{expired}"
    );
    let early = fixture.warnings(&yaml, NOW - 2 * YEAR);
    assert!(
        early.contains("`tls.crt` is not valid for another 367 days\n"),
        "{early}"
    );
}

#[test]
fn a_certificate_that_does_not_cover_what_clients_are_told() {
    let fixture = Fixture::new();
    let sni = |bootstrap: &str, pattern: &str| {
        gateways(&[&format!(
            "name: g, sniHostIdentifiesNode: {{bootstrapAddress: \"{bootstrap}:9443\", advertisedBrokerAddressPattern: \
             \"{pattern}\"}}, tls: {{{KEY}}}"
        )])
    };
    let fine = sni("a.k.example.com", "b-$(nodeId).k.example.com");
    assert_eq!(fixture.warnings(&fine, NOW), "");
    let deep = fixture.warnings(&sni("a.k.example.com", "b-$(nodeId).a.k.example.com"), NOW);
    assert!(
        deep.contains("does not cover `b-$(nodeId).a.k.example.com`"),
        "{deep}"
    );
    assert_eq!(deep.lines().count(), 1, "{deep}");
    let all = fixture.warnings(&sni("localhost", "x-$(nodeId)"), NOW);
    assert!(
        all.contains("Java clients send no host name for `localhost`"),
        "{all}"
    );
    assert!(all.contains("does not cover `x-$(nodeId)`"), "{all}");
    // A list of nodes may be all of them.
    fixture.certify(
        "tls",
        &["a.example.com", "b-0.example.com", "b-1.example.com"],
        (2020, 2040),
    );
    assert_eq!(
        fixture.warnings(&sni("a.example.com", "b-$(nodeId).example.com"), NOW),
        ""
    );
    let by_port = |ids: &str| {
        gateways(&[&format!(
            "name: g, portIdentifiesNode: {{bootstrapAddress: \"a.example.com:1000\", advertisedBrokerAddressPattern: \
             b-$(nodeId).example.com, nodeIdRanges: [{{start: 0, end: {ids}}}]}}, tls: {{{KEY}}}"
        )])
    };
    assert_eq!(fixture.warnings(&by_port("1"), NOW), "");
    let missing = fixture.warnings(&by_port("2"), NOW);
    assert!(missing.contains("does not cover `b-2.example.com`"), "{missing}");
}

#[test]
fn keys_that_everybody_may_read() {
    let fixture = Fixture::new();
    let yaml = with_tls(KEY);
    for (mode, expected) in [
        (0o600, ""),
        (0o640, ""),
        (0o644, "may read the private key in `tls.key` (mode 0644)"),
        (0o602, "may replace the private key"),
    ] {
        fixture.allow("tls.key", mode);
        // The main file is written anew by every load, the key is not.
        let found = fixture.warnings(&yaml, NOW);
        assert_eq!(found.is_empty(), expected.is_empty(), "{mode:o}: {found}");
        assert!(found.contains(expected), "{mode:o}: {found}");
    }
}

#[test]
fn what_lets_in_more_than_it_seems_to() {
    let fixture = Fixture::new();
    let plain = with_tls(KEY);
    let insecure = plain.replace(
        "\"127.0.0.1:1\"",
        "\"127.0.0.1:1\", tls: {trust: {insecure: true}}",
    );
    assert!(
        fixture
            .warnings(&insecure, NOW)
            .contains("warning: `insecure`: the certificate of the broker is not checked")
    );
    let head = |protocol: &str| fixture.warnings(&format!("proxyProtocol: {{{protocol}}}\n{plain}"), NOW);
    assert!(head("mode: allowed").contains("proxy.yaml:1:23: warning: `trustedPeers` is empty"));
    assert!(head("mode: required").contains("every peer may claim any address"));
    assert_eq!(head("mode: required, trustedPeers: [10.0.0.0/8]"), "");
    assert_eq!(head("mode: disabled"), "");
    let password = plain.replace(
        "privateKeyFile: tls.key",
        "privateKeyFile: tls.key, keyPassword: {password: s3cret}",
    );
    let superfluous = fixture.warnings(&password, NOW);
    assert!(superfluous.contains("`keyPassword` has no effect") && !superfluous.contains("s3cret"));
}

#[test]
fn warnings_come_once_for_a_file_however_many_share_it() {
    let fixture = Fixture::new();
    fixture.certify("tls", &["localhost"], (2020, 2021));
    let many: Vec<String> = (1..50)
        .map(|n| {
            format!(
                "name: g{n}, portIdentifiesNode: {{bootstrapAddress: \"localhost:{n}000\"}}, tls: {{{KEY}}}"
            )
        })
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let found = fixture.warnings(&gateways(&many), NOW);
    assert_eq!(found.lines().count(), 1, "{found}");
}

#[test]
fn every_file_with_certificates_tells_when_it_expires() {
    let fixture = Fixture::new();
    fixture.certify("tls", &["localhost"], (2020, 2026));
    let model = fixture.model(&with_tls(&format!("{KEY}, trust: {{storeFile: ca.pem}}")));
    let expiries = model.certificate_expiries();
    let files: Vec<_> = expiries.keys().map(|file| file.to_path_buf()).collect();
    assert_eq!(files, [fixture.path("ca.pem"), fixture.path("tls.crt")]);
    assert_eq!(expiries[fixture.path("tls.crt").as_path()], NOW);
}

#[test]
fn a_chain_that_does_not_hang_together() {
    let fixture = Fixture::new();
    let leaf = fixture.read("tls.crt");
    fixture.write("tls.crt", leaf.clone() + &fixture.read("ca.pem"));
    assert_eq!(fixture.warnings(&with_tls(KEY), NOW), "");
    fixture.certify("other", &["localhost"], (2020, 2040));
    fixture.write(
        "tls.crt",
        leaf + &fixture.read("other.crt") + &fixture.read("ca.pem"),
    );
    let found = fixture.warnings(&with_tls(KEY), NOW);
    assert!(
        found.contains("certificate 1 in `tls.crt` was not issued by the one after it"),
        "{found}"
    );
}

#[test]
fn a_key_beside_the_certificate_is_not_used() {
    let fixture = Fixture::new();
    fixture.write("tls.crt", fixture.read("tls.crt") + &fixture.read("tls.key"));
    let found = fixture.warnings(&with_tls(KEY), NOW);
    assert!(
        found.contains("`tls.crt` holds a private key, which is not used"),
        "{found}"
    );
    let both = with_tls("key: {certificateFile: tls.crt, privateKeyFile: tls.crt}");
    assert_eq!(fixture.warnings(&both, NOW), "");
}

#[test]
fn a_bootstrap_server_that_is_not_connected_to_is_warned_of() {
    let fixture = Fixture::new();
    let file = |allowed: &str| {
        format!(
            "virtualClusters: [{{name: a, targetCluster: {{bootstrapServers: '169.254.169.254:80'{allowed}}}, gateways: \
             [{{name: g, portIdentifiesNode: {{bootstrapAddress: 'localhost:9192'}}}}]}}]"
        )
    };
    let warned = fixture.warnings(&file(""), NOW);
    assert!(warned.contains("is a link-local address"), "{warned}");
    assert_eq!(
        fixture.warnings(&file(", allowedBrokers: [169.254.169.254]"), NOW),
        ""
    );
}
