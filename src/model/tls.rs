//! TLS settings of both sides.

mod material;
mod negotiation;

pub(super) use material::{PemCache, check_password, reveal, trust};

use std::sync::Arc;

use rustls::pki_types::ServerName;

use super::scope::Scope;
use crate::config::schema;
use crate::config::{Spanned, quoted};
use crate::pki::{Identity, Negotiation, RevocationLists, TrustStore};

/// TLS towards brokers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamTls {
    /// Trust in the brokers' certificates.
    pub trust: UpstreamTrust,
    /// Client certificate for brokers that ask for one.
    pub identity: Option<Arc<Identity>>,
    /// Host name that is sent and verified in place of each broker's own.
    pub server_name: Option<String>,
    /// Revoked broker certificates.
    pub revoked: Option<Arc<RevocationLists>>,
    /// Protocol versions and cipher suites.
    pub negotiation: Negotiation,
}

/// Trust in the certificates of brokers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpstreamTrust {
    /// Certificates issued under the roots of the platform are trusted.
    Platform,
    /// Certificates issued under the certificates of this store are trusted.
    Store(Arc<TrustStore>),
    /// Every certificate is accepted, for any name.
    Insecure,
}

/// TLS towards clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownstreamTls {
    /// The gateway's certificate with its key.
    pub identity: Arc<Identity>,
    /// Rules for client certificates.
    pub client_auth: ClientAuth,
    /// Revoked client certificates.
    pub revoked: Option<Arc<RevocationLists>>,
    /// Protocol versions and cipher suites.
    pub negotiation: Negotiation,
    /// Whether a session is drained when the certificate of its client expires.
    pub end_sessions_on_expiry: bool,
}

/// Rules for client certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientAuth {
    /// Clients are not asked for a certificate.
    None,
    /// A certificate is optional, but must be issued under this store.
    Requested(Arc<TrustStore>),
    /// A certificate issued under this store is required.
    Required(Arc<TrustStore>),
}

/// Resolves the settings towards clients; `None` after an error that was reported.
pub(super) fn downstream(
    written: &Spanned<schema::DownstreamTls>,
    scope: &mut Scope<'_>,
) -> Option<DownstreamTls> {
    let tls = &written.value;
    let identity = match &tls.key {
        Some(key) => material::identity(key, scope),
        None => {
            if tls.shape.is_sound() {
                scope.errors.push(written.key, "`tls` of a gateway needs `key`");
            }
            None
        }
    };
    let client_auth = client_auth(tls, scope);
    let revoked = match &tls.crl_file {
        None => Some(None),
        Some(file) if tls.trust.is_none() => {
            if tls.shape.is_sound() {
                scope.errors.push(
                    file.key,
                    "`crlFile` without `trust`: there are no client certificates",
                );
            }
            None
        }
        Some(file) => material::revoked(file, scope).map(Some),
    };
    if let (
        Some(ClientAuth::Required(trust) | ClientAuth::Requested(trust)),
        Some(Some(revoked)),
        Some(file),
    ) = (&client_auth, &revoked, &tls.crl_file)
    {
        material::check_revoked(revoked, trust, file, scope);
    }
    let negotiation = negotiation::resolve(tls.protocols.as_ref(), tls.cipher_suites.as_ref(), scope);
    let end_sessions_on_expiry = end_sessions_on_expiry(tls, scope);
    let client_auth = client_auth?;
    Some(DownstreamTls {
        identity: identity?,
        // Without client certificates there is nothing to revoke.
        revoked: revoked?.filter(|_| client_auth != ClientAuth::None),
        client_auth,
        negotiation: negotiation?,
        end_sessions_on_expiry: end_sessions_on_expiry?,
    })
}

fn end_sessions_on_expiry(tls: &schema::DownstreamTls, scope: &mut Scope<'_>) -> Option<bool> {
    let Some(written) = tls
        .end_sessions_on_expiry
        .as_ref()
        .filter(|written| written.value)
    else {
        return Some(false);
    };
    if tls.trust.is_some() || !tls.shape.is_sound() {
        return Some(true);
    }
    let why = "`endSessionsOnExpiry` without `trust`: there are no client certificates";
    scope.errors.push(written.key, why);
    None
}

