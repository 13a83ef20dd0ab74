//! HTTP, spoken by hand.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use kproxy::admin::SocketPath;
use kproxy::config::Secret;
use kproxy::reload::{Outcome, Trigger};
use serde_json::Value;
use socket2::SockRef;

use super::fake::{Fake, HOSTILE, connection};
use testkit::wait::{PATIENCE, eventually};

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// One request on a connection of its own.
#[track_caller]
pub(crate) fn request(to: SocketAddr, head: &str) -> Reply {
    let mut stream = TcpStream::connect_timeout(&to, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = head.replace('\n', "\r\n");
    write!(stream, "{head}\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    reply(stream)
}

#[track_caller]
fn reply(mut stream: TcpStream) -> Reply {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let header = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_lowercase(), value.to_owned())
    };
    let headers: BTreeMap<String, String> = lines.map(header).collect();
    let is_chunked = headers
        .get("transfer-encoding")
        .is_some_and(|coding| coding == "chunked");
    Reply {
        status,
        body: if is_chunked { unchunked(body) } else { body.into() },
        headers,
    }
}

/// The content of a body in chunks (RFC 9112 §7.1), which has to be there to its end.
#[track_caller]
fn unchunked(mut body: &str) -> String {
    let mut content = String::new();
    loop {
        let (size, rest) = body.split_once("\r\n").unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        content.push_str(&rest[..size]);
        body = rest[size..].strip_prefix("\r\n").unwrap();
        if size == 0 {
            return content;
        }
    }
}

#[track_caller]
pub(crate) fn get(to: SocketAddr, path: &str) -> Reply {
    request(to, &format!("GET {path} HTTP/1.1"))
}

/// Promise 1.
#[test]
fn liveness_and_readiness() {
    let fake = Fake::start();
    let admin = fake.admin(None, SocketPath::Off).unwrap();
    let at = admin.http().unwrap();
    assert_eq!((get(at, "/livez").status, get(at, "/readyz").status), (200, 200));
    fake.inbox.set_ready(false);
    assert_eq!((get(at, "/livez").status, get(at, "/readyz").status), (200, 503));
    let head = request(at, "HEAD /readyz HTTP/1.1");
    assert_eq!((head.status, head.body.as_str()), (503, ""));
    assert_eq!(head.headers["content-length"], "10");
}

/// Promise 2.
#[test]
fn status_and_connections_are_json() {
    let fake = Fake::start();
    fake.with(|facts| facts.connections = vec![connection(7, HOSTILE)]);
    let admin = fake.admin(None, SocketPath::Off).unwrap();
    let at = admin.http().unwrap();
    let status = get(at, "/status");
    assert_eq!(status.headers["content-type"], "application/json");
    let status: Value = serde_json::from_str(&status.body).unwrap();
    assert_eq!(status["clusters"][0]["name"], HOSTILE);
    assert_eq!(status["clusters"][0]["gateways"][0]["nodes"][0]["id"], 1);
    let connections = get(at, "/connections?cluster=orders&client=a%22b&generation=3");
    let connections: Value = serde_json::from_str(&connections.body).unwrap();
    assert_eq!(connections[0]["client_id"], HOSTILE);
    let filter = fake.with(|facts| facts.filters.pop().unwrap());
    assert_eq!(filter.cluster.as_deref(), Some("orders"));
    assert_eq!(filter.client_id.as_deref(), Some("a\"b"));
    assert_eq!(filter.generation, Some(3));
    assert_eq!(get(at, "/connections?node=1").status, 400);
}

/// Promise 5.
#[test]
fn without_a_token_http_changes_nothing() {
    let fake = Fake::start();
    let admin = fake.admin(None, SocketPath::Off).unwrap();
    let at = admin.http().unwrap();
    assert_eq!(request(at, "POST /reload HTTP/1.1").status, 403);
    let bearing = "POST /reload HTTP/1.1\nAuthorization: Bearer secret";
    assert_eq!(request(at, bearing).status, 403);
    assert!(fake.with(|facts| facts.reloads.is_empty()));
}

