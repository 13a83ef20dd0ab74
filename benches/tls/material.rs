//! Certificates of one run, and what clients and brokers make of them.
//!
//! Key exchange and cipher are pinned on the load's side, so that every contender is held to the same: X25519 and
//! AES-128-GCM, which all of them have.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientSessionMemoryCache, Resumption};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::{
    CipherSuite, ClientConfig, DigitallySignedStruct, Error, ServerConfig, SignatureScheme,
    SupportedProtocolVersion,
};

/// The name the brokers' certificate is made out to; upstream, it is checked.
pub(crate) const BROKER_NAME: &str = "broker.bench.test";
/// The name clients ask for.
pub(crate) const PROXY_NAME: &str = "proxy.bench.test";

/// The one cipher of either version.
const SUITES: [CipherSuite; 3] = [
    CipherSuite::TLS13_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
];

/// A protocol version, by the name it has on the command line of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Tls12,
    Tls13,
}

impl Version {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        }
    }

    /// The version of that name; 1.3 where there is none such.
    pub(crate) fn named(name: &str) -> Self {
        if name == "1.2" { Self::Tls12 } else { Self::Tls13 }
    }

    fn supported(self) -> [&'static SupportedProtocolVersion; 1] {
        match self {
            Self::Tls12 => [&rustls::version::TLS12],
            Self::Tls13 => [&rustls::version::TLS13],
        }
    }
}

/// Writes `ca.pem`, `proxy.crt`, `proxy.key`, both in one as `haproxy.pem`, `broker.crt` and `broker.key`.
///
/// # Errors
/// When `directory` takes no files.
pub(crate) fn write(directory: &Path, rsa: bool) -> io::Result<()> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name = named("kproxy bench CA");
    let issuer = CertifiedIssuer::self_signed(params, key_pair(rsa)?).map_err(io::Error::other)?;
    fs::write(directory.join("ca.pem"), issuer.pem())?;
    for (file, name) in [("proxy", PROXY_NAME), ("broker", BROKER_NAME)] {
        let names = [name, "localhost", "127.0.0.1"].map(str::to_owned);
        let key = key_pair(rsa)?;
        let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
        params.distinguished_name = named(name);
        let certificate = params.signed_by(&key, &issuer).map_err(io::Error::other)?;
        let (certificate, key) = (certificate.pem(), key.serialize_pem());
        fs::write(directory.join(format!("{file}.crt")), &certificate)?;
        write_secret(&directory.join(format!("{file}.key")), &key)?;
        if file == "proxy" {
            write_secret(&directory.join("haproxy.pem"), &(certificate + &key))?;
        }
    }
    Ok(())
}

/// Names must differ: a certificate whose issuer has its own name counts as self-signed.
fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn write_secret(path: &Path, text: &str) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}

fn key_pair(rsa: bool) -> io::Result<KeyPair> {
    if rsa {
        KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)
    } else {
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
    }
    .map_err(io::Error::other)
}

/// A client that offers one version, and resumes what it may where `resumes` says so.
///
/// # Errors
/// When the library refuses the combination.
pub(crate) fn client(version: Version, resumes: bool) -> io::Result<Arc<ClientConfig>> {
    let mut provider = provider();
    if version == Version::Tls12 {
        // There, a server's certificate has to be on a curve the client named.
        provider.kx_groups.push(aws_lc_rs::kx_group::SECP256R1);
    }
    let provider = Arc::new(provider);
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&version.supported())
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Unchecked(provider)))
        .with_no_client_auth();
    config.resumption = if resumes {
        Resumption::store(Arc::new(ClientSessionMemoryCache::new(8)))
    } else {
        Resumption::disabled()
    };
    Ok(Arc::new(config))
}

/// A server with the key named `file` in `directory`, for one version, with tickets where `resumes` says so.
///
/// # Errors
/// When there is no such key, or the library refuses it.
pub(crate) fn server(
    directory: &Path,
    file: &str,
    version: Version,
    resumes: bool,
) -> io::Result<Arc<ServerConfig>> {
    let chain = CertificateDer::pem_file_iter(directory.join(format!("{file}.crt")))
        .and_then(Iterator::collect)
        .map_err(io::Error::other)?;
    let key =
        PrivateKeyDer::from_pem_file(directory.join(format!("{file}.key"))).map_err(io::Error::other)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&version.supported())
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(io::Error::other)?;
    if resumes {
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(io::Error::other)?;
    } else {
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(Arc::new(config))
}

fn provider() -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = vec![aws_lc_rs::kx_group::X25519];
    provider
        .cipher_suites
        .retain(|suite| SUITES.contains(&suite.suite()));
    provider
}

/// Takes every certificate unseen: checking it would cost the load more than the contender pays to show it.
#[derive(Debug)]
struct Unchecked(Arc<CryptoProvider>);

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
