//! A Kafka client over TLS, on a blocking socket, that knows frames and nothing else.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned,
    SupportedProtocolVersion,
};

use crate::certificates::Identity;
use crate::client::Client;
use crate::frames;
use crate::wait::PATIENCE;

/// The certificates in a PEM text.
pub fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .map(Result::unwrap)
        .collect()
}

pub fn key(identity: &Identity) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap()
}

pub fn roots(pem: &str) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem) {
        roots.add(certificate).unwrap();
    }
    roots
}

/// What a client trusts, what it shows, and the sessions it remembers.
#[derive(Clone)]
pub struct Dialer {
    config: Arc<ClientConfig>,
}

impl Dialer {
    /// Trusts this, and shows nothing.
    pub fn trusting(trust: &str) -> Self {
        Self::with(trust, None, rustls::ALL_VERSIONS)
    }

    /// A client with a certificate.
    pub fn showing(trust: &str, identity: &Identity) -> Self {
        Self::with(trust, Some(identity), rustls::ALL_VERSIONS)
    }

    pub fn with(
        trust: &str,
        identity: Option<&Identity>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots(trust));
        let config = match identity {
            Some(identity) => builder
                .with_client_auth_cert(certificates(&identity.chain), key(identity))
                .unwrap(),
            None => builder.with_no_client_auth(),
        };
        Self {
            config: Arc::new(config),
        }
    }

    /// A client that stores no tickets.
    pub fn forgetful(&self) -> Self {
        let mut config = ClientConfig::clone(&self.config);
        config.resumption = rustls::client::Resumption::disabled();
        Self {
            config: Arc::new(config),
        }
    }

    /// Only offers this suite.
    pub fn offering(&self, suite: rustls::SupportedCipherSuite) -> Self {
        let mut provider = rustls::crypto::aws_lc_rs::default_provider();
        provider.cipher_suites = vec![suite];
        let config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[suite.version()])
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        Self {
            config: Arc::new(config),
        }
    }

    /// The first bytes of a handshake.
    pub fn hello(&self, name: &str) -> Vec<u8> {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut connection = ClientConnection::new(Arc::clone(&self.config), name).unwrap();
        let mut bytes = Vec::new();
        connection.write_tls(&mut bytes).unwrap();
        bytes
    }

    /// Completes a handshake, as far as the client is concerned.
    pub fn dial(&self, address: SocketAddr, name: &str) -> io::Result<TlsClient> {
        let socket = TcpStream::connect_timeout(&address, PATIENCE)?;
        self.over(socket, name)
    }

    pub fn over(&self, socket: TcpStream, name: &str) -> io::Result<TlsClient> {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let connection = ClientConnection::new(Arc::clone(&self.config), name).unwrap();
        let mut tls = StreamOwned::new(connection, Client::over(socket).stream);
        while tls.conn.is_handshaking() {
            tls.conn.complete_io(&mut tls.sock)?;
        }
        Ok(TlsClient { tls })
    }

    /// Connects and waits for the answer to a first request: only then a server has accepted the client, under TLS 1.3.
    pub fn greet(&self, address: SocketAddr, name: &str) -> io::Result<TlsClient> {
        let mut client = self.dial(address, name)?;
        client.ask()?;
        Ok(client)
    }

    /// What the server says to a client that it does not accept.
    #[track_caller]
    pub fn refused(&self, address: SocketAddr, name: &str) -> Option<AlertDescription> {
        match self.greet(address, name) {
            Ok(_) => panic!("the client is let in"),
            Err(error) => alert(&error),
        }
    }
}

/// The alert that the other side has sent.
pub fn alert(error: &io::Error) -> Option<AlertDescription> {
    match error.get_ref()?.downcast_ref()? {
        rustls::Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}

/// How the other side ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsEnd {
    /// It said so (close_notify), and closed (FIN).
    Clean,
    /// It closed without a word.
    Cut,
    Reset,
    Alert(AlertDescription),
}

/// One connection. Reading fails after [`PATIENCE`].
#[derive(Debug)]
pub struct TlsClient {
    pub tls: StreamOwned<ClientConnection, TcpStream>,
}

impl TlsClient {
    /// Has a request answered.
    pub fn ask(&mut self) -> io::Result<()> {
        self.send(5)?;
        let answer = self.frame()?;
        match frames::correlation_id(&answer) {
            5 => Ok(()),
            other => Err(io::Error::other(format!("the answer to {other}"))),
        }
    }

    /// Sends a request.
    pub fn send(&mut self, correlation_id: i32) -> io::Result<()> {
        let request = frames::heartbeat(correlation_id);
        self.tls.write_all(&request)?;
        self.tls.flush()
    }

    /// The content of the next answer.
    pub fn frame(&mut self) -> io::Result<Vec<u8>> {
        read_frame(&mut self.tls)
    }

    /// The server's certificate.
    pub fn certificate(&self) -> CertificateDer<'static> {
        self.tls.conn.peer_certificates().unwrap()[0].clone().into_owned()
    }

    pub fn resumed(&self) -> bool {
        self.tls.conn.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Waits for the end, behind whatever comes before it; says how many bytes that were, too.
    #[track_caller]
    pub fn end(&mut self) -> (usize, TlsEnd) {
        let mut bytes = Vec::new();
        let end = match self.tls.read_to_end(&mut bytes) {
            Ok(_) => match self.tls.sock.read(&mut [0]) {
                Ok(0) => TlsEnd::Clean,
                other => panic!("{other:?} behind close_notify"),
            },
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => TlsEnd::Cut,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => TlsEnd::Reset,
            Err(error) => match alert(&error) {
                Some(alert) => TlsEnd::Alert(alert),
                None => panic!("no end: {error}"),
            },
        };
        (bytes.len(), end)
    }
}

/// The content of one frame.
pub fn read_frame(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut prefix = [0; 4];
    from.read_exact(&mut prefix)?;
    let len = usize::try_from(i32::from_be_bytes(prefix)).map_err(io::Error::other)?;
    let mut content = vec![0; len];
    from.read_exact(&mut content)?;
    Ok(content)
}