/// Promise 5.
#[test]
fn whoever_presents_the_token_reloads() {
    let fake = Fake::start();
    let admin = fake.admin(Some("secret"), SocketPath::Off).unwrap();
    let at = admin.http().unwrap();
    for wrong in [
        "",
        "\nAuthorization: Bearer",
        "\nAuthorization: Bearer secre",
        "\nAuthorization: Bearer secrets",
        "\nAuthorization: Basic secret",
        "\nAuthorization: secret",
    ] {
        let reply = request(at, &format!("POST /reload HTTP/1.1{wrong}"));
        assert_eq!(reply.status, 401, "{wrong}");
        assert!(reply.headers["www-authenticate"].starts_with("Bearer"));
    }
    assert!(fake.with(|facts| facts.reloads.is_empty()));
    let right = "HTTP/1.1\nAuthorization: bearer secret";
    let reply = request(at, &format!("POST /reload?force=true {right}"));
    let report: Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!((reply.status, &report["outcome"]), (200, &Value::from("applied")));
    assert_eq!(
        fake.with(|facts| facts.reloads.pop()),
        Some((Trigger::Http, true, None))
    );
    for (outcome, status) in [
        (Outcome::Rejected, 422),
        (Outcome::RolledBack, 500),
        (Outcome::Unchanged, 200),
    ] {
        fake.with(|facts| facts.outcome = outcome);
        assert_eq!(request(at, &format!("POST /reload {right}")).status, status);
    }
    admin.set_token(Some(Secret::new("other")));
    assert_eq!(request(at, &format!("POST /reload {right}")).status, 401);
    admin.set_token(Some(Secret::new("")));
    let nothing = "POST /reload HTTP/1.1\nAuthorization: Bearer ";
    assert_eq!(request(at, nothing).status, 403, "an empty token is none");
    admin.set_token(None);
    assert_eq!(request(at, &format!("POST /reload {right}")).status, 403);
}

/// Promise 6.
#[test]
fn what_means_nothing_is_refused() {
    let fake = Fake::start();
    let admin = fake.admin(Some("secret"), SocketPath::Off).unwrap();
    let at = admin.http().unwrap();
    assert_eq!(get(at, "/metricss").status, 404);
    assert_eq!(request(at, "POST /nothing HTTP/1.1").status, 404);
    for (method, path, allowed) in [
        ("POST", "/status", "GET, HEAD"),
        ("DELETE", "/", "GET, HEAD"),
        ("GET", "/reload", "POST"),
    ] {
        let reply = request(at, &format!("{method} {path} HTTP/1.1"));
        assert_eq!((reply.status, reply.headers["allow"].as_str()), (405, allowed));
    }
    let large = "POST /reload HTTP/1.1\nAuthorization: Bearer secret\nContent-Length: 1000000000";
    assert_eq!(request(at, large).status, 413);
    refuse_flood(at);
    let head = format!("GET /livez HTTP/1.1{}", "\nX-Many: x".repeat(200));
    assert_eq!(request(at, &head).status, 431);
    fake.end();
    assert_eq!(get(at, "/status").status, 503);
    assert_eq!(get(at, "/livez").status, 200);
}

/// A head that does not end is not read to its end. The answer may be lost with the connection.
fn refuse_flood(at: SocketAddr) {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let mut flood = b"GET /livez HTTP/1.1\r\nX-Large: ".to_vec();
    flood.resize(16 << 20, b'x');
    assert!(
        stream.write_all(&flood).is_err(),
        "sixteen megabytes of head were taken"
    );
    let mut answer = Vec::new();
    // Ends in a reset where the flood was cut off.
    stream.read_to_end(&mut answer).unwrap_or_default();
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"));
}

/// Promise 7.
#[test]
fn silent_connections_give_way_to_probes() {
    let fake = Fake::start();
    let admin = fake.admin(None, SocketPath::Off).unwrap();
    let at = admin.http().unwrap();
    let began = Instant::now();
    let silent: Vec<TcpStream> = (0..300).map(|_| TcpStream::connect(at).unwrap()).collect();
    for path in ["/livez", "/readyz", "/status", "/metrics"] {
        assert_eq!(get(at, path).status, 200, "{path}");
    }
    // Five times as many as there are places: each of these would have been waited for until its head was overdue.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let mut oldest = &silent[0];
    oldest.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(matches!(oldest.read(&mut [0]), Ok(0) | Err(_)), "it gave way");
}

/// Asks and takes no more than the beginning of the answer.
fn stalled(at: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(at).unwrap();
    SockRef::from(&stream).set_recv_buffer_size(64 << 10).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut first = [0; 64];
    stream.read_exact(&mut first).unwrap();
    assert!(
        first.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&first)
    );
    stream
}

/// Promise 7: as many as like ask for answers of many megabytes and take none of them; the one that halted first gives way.
#[test]
fn clients_that_do_not_read_give_way_to_those_who_do() {
    let fake = Fake::start();
    let long = "x".repeat(2000);
    fake.with(|facts| facts.connections = (0..10_000).map(|id| connection(id, &long)).collect());
    let admin = fake.admin(None, SocketPath::Off).unwrap();
    let at = admin.http().unwrap();
    let size: usize = request(at, "HEAD /connections HTTP/1.1").headers["content-length"]
        .parse()
        .unwrap();
    let mut first = stalled(at, "/connections");
    let _others: Vec<TcpStream> = (0..3).map(|_| stalled(at, "/connections")).collect();
    for path in ["/livez", "/status", "/metrics", "/connections"] {
        assert_eq!(get(at, path).status, 200, "{path}");
    }
    let mut rest = Vec::new();
    // Ends in a reset if the kernel still had something to say.
    first.read_to_end(&mut rest).unwrap_or_default();
    assert!(rest.len() < size, "nobody holds so much for four clients");
}

