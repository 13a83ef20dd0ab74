//! Promises 1 and 4, of clients.

use std::io::Write;
use std::net::SocketAddr;

use rustls::AlertDescription;
use rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;

use super::NAME;
use super::gateways::{Gateways, SHARED};
use testkit::certificates::{Authority, Leaf};
use testkit::client::{Client, End};
use testkit::frames;
use testkit::tls_client::Dialer;

/// The hello of a client that knows TLS 1.0 and nothing newer, with this host.
fn old_hello(host: &str) -> Vec<u8> {
    let with_len = |content: &[u8]| {
        let len = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&len, content].concat()
    };
    let name = with_len(&[&[0][..], &with_len(host.as_bytes())].concat());
    let extensions = [
        vec![0, 0],
        with_len(&name),
        // supported_groups: secp256r1
        vec![0, 10, 0, 4, 0, 2, 0, 23],
        // ec_point_formats: uncompressed
        vec![0, 11, 0, 2, 1, 0],
    ]
    .concat();
    let body = [
        vec![3, 1],
        vec![7; 32],
        vec![0],
        // TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, TLS_RSA_WITH_AES_128_CBC_SHA
        vec![0, 4, 0xc0, 0x13, 0, 0x2f],
        vec![1, 0],
        with_len(&extensions),
    ]
    .concat();
    let handshake = [vec![1, 0], with_len(&body)].concat();
    [vec![22, 3, 1], with_len(&handshake)].concat()
}

/// Where it is counted.
#[derive(Clone, Copy)]
enum At {
    Cluster(&'static str),
    /// It never became known which cluster it was for.
    Nowhere,
}

struct Table<'f> {
    gateways: &'f Gateways,
}

impl Table<'_> {
    /// `act` gives the address of the client that did it; then this cause is counted once more, and there is a line
    /// about that client with these words.
    #[track_caller]
    fn row(&self, at: At, cause: &str, words: &[&str], act: impl FnOnce() -> SocketAddr) {
        let deployment = &self.gateways.deployment;
        let label = format!("cause=\"{cause}\"");
        let counted = || match at {
            At::Cluster(name) => {
                let labels = [label.as_str(), &format!("virtual_cluster=\"{name}\"")];
                let ends = deployment.metric("kproxy_client_to_proxy_disconnects_total", &labels);
                let errors = deployment.metric("kproxy_client_to_proxy_errors_total", &labels);
                (ends, errors)
            }
            At::Nowhere => (0.0, 0.0),
        };
        let in_tls = || deployment.metric("kproxy_tls_handshake_errors_total", &[&label]);
        let (before, before_in_tls, mark) = (counted(), in_tls(), deployment.mark());
        let client = act();
        let mut line = vec![label.clone(), format!("client={client} ")];
        line.push(match at {
            At::Cluster(name) => format!("cluster={name} "),
            At::Nowhere => "before it was known which cluster it is for".to_owned(),
        });
        line.extend(words.iter().map(|word| (*word).to_owned()));
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        let line = deployment.line(mark, &line);
        let quiet = line.contains("DEBUG");
        let more = f64::from(u8::from(matches!(at, At::Cluster(_))));
        let errors = if quiet { 0.0 } else { more };
        assert_eq!(counted(), (before.0 + more, before.1 + errors), "{line}");
        let of_tls = ![
            "http_on_kafka_port",
            "unexpected_proxy_header",
            "invalid_frame_size",
        ]
        .contains(&cause);
        let expected = before_in_tls + f64::from(u8::from(of_tls));
        assert_eq!(in_tls(), expected, "{line}");
    }

    /// Bytes instead of what is expected; the connection ends with FIN, and perhaps with an alert before it.
    #[track_caller]
    fn bytes(&self, at: At, to: SocketAddr, bytes: &[u8], cause: &str, words: &[&str]) {
        self.row(at, cause, words, || {
            let mut client = Client::connect(to);
            client.send(bytes);
            let (told, end) = client.rest();
            assert_eq!(end, End::Fin);
            assert!(told.is_empty() || told[0] == 21, "{told:?} is no alert");
            client.stream.local_addr().unwrap()
        });
    }

    /// A TLS client that is not let in, and told so.
    #[track_caller]
    fn refused(
        &self,
        at: At,
        (dialer, to, name): (&Dialer, SocketAddr, &str),
        alert: Option<AlertDescription>,
        cause: &str,
        words: &[&str],
    ) {
        self.row(at, cause, words, || {
            let socket = Client::connect(to).stream;
            let local = socket.local_addr().unwrap();
            let outcome = dialer
                .over(socket, name)
                .and_then(|mut client| client.ask().map(|()| client));
            let error = outcome.expect_err("it is refused");
            assert_eq!(testkit::tls_client::alert(&error), alert, "{error}");
            local
        });
    }
}

