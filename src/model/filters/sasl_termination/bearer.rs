//! Which tokens of OAUTHBEARER are accepted.

use std::time::Duration;

use super::super::super::scope::Scope;
use super::super::key_set::{self, KeySetSettings};
use super::BearerModel;
use crate::config::schema::TerminatedMechanismConfig;
use crate::config::{Pos, Spanned};
use crate::sasl::jwt::MAX_TOKEN_LEN;

/// Resolves the settings of OAUTHBEARER; `None` after an error that was reported.
pub(super) fn resolve(
    written: &Spanned<TerminatedMechanismConfig>,
    scope: &mut Scope<'_>,
) -> Option<BearerModel> {
    let config = &written.value;
    refuse_store(config, scope);
    let url = needed(
        config.jwks_endpoint_url.as_ref(),
        "jwksEndpointUrl",
        written,
        scope,
    );
    let audience = needed(
        config.expected_audience.as_ref(),
        "expectedAudience",
        written,
        scope,
    );
    let issuer = needed(config.expected_issuer.as_ref(), "expectedIssuer", written, scope);
    let (audience, issuer) = (
        filled(audience?, "expectedAudience", scope),
        filled(issuer?, "expectedIssuer", scope),
    );
    let max_bytes = max_bytes(config, scope);
    let time = |written: &Option<Spanned<Duration>>| written.as_ref().map(|time| time.value);
    let settings = KeySetSettings {
        url: url?,
        trust_file: config.jwks_trust_file.as_ref(),
        refresh: time(&config.jwks_endpoint_refresh),
        retry: time(&config.jwks_endpoint_retry_backoff),
        retry_max: time(&config.jwks_endpoint_retry_backoff_max),
        on_start: config.on_start.as_ref().map(|on_start| on_start.value),
    };
    Some(BearerModel {
        keys: key_set::resolve(&settings, scope)?,
        rules: key_set::token_rules(
            Some(audience?),
            Some(issuer?),
            config.scope_claim_name.as_ref().map(|name| &*name.value),
            config.sub_claim_name.as_ref().map(|name| &*name.value),
        ),
        max_bytes: max_bytes?,
    })
}

fn max_bytes(config: &TerminatedMechanismConfig, scope: &mut Scope<'_>) -> Option<usize> {
    let Some(written) = &config.max_auth_bytes else {
        return Some(MAX_TOKEN_LEN);
    };
    let bytes = written.value.get() as usize;
    if bytes > MAX_TOKEN_LEN {
        let why = format!("`maxAuthBytes` must be at most {MAX_TOKEN_LEN}");
        scope.errors.push(written.at, why);
        return None;
    }
    Some(bytes)
}

fn needed<'w, T>(
    value: Option<&'w Spanned<T>>,
    key: &str,
    written: &Spanned<TerminatedMechanismConfig>,
    scope: &mut Scope<'_>,
) -> Option<&'w Spanned<T>> {
    if value.is_none() && written.value.shape.is_sound() {
        let why = format!("mechanism `OAUTHBEARER` needs `{key}`");
        scope.errors.push(written.at, why);
    }
    value
}

/// The text, unless it says nothing: then every token, or none, would be accepted.
fn filled<'w>(value: &'w Spanned<String>, key: &str, scope: &mut Scope<'_>) -> Option<&'w str> {
    if value.value.split(',').all(|part| part.trim().is_empty()) {
        scope.errors.push(value.at, format!("`{key}` is empty"));
        return None;
    }
    Some(&value.value)
}

/// Reports keys about stores of users, which OAUTHBEARER does not have.
fn refuse_store(config: &TerminatedMechanismConfig, scope: &mut Scope<'_>) {
    let keys = [
        ("credentialStore", key_of(config.credential_store.as_ref())),
        (
            "credentialStoreConfig",
            key_of(config.credential_store_config.as_ref()),
        ),
        ("phantomIterations", key_of(config.phantom_iterations.as_ref())),
    ];
    for (name, at) in keys {
        if let Some(at) = at {
            let why = format!("`{name}` has no meaning for `OAUTHBEARER`");
            scope.errors.push(at, why);
        }
    }
}

/// Reports keys that only OAUTHBEARER has.
pub(super) fn refuse_keys(config: &TerminatedMechanismConfig, scope: &mut Scope<'_>) {
    let keys = [
        ("jwksEndpointUrl", key_of(config.jwks_endpoint_url.as_ref())),
        ("jwksTrustFile", key_of(config.jwks_trust_file.as_ref())),
        ("expectedAudience", key_of(config.expected_audience.as_ref())),
        ("expectedIssuer", key_of(config.expected_issuer.as_ref())),
        ("scopeClaimName", key_of(config.scope_claim_name.as_ref())),
        ("subClaimName", key_of(config.sub_claim_name.as_ref())),
        (
            "jwksEndpointRefresh",
            key_of(config.jwks_endpoint_refresh.as_ref()),
        ),
        (
            "jwksEndpointRetryBackoff",
            key_of(config.jwks_endpoint_retry_backoff.as_ref()),
        ),
        (
            "jwksEndpointRetryBackoffMax",
            key_of(config.jwks_endpoint_retry_backoff_max.as_ref()),
        ),
        ("onStart", key_of(config.on_start.as_ref())),
        ("maxAuthBytes", key_of(config.max_auth_bytes.as_ref())),
    ];
    for (name, at) in keys {
        if let Some(at) = at {
            let why = format!("`{name}` belongs to `OAUTHBEARER`");
            scope.errors.push(at, why);
        }
    }
}

fn key_of<T>(written: Option<&Spanned<T>>) -> Option<Pos> {
    written.map(|written| written.key)
}
