//! Promise 2.

use std::fs;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;

use super::NAME;
use testkit::broker::{Broker, Connection};
use testkit::certificates::{Authority, Identity, Leaf};
use testkit::client::Client;
use testkit::deployment::{Deployment, cluster};
use testkit::frames;
use testkit::running::local;
use testkit::tls_broker::{TlsBroker, settings, settings_of};

/// Kafka's reaction to an impossible size: it closes.
fn plaintext() -> Broker {
    Broker::start(|connection| {
        let mut prefix = [0; 4];
        let mut socket = &*connection.stream;
        // A client that sends less has gone.
        if socket.read_exact(&mut prefix).is_err() || u32::from_be_bytes(prefix) > 100 << 20 {
            return connection.close();
        }
        connection.close();
    })
}

/// Says something that is no TLS.
fn talkative() -> Broker {
    Broker::start(|mut connection: Connection| {
        connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        connection.close();
    })
}

fn silent() -> Broker {
    Broker::start(|mut connection| drop(connection.rest()))
}

/// One wrong thing: what the broker is, how it is configured, how it is called.
struct Row {
    broker: Broker,
    tls: String,
    cause: &'static str,
    words: &'static [&'static str],
}

const TRUST: &str = "serverName: kafka.test, trust: {storeFile: brokers.pem}";