const HTTP: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: kafka\r\n\r\n";
const HTTP_2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const PROXY_1: &[u8] = b"PROXY TCP4 192.0.2.1 198.51.100.2 50000 9092\r\n";
const PROXY_2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\xc3\x50\x23\x84";
const GARBAGE: &[u8] = &[0xff; 64];

#[test]
fn what_does_not_belong_has_a_name() {
    let gateways = Gateways::start("logging: {level: debug}\n");
    let others = gateways.others();
    let table = Table { gateways: &gateways };
    at_a_plaintext_port(&table);
    let kafka = frames::heartbeat(5);
    for (at, to) in [(At::Cluster("tls"), gateways.tls), (At::Nowhere, gateways.shared)] {
        table.bytes(
            at,
            to,
            &kafka,
            "plaintext_on_tls_port",
            &["plaintext Kafka", "security.protocol"],
        );
        table.bytes(at, to, HTTP, "http_on_kafka_port", &["HTTP on a TLS port"]);
        table.bytes(at, to, HTTP_2, "http_on_kafka_port", &["HTTP on a TLS port"]);
        table.bytes(at, to, GARBAGE, "plaintext_on_tls_port", &["does not speak TLS"]);
        table.bytes(at, to, PROXY_1, "unexpected_proxy_header", &["not enabled"]);
        table.bytes(at, to, PROXY_2, "unexpected_proxy_header", &["not enabled"]);
    }
    in_hellos(&table);
    of_certificates(&table);
    table.row(At::Cluster("tls"), "tls_protocol_error", &[], || {
        let mut client = gateways.dialer().greet(gateways.tls, NAME).unwrap();
        let record = [&[23, 3, 3, 0, 32][..], &[0; 32]].concat();
        client.tls.sock.write_all(&record).unwrap();
        let alert = testkit::tls_client::TlsEnd::Alert(AlertDescription::BadRecordMac);
        assert_eq!(client.end(), (0, alert));
        client.tls.sock.local_addr().unwrap()
    });
    others.end();
}

#[track_caller]
fn at_a_plaintext_port(table: &Table<'_>) {
    let (plain, at) = (table.gateways.plain, At::Cluster("plain"));
    let tls = ["speaks TLS on a plaintext connection"];
    table.bytes(at, plain, &old_hello(NAME), "tls_on_plaintext_port", &tls);
    table.row(at, "tls_on_plaintext_port", &tls, || {
        let socket = Client::connect(plain).stream;
        let local = socket.local_addr().unwrap();
        assert!(table.gateways.dialer().over(socket, NAME).is_err());
        local
    });
    table.bytes(at, plain, HTTP, "http_on_kafka_port", &["HTTP, not Kafka"]);
    table.bytes(at, plain, PROXY_1, "unexpected_proxy_header", &["not enabled"]);
    table.bytes(at, plain, PROXY_2, "unexpected_proxy_header", &["not enabled"]);
    table.bytes(at, plain, GARBAGE, "invalid_frame_size", &["negative"]);
}

