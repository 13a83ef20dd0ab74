//! Users that are in a file: text, or a key store of Kroxylicious.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use super::super::super::scope::Scope;
use super::super::super::tls::{check_password, reveal};
use super::super::named_file::{self, FileFaults};
use super::CredentialSource;
use crate::config::schema::{CredentialStoreConfig, TerminatedMechanismConfig};
use crate::config::{Secret, Spanned, quoted, suggestion};
use crate::sasl::{CredentialSet, MAX_ITERATIONS, MIN_ITERATIONS};

pub(super) fn store_config<'w>(
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
pub(super) fn credentials(
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
pub(super) fn simple(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, simple)| simple)
}

pub(super) fn needed<'w, T>(
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
