//! Identity of sessions in logs, status and lists:
//!
//! 1. Mechanism and principal are listed once the broker has accepted them, and logged when the session ends; the
//!    password is in neither.
//! 2. A name the broker refuses is not listed; a re-authentication replaces what was.
//! 3. A session's state is listed: introducing, connecting, open, draining.

use std::io;
use std::sync::{Arc, Mutex};

use kafka_protocol::messages::{SaslAuthenticateRequest, SaslHandshakeRequest};
use kafka_protocol::protocol::StrBytes;
use kproxy::control::{ConnectionFilter, ConnectionInfo};
use kproxy::session::cause::CloseCause;
use testkit::broker::Broker;
use testkit::client::Client;
use testkit::cluster::{Cluster, PLAIN_TOKEN};
use testkit::frames;
use testkit::frames::HEARTBEAT;
use testkit::proxy::{Setup, TestProxy};
use testkit::wait::eventually;

fn sessions(proxy: &TestProxy) -> Vec<ConnectionInfo> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let listed = proxy.proxy.handle().connections(ConnectionFilter::default());
    runtime.block_on(listed).unwrap()
}

#[track_caller]
fn authenticate(client: &mut Client, token: &[u8]) -> i16 {
    let mechanism = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str("PLAIN"));
    assert_eq!(client.call(1, 1, &mechanism).error_code, 0);
    let token = SaslAuthenticateRequest::default().with_auth_bytes(token.to_vec().into());
    client.call(2, 2, &token).error_code
}

fn who(proxy: &TestProxy) -> Vec<(Option<String>, Option<String>)> {
    let known = sessions(proxy).into_iter().map(|session| session.known);
    known
        .map(|known| (known.sasl_mechanism, known.principal))
        .collect()
}

fn alice() -> (Option<String>, Option<String>) {
    (Some("PLAIN".into()), Some("alice".into()))
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Promises 1 and 2.
#[test]
fn a_principal_is_listed_and_logged_and_its_password_is_not() {
    // What is logged is logged by the whole process.
    let _alone = crate::alone();
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let cluster = Cluster::with_sasl([0]);
    let proxy = Setup::to(&[cluster.address(0)])
        .cluster(|cluster| cluster.log_network = true)
        .start();
    let mut client = proxy.client();
    assert_eq!(authenticate(&mut client, b"\0alice\0wr0ng"), 58);
    assert_eq!(who(&proxy), [(None, None)]);
    assert_eq!(authenticate(&mut client, PLAIN_TOKEN), 0);
    assert_eq!(who(&proxy), [alice()]);
    assert_eq!(authenticate(&mut client, b"\0mallory\0guess"), 58);
    assert_eq!(who(&proxy), [alice()], "what was refused replaces nothing");
    let listed = serde_json::to_string(&sessions(&proxy)).unwrap();
    assert!(listed.contains(r#""principal":"alice""#), "{listed}");
    drop(client);
    proxy.expect_closes(CloseCause::ClientClosed, 1);
    let is_end = |line: &&str| line.contains("session closed") && line.contains(r#"principal="alice""#);
    eventually("the end is logged", || {
        log.text().lines().any(|line| is_end(&line))
    });
    let text = log.text();
    let end = text.lines().find(is_end).unwrap();
    assert!(!end.contains("sni=") && !end.contains("via="), "{end}");
    for secret in ["secret", "wr0ng", "guess"] {
        assert!(!text.contains(secret) && !listed.contains(secret), "{text}");
    }
}

/// Promise 3.
#[test]
fn the_state_of_a_session_is_listed() {
    let _beside = crate::beside();
    let state = |proxy: &TestProxy, wanted: &str| {
        eventually(wanted, || {
            sessions(proxy).iter().any(|session| session.state == wanted)
        });
    };
    let silent = Broker::start(|mut connection| while connection.request().is_some() {});
    let before = Setup::to(&[silent.address]);
    let proxy = before.start();
    let mut client = proxy.client();
    state(&proxy, "introducing");
    client.send(&frames::raw_request(HEARTBEAT, 0, 1, b""));
    state(&proxy, "open");
    let elsewhere = Broker::echoing(b"");
    proxy.apply(&Setup::to(&[elsewhere.address]));
    state(&proxy, "draining");
    assert_eq!(sessions(&proxy).len(), 1);
}
