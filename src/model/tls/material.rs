//! Certificates, keys, trust stores and revocation lists. Each file is parsed once, however many gateways share it,
//! and its errors are reported once, where it is named first.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::scope::Scope;
use super::super::warnings::{Expiring, soon};
use crate::config::schema::{Password, StoreType, TlsKey};
use crate::config::{Errors, Pos, Secret, Spanned};
use crate::pki::{
    CertificateChain, CertificateFacts, Conversion, Identity, PkiError, PrivateKey, RevocationLists,
    TrustStore,
};

/// Certificate file, key file, password.
type Pair = (PathBuf, PathBuf, Option<String>);

/// Parsed files; `None` for a file with errors.
#[derive(Default)]
pub(in super::super) struct PemCache {
    identities: HashMap<Pair, Option<Arc<Identity>>>,
    trust: HashMap<PathBuf, Option<Arc<TrustStore>>>,
    revoked: HashMap<PathBuf, Option<Arc<RevocationLists>>>,
    /// Revocation lists, each with the trust store it was checked with.
    checked: HashSet<(PathBuf, PathBuf)>,
}

/// The certificate with its key: a PEM pair, or both in one file.
pub(super) fn identity(written: &Spanned<TlsKey>, scope: &mut Scope<'_>) -> Option<Arc<Identity>> {
    let key = &written.value;
    let stored = key.store_file.is_some();
    check_password(key.key_password.as_ref(), &mut scope.errors);
    check_password(key.store_password.as_ref(), &mut scope.errors);
    let (certificate, private) = files(written, &mut scope.errors)?;
    check_store_type(key.store_type.as_ref(), key.store_file.as_ref(), scope)?;
    let own = key.key_password.as_ref();
    let password = own.or_else(|| key.store_password.as_ref().filter(|_| stored));
    let secret = match password {
        Some(password) => Some(reveal(password, scope)?),
        None => None,
    };
    let revealed = secret.as_ref().map(|secret| secret.reveal().to_owned());
    let pair = (
        scope.config.path(certificate),
        scope.config.path(private),
        revealed,
    );
    if let Some(known) = scope.material.identities.get(&pair) {
        return known.clone();
    }
    let read = read_identity(certificate, private, secret.as_ref(), scope);
    if let (Some((_, false)), Some(password)) = (&read, own) {
        scope.warnings.push(password.key, || {
            "`keyPassword` has no effect: the key is not encrypted".to_owned()
        });
    }
    let identity = read.map(|(identity, _)| identity);
    scope.material.identities.insert(pair, identity.clone());
    identity
}

fn files<'w>(
    written: &'w Spanned<TlsKey>,
    errors: &mut Errors,
) -> Option<(&'w Spanned<PathBuf>, &'w Spanned<PathBuf>)> {
    let key = &written.value;
    let why = match (&key.certificate_file, &key.private_key_file, &key.store_file) {
        (Some(certificate), Some(private), None) => return Some((certificate, private)),
        (None, None, Some(store)) => return Some((store, store)),
        _ if !key.shape.is_sound() => return None,
        (Some(_), _, Some(store)) | (_, Some(_), Some(store)) => {
            errors.push(store.key, "`storeFile` and a PEM pair exclude each other");
            return None;
        }
        (Some(_), None, None) => "`key` needs `privateKeyFile`",
        (None, Some(_), None) => "`key` needs `certificateFile`",
        (None, None, None) => "`key` needs `certificateFile` and `privateKeyFile`",
    };
    errors.push(written.at, why);
    None
}

/// Reads the certificate with its key, and whether the key was encrypted.
fn read_identity(
    certificate: &Spanned<PathBuf>,
    private: &Spanned<PathBuf>,
    password: Option<&Secret>,
    scope: &mut Scope<'_>,
) -> Option<(Arc<Identity>, bool)> {
    let chain = parse(certificate, scope, CertificateChain::from_pem);
    let password = password.map(|password| password.reveal().as_bytes());
    let key = parse(private, scope, |content| PrivateKey::from_pem(content, password));
    let (chain, key) = (chain?, key?);
    if chain.has_key() && certificate.value != private.value {
        scope.warnings.push(certificate.at, || {
            let path = shown(&scope.config.path(certificate));
            format!("{path} holds a private key, which is not used: `privateKeyFile` is")
        });
    }
    let encrypted = key.was_encrypted();
    check_mode(private, encrypted, scope);
    let identity = Identity::new(chain, key)
        .map_err(|why| {
            let path = scope.config.path(private);
            report(private, &path, &why.of_file(&path), &mut scope.errors);
        })
        .ok()?;
    let file = scope.config.path(certificate);
    date_certificates(certificate.at, &file, identity.facts(), scope);
    if let Some(index) = identity.broken_link() {
        scope.warnings.push(certificate.at, || {
            format!(
                "certificate {index} in {} was not issued by the one after it: some clients refuse such a chain",
                shown(&file)
            )
        });
    }
    Some((Arc::new(identity.from_file(file)), encrypted))
}

/// Warns about a key file that every user can read. Group access is allowed: it is how keys are given to services.
fn check_mode(file: &Spanned<PathBuf>, encrypted: bool, scope: &mut Scope<'_>) {
    let path = scope.config.path(file);
    let mode = scope.config.references.mode(&path).unwrap_or_default();
    let may = match (mode & 0o004 != 0 && !encrypted, mode & 0o002 != 0) {
        (true, true) => "read and replace",
        (true, false) => "read",
        (false, true) => "replace",
        (false, false) => return,
    };
    scope.warnings.push(file.at, || {
        let path = shown(&path);
        format!("every user of this machine may {may} the private key in {path} (mode {mode:04o})")
    });
}

