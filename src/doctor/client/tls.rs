//! TLS of the walk. The certificate of the server is kept whether it is accepted or not; with one that is not accepted,
//! nothing is sent over the connection.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, UnbufferedClientConnection};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, ProtocolVersion, SignatureScheme,
};
use tokio::net::TcpStream;

use super::steps::StepError;
use crate::model::{UpstreamTls, UpstreamTrust};
use crate::pki::{CertificateFacts, Identity, Negotiation, TrustStore, provider};
use crate::session::transport::{Connection, Stream, handshake};
use crate::time::{from_unix_seconds, rfc3339};
use crate::tls::{Failure, FailureKind, Peer, TlsError, offering, server_verifier};

/// Certificates that are accepted.
#[derive(Debug, Clone)]
pub enum ServerTrust {
    /// Certificates issued under the roots of the platform, for the name of the server.
    Platform,
    /// Certificates issued under this store, for the name of the server.
    Store(Arc<TrustStore>),
    /// This certificate and no other; its issuer and its names are not checked.
    Pinned(CertificateDer<'static>),
    /// Every certificate.
    Anything,
}

/// TLS settings towards servers.
#[derive(Debug, Clone)]
pub struct ClientTls {
    /// Accepted certificates.
    pub trust: ServerTrust,
    /// Certificate of the client, for servers that ask for one.
    pub identity: Option<Arc<Identity>>,
    /// Name that is sent and checked in place of the server's own.
    pub server_name: Option<String>,
    /// Protocol versions and cipher suites.
    pub negotiation: Negotiation,
    verifier: Arc<dyn ServerCertVerifier>,
}

/// What a server showed in a handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownCertificate {
    /// Negotiated protocol version; `None` if the handshake failed.
    pub version: Option<&'static str>,
    /// Name that the certificate has to cover.
    pub name: String,
    /// Facts of its own certificate; `None` if it does not parse.
    pub facts: Option<CertificateFacts>,
    /// Whether issuer and name were checked, and not only compared with a certificate that is known.
    pub is_verified: bool,
}

impl fmt::Display for ShownCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.version.unwrap_or("no TLS version"))?;
        let Some(facts) = &self.facts else { return Ok(()) };
        let until = rfc3339(from_unix_seconds(facts.not_after));
        let until = until.get(..10).unwrap_or_default();
        write!(f, ", certificate of {} until {until}", facts.subject)
    }
}

impl ClientTls {
    /// Settings with this trust.
    ///
    /// # Errors
    /// [`TlsError`] if the platform has no roots.
    pub fn new(
        trust: ServerTrust,
        identity: Option<Arc<Identity>>,
        server_name: Option<String>,
        negotiation: Negotiation,
    ) -> Result<Self, TlsError> {
        let upstream = match &trust {
            ServerTrust::Platform => UpstreamTrust::Platform,
            ServerTrust::Store(store) => UpstreamTrust::Store(Arc::clone(store)),
            ServerTrust::Pinned(_) | ServerTrust::Anything => UpstreamTrust::Insecure,
        };
        let verifier = server_verifier(&UpstreamTls {
            trust: upstream,
            identity: None,
            server_name: None,
            revoked: None,
            negotiation: negotiation.clone(),
        })?;
        Ok(Self {
            trust,
            identity,
            server_name,
            negotiation,
            verifier,
        })
    }

    /// Settings of a target cluster.
    ///
    /// # Errors
    /// [`TlsError`] if the platform has no roots.
    pub fn of_target(tls: &UpstreamTls) -> Result<Self, TlsError> {
        let trust = match &tls.trust {
            UpstreamTrust::Platform => ServerTrust::Platform,
            UpstreamTrust::Store(store) => ServerTrust::Store(Arc::clone(store)),
            UpstreamTrust::Insecure => ServerTrust::Anything,
        };
        let mut settings = Self::new(
            trust,
            tls.identity.clone(),
            tls.server_name.clone(),
            tls.negotiation.clone(),
        )?;
        settings.verifier = server_verifier(tls)?;
        Ok(settings)
    }

    /// Performs the handshake on a connection to `host`.
    ///
    /// # Errors
    /// [`StepError::NoTls`] with the certificate, if one was shown.
    pub async fn secure(
        &self,
        socket: TcpStream,
        host: &str,
    ) -> Result<(Stream, ShownCertificate), StepError> {
        let name = self.server_name.as_deref().unwrap_or(host);
        let failed = |failure, shown: Option<ShownCertificate>| StepError::NoTls {
            failure,
            shown: shown.map(Box::new),
        };
        let broken = |why: String| failed(Failure::new(Peer::Server, FailureKind::Protocol, why), None);
        let server_name = ServerName::try_from(name.trim_end_matches('.').to_owned())
            .map_err(|_| broken(format!("`{name}` cannot be the name of a certificate")))?;
        let keeper = Arc::new(CertificateKeeper {
            tls: self.clone(),
            shown: Mutex::default(),
        });
        let config = self
            .config(Arc::clone(&keeper))
            .map_err(|error| broken(error.to_string()))?;
        let client = UnbufferedClientConnection::new(Arc::new(config), server_name)
            .map_err(|error| broken(error.to_string()))?;
        // In a box, because it is large.
        let hands = Box::pin(handshake(
            socket,
            Peer::Server,
            Connection::Client(client),
            Vec::new(),
        ));
        match hands.await {
            Ok(secured) => {
                let version = secured.common().protocol_version();
                let shown = keeper
                    .shown(name, version)
                    .ok_or_else(|| broken("no certificate was shown".into()))?;
                Ok((Stream::Tls(Box::new(secured)), shown))
            }
            Err((_, failure)) => Err(failed(failure, keeper.shown(name, None))),
        }
    }

    fn config(&self, keeper: Arc<CertificateKeeper>) -> Result<ClientConfig, Error> {
        let builder = ClientConfig::builder_with_provider(offering(&self.negotiation))
            .with_protocol_versions(&self.negotiation.versions)?
            .dangerous()
            .with_custom_certificate_verifier(keeper);
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let certified = identity.certified_key();
                builder.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(Arc::clone(
                    certified,
                ))))
            }
        };
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}

/// Keeps the certificate of one handshake and lets the verifier of the settings decide.
#[derive(Debug)]
struct CertificateKeeper {
    tls: ClientTls,
    shown: Mutex<Option<CertificateDer<'static>>>,
}

impl CertificateKeeper {
    fn shown(&self, name: &str, version: Option<ProtocolVersion>) -> Option<ShownCertificate> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let certificate = shown.as_ref()?;
        Some(ShownCertificate {
            version: version.map(|version| match version {
                ProtocolVersion::TLSv1_3 => "TLSv1.3",
                ProtocolVersion::TLSv1_2 => "TLSv1.2",
                _ => "TLS",
            }),
            name: name.to_owned(),
            facts: CertificateFacts::of(certificate).ok(),
            is_verified: matches!(self.tls.trust, ServerTrust::Platform | ServerTrust::Store(_)),
        })
    }
}

impl ServerCertVerifier for CertificateKeeper {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let kept = end_entity.clone().into_owned();
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        if let ServerTrust::Pinned(expected) = &self.tls.trust
            && expected != end_entity
        {
            return Err(Error::InvalidCertificate(
                CertificateError::ApplicationVerificationFailure,
            ));
        }
        let verifier = &self.tls.verifier;
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = provider().signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = provider().signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
