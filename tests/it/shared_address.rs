//! What gateways that share an address promise those who are on their way in.
//!
//! 1. A client that was connected before its name went is taken in and asked to leave: it is never told by an alert that
//!    its name does not exist, which Java takes for a failure of authentication and does not try again. Neither a
//!    shutdown nor another port of its gateway changes that.
//! 2. A cluster that is full keeps nobody from the others, and who waits for it is let in when somebody leaves.
//! 3. A handshake is over in ten seconds or never, however busy its client looks.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use kproxy::app::Proxy;
use kproxy::model::{self, ProxyModel};
use testkit::broker::Broker;
use testkit::certificates::{Authority, Leaf};
use testkit::frames;
use testkit::tls_client::Dialer;

const PATIENCE: Duration = Duration::from_secs(20);

struct Fixture {
    directory: tempfile::TempDir,
    authority: Authority,
    broker: Broker,
    port: u16,
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

impl Fixture {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new("ca");
        authority
            .issue(&Leaf::server(&["*.a.test", "*.b.test"]))
            .write(directory.path(), "s");
        let broker = Broker::start(|mut connection| {
            while let Some(request) = connection.request() {
                connection.send(&frames::raw_response(request.correlation_id, b"ok"));
            }
        });
        Self {
            directory,
            authority,
            broker,
            port: free_port(),
        }
    }

    fn model(&self, clusters: &str) -> ProxyModel {
        let path = self.directory.path().join("proxy.yaml");
        std::fs::write(&path, clusters).unwrap();
        model::load(&path).unwrap()
    }

    fn cluster(&self, name: &str, port: u16, more: &str) -> String {
        format!(
            "  - name: {name}
    targetCluster: {{bootstrapServers: \"{}\"}}
{more}    gateways:
      - name: public
        bindAddress: 127.0.0.1
        sniHostIdentifiesNode:
          bootstrapAddress: boot.{name}.test:{port}
          advertisedBrokerAddressPattern: n-$(nodeId).{name}.test
        tls: {{key: {{certificateFile: s.crt, privateKeyFile: s.key}}}}
",
            self.broker.address
        )
    }

    fn one(&self, port: u16) -> ProxyModel {
        self.model(&format!("virtualClusters:\n{}", self.cluster("a", port, "")))
    }

    fn at(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    fn dialer(&self) -> Dialer {
        Dialer::trusting(&self.authority.pem)
    }

    /// A connection that kproxy has accepted: the one behind it in the queue is served.
    fn accepted(&self) -> TcpStream {
        let socket = TcpStream::connect(self.at()).unwrap();
        drop(self.dialer().greet(self.at(), "boot.a.test").unwrap());
        socket
    }
}

#[test]
fn a_client_between_connect_and_hello_is_not_alerted_by_a_shutdown() {
    let fixture = Fixture::new();
    let proxy = Proxy::start(fixture.one(fixture.port)).unwrap();
    let live = fixture.dialer().greet(fixture.at(), "boot.a.test").unwrap();
    let socket = fixture.accepted();
    let handle = proxy.handle().clone();
    let down = std::thread::spawn(move || proxy.shutdown());
    let until = Instant::now() + PATIENCE;
    while handle.is_ready() {
        assert!(Instant::now() < until, "the shutdown does not begin");
        std::thread::yield_now();
    }
    let end = fixture.dialer().over(socket, "boot.a.test");
    drop(live);
    down.join().unwrap();
    assert_eq!(
        end.err().and_then(|error| testkit::tls_client::alert(&error)),
        None
    );
}

#[test]
fn a_client_between_connect_and_hello_is_not_alerted_when_its_gateway_moves() {
    let fixture = Fixture::new();
    let proxy = Proxy::start(fixture.one(fixture.port)).unwrap();
    let socket = fixture.accepted();
    proxy.reload(fixture.one(free_port())).unwrap();
    let end = fixture.dialer().over(socket, "boot.a.test");
    assert_eq!(
        end.err().and_then(|error| testkit::tls_client::alert(&error)),
        None
    );
}

#[test]
fn a_full_cluster_holds_nobody_else_up() {
    let fixture = Fixture::new();
    let text = format!(
        "network: {{proxy: {{maxConnections: 8}}}}\nvirtualClusters:\n{}{}",
        fixture.cluster("a", fixture.port, "    maxConnections: 1\n"),
        fixture.cluster("b", fixture.port, "")
    );
    let _proxy = Proxy::start(fixture.model(&text)).unwrap();
    let first = fixture.dialer().greet(fixture.at(), "boot.a.test").unwrap();
    let (served, told) = mpsc::channel();
    for _ in 0..12 {
        let (dialer, at, served) = (fixture.dialer(), fixture.at(), served.clone());
        std::thread::spawn(move || served.send(dialer.greet(at, "boot.a.test").map(drop)));
    }
    for _ in 0..3 {
        drop(fixture.dialer().greet(fixture.at(), "boot.b.test").unwrap());
    }
    assert!(told.try_recv().is_err(), "the limit holds");
    drop(first);
    for _ in 0..12 {
        told.recv_timeout(PATIENCE).unwrap().unwrap();
    }
}

/// Half a record, a byte of it now and then.
#[test]
fn a_handshake_that_dribbles_is_ended() {
    let fixture = Fixture::new();
    let _proxy = Proxy::start(fixture.one(fixture.port)).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(testkit::tls_client::roots(&fixture.authority.pem))
        .with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from("boot.a.test").unwrap();
    let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut socket = TcpStream::connect(fixture.at()).unwrap();
    client.write_tls(&mut socket).unwrap();
    socket.write_all(&[23, 3, 3, 0x40, 0]).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let until = Instant::now() + PATIENCE;
    let mut answer = [0; 16 * 1024];
    loop {
        match socket.read(&mut answer) {
            Ok(0) => return,
            Ok(_) => {}
            // A second without a word from there: one more byte from here.
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                if socket.write_all(&[0]).is_err() {
                    return;
                }
            }
            Err(_) => return,
        }
        assert!(Instant::now() < until, "still open");
    }
}