/// Promise 7: small answers are not held back by their size, so their number is what is bounded.
#[test]
fn clients_that_ask_on_and_on_and_do_not_read_keep_nobody_from_an_answer() {
    let fake = Fake::start();
    fake.with(|facts| facts.connections = (0..1000).map(|id| connection(id, HOSTILE)).collect());
    let admin = fake.admin(None, SocketPath::Off).unwrap();
    let at = admin.http().unwrap();
    let _greedy: Vec<TcpStream> = (0..80)
        .map(|_| {
            let mut stream = TcpStream::connect(at).unwrap();
            SockRef::from(&stream).set_recv_buffer_size(4096).unwrap();
            let one = b"GET /connections HTTP/1.1\r\nHost: x\r\n\r\n";
            stream.write_all(&one.repeat(50)).unwrap();
            stream
        })
        .collect();
    for path in ["/livez", "/readyz"].repeat(3) {
        assert_eq!(get(at, path).status, 200, "{path}");
    }
    // Who comes while all of them still take something is told to come again.
    eventually("/metrics and /status are answered", || {
        get(at, "/metrics").status == 200 && get(at, "/status").status == 200
    });
}

/// Promise 5: a page of a stranger that leads its own name here reads nothing (DNS rebinding).
#[test]
fn on_a_loopback_address_an_unknown_host_is_refused() {
    let fake = Fake::start();
    let admin = fake.admin(Some("secret"), SocketPath::Off).unwrap();
    let at = admin.http().unwrap();
    let asked = |head: &str, host: &str| {
        let mut stream = TcpStream::connect(at).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = head.replace('\n', "\r\n");
        write!(stream, "{head}\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        reply(stream)
    };
    for path in ["/status", "/connections", "/metrics", "/", "/livez"] {
        let refused = asked(&format!("GET {path} HTTP/1.1"), "evil.example:9190");
        assert_eq!(refused.status, 421, "{path}");
        assert!(refused.body.contains("`evil.example:9190`"), "{}", refused.body);
    }
    let reload = "POST /reload HTTP/1.1\nAuthorization: Bearer secret";
    assert_eq!(asked(reload, "evil.example").status, 421);
    assert!(fake.with(|facts| facts.reloads.is_empty()));
    for host in ["localhost", "127.0.0.1:9190", "[::1]:9190", "kproxy-0"] {
        assert_eq!(asked("GET /status HTTP/1.1", host).status, 200, "{host}");
    }
    let bound = kproxy::admin::ManagementSettings {
        address: (Ipv4Addr::UNSPECIFIED, 0).into(),
        token: None,
    };
    let everywhere = kproxy::admin::Admin::start(Some(bound), SocketPath::Off, fake.handle.clone()).unwrap();
    let port = everywhere.http().unwrap().port();
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
        .write_all(b"GET /livez HTTP/1.1\r\nHost: kproxy.example.com\r\nConnection: close\r\n\r\n")
        .unwrap();
    assert_eq!(
        reply(stream).status,
        200,
        "what serves others has names of its own"
    );
}

/// Promise 7.
#[test]
fn one_connection_carries_many_requests() {
    let fake = Fake::start();
    let admin = fake.admin(None, SocketPath::Off).unwrap();
    let mut stream = TcpStream::connect(admin.http().unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    for _ in 0..100 {
        stream
            .write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            .unwrap();
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"ok\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            bytes.push(byte[0]);
        }
    }
}

/// Promise 6: an address that is taken is told, and nothing is left behind.
#[test]
fn an_address_that_is_taken_is_a_start_error() {
    let fake = Fake::start();
    let first = fake.admin(None, SocketPath::Off).unwrap();
    let settings = kproxy::admin::ManagementSettings {
        address: first.http().unwrap(),
        token: None,
    };
    let error =
        kproxy::admin::Admin::start(Some(settings), SocketPath::Off, fake.handle.clone()).unwrap_err();
    assert!(
        error.to_string().contains(&first.http().unwrap().to_string()),
        "{error}"
    );
    let at = first.http().unwrap();
    drop(first);
    assert!(TcpStream::connect(at).is_err(), "dropping it stops it");
}