fn client_auth(tls: &schema::DownstreamTls, scope: &mut Scope<'_>) -> Option<ClientAuth> {
    let Some(written) = &tls.trust else {
        return Some(ClientAuth::None);
    };
    let trust = &written.value;
    material::check_store_type(trust.store_type.as_ref(), trust.store_file.as_ref(), scope)?;
    check_password(trust.store_password.as_ref(), &mut scope.errors);
    let asked = trust
        .trust_options
        .as_ref()
        .and_then(|options| options.value.client_auth.as_ref());
    let store = match &trust.store_file {
        Some(file) => Some(material::trust(file, scope)?),
        None => None,
    };
    match (asked.map(|asked| asked.value), store) {
        (Some(schema::ClientAuth::None), _) => Some(ClientAuth::None),
        (Some(schema::ClientAuth::Required) | None, Some(store)) => Some(ClientAuth::Required(store)),
        (Some(schema::ClientAuth::Requested), Some(store)) => Some(ClientAuth::Requested(store)),
        (_, None) => {
            let options_sound = trust
                .trust_options
                .as_ref()
                .is_none_or(|options| options.value.shape.is_sound());
            if trust.shape.is_sound() && options_sound {
                scope.errors.push(written.at, "`trust` needs `storeFile`");
            }
            None
        }
    }
}

/// Resolves the settings towards brokers; `None` after an error that was reported.
pub(super) fn upstream(written: &Spanned<schema::UpstreamTls>, scope: &mut Scope<'_>) -> Option<UpstreamTls> {
    let tls = &written.value;
    let identity = match &tls.key {
        Some(key) => material::identity(key, scope).map(Some),
        None => Some(None),
    };
    let trust = upstream_trust(tls, scope);
    let revoked = match &tls.crl_file {
        None => Some(None),
        Some(file) if trust == Some(UpstreamTrust::Insecure) => {
            let why = "`insecure` trusts everyone, `crlFile` would have no effect";
            scope.errors.push(file.key, why);
            None
        }
        Some(file) => material::revoked(file, scope).map(Some),
    };
    if let (Some(UpstreamTrust::Store(trust)), Some(Some(revoked)), Some(file)) =
        (&trust, &revoked, &tls.crl_file)
    {
        material::check_revoked(revoked, trust, file, scope);
    }
    let server_name = tls.server_name.as_ref();
    if let Some(name) = server_name.filter(|name| ServerName::try_from(name.value.as_str()).is_err()) {
        let why = format!(
            "`serverName` {} is neither a DNS name nor an address",
            quoted(&name.value)
        );
        scope.errors.push(name.at, why);
    }
    let negotiation = negotiation::resolve(tls.protocols.as_ref(), tls.cipher_suites.as_ref(), scope);
    Some(UpstreamTls {
        trust: trust?,
        identity: identity?,
        server_name: server_name.map(|name| name.value.clone()),
        revoked: revoked?,
        negotiation: negotiation?,
    })
}

fn upstream_trust(tls: &schema::UpstreamTls, scope: &mut Scope<'_>) -> Option<UpstreamTrust> {
    let Some(written) = &tls.trust else {
        return Some(UpstreamTrust::Platform);
    };
    let trust = &written.value;
    let insecure = trust.insecure.as_ref().filter(|insecure| insecure.value);
    check_password(trust.store_password.as_ref(), &mut scope.errors);
    if let (Some(insecure), Some(_)) = (insecure, &trust.store_file) {
        scope.errors.push(
            insecure.key,
            "`insecure` trusts everyone, `storeFile` would have no effect",
        );
        return None;
    }
    if let Some(insecure) = insecure {
        scope.warnings.push(insecure.key, || {
            "`insecure`: the certificate of the broker is not checked".to_owned()
        });
        return Some(UpstreamTrust::Insecure);
    }
    material::check_store_type(trust.store_type.as_ref(), trust.store_file.as_ref(), scope)?;
    match &trust.store_file {
        Some(file) => material::trust(file, scope).map(UpstreamTrust::Store),
        None if trust.shape.is_sound() => Some(UpstreamTrust::Platform),
        None => None,
    }
}
