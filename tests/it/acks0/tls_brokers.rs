//! Promise 6.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use kproxy::model::{UpstreamTls, UpstreamTrust};
use kproxy::pki::Negotiation;
use kproxy::session::cause::CloseCause;
use rustls::{ServerConfig, ServerConnection, Stream, SupportedProtocolVersion};

use super::{PRODUCE, heartbeat, plain};
use testkit::broker::{Broker, Connection};
use testkit::certificates::{Authority, Leaf};
use testkit::frames;
use testkit::proxy::{Setup, TestProxy, closes};
use testkit::tls_broker::settings_of;
use testkit::tls_client::read_frame;
use testkit::wait::{PATIENCE, eventually};

/// How long the broker leaves a handshake half done: a client that closes at once has long closed.
const BUSY: Duration = Duration::from_millis(400);

/// What a broker got of a connection: its requests, or `None` if it found the end of the stream in the handshake. Apache
/// Kafka drops everything then (`SslTransportLayer.handshake`).
type Got = Option<Vec<i16>>;

/// Serves one connection as Apache Kafka does when it is busy.
fn serve(config: &Arc<ServerConfig>, connection: &Connection) -> Got {
    let mut tls = ServerConnection::new(Arc::clone(config)).unwrap();
    let mut socket = &*connection.stream;
    while !tls.wants_write() {
        tls.read_tls(&mut socket).ok()?;
        tls.process_new_packets().ok()?;
    }
    while tls.wants_write() {
        tls.write_tls(&mut socket).ok()?;
    }
    while tls.is_handshaking() {
        thread::sleep(BUSY);
        let mut arrived = Vec::new();
        connection.stream.set_nonblocking(true).unwrap();
        // Ok: the end has arrived, too.
        let ended = socket.read_to_end(&mut arrived).is_ok();
        connection.stream.set_nonblocking(false).unwrap();
        if ended {
            return None;
        }
        let mut rest = arrived.as_slice();
        while !rest.is_empty() {
            tls.read_tls(&mut rest).ok()?;
            tls.process_new_packets().ok()?;
        }
    }
    let mut keys = Vec::new();
    let mut stream = Stream::new(&mut tls, &mut socket);
    while let Ok(content) = read_frame(&mut stream) {
        let key = i16::from_be_bytes([content[0], content[1]]);
        keys.push(key);
        if key != PRODUCE {
            let answer = frames::raw_response(frames::correlation_id(&content[4..]), b"\0\0");
            // Nobody may be there any more.
            drop(stream.write_all(&answer));
        }
    }
    Some(keys)
}

struct Fixture {
    _broker: Broker,
    proxy: TestProxy,
    got: Receiver<Got>,
}

fn fixture(versions: &[&'static SupportedProtocolVersion]) -> Fixture {
    let authority = Authority::new("brokers");
    let config = settings_of(
        &authority.issue(&Leaf::server(&["kafka.test"])),
        None,
        versions,
        None,
    );
    let (sender, got) = channel();
    let broker = Broker::start(move |connection| {
        sender.send(serve(&config, &connection)).unwrap();
        connection.close();
    });
    let tls = UpstreamTls {
        trust: UpstreamTrust::Insecure,
        identity: None,
        server_name: None,
        revoked: None,
        negotiation: Negotiation::default(),
    };
    let proxy = Setup::to(&[broker.address])
        .cluster(|cluster| cluster.target.tls = Some(tls))
        .start();
    Fixture {
        _broker: broker,
        proxy,
        got,
    }
}

/// A client that sends and closes has sent, although the broker is still in the handshake when it closes. The second
/// connection resumes the TLS session of the first where the broker lets it.
#[test]
fn what_is_sent_before_the_end_arrives_though_the_broker_is_in_the_handshake() {
    for versions in [&[&rustls::version::TLS13], &[&rustls::version::TLS12]] {
        let fixture = fixture(versions);
        for round in 0..2 {
            let mut client = fixture.proxy.client();
            client.send(&plain(9).frame(1, 0, b"first".to_vec()));
            client.send(&plain(9).frame(2, 0, b"second".to_vec()));
            drop(client);
            let got = fixture.got.recv_timeout(PATIENCE).expect("an end");
            assert_eq!(
                got.as_deref(),
                Some([PRODUCE, PRODUCE].as_slice()),
                "{versions:?}, connection {round}"
            );
        }
        fixture.proxy.expect_closes(CloseCause::ClientClosed, 2);
    }
}

/// A client that leaves before its first answer is no fault of the broker's TLS.
#[test]
fn a_client_that_leaves_during_the_brokers_handshake_is_a_client_that_leaves() {
    let fixture = fixture(&[&rustls::version::TLS13]);
    let mut client = fixture.proxy.client();
    client.send(&heartbeat(1));
    drop(client);
    let got = fixture.got.recv_timeout(PATIENCE).expect("an end");
    assert_eq!(got.map(|keys| keys.len()), Some(1));
    let ended = || closes(&fixture.proxy.counters());
    eventually("the session has ended", || !ended().is_empty());
    for (cause, _) in ended() {
        assert!(["client_closed", "client_reset"].contains(&cause), "{cause}");
    }
}
