//! Promise 0: certificates, clients and load balancers of the tests, without kproxy.

use std::{fs, path::Path, process::Command};

use super::{BROKER_NAME, kafka};
use testkit::{
    certificates::{Authority, Identity, KeyKind, Leaf, write},
    haproxy::{Haproxy, Relay},
    java::Tool,
    kafka::{KafkaCluster, Listener, PASSWORD, USER},
    kafka_tls::client_properties,
    kcat::{Kcat, hosts},
    openssl::SClient,
    replace::{Mount, atomically},
    topics,
};

/// What `openssl verify` says of a certificate.
fn verify(directory: &Path, authority: &Authority, identity: &Identity, crl: Option<&str>) -> String {
    let roots = write(directory, "roots.pem", &authority.pem);
    let files = identity.write(directory, "verified");
    let mut command = Command::new("openssl");
    command.args(["verify", "-no-CApath", "-no-CAstore", "-x509_strict"]);
    command.arg("-CAfile").arg(roots);
    command.arg("-untrusted").arg(&files.certificate);
    if let Some(crl) = crl {
        command
            .arg("-crl_check")
            .arg("-CRLfile")
            .arg(write(directory, "crl.pem", crl));
    }
    let output = command.arg(&files.certificate).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8(text).unwrap()
}

#[test]
fn certificates_are_what_openssl_takes_them_for() {
    let directory = tempfile::tempdir().unwrap();
    let (root, other) = (Authority::new("root"), Authority::new("another"));
    let says = |identity: &Identity, crl: Option<&str>| verify(directory.path(), &root, identity, crl);
    let server = Leaf::server(&["a.test", "*.b.test"]).on_loopback();

    for key in [KeyKind::P256, KeyKind::Rsa2048] {
        let answer = says(&root.issue(&server.clone().key(key)), None);
        assert!(answer.ends_with(": OK\n"), "{answer}");
    }
    let below = root.intermediate("below").intermediate("below that");
    let answer = says(&below.issue(&server), None);
    assert!(answer.ends_with(": OK\n"), "{answer}");

    for (identity, complaint) in [
        (root.issue(&server.clone().expired()), "certificate has expired"),
        (
            root.issue(&server.clone().not_yet_valid()),
            "certificate is not yet valid",
        ),
        (other.issue(&server), "unable to get local issuer certificate"),
        (server.self_signed(), "self-signed certificate"),
    ] {
        let answer = says(&identity, None);
        assert!(answer.contains(complaint), "{answer}");
    }

    let (taken_back, kept) = (root.issue(&Leaf::client("a")), root.issue(&Leaf::client("b")));
    let crl = root.revoke(&[taken_back.serial]);
    let answer = says(&taken_back, Some(&crl));
    assert!(answer.contains("certificate revoked"), "{answer}");
    let answer = says(&kept, Some(&crl));
    assert!(answer.ends_with(": OK\n"), "{answer}");
}

#[test]
fn a_mount_changes_all_files_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let mount = Mount::new(&directory.path().join("tls"), &[("a", "1"), ("b", "1")]);
    let both = || ["a", "b"].map(|name| String::from_utf8(fs::read(mount.path(name)).unwrap()).unwrap());
    assert_eq!(both(), ["1", "1"]);
    mount.swap(&[("a", "2"), ("b", "2")]);
    assert_eq!(both(), ["2", "2"]);
    // Two links, `..data` and one version.
    assert_eq!(fs::read_dir(mount.path("")).unwrap().count(), 4);

    let file = directory.path().join("plain");
    atomically(&file, "1");
    atomically(&file, "2");
    assert_eq!(fs::read(&file).unwrap(), b"2");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
}

fn bootstrap(kafka: &KafkaCluster, listener: Listener) -> String {
    kafka.address(1, listener).to_string()
}

#[test]
fn kcat_speaks_to_every_tls_listener() {
    let Some(kafka) = kafka() else { return };
    let topic = "parts-kcat";
    topics::create_spread(kafka, topic);
    let tls = &kafka.tls;
    Kcat::to(bootstrap(kafka, Listener::Ssl))
        .tls(&tls.broker_trust)
        .round_trip(topic, 100);
    let mutual = Kcat::to(bootstrap(kafka, Listener::MutualSsl)).tls(&tls.broker_trust);
    let listed = mutual.clone().identity(&tls.client).brokers();
    let expected = |id| (id, kafka.address(id, Listener::MutualSsl).to_string());
    assert_eq!(listed, [1, 2, 3].map(expected));
    mutual.fails("alert bad certificate");
    Kcat::to(bootstrap(kafka, Listener::Ssl))
        .tls(&tls.client_trust)
        .fails("certificate verify failed");
    let sasl = Kcat::to(bootstrap(kafka, Listener::SaslSsl))
        .tls(&tls.broker_trust)
        .set("security.protocol", "sasl_ssl")
        .set("sasl.mechanism", "PLAIN")
        .set("sasl.username", USER)
        .set("sasl.password", PASSWORD);
    assert_eq!(sasl.brokers().len(), 3);
}

