//! A TLS client in this process, for what needs many handshakes or a connection that is held.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::certificates::Identity;

/// Longest wait for bytes.
const TIMEOUT: Duration = Duration::from_secs(20);

/// `Metadata` v1 of no topic, without a client id: after its answer a client has got what it came for, and may be sent
/// away.
const REQUEST: &[u8] = b"\0\0\0\x0e\0\x03\0\x01KPXY\xff\xff\0\0\0\0";
const ANSWER: &[u8] = b"KPXY";

/// Settings of clients that trust this authority and, if they have one, show this certificate. Clients of the same
/// settings resume each other's sessions.
pub fn settings(authority: &str, identity: Option<&Identity>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap())
        .unwrap();
    let config = ClientConfig::builder_with_provider(kproxy::pki::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    Arc::new(match identity {
        None => config.with_no_client_auth(),
        Some(identity) => {
            let chain = CertificateDer::pem_slice_iter(identity.chain.as_bytes());
            let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
            config
                .with_client_auth_cert(chain.map(Result::unwrap).collect(), key)
                .unwrap()
        }
    })
}

/// A connection whose handshake is done.
#[derive(Debug)]
pub struct TlsClient {
    stream: StreamOwned<ClientConnection, TcpStream>,
}

impl TlsClient {
    /// Connects and shakes hands. Under TLS 1.3 a server that refuses the client's certificate says so only later.
    pub fn connect(address: SocketAddr, name: &str, settings: &Arc<ClientConfig>) -> io::Result<Self> {
        let mut socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(TIMEOUT))?;
        socket.set_write_timeout(Some(TIMEOUT))?;
        socket.set_nodelay(true)?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut connection = ClientConnection::new(Arc::clone(settings), name).map_err(io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        Ok(Self {
            stream: StreamOwned::new(connection, socket),
        })
    }

    /// Sends a Kafka request and takes its answer in.
    pub fn ask(&mut self) -> io::Result<()> {
        self.stream.write_all(REQUEST)?;
        let mut size = [0; 4];
        self.stream.read_exact(&mut size)?;
        let mut answer = vec![0; u32::from_be_bytes(size) as usize];
        self.stream.read_exact(&mut answer)?;
        assert!(answer.starts_with(ANSWER));
        Ok(())
    }

    /// The serial number of the server's certificate.
    pub fn serial(&self) -> u64 {
        let chain = self.stream.conn.peer_certificates().unwrap();
        let (_, certificate) = X509Certificate::from_der(&chain[0]).unwrap();
        u64::try_from(&certificate.serial).unwrap()
    }

    pub fn resumed(&self) -> bool {
        self.stream.conn.handshake_kind() == Some(HandshakeKind::Resumed)
    }
}
