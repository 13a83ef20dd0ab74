//! The values of `sasl`, some of which stand in files.

use std::path::PathBuf;
use std::sync::Arc;

use hyper::http::Uri;

use super::{AwsKeys, AwsLogin, LoginSource, TokenGrant, UserLogin};
use crate::config::schema::{CredentialsMode, UpstreamSasl};
use crate::config::{Errors, Secret, Spanned, quoted};
use crate::model::operation::token;
use crate::model::scope::Scope;
use crate::model::tls;
use crate::pki::TrustStore;
use crate::sasl::client::{AwsCredential, read_credentials, subject_of};

/// A secret that stands in the configuration or in a file: both keys, and their names.
pub(super) struct SecretKeys<'w> {
    pub(super) value: (&'static str, Option<&'w Spanned<Secret>>),
    pub(super) file: (&'static str, Option<&'w Spanned<PathBuf>>),
    /// The key without which the secret means nothing.
    pub(super) of: (&'static str, Option<&'w Spanned<String>>),
}

impl SecretKeys<'_> {
    /// The name with its secret; the inner `None` without both. Reports an error and returns the outer `None` if they do not
    /// fit together or cannot be read.
    pub(super) fn read(&self, is_sound: bool, scope: &mut Scope<'_>) -> Option<Option<UserLogin>> {
        let Self { value, file, of } = self;
        let secret = match (value.1, file.1) {
            (None, None) => None,
            (Some(_), Some(written)) => {
                let why = format!("{} and {} exclude each other", quoted(value.0), quoted(file.0));
                scope.errors.push(written.key, why);
                return None;
            }
            (Some(written), None) => Some((written.key, not_empty(written, value.0, &mut scope.errors)?)),
            (None, Some(written)) => Some((written.key, first_line(written, file.0, scope)?)),
        };
        match (of.1, secret) {
            (Some(name), Some((_, secret))) => {
                check_name(name, of.0, &mut scope.errors)?;
                Some(Some(UserLogin {
                    username: name.value.clone(),
                    password: secret,
                }))
            }
            (None, None) => Some(None),
            _ if !is_sound => None,
            (Some(name), None) => {
                let why = format!("{} needs {} or {}", quoted(of.0), quoted(value.0), quoted(file.0));
                scope.errors.push(name.key, why);
                None
            }
            (None, Some((key, _))) => {
                scope
                    .errors
                    .push(key, format!("the secret needs {}", quoted(of.0)));
                None
            }
        }
    }
}

/// User and password of kproxy itself.
pub(super) fn user(sasl: &UpstreamSasl, scope: &mut Scope<'_>) -> Option<Option<UserLogin>> {
    let keys = SecretKeys {
        value: ("password", sasl.password.as_ref()),
        file: ("passwordFile", sasl.password_file.as_ref()),
        of: ("username", sasl.username.as_ref()),
    };
    keys.read(sasl.shape.is_sound(), scope)
}

/// Token, or client credentials, of kproxy itself.
pub(super) fn bearer(
    sasl: &UpstreamSasl,
    mode: CredentialsMode,
    scope: &mut Scope<'_>,
) -> Option<Option<LoginSource>> {
    if let (Some(file), Some(url)) = (&sasl.token_file, &sasl.token_endpoint_url) {
        let second = if file.key > url.key { file.key } else { url.key };
        let why = "`tokenFile` and `tokenEndpointUrl` exclude each other";
        scope.errors.push(second, why);
        return None;
    }
    if let Some(file) = &sasl.token_file {
        let token = token(scope.config, file, &mut scope.errors)?;
        warn_of_mode(file, "the token", scope);
        let subject = subject_of(&token);
        return Some(Some(LoginSource::Token { token, subject }));
    }
    let client = SecretKeys {
        value: ("clientSecret", sasl.client_secret.as_ref()),
        file: ("clientSecretFile", sasl.client_secret_file.as_ref()),
        of: ("clientId", sasl.client_id.as_ref()),
    };
    let client = client.read(sasl.shape.is_sound(), scope)?;
    let endpoint = endpoint(sasl, scope)?;
    match (endpoint, client) {
        (None, None) => Some(None),
        (Some(grant), Some(client)) => Some(Some(LoginSource::Grant(TokenGrant { client, ..grant }))),
        // The endpoint is for the clients alone.
        (Some(_), None) if mode == CredentialsMode::PerClient => Some(None),
        (Some(_), None) => {
            if let Some(url) = sasl.token_endpoint_url.as_ref().filter(|_| sasl.shape.is_sound()) {
                scope.errors.push(url.key, "`tokenEndpointUrl` needs `clientId`");
            }
            None
        }
        (None, Some(_)) => {
            if let Some(id) = sasl.client_id.as_ref().filter(|_| sasl.shape.is_sound()) {
                scope.errors.push(id.key, "`clientId` needs `tokenEndpointUrl`");
            }
            None
        }
    }
}

