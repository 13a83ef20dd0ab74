//! `SaslTermination`: by which mechanisms clients authenticate at kproxy, and where their users are.

mod bearer;
mod directory;
mod proof;
mod stores;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::super::scope::Scope;
use super::super::subject::resolve as subject;
use super::super::{HostPort, SaslSubjectBuilder, UpstreamTls};
use super::KeySetModel;
use crate::config::schema::{SaslTerminationConfig, TerminatedMechanismConfig, TerminatedMechanismName};
use crate::config::{Spanned, quoted};
use crate::sasl::jwt::TokenRules;
use crate::sasl::{CredentialSet, ScramHash};
pub use proof::TerminatedProof;
use stores::{credentials, simple, store_config};

/// Default of `fixedAuthDelay`.
const FAILED_DELAY: Duration = Duration::from_millis(200);

/// Longest `fixedAuthDelay`.
const MAX_FAILED_DELAY: Duration = Duration::from_secs(5);

/// Shortest `maxTimeBeforeReauth`: clients authenticate again at most once a second.
const MIN_REAUTH: Duration = Duration::from_secs(2);

/// Settings of a filter by which clients authenticate at kproxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaslTerminationModel {
    /// Mechanisms, each at most once.
    pub mechanisms: Vec<TerminatedMechanism>,
    /// Longest time until a client has to authenticate again.
    pub max_time_before_reauth: Option<Duration>,
    /// Time for which the answer to a failed authentication is held back.
    pub failed_delay: Duration,
    /// What becomes of the name that a client has authenticated as.
    pub subject_builder: SaslSubjectBuilder,
}

/// A mechanism with its users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TerminatedMechanism {
    /// SCRAM.
    Scram {
        /// Hash function.
        hash: ScramHash,
        /// Users.
        users: CredentialSource,
    },
    /// PLAIN.
    Plain {
        /// Users.
        users: PlainUsers,
        /// Whether it is offered without TLS.
        without_tls: bool,
    },
    /// OAUTHBEARER.
    OauthBearer(BearerModel),
}

/// Which tokens are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BearerModel {
    /// Keys of the issuer.
    pub keys: KeySetModel,
    /// Rules for tokens.
    pub rules: TokenRules,
    /// Length of the largest message with a token, in bytes.
    pub max_bytes: usize,
}

/// Users out of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialSource {
    /// The users.
    pub credentials: Arc<CredentialSet>,
    /// Iterations shown for users that do not exist.
    pub phantom_iterations: Option<NonZeroU32>,
}

/// Where PLAIN finds its users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlainUsers {
    /// In a file.
    Credentials(CredentialSource),
    /// At a directory service.
    Directory(DirectoryModel),
}

/// A directory service (LDAP).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryModel {
    /// Its address.
    pub address: HostPort,
    /// Distinguished name of a user, with a place for the name.
    pub bind_dn: String,
    /// Whether the connection begins with TLS.
    pub begins_with_tls: bool,
    /// TLS; `None` without.
    pub tls: Option<UpstreamTls>,
}

pub(super) fn resolve(config: &SaslTerminationConfig, scope: &mut Scope<'_>) -> Option<SaslTerminationModel> {
    let list = &config.mechanisms;
    if list.value.items.is_empty() && list.value.complete {
        scope
            .errors
            .push(list.at, "`mechanisms` is empty: no client could authenticate");
        return None;
    }
    let mut seen = Vec::new();
    let mut mechanisms = Vec::new();
    for item in &list.value.items {
        let name = &item.value.mechanism;
        if seen.contains(&name.value) {
            let why = format!("mechanism {} stands in the list twice", quoted(name.value.name()));
            scope.errors.push(name.at, why);
        }
        seen.push(name.value);
        mechanisms.push(mechanism(item, scope));
    }
    let max_time_before_reauth = reauth(config.max_time_before_reauth.as_ref(), scope);
    let failed_delay = delay(config.fixed_auth_delay.as_ref(), scope);
    let (builder, settings) = (&config.subject_builder, &config.subject_builder_config);
    let subject_builder = subject::sasl(builder.as_ref(), settings.as_ref(), &mut scope.errors);
    Some(SaslTerminationModel {
        mechanisms: mechanisms.into_iter().collect::<Option<_>>()?,
        max_time_before_reauth: max_time_before_reauth?,
        failed_delay: failed_delay?,
        subject_builder: subject_builder?,
    })
}

fn reauth(written: Option<&Spanned<Duration>>, scope: &mut Scope<'_>) -> Option<Option<Duration>> {
    let Some(written) = written else { return Some(None) };
    if written.value < MIN_REAUTH {
        scope
            .errors
            .push(written.at, "`maxTimeBeforeReauth` must be at least 2s");
        return None;
    }
    Some(Some(written.value))
}

fn delay(written: Option<&Spanned<Duration>>, scope: &mut Scope<'_>) -> Option<Duration> {
    let Some(written) = written else {
        return Some(FAILED_DELAY);
    };
    if written.value > MAX_FAILED_DELAY {
        scope
            .errors
            .push(written.at, "`fixedAuthDelay` must be at most 5s");
        return None;
    }
    Some(written.value)
}

fn mechanism(
    written: &Spanned<TerminatedMechanismConfig>,
    scope: &mut Scope<'_>,
) -> Option<TerminatedMechanism> {
    let config = &written.value;
    let name = config.mechanism.value;
    if let Some(allowed) = &config.allow_plaintext
        && name != TerminatedMechanismName::Plain
    {
        let why = "`allowPlaintext` belongs to `PLAIN`";
        scope.errors.push(allowed.key, why);
    }
    if name != TerminatedMechanismName::OauthBearer {
        bearer::refuse_keys(config, scope);
    }
    match name {
        TerminatedMechanismName::OauthBearer => {
            bearer::resolve(written, scope).map(TerminatedMechanism::OauthBearer)
        }
        TerminatedMechanismName::Plain => {
            let allowed = config.allow_plaintext.as_ref();
            Some(TerminatedMechanism::Plain {
                users: plain_users(written, scope)?,
                without_tls: allowed.is_some_and(|allowed| allowed.value),
            })
        }
        TerminatedMechanismName::ScramSha256 => scram(ScramHash::Sha256, written, scope),
        TerminatedMechanismName::ScramSha512 => scram(ScramHash::Sha512, written, scope),
    }
}

fn scram(
    hash: ScramHash,
    written: &Spanned<TerminatedMechanismConfig>,
    scope: &mut Scope<'_>,
) -> Option<TerminatedMechanism> {
    let users = credentials(written, scope)?;
    if !users.credentials.has(hash) {
        let why = format!(
            "the credential store has no user with a verifier for {}",
            hash.mechanism()
        );
        scope.warnings.push(written.at, || why);
    }
    Some(TerminatedMechanism::Scram { hash, users })
}

fn plain_users(written: &Spanned<TerminatedMechanismConfig>, scope: &mut Scope<'_>) -> Option<PlainUsers> {
    let store = written.value.credential_store.as_ref();
    if store.map(|store| simple(&store.value)) != Some("LdapBind") {
        return credentials(written, scope).map(PlainUsers::Credentials);
    }
    if let Some(phantom) = &written.value.phantom_iterations {
        let why = "`phantomIterations` has no meaning for `LdapBind`";
        scope.errors.push(phantom.key, why);
    }
    let config = store_config(written, scope)?;
    directory::resolve(config, scope).map(PlainUsers::Directory)
}