#[track_caller]
fn in_hellos(table: &Table<'_>) {
    let (gateways, dialer) = (table.gateways, table.gateways.dialer());
    let shared = |name| (&dialer, gateways.shared, name);
    let unrecognized = Some(AlertDescription::UnrecognisedName);
    let cause = "unknown_server_name";
    let words = ["two.kafka.test", "the nearest known is `one.kafka.test`"];
    table.refused(At::Nowhere, shared("two.kafka.test"), unrecognized, cause, &words);
    let words = ["b0.two.kafka.test", "no gateway has the host"];
    table.refused(
        At::Nowhere,
        shared("b0.two.kafka.test"),
        unrecognized,
        cause,
        &words,
    );
    let words = ["names no host", "not to an IP address"];
    table.refused(
        At::Nowhere,
        shared("127.0.0.1"),
        unrecognized,
        "missing_server_name",
        &words,
    );
    let words = ["protocol version in common with the client"];
    for (at, to) in [
        (At::Cluster("tls"), gateways.tls),
        (At::Cluster("strict"), gateways.strict),
        (At::Nowhere, gateways.shared),
    ] {
        table.row(at, "tls_no_common_version", &words, || {
            let mut client = Client::connect(to);
            client.send(&old_hello(SHARED));
            // A fatal alert: protocol_version.
            assert_eq!(client.rest(), (vec![21, 3, 3, 0, 2, 2, 70], End::Fin));
            client.stream.local_addr().unwrap()
        });
    }
    let old = Dialer::with(&gateways.servers.pem, None, &[&rustls::version::TLS12]);
    let version = Some(AlertDescription::ProtocolVersion);
    let strict = At::Cluster("strict");
    table.refused(
        strict,
        (&old, gateways.strict, NAME),
        version,
        "tls_no_common_version",
        &words,
    );
    let poor = dialer.offering(TLS13_AES_128_GCM_SHA256);
    table.refused(
        strict,
        (&poor, gateways.strict, NAME),
        Some(AlertDescription::HandshakeFailure),
        "tls_no_common_cipher",
        &["cipher suite"],
    );
}

#[track_caller]
fn of_certificates(table: &Table<'_>) {
    let (gateways, mutual) = (table.gateways, At::Cluster("mutual"));
    let nobody = gateways.dialer();
    table.refused(
        mutual,
        (&nobody, gateways.mutual, NAME),
        Some(AlertDescription::CertificateRequired),
        "client_certificate_missing",
        &["shows no certificate"],
    );
    let (stranger, carol) = (Authority::new("strangers"), Leaf::client("carol"));
    for (identity, alert, word) in [
        (stranger.issue(&carol), AlertDescription::UnknownCA, "not trusted"),
        (
            gateways.clients.issue(&carol.clone().expired()),
            AlertDescription::CertificateExpired,
            "expired",
        ),
        (
            gateways.revoked.clone(),
            AlertDescription::CertificateRevoked,
            "revoked",
        ),
    ] {
        let dialer = Dialer::showing(&gateways.servers.pem, &identity);
        let who = (&dialer, gateways.mutual, NAME);
        table.refused(mutual, who, Some(alert), "client_certificate_rejected", &[word]);
    }
    let distrustful = Dialer::trusting(&stranger.pem);
    for (at, to, name) in [
        (At::Cluster("tls"), gateways.tls, NAME),
        (At::Cluster("one"), gateways.shared, SHARED),
    ] {
        let words = ["does not accept kproxy's certificate", "UnknownCA"];
        let who = (&distrustful, to, name);
        table.refused(at, who, None, "server_certificate_rejected", &words);
    }
    // A certificate for another name is the client's to refuse, too.
    let words = ["does not accept kproxy's certificate"];
    let dialer = gateways.dialer();
    let who = (&dialer, gateways.tls, "another.test");
    table.refused(
        At::Cluster("tls"),
        who,
        None,
        "server_certificate_rejected",
        &words,
    );
    table.row(At::Cluster("tls"), "tls_handshake_aborted", &["closed"], || {
        let hello = hello();
        let mut client = Client::connect(gateways.tls);
        client.send(&hello);
        client.finish();
        client.rest();
        client.stream.local_addr().unwrap()
    });
}

/// The hello of a client of today.
pub(crate) fn hello() -> Vec<u8> {
    hello_for(NAME)
}

pub(crate) fn hello_for(name: &str) -> Vec<u8> {
    let dialer = Dialer::trusting(&Authority::new("anybody").pem);
    dialer.hello(name)
}
