//! What a TLS transport promises: bytes arrive whole and in order however the network cuts them, nothing waits here
//! unnoticed, an idle one owns nothing, and the end is told.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::handshake::HANDSHAKE_TIMEOUT;
use super::{Connection, TlsTransport, Transport, handshake};
use crate::pki::provider;
use crate::tls::Peer;

const NAME: &str = "broker.kafka.test";

fn configs() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let own = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(own.cert.der().clone()).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(own.signing_key.serialize_der().into());
    let server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let client = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), Arc::new(client))
}

async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    (client.unwrap(), accepted.unwrap().0)
}

/// Both ends of a connection.
async fn pair() -> (TlsTransport, TlsTransport) {
    let (server, client) = configs();
    pair_of(server, client).await
}

async fn pair_of(server: Arc<ServerConfig>, client: Arc<ClientConfig>) -> (TlsTransport, TlsTransport) {
    let (near, far) = sockets().await;
    let name = ServerName::try_from(NAME).unwrap();
    let client = Connection::Client(UnbufferedClientConnection::new(client, name).unwrap());
    let server = Connection::Server(UnbufferedServerConnection::new(server).unwrap());
    let (client, server) = tokio::join!(
        handshake(near, Peer::Broker, client, Vec::new()),
        handshake(far, Peer::Client, server, Vec::new()),
    );
    let failed = |(_, failure): (TcpStream, crate::tls::Failure)| panic!("{failure}");
    (client.unwrap_or_else(failed), server.unwrap_or_else(failed))
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 + at / 251) as u8).collect()
}

#[tokio::test]
async fn megabytes_arrive_whole_and_in_order_both_ways_at_once() {
    let (mut client, mut server) = pair().await;
    let sent = pattern(5 << 20);
    let there = async {
        let (mut got, mut rest) = (vec![0; sent.len()], Vec::new());
        server.read_exact(&mut got).await.unwrap();
        server.write_all(&got).await.unwrap();
        server.shutdown().await.unwrap();
        server.read_to_end(&mut rest).await.unwrap();
        (got, rest)
    };
    let here = async {
        client.write_all(&sent).await.unwrap();
        let mut back = Vec::new();
        client.read_to_end(&mut back).await.unwrap();
        client.shutdown().await.unwrap();
        back
    };
    let ((got, rest), back) = tokio::join!(there, here);
    assert!(got == sent && back == sent && rest.is_empty());
}

#[tokio::test]
async fn small_reads_of_large_records_lose_nothing() {
    let (mut client, mut server) = pair().await;
    let sent = pattern(40_000);
    client.write_all(&sent).await.unwrap();
    let mut got = Vec::new();
    let mut few = [0; 7];
    while got.len() < sent.len() {
        let read = server.read(&mut few).await.unwrap();
        got.extend_from_slice(&few[..read]);
        assert!(
            got.len() == sent.len() || server.has_unread(),
            "what was read and not handed on counts as unread"
        );
    }
    assert_eq!(got, sent);
}

/// A relay between two sockets that passes on a byte at a time.
async fn dribble(mut from: TcpStream, mut to: TcpStream) -> io::Result<()> {
    let (mut up, mut down) = ([0; 1], [0; 4096]);
    loop {
        tokio::select! {
            read = from.read(&mut up) => match read? {
                0 => return Ok(()),
                read => to.write_all(&up[..read]).await?,
            },
            read = to.read(&mut down) => match read? {
                0 => return Ok(()),
                read => from.write_all(&down[..read]).await?,
            },
        }
    }
}

#[tokio::test]
async fn records_and_handshakes_in_pieces_are_put_together() {
    let (server, client) = configs();
    let (near, middle) = sockets().await;
    let (onward, far) = sockets().await;
    let relay = tokio::spawn(dribble(middle, onward));
    let name = ServerName::try_from(NAME).unwrap();
    let client = Connection::Client(UnbufferedClientConnection::new(client, name).unwrap());
    let server = Connection::Server(UnbufferedServerConnection::new(server).unwrap());
    let (client, server) = tokio::join!(
        handshake(near, Peer::Broker, client, Vec::new()),
        handshake(far, Peer::Client, server, Vec::new()),
    );
    let (Ok(mut client), Ok(mut server)) = (client, server) else {
        panic!("the handshake failed");
    };
    let sent = pattern(20_000);
    let mut got = vec![0; sent.len()];
    let (wrote, read) = tokio::join!(client.write_all(&sent), server.read_exact(&mut got));
    wrote.unwrap();
    read.unwrap();
    assert_eq!(got, sent);
    drop((client, server));
    relay.await.unwrap().unwrap_or_default();
}

/// Writes until the socket takes nothing more. Returns how many bytes were taken.
fn fill(transport: &mut TlsTransport, context: &mut Context<'_>, bytes: &[u8]) -> usize {
    let mut taken = 0;
    loop {
        match Pin::new(&mut *transport).poll_write(context, &bytes[taken..]) {
            Poll::Ready(written) => taken += written.unwrap(),
            Poll::Pending => return taken,
        }
    }
}