fn row(broker: Broker, tls: &str, cause: &'static str, words: &'static [&'static str]) -> Row {
    let tls = match tls {
        "" => String::new(),
        tls => format!("{{{tls}}}"),
    };
    Row {
        broker,
        tls,
        cause,
        words,
    }
}

struct Issuers {
    brokers: Authority,
    kproxys: Authority,
    revoked: Identity,
}

fn tls(config: Arc<ServerConfig>) -> Broker {
    TlsBroker::start(config).broker
}

fn rows(issuers: &Issuers) -> Vec<Row> {
    let leaf = Leaf::server(&[NAME]);
    let good = issuers.brokers.issue(&leaf);
    let rejected = "upstream_certificate_rejected";
    let of = |identity: &Identity| tls(settings(identity, None));
    let stranger = Authority::new("strangers");
    let older = || settings_of(&good, None, &[&rustls::version::TLS12], None);
    let poorer = settings_of(
        &good,
        None,
        &[&rustls::version::TLS13],
        Some(TLS13_AES_128_GCM_SHA256),
    );
    let mutual = |versions| tls(settings_of(&good, Some(&issuers.kproxys.pem), versions, None));
    let wants = &["wants a certificate of kproxy"];
    let refuses = &["does not accept kproxy's certificate"];
    let wrong = format!("{TRUST}, key: {{certificateFile: x.crt, privateKeyFile: x.key}}");
    vec![
        row(
            plaintext(),
            TRUST,
            "upstream_speaks_plaintext",
            &["closed at the TLS hello", "plaintext"],
        ),
        row(
            talkative(),
            TRUST,
            "upstream_speaks_plaintext",
            &["what the broker sends is not TLS"],
        ),
        row(
            of(&good),
            "",
            "upstream_speaks_tls",
            &["speaks TLS on a plaintext"],
        ),
        row(of(&stranger.issue(&leaf)), TRUST, rejected, &["not trusted"]),
        row(of(&leaf.self_signed()), TRUST, rejected, &["certificate"]),
        row(
            of(&issuers.brokers.issue(&leaf.clone().expired())),
            TRUST,
            rejected,
            &["expired"],
        ),
        row(
            of(&issuers.revoked),
            &format!("{TRUST}, crlFile: crl.pem"),
            rejected,
            &["revoked"],
        ),
        row(
            of(&issuers.brokers.issue(&Leaf::server(&["another.test"]))),
            TRUST,
            "upstream_name_mismatch",
            &["another name", "another.test", NAME],
        ),
        row(
            mutual(&[&rustls::version::TLS13]),
            TRUST,
            "upstream_rejected_certificate",
            wants,
        ),
        row(
            mutual(&[&rustls::version::TLS12]),
            TRUST,
            "upstream_rejected_certificate",
            wants,
        ),
        row(
            mutual(rustls::ALL_VERSIONS),
            &wrong,
            "upstream_rejected_certificate",
            refuses,
        ),
        row(
            tls(older()),
            &format!("{TRUST}, protocols: {{allowed: [TLSv1.3]}}"),
            "upstream_tls_no_common_version",
            &["version"],
        ),
        row(
            tls(poorer),
            &format!("{TRUST}, cipherSuites: {{allowed: [TLS_AES_256_GCM_SHA384]}}"),
            "upstream_tls_no_common_cipher",
            &["cipher"],
        ),
        row(
            silent(),
            TRUST,
            "upstream_tls_timeout",
            &["no TLS handshake within 2s"],
        ),
    ]
}

/// A client whose session ends for this cause, cleanly.
#[track_caller]
fn asked(deployment: &Deployment, row: &Row, name: &str, address: SocketAddr) {
    let mark = deployment.mark();
    let mut client = Client::connect(address);
    let port = client.stream.local_addr().unwrap().port();
    client.send(&frames::heartbeat(5));
    client.expect_fin();
    drop(client);
    let (cause, client) = (
        format!("cause=\"{}\"", row.cause),
        format!("client=127.0.0.1:{port} "),
    );
    let cluster = format!("cluster={name} ");
    let words = [&[cause.as_str(), &client, &cluster], row.words].concat();
    deployment.line(mark, &words);
}

#[test]
fn what_is_wrong_with_a_broker_has_a_name() {
    let (brokers, kproxys) = (Authority::new("brokers"), Authority::new("kproxys"));
    let revoked = brokers.issue(&Leaf::server(&[NAME]));
    let issuers = Issuers {
        brokers,
        kproxys,
        revoked,
    };
    let rows = rows(&issuers);
    let good = TlsBroker::start(settings(&issuers.brokers.issue(&Leaf::server(&[NAME])), None));
    let mut base = 0;
    let deployment = Deployment::start("", |directory, port| {
        base = port;
        fs::write(directory.join("brokers.pem"), &issuers.brokers.pem).unwrap();
        let list = issuers.brokers.revoke(&[issuers.revoked.serial]);
        fs::write(directory.join("crl.pem"), list).unwrap();
        let unknown = Authority::new("nobody's").issue(&Leaf::client("kproxy"));
        unknown.write(directory, "x");
        let mut text = "virtualClusters:\n".to_owned();
        let tls = format!("{{{TRUST}}}");
        text += &cluster("good", port, good.broker.address, &tls, "");
        for (place, row) in (1..).zip(&rows) {
            let target = row.broker.address;
            text += &cluster(&format!("c{place}"), port + 2 * place, target, &row.tls, "");
        }
        text
    });
    let mut served = Client::connect(local(base));
    testkit::running::ask(&mut served);
    std::thread::scope(|scope| {
        for (place, row) in (1..).zip(&rows) {
            let (deployment, name) = (&deployment, format!("c{place}"));
            scope.spawn(move || {
                let port = base + 2 * place;
                asked(deployment, row, &name, local(port));
                // Where the brokers are is not known, and cannot be. That nobody answers is all that is known then.
                let times = if row.cause == "upstream_tls_timeout" { 1 } else { 2 };
                if times == 2 {
                    asked(deployment, row, &name, local(port + 1));
                }
                let cluster = format!("virtual_cluster=\"{name}\"");
                let labels = [cluster.as_str(), &format!("cause=\"{}\"", row.cause)];
                let times = f64::from(times);
                deployment.expect_metric("kproxy_proxy_to_server_errors_total", &labels, times);
            });
        }
        testkit::running::ask(&mut served);
        testkit::running::ask(&mut Client::connect(local(base)));
    });
    let errors = deployment.metric("kproxy_tls_handshake_errors_total", &["cause=\"upstream_"]);
    assert_eq!(errors, 2.0 * rows.len() as f64 - 1.0);
}
