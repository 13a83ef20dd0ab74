//! Promise 3: whether clients have to show a certificate, and what becomes of each kind of it.

use std::fs;

use super::kafka;
use testkit::{
    certificates::{Files, Leaf, write},
    edge::{DOMAIN, Edge, block, by_name, certificates, cluster, openssl, target, trust},
    kafka::Listener,
};

/// A certificate, and what is said of it where it is not accepted.
struct Shown {
    what: &'static str,
    files: Option<Files>,
    complaint: &'static str,
}

fn shown(what: &'static str, files: Files, complaint: &'static str) -> Shown {
    Shown {
        what,
        files: Some(files),
        complaint,
    }
}

/// Certificates that nobody should accept.
fn bad() -> Vec<Shown> {
    let certificates = certificates();
    let issue = |name: &str, leaf: &Leaf| {
        certificates
            .clients
            .issue(leaf)
            .write(&certificates.directory, name)
    };
    let self_signed = Leaf::client("self").self_signed();
    vec![
        shown(
            "a stranger's",
            certificates.stranger.clone(),
            "issuer that is not trusted",
        ),
        shown(
            "an expired one",
            issue("expired", &Leaf::client("late").expired()),
            "expired",
        ),
        shown(
            "one of tomorrow",
            issue("early", &Leaf::client("early").not_yet_valid()),
            "not valid yet",
        ),
        shown(
            "a self-signed one",
            self_signed.write(&certificates.directory, "self"),
            "issuer that is not trusted",
        ),
        shown(
            "a server's",
            issue("server-only", &Leaf::server(&["a.test"])),
            "not accepted",
        ),
    ]
}

/// What each setting of `clientAuth` makes of each certificate, in both versions of TLS.
#[test]
fn client_certificates_are_wanted_as_configured() {
    let Some(kafka) = kafka() else { return };
    let (port, certificates) = (block(), certificates());
    let plain = target(kafka, Listener::Plaintext, None);
    let wanted = |options: &str| {
        let trust = trust(&certificates.client_trust, options);
        by_name(port, &trust)
    };
    let edge = Edge::start(&[
        cluster("unsaid", &plain, &[wanted("")]),
        cluster(
            "required",
            &plain,
            &[wanted("trustOptions: {clientAuth: REQUIRED}")],
        ),
        cluster(
            "requested",
            &plain,
            &[wanted("trustOptions: {clientAuth: REQUESTED}")],
        ),
        cluster("none", &plain, &[wanted("trustOptions: {clientAuth: NONE}")]),
        cluster("trustless", &plain, &[by_name(port, "")]),
    ]);
    let good = shown("a good one", certificates.client.clone(), "");
    let without = Shown {
        what: "none",
        files: None,
        complaint: "shows no certificate",
    };
    for version in ["-tls1_2", "-tls1_3"] {
        let check = |cluster: &str, shown: &Shown, served: bool| {
            let mut client = openssl(port, cluster).args([version]);
            if let Some(files) = &shown.files {
                client = client.identity(files);
            }
            let answer = client.run();
            assert_eq!(
                answer.served, served,
                "{cluster}, {}, {version}: {answer:?}",
                shown.what
            );
            if !served {
                assert!(answer.alert().is_some(), "{cluster}, {}: {answer:?}", shown.what);
                edge.expect_close(cluster, &[shown.complaint]);
            }
        };
        for cluster in ["unsaid", "required", "requested", "none", "trustless"] {
            check(cluster, &good, true);
            check(cluster, &without, !matches!(cluster, "unsaid" | "required"));
        }
        for shown in &bad() {
            for cluster in ["required", "requested"] {
                check(cluster, shown, false);
            }
            check("none", shown, true);
        }
    }
}

/// librdkafka's own words for the same.
#[test]
fn librdkafka_is_told_that_its_certificate_is_missing_or_bad() {
    let Some(kafka) = kafka() else { return };
    let (port, certificates) = (block(), certificates());
    let gateway = by_name(port, &trust(&certificates.client_trust, ""));
    let target = target(kafka, Listener::Plaintext, None);
    let edge = Edge::start(&[cluster("orders", &target, &[gateway])]);
    let client = || edge.tls(format!("orders.{DOMAIN}:{port}"));
    assert_eq!(client().identity(&certificates.client).brokers().len(), 3);
    client().fails("alert certificate required");
    client()
        .identity(&certificates.stranger)
        .fails("alert unknown ca");
}