#[tokio::test]
async fn a_write_is_complete_when_the_socket_has_all_of_it() {
    let (mut client, mut server) = pair().await;
    let sent = pattern(64 << 20);
    let taken = std::future::poll_fn(|context| Poll::Ready(fill(&mut client, context, &sent))).await;
    assert!(
        taken < sent.len(),
        "the peer reads nothing, so not everything fits"
    );
    let reading = async {
        let mut got = vec![0; sent.len()];
        server.read_exact(&mut got).await.unwrap();
        got
    };
    // The retried write begins with the bytes that were held back.
    let (wrote, got) = tokio::join!(client.write_all(&sent[taken..]), reading);
    wrote.unwrap();
    assert!(got == sent);
}

#[tokio::test]
async fn pieces_written_together_share_records() {
    let (mut client, mut server) = pair().await;
    let pieces: Vec<Vec<u8>> = (0..40).map(|len| pattern(len * 100)).collect();
    let all = pieces.concat();
    let slices: Vec<io::IoSlice<'_>> = pieces.iter().map(|piece| io::IoSlice::new(piece)).collect();
    let written = client.write_vectored(&slices).await.unwrap();
    assert_eq!(written, all.len());
    client.write_all(&all[written..]).await.unwrap();
    let mut got = vec![0; all.len()];
    server.read_exact(&mut got).await.unwrap();
    assert!(got == all);
}

#[tokio::test]
async fn goodbye_ends_one_direction_and_leaves_the_other() {
    let (mut client, mut server) = pair().await;
    client.write_all(b"last words").await.unwrap();
    client.shutdown().await.unwrap();
    let mut got = Vec::new();
    server.read_to_end(&mut got).await.unwrap();
    assert_eq!(got, b"last words");
    assert!(!server.has_unread(), "a goodbye is nothing to be read");
    server.write_all(b"answer").await.unwrap();
    server.shutdown().await.unwrap();
    let mut back = Vec::new();
    client.read_to_end(&mut back).await.unwrap();
    assert_eq!(back, b"answer");
}

#[tokio::test]
async fn a_connection_moves_to_another_place_between_two_records() {
    let (client, mut server) = pair().await;
    server.write_all(&pattern(1000)).await.unwrap();
    let (socket, records) = client.detach().unwrap();
    let mut client = TlsTransport::attach(socket, records).unwrap();
    let mut got = vec![0; 1000];
    client.read_exact(&mut got).await.unwrap();
    assert_eq!(got, pattern(1000));
}

#[tokio::test]
async fn keys_change_on_the_way() {
    let (mut client, mut server) = pair().await;
    for round in 0..3 {
        client.refresh_keys();
        let sent = pattern(30_000 + round);
        let mut got = vec![0; sent.len()];
        let (wrote, read) = tokio::join!(client.write_all(&sent), server.read_exact(&mut got));
        wrote.unwrap();
        read.unwrap();
        assert!(got == sent);
        server.write_all(&got).await.unwrap();
        let mut back = vec![0; sent.len()];
        client.read_exact(&mut back).await.unwrap();
        assert!(back == sent);
    }
}

#[tokio::test]
async fn nonsense_after_the_handshake_is_named_and_answered() {
    let (client, mut server) = pair().await;
    let (socket, _records) = client.detach().unwrap();
    let mut socket = TcpStream::from_std(socket).unwrap();
    socket.write_all(&[23, 3, 3, 0, 32]).await.unwrap();
    socket.write_all(&[7; 32]).await.unwrap();
    let error = server.read(&mut [0; 16]).await.unwrap_err();
    let failure = crate::tls::Failure::within(&error).expect("a failure of TLS");
    assert_eq!(failure.peer, Peer::Client);
    server.shutdown().await.unwrap();
    let mut alert = Vec::new();
    socket.read_to_end(&mut alert).await.unwrap();
    // What the client had not read of the handshake comes first; the alert, sealed, is last.
    assert!(alert.len() > 7, "{alert:?}");
}

/// A server of these settings, and a client that is through with the handshake when the server is not: what it has
/// to say is in the kernel.
async fn half_shaken(server: Arc<ServerConfig>, client: Arc<ClientConfig>) -> (TlsTransport, ServerSide) {
    let (near, mut far) = sockets().await;
    let name = ServerName::try_from(NAME).unwrap();
    let client = Connection::Client(UnbufferedClientConnection::new(client, name).unwrap());
    let mut server = rustls::ServerConnection::new(server).unwrap();
    let first_flight = async {
        let mut chunk = vec![0; 16 * 1024];
        while !server.wants_write() {
            let read = far.read(&mut chunk).await.unwrap();
            server.read_tls(&mut &chunk[..read]).unwrap();
            server.process_new_packets().unwrap();
        }
        let mut flight = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut flight).unwrap();
        }
        far.write_all(&flight).await.unwrap();
    };
    let (client, ()) = tokio::join!(handshake(near, Peer::Broker, client, Vec::new()), first_flight);
    let client = client.unwrap_or_else(|(_, failure)| panic!("{failure}"));
    (client, ServerSide { socket: far, server })
}

