//! A broker that speaks TLS, answers everything, and remembers who came and how.

use std::io::Write;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{HandshakeKind, ServerConfig, ServerConnection, SupportedCipherSuite, SupportedProtocolVersion};

use crate::broker::{Broker, Connection};
use crate::certificates::Identity;
use crate::frames;
use crate::tls_client::{certificates, key, read_frame, roots};

/// Settings of a server that shows `identity` and, where there is something to trust, demands a certificate.
pub fn settings(identity: &Identity, client_trust: Option<&str>) -> Arc<ServerConfig> {
    settings_of(identity, client_trust, rustls::ALL_VERSIONS, None)
}

/// Starts a broker with these versions and, if given, only this suite.
pub fn settings_of(
    identity: &Identity,
    client_trust: Option<&str>,
    versions: &[&'static SupportedProtocolVersion],
    suite: Option<SupportedCipherSuite>,
) -> Arc<ServerConfig> {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    if let Some(suite) = suite {
        provider.cipher_suites = vec![suite];
    }
    let provider = Arc::new(provider);
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .unwrap();
    let builder = match client_trust {
        Some(trust) => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots(trust)), provider).build();
            builder.with_client_cert_verifier(verifier.unwrap())
        }
        None => builder.with_no_client_auth(),
    };
    let mut config = builder
        .with_single_cert(certificates(&identity.chain), key(identity))
        .unwrap();
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().unwrap();
    Arc::new(config)
}

/// Who came, and how.
#[derive(Debug, Default)]
pub struct Seen {
    pub full: AtomicUsize,
    pub resumed: AtomicUsize,
    /// What each showed; only of those whose handshake was complete.
    pub shown: Mutex<Vec<Option<CertificateDer<'static>>>>,
}

/// A broker that speaks TLS. Dropping it closes everything.
pub struct TlsBroker {
    pub broker: Broker,
    pub seen: Arc<Seen>,
}

impl TlsBroker {
    pub fn start(config: Arc<ServerConfig>) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), config)
    }

    pub fn on(listener: TcpListener, config: Arc<ServerConfig>) -> Self {
        let seen = Arc::<Seen>::default();
        let noted = Arc::clone(&seen);
        let broker = Broker::on(listener, move |connection| serve(&config, &noted, connection));
        Self { broker, seen }
    }

    pub fn full(&self) -> usize {
        self.seen.full.load(Ordering::SeqCst)
    }

    pub fn resumed(&self) -> usize {
        self.seen.resumed.load(Ordering::SeqCst)
    }

    /// What the newest client has shown.
    pub fn last_shown(&self) -> Option<CertificateDer<'static>> {
        self.seen.shown.lock().unwrap().last()?.clone()
    }
}

fn serve(config: &Arc<ServerConfig>, seen: &Seen, connection: Connection) {
    let mut tls = ServerConnection::new(Arc::clone(config)).unwrap();
    let mut socket = &*connection.stream;
    while tls.is_handshaking() {
        if tls.complete_io(&mut socket).is_err() {
            return connection.close();
        }
    }
    match tls.handshake_kind() {
        Some(HandshakeKind::Resumed) => &seen.resumed,
        _ => &seen.full,
    }
    .fetch_add(1, Ordering::SeqCst);
    let shown = tls.peer_certificates().map(|chain| chain[0].clone().into_owned());
    seen.shown.lock().unwrap().push(shown);
    let mut stream = rustls::Stream::new(&mut tls, &mut socket);
    while let Ok(content) = read_frame(&mut stream) {
        let correlation_id = frames::correlation_id(&content[4..]);
        if stream
            .write_all(&frames::raw_response(correlation_id, b"ok"))
            .is_err()
        {
            break;
        }
    }
    tls.send_close_notify();
    // The other side may be gone.
    drop(tls.complete_io(&mut socket));
    connection.close();
}