/// A list of revoked certificates, and the next one, which replaces it while connections are open.
#[test]
fn a_revoked_certificate_is_refused() {
    let Some(kafka) = kafka() else { return };
    let (port, certificates) = (block(), certificates());
    let issue = |name: &str| certificates.clients.issue(&Leaf::client(name));
    let (revoked, kept) = (issue("revoked"), issue("kept"));
    let crl = write(
        &certificates.directory,
        "revoked.crl",
        &certificates.clients.revoke(&[revoked.serial]),
    );
    assert!(!fs::read(&crl).unwrap().is_empty());
    let tls = format!(
        "{}, crlFile: {}",
        trust(&certificates.client_trust, ""),
        crl.display()
    );
    let target = target(kafka, Listener::Plaintext, None);
    let edge = Edge::start(&[cluster("orders", &target, &[by_name(port, &tls)])]);
    let revoked = revoked.write(&certificates.directory, "revoked");
    let kept = kept.write(&certificates.directory, "kept");
    for version in ["-tls1_2", "-tls1_3"] {
        let client = || openssl(port, "orders").args([version]);
        let refused = client().identity(&revoked).run();
        assert_eq!(
            (refused.served, refused.alert()),
            (false, Some("certificate revoked")),
            "{refused:?}"
        );
        let accepted = client().identity(&kept).run();
        assert!(accepted.served, "{accepted:?}");
    }
    edge.expect_close("orders", &["is revoked"]);
}

/// What one gateway has given to a client to resume a session with is worth nothing at another, which would otherwise
/// let in whom its own rules keep out.
#[test]
fn a_session_opens_no_other_gateway() {
    let Some(kafka) = kafka() else { return };
    let (port, certificates) = (block(), certificates());
    let plain = target(kafka, Listener::Plaintext, None);
    let strict = trust(&certificates.client_trust, "");
    let _edge = Edge::start(&[
        cluster("open", &plain, &[by_name(port, "")]),
        cluster("strict", &plain, &[by_name(port, &strict)]),
    ]);
    let directory = tempfile::tempdir().unwrap();
    for version in ["-tls1_2", "-tls1_3"] {
        let client = |cluster: &str| openssl(port, cluster).args([version]);
        let session = directory.path().join(version);
        assert!(client("open").keep(&session).run().served);
        let again = client("open").resume(&session).run();
        assert!(again.served && again.resumed(), "{version}: {again:?}");
        let elsewhere = client("strict").resume(&session).run();
        assert!(
            !elsewhere.served && !elsewhere.resumed(),
            "{version}: {elsewhere:?}"
        );
    }
}

/// Sessions that were begun under other rules for client certificates are not resumed.
#[test]
fn stricter_rules_end_the_resumption_of_sessions() {
    let Some(kafka) = kafka() else { return };
    let (port, certificates) = (block(), certificates());
    let plain = target(kafka, Listener::Plaintext, None);
    let with = |auth: &str| {
        let trust = trust(
            &certificates.client_trust,
            &format!("trustOptions: {{clientAuth: {auth}}}"),
        );
        [cluster("orders", &plain, &[by_name(port, &trust)])]
    };
    let edge = Edge::start(&with("REQUESTED"));
    let directory = tempfile::tempdir().unwrap();
    let versions = ["-tls1_2", "-tls1_3"].map(|version| ([version], directory.path().join(version)));
    for (version, session) in &versions {
        assert!(openssl(port, "orders").args(version).keep(session).run().served);
        let again = openssl(port, "orders").args(version).resume(session).run();
        assert!(again.resumed(), "{again:?}");
    }
    edge.reload(&with("REQUIRED"));
    for (version, session) in &versions {
        let refused = openssl(port, "orders").args(version).resume(session).run();
        assert!(!refused.served && !refused.resumed(), "{refused:?}");
    }
}