#[test]
fn names_of_a_hosts_file_resolve() {
    let Some(kafka) = kafka() else { return };
    let directory = tempfile::tempdir().unwrap();
    let hosts = hosts(directory.path(), [BROKER_NAME, "other.test"]);
    let port = kafka.address(1, Listener::Ssl).port();
    let tls = &kafka.tls;
    let named = |name: &str| {
        Kcat::to(format!("{name}:{port}"))
            .tls(&tls.broker_trust)
            .resolving(&hosts)
    };
    assert_eq!(named(BROKER_NAME).brokers().len(), 3);
    named("other.test").fails("certificate verify failed");

    let properties = client_properties(directory.path(), "java", &tls.broker_trust, None);
    let list = |name: &str| {
        let option = format!("-Djdk.net.hosts.file={}", hosts.display());
        Tool::java(&kafka.install, "org.apache.kafka.tools.TopicCommand", &[option])
            .args(["--bootstrap-server", &format!("{name}:{port}"), "--list"])
            .args(["--command-config", properties.to_str().unwrap()])
            .run()
    };
    let listed = list(BROKER_NAME);
    assert!(listed.success(), "{listed}");
    let refused = list("other.test");
    assert!(!refused.success(), "{refused}");
    assert!(
        refused
            .stderr
            .contains("No subject alternative DNS name matching other.test"),
        "{refused}"
    );
}

#[test]
fn openssl_resumes_sessions() {
    let Some(kafka) = kafka() else { return };
    let directory = tempfile::tempdir().unwrap();
    let bind = format!("ssl crt {}", kafka.tls.broker.both.display());
    let target = kafka.address(1, Listener::Plaintext);
    let terminating = Haproxy::start(&[Relay::to(target).bind(&bind)]);
    for version in ["-tls1_2", "-tls1_3"] {
        let session = directory.path().join(version);
        let client = || SClient::to(terminating.port(0)).args([version]);
        let first = client().keep(&session).run();
        assert!(first.served && !first.resumed(), "{first:?}");
        let second = client().resume(&session).run();
        assert!(second.served && second.resumed(), "{second:?}");
    }
}

#[test]
fn openssl_tells_what_was_agreed_or_refused() {
    let Some(kafka) = kafka() else { return };
    let tls = &kafka.tls;
    let port = kafka.address(1, Listener::Ssl).port();
    let good = SClient::named(port, BROKER_NAME)
        .trust(&tls.broker_trust)
        .args(["-verify_hostname", BROKER_NAME])
        .run();
    assert!(good.served && good.verified() && !good.resumed(), "{good:?}");
    assert_eq!(
        (good.protocol(), good.alert()),
        (Some("TLSv1.3"), None),
        "{good:?}"
    );

    let old = SClient::to(port).args(["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"]);
    let old = old.run();
    assert!(old.served, "{old:?}");
    assert_eq!(old.protocol(), Some("TLSv1.2"));
    assert_eq!(old.cipher(), Some("ECDHE-ECDSA-AES128-GCM-SHA256"));

    let untrusted = SClient::to(port).trust(&tls.client_trust).run();
    assert!(!untrusted.served && !untrusted.verified(), "{untrusted:?}");

    let mutual = kafka.address(1, Listener::MutualSsl).port();
    let accepted = SClient::to(mutual).identity(&tls.client).run();
    assert!(accepted.served, "{accepted:?}");
    let without = SClient::to(mutual).run();
    assert!(!without.served, "{without:?}");
    // Java has no words for `certificate required`.
    assert_eq!(without.alert(), Some("bad certificate"), "{without:?}");
    let plaintext = SClient::to(kafka.address(1, Listener::Plaintext).port()).run();
    assert!(
        !plaintext.served && plaintext.protocol().is_none(),
        "{plaintext:?}"
    );
}

#[test]
fn haproxy_passes_addresses_on() {
    let Some(kafka) = kafka() else { return };
    let target = kafka.address(1, Listener::Ssl);
    let behind = Haproxy::start(&[Relay::to(target).bind("accept-proxy"); 1]);
    let haproxy = Haproxy::start(&[
        Relay::to(behind.address(0)).server("send-proxy"),
        Relay::to(behind.address(0)).server("send-proxy-v2 proxy-v2-options crc32c"),
        Relay::to(behind.address(0)),
    ]);
    for place in [0, 1] {
        let served = SClient::to(haproxy.port(place)).run();
        assert!(served.served, "{served:?}");
    }
    let refused = SClient::to(haproxy.port(2)).run();
    assert!(!refused.served, "{refused:?}");
}