/// The token endpoint, for a client that is to be filled in; the inner `None` without one.
pub(super) fn endpoint(sasl: &UpstreamSasl, scope: &mut Scope<'_>) -> Option<Option<TokenGrant>> {
    let Some(url) = &sasl.token_endpoint_url else {
        for key in [
            sasl.scope.as_ref().map(|scope| scope.key),
            sasl.token_endpoint_ca_file.as_ref().map(|file| file.key),
        ]
        .into_iter()
        .flatten()
        {
            scope.errors.push(key, "the key needs `tokenEndpointUrl`");
        }
        return Some(None);
    };
    let is_secure = check_url(url, &mut scope.errors)?;
    if !is_secure {
        scope.warnings.push(url.at, || {
            "`tokenEndpointUrl` without https: the client secret is sent in clear".to_owned()
        });
    }
    let authorities: Option<Arc<TrustStore>> = match &sasl.token_endpoint_ca_file {
        Some(file) => Some(tls::trust(file, scope)?),
        None => None,
    };
    Some(Some(TokenGrant {
        endpoint: url.value.clone(),
        client: UserLogin {
            username: String::new(),
            password: Secret::new(""),
        },
        scope: sasl.scope.as_ref().map(|scope| scope.value.clone()),
        authorities,
    }))
}

/// Whether the URL is one of https; `None` after an error that was reported.
fn check_url(url: &Spanned<String>, errors: &mut Errors) -> Option<bool> {
    let parsed: Option<Uri> = url.value.parse().ok();
    let why = match &parsed {
        None => "is not a URL",
        Some(uri) if !matches!(uri.scheme_str(), Some("http" | "https")) => {
            "does not begin with http:// or https://"
        }
        Some(uri) if uri.authority().is_some_and(|it| it.as_str().contains('@')) => {
            "names a user: that is what `clientId` is for"
        }
        Some(uri) if uri.host().is_none_or(str::is_empty) => "names no host",
        Some(uri) => return Some(uri.scheme_str() == Some("https")),
    };
    errors.push(url.at, format!("`tokenEndpointUrl` {why}"));
    None
}

