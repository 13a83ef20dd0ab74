//! TLS towards the clients of one gateway.

use std::sync::{Arc, LazyLock};

use rustls::ServerConfig;
use rustls::pki_types::UnixTime;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{
    ClientHello as Hello, NoServerSessionStorage, ProducesTickets, ResolvesServerCert, WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;

use super::cache::WeakCache;
use super::resumption::RecheckedTickets;
use super::{NegotiatedTls, TlsError};
use crate::model::{ClientAuth, DownstreamTls};
use crate::pki::{Negotiation, RevocationLists, TrustStore, provider};

/// Settings for handshakes with clients.
#[derive(Debug)]
pub struct DownstreamContext {
    model: DownstreamTls,
    config: Arc<ServerConfig>,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
    /// Encrypts the session tickets of all clients.
    tickets: Arc<dyn ProducesTickets>,
}

/// Resolver that always returns the same certificate: the gateway is already known.
#[derive(Debug)]
struct FixedServerCertificate(Arc<CertifiedKey>);

impl ResolvesServerCert for FixedServerCertificate {
    fn resolve(&self, _hello: Hello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

impl DownstreamContext {
    /// Builds the settings. `same_rules` is the gateway's previous context where its rules about clients are those of
    /// `model`. Its sessions can be resumed then, because a ticket vouches for a client that was checked by those rules.
    /// The client's certificate is verified again on each resumption.
    ///
    /// # Errors
    /// [`TlsError::Settings`] if the material of `model` does not fit together.
    pub fn new(model: &DownstreamTls, same_rules: Option<&Self>) -> Result<Self, TlsError> {
        let verifier = verifier(&model.client_auth, model.revoked.as_deref())?;
        let builder = ServerConfig::builder_with_provider(offering(&model.negotiation))
            .with_protocol_versions(&model.negotiation.versions)?;
        let builder = match &verifier {
            Some(verifier) => builder.with_client_cert_verifier(Arc::clone(verifier)),
            None => builder.with_no_client_auth(),
        };
        let resolver = FixedServerCertificate(Arc::clone(model.identity.certified_key()));
        let mut config = builder.with_cert_resolver(Arc::new(resolver));
        let tickets = match same_rules {
            Some(before) => Arc::clone(&before.tickets),
            None => new_ticketer()?,
        };
        config.ticketer = match &verifier {
            Some(verifier) => Arc::new(RecheckedTickets {
                tickets: Arc::clone(&tickets),
                verifier: Arc::clone(verifier),
            }),
            None => Arc::clone(&tickets),
        };
        // The preference of the operator or of the provider, not the order a client lists.
        config.ignore_client_order = true;
        // Tickets carry the session; a cache would only hold memory.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        // Clients use the newest ticket, and every connection brings one.
        config.send_tls13_tickets = 1;
        Ok(Self {
            model: model.clone(),
            config: Arc::new(config),
            verifier,
            tickets,
        })
    }

    /// The model these settings were built from.
    pub fn model(&self) -> &DownstreamTls {
        &self.model
    }

    /// The settings in the form that rustls takes.
    pub fn config(&self) -> &Arc<ServerConfig> {
        &self.config
    }

    /// Whether this context would accept, at `now`, a client that negotiated `negotiated` with an earlier context.
    ///
    /// # Errors
    /// The reason why it would not, for the log.
    pub fn accepts_client(&self, negotiated: &NegotiatedTls, now: UnixTime) -> Result<(), String> {
        let negotiation = &self.model.negotiation;
        if !negotiation
            .versions
            .iter()
            .any(|version| version.version == negotiated.version)
        {
            return Err(format!("{} is no longer allowed", negotiated.version_name()));
        }
        if !negotiation
            .suites
            .iter()
            .any(|suite| suite.suite() == negotiated.suite)
        {
            return Err(format!("{} is no longer allowed", negotiated.suite_name()));
        }
        let Some(verifier) = &self.verifier else {
            return Ok(());
        };
        match negotiated.client_chain.as_deref() {
            Some([own, intermediates @ ..]) => verifier
                .verify_client_cert(own, intermediates, now)
                .map(drop)
                .map_err(|error| format!("the client's certificate is no longer accepted: {error}")),
            _ if verifier.client_auth_mandatory() => Err("a client certificate is now required".into()),
            _ => Ok(()),
        }
    }
}

/// The keys of the ticketer change every six hours; a ticket is valid for at most two such periods.
fn new_ticketer() -> Result<Arc<dyn ProducesTickets>, TlsError> {
    Ok(rustls::crypto::aws_lc_rs::Ticketer::new()?)
}

/// The crypto provider, limited to the cipher suites of `negotiation`.
pub fn offering(negotiation: &Negotiation) -> Arc<rustls::crypto::CryptoProvider> {
    let mut provider = rustls::crypto::CryptoProvider::clone(&provider());
    provider.cipher_suites.clone_from(&negotiation.suites);
    Arc::new(provider)
}

/// Digests of the trust store and of the revocation lists, and whether a certificate is required.
type ClientRules = ([u8; 32], Option<[u8; 32]>, bool);

/// The client certificate verifier; gateways with the same rules share one.
fn verifier(
    client_auth: &ClientAuth,
    revoked: Option<&RevocationLists>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    static VERIFIERS: LazyLock<WeakCache<ClientRules, dyn ClientCertVerifier>> =
        LazyLock::new(WeakCache::default);
    let (store, required) = match client_auth {
        ClientAuth::None => return Ok(None),
        ClientAuth::Requested(store) => (store, false),
        ClientAuth::Required(store) => (store, true),
    };
    let rules = (store.digest(), revoked.map(RevocationLists::digest), required);
    VERIFIERS
        .get(rules, || new_verifier(store, revoked, required))
        .map(Some)
}

fn new_verifier(
    store: &TrustStore,
    revoked: Option<&RevocationLists>,
    required: bool,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::clone(store.roots()), provider());
    if let Some(revoked) = revoked {
        // A list names revoked certificates of its own issuer. It does not affect certificates of other issuers.
        builder = builder
            .with_crls(revoked.lists().iter().cloned())
            .allow_unknown_revocation_status();
    }
    if !required {
        builder = builder.allow_unauthenticated();
    }
    builder
        .build()
        .map_err(|error| TlsError::Settings(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(name: &str) -> Vec<u8> {
        std::fs::read(std::path::Path::new("tests/fixtures/pki").join(name)).unwrap()
    }

    fn store(name: &str) -> Arc<TrustStore> {
        Arc::new(TrustStore::from_pem(&fixture(name)).unwrap())
    }

    /// Read twice, as two generations do.
    #[test]
    fn the_same_rules_have_one_verifier() {
        let lists = || RevocationLists::from_pem(&fixture("crl.pem")).unwrap();
        let [one, other] = [lists(), lists()];
        let of =
            |auth: ClientAuth, revoked: Option<&RevocationLists>| verifier(&auth, revoked).unwrap().unwrap();
        let first = of(ClientAuth::Required(store("ec.pem")), Some(&one));
        let same = of(ClientAuth::Required(store("ec.pem")), Some(&other));
        assert!(Arc::ptr_eq(&first, &same));
        for (auth, revoked) in [
            (ClientAuth::Requested(store("ec.pem")), Some(&one)),
            (ClientAuth::Required(store("ec.pem")), None),
            (ClientAuth::Required(store("rsa.pem")), Some(&one)),
        ] {
            let mandatory = matches!(auth, ClientAuth::Required(_));
            let verifier = of(auth, revoked);
            assert!(!Arc::ptr_eq(&first, &verifier));
            assert_eq!(verifier.client_auth_mandatory(), mandatory);
        }
    }
}