pub(in super::super) fn trust(file: &Spanned<PathBuf>, scope: &mut Scope<'_>) -> Option<Arc<TrustStore>> {
    let path = scope.config.path(file);
    if let Some(known) = scope.material.trust.get(&path) {
        return known.clone();
    }
    let store = parse(file, scope, TrustStore::from_pem).map(|store| Arc::new(store.from_file(path.clone())));
    if let Some(store) = &store {
        date_certificates(file.at, &path, store.facts(), scope);
    }
    scope.material.trust.insert(path, store.clone());
    store
}

pub(super) fn revoked(file: &Spanned<PathBuf>, scope: &mut Scope<'_>) -> Option<Arc<RevocationLists>> {
    let path = scope.config.path(file);
    if let Some(known) = scope.material.revoked.get(&path) {
        return known.clone();
    }
    let lists = parse(file, scope, RevocationLists::from_pem);
    let lists = lists.map(|lists| Arc::new(lists.from_file(path.clone())));
    for facts in lists.iter().flat_map(|lists| lists.facts()) {
        scope.warnings.push_dated(Expiring {
            at: file.at,
            what: format!("the revocation list of `{}` in {}", facts.issuer, shown(&path)),
            not_before: None,
            not_after: facts.next_update,
            // Lists are replaced when they are due, not before.
            ends_soon: None,
            over: "should have been replaced",
        });
    }
    scope.material.revoked.insert(path, lists.clone());
    lists
}

/// Checks that the lists can be used with the trust store.
pub(super) fn check_revoked(
    revoked: &RevocationLists,
    trust: &TrustStore,
    file: &Spanned<PathBuf>,
    scope: &mut Scope<'_>,
) {
    let pair = (revoked.file().to_owned(), trust.file().to_owned());
    if scope.material.checked.insert(pair)
        && let Err(why) = revoked.check_with(trust)
    {
        report(
            file,
            revoked.file(),
            &why.of_file(revoked.file()),
            &mut scope.errors,
        );
    }
}

/// Checks the type of a store; reports an error and returns `None` if it is not supported.
pub(super) fn check_store_type(
    written: Option<&Spanned<StoreType>>,
    file: Option<&Spanned<PathBuf>>,
    scope: &mut Scope<'_>,
) -> Option<()> {
    let Some(written) = written else { return Some(()) };
    let path = file.map(|file| scope.config.path(file));
    let content = path
        .as_ref()
        .and_then(|path| scope.config.references.get(path).ok());
    let (name, conversion) = match written.value {
        StoreType::Pem => return Some(()),
        StoreType::Pkcs12 => ("PKCS12", Conversion::of_pkcs12(content.unwrap_or_default())),
        StoreType::Jks => ("JKS", Conversion::Jks),
    };
    let commands = path.map_or_else(String::new, |path| format!(": {}", conversion.commands(&path)));
    let why = format!("`{name}` stores are not supported, PEM is{commands}");
    scope.errors.push(written.at, why);
    None
}

pub(in crate::model) fn check_password(password: Option<&Spanned<Password>>, errors: &mut Errors) {
    let Some(password) = password else { return };
    match (&password.value.password, &password.value.password_file) {
        (Some(_), None) | (None, Some(_)) => {}
        (Some(_), Some(file)) => errors.push(file.key, "`password` and `passwordFile` exclude each other"),
        (None, None) if password.value.shape.is_sound() => {
            errors.push(password.at, "expected `password` or `passwordFile`");
        }
        (None, None) => {}
    }
}

/// The password, or the first line of its file.
pub(in crate::model) fn reveal(written: &Spanned<Password>, scope: &mut Scope<'_>) -> Option<Secret> {
    let file = match (&written.value.password, &written.value.password_file) {
        (Some(password), None) => return Some(password.value.clone()),
        (None, Some(file)) => file,
        _ => return None,
    };
    parse(file, scope, |content| {
        let line = content.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match std::str::from_utf8(line) {
            Ok("") => Err(PkiError::NoPassword),
            Ok(password) => Ok(Secret::new(password)),
            Err(_) => Err(PkiError::PasswordEncoding),
        }
    })
}

/// Parses a file; reports an error and returns `None` if it cannot be read or parsed.
fn parse<T>(
    file: &Spanned<PathBuf>,
    scope: &mut Scope<'_>,
    parse: impl FnOnce(&[u8]) -> Result<T, PkiError>,
) -> Option<T> {
    let path = scope.config.path(file);
    let parsed = match scope.config.references.get(&path) {
        Ok(content) => parse(content).map_err(|why| why.of_file(&path)),
        Err(why) => Err(why.to_owned()),
    };
    parsed
        .map_err(|why| report(file, &path, &why, &mut scope.errors))
        .ok()
}

fn report(file: &Spanned<PathBuf>, path: &Path, why: &str, errors: &mut Errors) {
    errors.push(file.at, format!("{}: {why}", shown(path)));
}

/// The complete path on one line.
fn shown(path: &Path) -> String {
    format!("`{}`", path.to_string_lossy().escape_debug())
}

fn date_certificates(at: Pos, path: &Path, facts: &[CertificateFacts], scope: &mut Scope<'_>) {
    for facts in facts {
        scope.warnings.push_dated(Expiring {
            at,
            what: format!("the certificate of `{}` in {}", facts.subject, shown(path)),
            not_before: Some(facts.not_before),
            not_after: Some(facts.not_after),
            ends_soon: Some(soon(facts.not_before, facts.not_after)),
            over: "expired",
        });
    }
}