struct ServerSide {
    socket: TcpStream,
    server: rustls::ServerConnection,
}

impl ServerSide {
    /// Reads what the kernel has. True if the stream's end is behind it.
    fn read_all(&mut self) -> bool {
        let mut chunk = vec![0; 16 * 1024];
        loop {
            match self.socket.try_read(&mut chunk) {
                Ok(0) => return true,
                Ok(read) => {
                    let mut rest = &chunk[..read];
                    while !rest.is_empty() {
                        self.server.read_tls(&mut rest).unwrap();
                        self.server.process_new_packets().unwrap();
                    }
                }
                Err(_) => return false,
            }
        }
    }

    async fn answer(&mut self) {
        let mut bytes = Vec::new();
        while self.server.wants_write() {
            self.server.write_tls(&mut bytes).unwrap();
        }
        self.socket.write_all(&bytes).await.unwrap();
    }

    fn plaintext(&mut self) -> Vec<u8> {
        let mut got = Vec::new();
        // Its end is none of this test's business.
        drop(io::Read::read_to_end(&mut self.server.reader(), &mut got));
        got
    }
}

/// Both directions of a transport that ends, as a session polls them.
async fn end(transport: &mut TlsTransport) {
    std::future::poll_fn(|context| {
        let mut room = [0; 64];
        let mut read = tokio::io::ReadBuf::new(&mut room);
        let ended = Pin::new(&mut *transport).poll_shutdown(context);
        // Nothing is to come but what tells that the server is through.
        let heard = tokio::io::AsyncRead::poll_read(Pin::new(&mut *transport), context, &mut read);
        assert!(heard.is_pending());
        ended
    })
    .await
    .unwrap();
}

/// A broker that finds the end within the handshake drops what came before the end.
#[tokio::test]
async fn the_end_waits_for_a_server_that_is_not_through() {
    let (server, client) = configs();
    let mut server = ServerConfig::clone(&server);
    server.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().unwrap();
    let (mut client, mut server) = half_shaken(Arc::new(server), client).await;
    client.write_all(b"records").await.unwrap();
    let ending = end(&mut client);
    tokio::pin!(ending);
    let held = tokio::time::timeout(std::time::Duration::from_millis(300), ending.as_mut()).await;
    assert!(held.is_err(), "nothing has been heard of the server");
    server.socket.readable().await.unwrap();
    assert!(!server.read_all(), "the end overtakes the handshake");
    server.answer().await;
    ending.await;
    assert_eq!(server.plaintext(), b"records");
    let mut rest = Vec::new();
    server.socket.read_to_end(&mut rest).await.unwrap();
    assert!(!rest.is_empty(), "close_notify");
}

/// One that sends no tickets says nothing of it; it gets the time that a handshake may take.
#[tokio::test]
async fn the_end_does_not_wait_for_ever() {
    let (server, client) = configs();
    let mut server = ServerConfig::clone(&server);
    server.send_tls13_tickets = 0;
    let (mut client, mut server) = half_shaken(Arc::new(server), client).await;
    let began = tokio::time::Instant::now();
    end(&mut client).await;
    assert!(began.elapsed() >= HANDSHAKE_TIMEOUT);
    let mut rest = Vec::new();
    server.socket.read_to_end(&mut rest).await.unwrap();
}

/// A full handshake of TLS 1.2 ends with the server's last message.
#[tokio::test]
async fn nothing_is_waited_for_where_the_server_speaks_last() {
    let (server, client) = configs();
    let mut client = ClientConfig::clone(&client);
    client.resumption = rustls::client::Resumption::disabled();
    let versions = &[&rustls::version::TLS12];
    let old = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(&server.cert_resolver));
    let (mut client, _server) = pair_of(Arc::new(old), Arc::new(client)).await;
    let began = tokio::time::Instant::now();
    end(&mut client).await;
    assert!(began.elapsed() < HANDSHAKE_TIMEOUT);
}

/// Nothing is read while the other side takes nothing, and still a connection that is gone must not be kept.
#[tokio::test]
async fn a_reset_behind_bytes_that_were_not_read_is_told() {
    let (mut near, far) = sockets().await;
    let (mut client, server) = pair().await;
    near.write_all(&pattern(1000)).await.unwrap();
    client.write_all(&pattern(1000)).await.unwrap();
    far.readable().await.unwrap();
    assert!(far.fault().is_none() && server.fault().is_none());
    let (client, _records) = client.detach().unwrap();
    for socket in [near.into_std().unwrap(), client] {
        // Closing it sends RST now.
        let linger = Some(std::time::Duration::ZERO);
        socket2::SockRef::from(&socket).set_linger(linger).unwrap();
    }
    let faults: [&dyn Fn() -> Option<io::Error>; 2] = [&|| far.fault(), &|| server.fault()];
    for fault in faults {
        let error = loop {
            match fault() {
                Some(error) => break error,
                None => tokio::task::yield_now().await,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
    assert!(far.has_unread() && server.has_unread());
}
