//! `SaslTermination`: by which mechanisms clients authenticate at kproxy, and where their users are.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::super::scope::Scope;
use super::super::tls::{self, check_password, reveal};
use super::super::{HostPort, UpstreamTls, UpstreamTrust};
use super::named_file::{self, FileFaults};
use crate::config::schema::{
    CredentialStoreConfig, SaslTerminationConfig, TerminatedMechanismConfig, TerminatedMechanismName,
};
use crate::config::{Secret, Spanned, quoted, suggestion};
use crate::pki::Negotiation;
use crate::sasl::ldap::PLACE_OF_NAME;
use crate::sasl::{CredentialSet, MAX_ITERATIONS, MIN_ITERATIONS, ScramHash};

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
    Some(SaslTerminationModel {
        mechanisms: mechanisms.into_iter().collect::<Option<_>>()?,
        max_time_before_reauth: max_time_before_reauth?,
        failed_delay: failed_delay?,
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
        scope
            .errors
            .push(allowed.key, "`allowPlaintext` belongs to `PLAIN`");
    }
    let hash = match name {
        TerminatedMechanismName::Plain => {
            let without_tls = config
                .allow_plaintext
                .as_ref()
                .is_some_and(|allowed| allowed.value);
            let users = plain_users(written, scope)?;
            return Some(TerminatedMechanism::Plain { users, without_tls });
        }
        TerminatedMechanismName::ScramSha256 => ScramHash::Sha256,
        TerminatedMechanismName::ScramSha512 => ScramHash::Sha512,
    };
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
    directory(config, scope).map(PlainUsers::Directory)
}

fn store_config<'w>(
    written: &'w Spanned<TerminatedMechanismConfig>,
    scope: &mut Scope<'_>,
) -> Option<&'w Spanned<CredentialStoreConfig>> {
    let config = written.value.credential_store_config.as_ref();
    if config.is_none() && written.value.shape.is_sound() {
        let name = written.value.mechanism.value.name();
        let why = format!("mechanism `{name}` needs `credentialStoreConfig`");
        scope.errors.push(written.at, why);
    }
    config
}

/// The users of a store that is a file.
fn credentials(
    written: &Spanned<TerminatedMechanismConfig>,
    scope: &mut Scope<'_>,
) -> Option<CredentialSource> {
    const STORES: [&str; 2] = ["FileCredentialStore", "KeystoreScramCredentialStoreService"];
    let config = &written.value;
    let Some(store) = &config.credential_store else {
        if config.shape.is_sound() {
            let name = config.mechanism.value.name();
            let why = format!("mechanism `{name}` needs `credentialStore`");
            scope.errors.push(written.at, why);
        }
        return None;
    };
    let phantom_iterations = phantom(config.phantom_iterations.as_ref(), scope);
    let settings = store_config(written, scope)?;
    let file = settings.value.file.as_ref();
    let credentials = match simple(&store.value) {
        "FileCredentialStore" => text_file(needed(file, "file", settings, scope)?, scope),
        "KeystoreScramCredentialStoreService" | "KeystoreScramCredentialStore" => {
            keystore(settings, needed(file, "file", settings, scope)?, scope)
        }
        other => {
            let hint = suggestion(other, STORES);
            let why = format!("no credential store {}{hint}", quoted(&store.value));
            scope.errors.push(store.at, why);
            return None;
        }
    };
    Some(CredentialSource {
        credentials: Arc::new(credentials?),
        phantom_iterations: phantom_iterations?,
    })
}

/// The last part of a class name.
fn simple(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, simple)| simple)
}

fn needed<'w, T>(
    value: Option<&'w Spanned<T>>,
    key: &str,
    settings: &Spanned<CredentialStoreConfig>,
    scope: &mut Scope<'_>,
) -> Option<&'w Spanned<T>> {
    if value.is_none() && settings.value.shape.is_sound() {
        scope
            .errors
            .push(settings.at, format!("the credential store needs `{key}`"));
    }
    value
}

fn phantom(written: Option<&Spanned<NonZeroU32>>, scope: &mut Scope<'_>) -> Option<Option<NonZeroU32>> {
    let Some(written) = written else { return Some(None) };
    if !(MIN_ITERATIONS..=MAX_ITERATIONS).contains(&written.value.get()) {
        let why = format!("`phantomIterations` must be from {MIN_ITERATIONS} to {MAX_ITERATIONS}");
        scope.errors.push(written.at, why);
        return None;
    }
    Some(Some(written.value))
}