/// Keys of AWS.
pub(super) fn aws(sasl: &UpstreamSasl, scope: &mut Scope<'_>) -> Option<AwsLogin> {
    let keys = SecretKeys {
        value: ("secretAccessKey", sasl.secret_access_key.as_ref()),
        file: ("secretAccessKeyFile", sasl.secret_access_key_file.as_ref()),
        of: ("accessKeyId", sasl.access_key_id.as_ref()),
    };
    let fixed = keys.read(sasl.shape.is_sound(), scope)?;
    let session_token = sasl.session_token.as_ref();
    let keys = match (fixed, &sasl.credentials_file) {
        (Some(_), Some(file)) => {
            let why = "`accessKeyId` and `credentialsFile` exclude each other";
            scope.errors.push(file.key, why);
            return None;
        }
        (Some(user), None) => AwsKeys::Fixed(AwsCredential {
            access_key_id: user.username,
            secret_access_key: user.password,
            session_token: session_token.map(|token| token.value.clone()),
        }),
        (None, _) if let Some(token) = session_token => {
            scope.errors.push(token.key, "`sessionToken` needs `accessKeyId`");
            return None;
        }
        (None, Some(file)) => AwsKeys::Fixed(credentials(sasl, file, scope)?),
        (None, None) => AwsKeys::Ambient,
    };
    if let (AwsKeys::Ambient, Some(profile)) = (&keys, &sasl.profile) {
        scope
            .errors
            .push(profile.key, "`profile` needs `credentialsFile`");
        return None;
    }
    Some(AwsLogin {
        region: sasl.region.as_ref().map(|region| region.value.clone()),
        keys,
    })
}

fn credentials(sasl: &UpstreamSasl, file: &Spanned<PathBuf>, scope: &mut Scope<'_>) -> Option<AwsCredential> {
    let profile = sasl.profile.as_ref().map_or("default", |profile| &profile.value);
    let content = content(file, "credentialsFile", scope)?;
    let read = read_credentials(&content, profile);
    if read.is_none() {
        let profile = quoted(profile);
        let why = format!("`credentialsFile`: the section {profile} has no complete key");
        scope.errors.push(file.at, why);
    }
    warn_of_mode(file, "the keys", scope);
    read
}

fn check_name(name: &Spanned<String>, key: &str, errors: &mut Errors) -> Option<()> {
    let is_fine = !name.value.is_empty() && !name.value.contains('\0');
    if !is_fine {
        errors.push(name.at, format!("{} is not a name", quoted(key)));
    }
    is_fine.then_some(())
}

fn not_empty(written: &Spanned<Secret>, key: &str, errors: &mut Errors) -> Option<Secret> {
    let revealed = written.value.reveal();
    let why = match revealed {
        "" => "is empty",
        _ if revealed.contains('\0') => "cannot hold a zero byte",
        _ => return Some(written.value.clone()),
    };
    errors.push(written.at, format!("{} {why}", quoted(key)));
    None
}

/// The first line of a file.
fn first_line(file: &Spanned<PathBuf>, key: &str, scope: &mut Scope<'_>) -> Option<Secret> {
    let content = content(file, key, scope)?;
    let line = content.lines().next().unwrap_or_default();
    if line.is_empty() || line.contains('\0') {
        let why = format!("{}: its first line is no password", quoted(key));
        scope.errors.push(file.at, why);
        return None;
    }
    warn_of_mode(file, "the secret", scope);
    Some(Secret::new(line))
}

/// The text of a file.
pub(in crate::model) fn content(file: &Spanned<PathBuf>, key: &str, scope: &mut Scope<'_>) -> Option<String> {
    let path = scope.config.path(file);
    let why = match scope.config.references.get(&path) {
        Ok(content) => match std::str::from_utf8(content) {
            Ok(text) => return Some(text.to_owned()),
            Err(_) => "the file is not text in UTF-8",
        },
        Err(why) => why,
    };
    let why = format!("{}: {why}", quoted(key));
    scope.errors.push(file.at, why);
    None
}

/// Warns about a file with a secret that every user of the machine can read or replace.
pub(in crate::model) fn warn_of_mode(file: &Spanned<PathBuf>, what: &str, scope: &mut Scope<'_>) {
    let path = scope.config.path(file);
    let mode = scope.config.references.mode(&path).unwrap_or_default();
    let may = match (mode & 0o004 != 0, mode & 0o002 != 0) {
        (true, true) => "read and replace",
        (true, false) => "read",
        (false, true) => "replace",
        (false, false) => return,
    };
    scope.warnings.push(file.at, || {
        let path = path.to_string_lossy();
        let path = path.escape_debug();
        format!("every user of this machine may {may} {what} in `{path}` (mode {mode:04o})")
    });
}
