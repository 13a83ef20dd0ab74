//! TLS towards the brokers of one target cluster.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Instant;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::TlsError;
use super::cache::{TimedCache, WeakCache};
use super::downstream::offering;
use super::session_tickets::SessionTickets;
use crate::model::{HostPort, UpstreamTls, UpstreamTrust};
use crate::pki::{RevocationLists, digest, provider};

/// Number of brokers with stored tickets. Beyond it none is removed; further brokers get no store.
const MAX_BROKERS_WITH_TICKETS: usize = 4096;

/// Settings for handshakes with brokers.
#[derive(Debug)]
pub struct UpstreamContext {
    server_name: Option<ServerName<'static>>,
    config: ClientConfig,
    /// Settings by broker, because a TLS session is resumed with the broker it began with.
    brokers: Mutex<HashMap<HostPort, Arc<ClientConfig>>>,
}

impl UpstreamContext {
    /// Builds the settings.
    ///
    /// # Errors
    /// [`TlsError::Settings`] if the material of `model` does not fit together, [`TlsError::Platform`] if the
    /// platform has no root certificates.
    pub fn new(model: &UpstreamTls) -> Result<Self, TlsError> {
        let builder = ClientConfig::builder_with_provider(offering(&model.negotiation))
            .with_protocol_versions(&model.negotiation.versions)?
            .dangerous()
            .with_custom_certificate_verifier(server_verifier(model)?);
        let mut config = match &model.identity {
            Some(identity) => builder.with_client_cert_resolver(Arc::new(FixedClientCertificate(
                Arc::clone(identity.certified_key()),
            ))),
            None => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::disabled();
        let server_name = model.server_name.as_deref().map(name).transpose()?;
        Ok(Self {
            server_name,
            config,
            brokers: Mutex::default(),
        })
    }

    /// Settings for a connection to `broker`, and the name that its certificate must have.
    ///
    /// # Errors
    /// [`TlsError::Settings`] if its host cannot be the name of a certificate.
    pub fn towards(&self, broker: &HostPort) -> Result<(Arc<ClientConfig>, ServerName<'static>), TlsError> {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => name(&broker.host)?,
        };
        let mut brokers = self.brokers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = brokers.get(broker) {
            return Ok((Arc::clone(config), name));
        }
        let mut config = self.config.clone();
        config.resumption = Resumption::store(Arc::new(SessionTickets::default()));
        let config = Arc::new(config);
        if brokers.len() < MAX_BROKERS_WITH_TICKETS {
            brokers.insert(broker.clone(), Arc::clone(&config));
        }
        Ok((config, name))
    }
}

fn name(host: &str) -> Result<ServerName<'static>, TlsError> {
    let host = host.strip_suffix('.').unwrap_or(host);
    ServerName::try_from(host.to_owned())
        .map_err(|_| TlsError::Settings(format!("`{host}` cannot be the name of a certificate")))
}

/// Digests of the trust store and of the revocation lists.
type ServerRules = ([u8; 32], Option<[u8; 32]>);

/// The server certificate verifier; targets with the same rules share one.
///
/// # Errors
/// [`TlsError`] as for [`UpstreamContext::new`].
pub fn server_verifier(model: &UpstreamTls) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    static VERIFIERS: LazyLock<WeakCache<ServerRules, dyn ServerCertVerifier>> =
        LazyLock::new(WeakCache::default);
    let Roots { roots, digest } = match &model.trust {
        UpstreamTrust::Insecure => return Ok(Arc::new(NoServerVerification(provider()))),
        UpstreamTrust::Store(store) => Roots {
            roots: Arc::clone(store.roots()),
            digest: store.digest(),
        },
        UpstreamTrust::Platform => platform_roots().map_err(TlsError::Platform)?,
    };
    let revoked = model.revoked.as_deref();
    VERIFIERS.get((digest, revoked.map(RevocationLists::digest)), || {
        let mut builder = WebPkiServerVerifier::builder_with_provider(roots, provider());
        if let Some(revoked) = revoked {
            // A list names revoked certificates of its own issuer only; see `downstream::new_verifier`.
            builder = builder
                .with_crls(revoked.lists().iter().cloned())
                .allow_unknown_revocation_status();
        }
        let verifier = builder
            .build()
            .map_err(|error| TlsError::Settings(error.to_string()))?;
        Ok(verifier as Arc<dyn ServerCertVerifier>)
    })
}

/// Trusted roots, with a digest that identifies them.
#[derive(Clone)]
struct Roots {
    roots: Arc<RootCertStore>,
    digest: [u8; 32],
}

/// Roots of the platform, read once for all targets that need them at about the same time.
///
/// # Errors
/// The reason why there are none.
fn platform_roots() -> Result<Roots, String> {
    static ROOTS: TimedCache<Roots> = TimedCache::new();
    ROOTS.get(Instant::now(), || {
        let found = rustls_native_certs::load_native_certs();
        let digest = digest(found.certs.iter().map(AsRef::as_ref));
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            let why: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
            let why = format!("the platform has no root certificates {}", why.join("; "));
            return Err(why.trim_end().to_owned());
        }
        let roots = Arc::new(roots);
        Ok(Roots { roots, digest })
    })
}

/// Resolver that always returns the same certificate, whatever issuers the broker lists.
#[derive(Debug)]
struct FixedClientCertificate(Arc<CertifiedKey>);

impl ResolvesClientCert for FixedClientCertificate {
    fn resolve(&self, _issuers: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Verifier for `insecure`: any certificate is accepted; only the signature that proves its key is checked.
#[derive(Debug)]
struct NoServerVerification(Arc<CryptoProvider>);

impl ServerCertVerifier for NoServerVerification {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{Negotiation, TrustStore};

    /// Read twice, as two generations do.
    #[test]
    fn the_same_rules_have_one_verifier() {
        let fixture =
            |name: &str| std::fs::read(std::path::Path::new("tests/fixtures/pki").join(name)).unwrap();
        let rules = |store: &str, revoked: bool| UpstreamTls {
            trust: UpstreamTrust::Store(Arc::new(TrustStore::from_pem(&fixture(store)).unwrap())),
            identity: None,
            server_name: None,
            revoked: revoked.then(|| Arc::new(RevocationLists::from_pem(&fixture("crl.pem")).unwrap())),
            negotiation: Negotiation::default(),
        };
        let first = server_verifier(&rules("ec.pem", true)).unwrap();
        assert!(Arc::ptr_eq(
            &first,
            &server_verifier(&rules("ec.pem", true)).unwrap()
        ));
        for other in [rules("ec.pem", false), rules("rsa.pem", true)] {
            assert!(!Arc::ptr_eq(&first, &server_verifier(&other).unwrap()));
        }
    }
}