fn text_file(file: &Spanned<PathBuf>, scope: &mut Scope<'_>) -> Option<CredentialSet> {
    named_file::parse(file, scope, |content, faults: &mut FileFaults| {
        let Ok(text) = std::str::from_utf8(content) else {
            faults.push(1, 1, "the file of users is not UTF-8");
            return None;
        };
        match CredentialSet::parse(text) {
            Ok(set) => Some(set),
            Err(error) => {
                let line = u32::try_from(error.line).unwrap_or(u32::MAX);
                faults.push(line, 1, format!("user: {}", error.why));
                None
            }
        }
    })
}

fn keystore(
    settings: &Spanned<CredentialStoreConfig>,
    file: &Spanned<PathBuf>,
    scope: &mut Scope<'_>,
) -> Option<CredentialSet> {
    let config = &settings.value;
    if let Some(store_type) = config.store_type.as_ref().filter(|it| it.value != "PKCS12") {
        let why = format!(
            "{} stores are not supported; `keytool -importkeystore -deststoretype PKCS12` converts one",
            quoted(&store_type.value)
        );
        scope.errors.push(store_type.at, why);
        return None;
    }
    check_password(config.store_password.as_ref(), &mut scope.errors);
    let password = match &config.store_password {
        Some(password) => reveal(password, scope)?,
        None => Secret::new(""),
    };
    named_file::parse(file, scope, |content, faults: &mut FileFaults| {
        let read = CredentialSet::from_keystore(content, password.reveal());
        read.map_err(|why| faults.push(1, 1, format!("key store: {why}")))
            .ok()
    })
}

fn directory(settings: &Spanned<CredentialStoreConfig>, scope: &mut Scope<'_>) -> Option<DirectoryModel> {
    let config = &settings.value;
    let url = needed(config.url.as_ref(), "url", settings, scope);
    let bind_dn = needed(config.bind_dn.as_ref(), "bindDn", settings, scope)?;
    if bind_dn.value.matches(PLACE_OF_NAME).count() != 1 {
        let why = format!("`bindDn` must have `{PLACE_OF_NAME}` once");
        scope.errors.push(bind_dn.at, why);
        return None;
    }
    let url = url?;
    let Some((begins_with_tls, address)) = directory_address(&url.value) else {
        let why = format!(
            "`url` {} is neither ldap://HOST:PORT nor ldaps://HOST:PORT",
            quoted(&url.value)
        );
        scope.errors.push(url.at, why);
        return None;
    };
    let tls = match &config.tls {
        Some(tls) => Some(tls::upstream(tls, scope)?),
        None => begins_with_tls.then(platform_tls),
    };
    if tls.is_none() {
        let why = || "passwords go to the directory service in clear: `ldaps` or `tls` protects them".into();
        scope.warnings.push(url.at, why);
    }
    Some(DirectoryModel {
        address,
        bind_dn: bind_dn.value.clone(),
        begins_with_tls,
        tls,
    })
}

fn directory_address(url: &str) -> Option<(bool, HostPort)> {
    let (begins_with_tls, rest, port) = match (url.strip_prefix("ldaps://"), url.strip_prefix("ldap://")) {
        (Some(rest), _) => (true, rest, 636),
        (_, Some(rest)) => (false, rest, 389),
        (None, None) => return None,
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.is_empty() || rest.contains(['/', '@', '?', ' ']) {
        return None;
    }
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, digits)) if !host.ends_with(':') && !digits.ends_with(']') => {
            (host, digits.parse().ok().filter(|port| *port != 0)?)
        }
        _ => (rest, port),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    (!host.is_empty()).then_some((begins_with_tls, HostPort { host, port }))
}

fn platform_tls() -> UpstreamTls {
    UpstreamTls {
        trust: UpstreamTrust::Platform,
        identity: None,
        server_name: None,
        revoked: None,
        negotiation: Negotiation::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_of_a_directory_service_is_a_host_and_a_port() {
        let address = |url| {
            let (tls, address) = directory_address(url)?;
            Some((tls, format!("{}|{}", address.host, address.port)))
        };
        for (url, expected) in [
            ("ldap://ldap.example.com", (false, "ldap.example.com|389")),
            ("ldaps://ldap.example.com/", (true, "ldap.example.com|636")),
            ("ldaps://10.0.0.1:1636", (true, "10.0.0.1|1636")),
            ("ldap://[::1]:3389", (false, "::1|3389")),
            ("ldap://[::1]", (false, "::1|389")),
        ] {
            assert_eq!(address(url), Some((expected.0, expected.1.to_owned())), "{url}");
        }
        for wrong in [
            "",
            "ldap://",
            "http://a",
            "ldap://a/dc=x",
            "ldap://u@a",
            "ldap://a:0",
            "ldap://a:x",
        ] {
            assert_eq!(address(wrong), None, "{wrong}");
        }
    }
}
