//! `OauthBearerValidation`: which tokens are accepted.

use std::time::Duration;

use super::super::scope::Scope;
use super::KeySetModel;
use super::key_set::{self, KeySetSettings};
use crate::config::schema::OauthBearerValidationConfig;
use crate::config::{Milliseconds, Spanned};
use crate::sasl::jwt::TokenRules;

/// Settings of a filter that checks the tokens of clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthBearerValidationModel {
    /// Keys of the issuer.
    pub keys: KeySetModel,
    /// Rules for tokens.
    pub rules: TokenRules,
    /// Time for which a token that was rejected is remembered; 0 is not at all.
    pub remembered_for: Duration,
    /// Number of tokens that are remembered.
    pub remembered: usize,
}

/// Default of [`OauthBearerValidationModel::remembered_for`].
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

/// Default of [`OauthBearerValidationModel::remembered`].
const REMEMBERED: usize = 1000;

pub(super) fn resolve(
    config: &OauthBearerValidationConfig,
    scope: &mut Scope<'_>,
) -> Option<OauthBearerValidationModel> {
    let time = |written: &Option<Spanned<Milliseconds>>| written.as_ref().map(|ms| ms.value.duration());
    fn text(written: &Option<Spanned<String>>) -> Option<&str> {
        written.as_ref().map(|text| text.value.as_str())
    }
    let settings = KeySetSettings {
        url: &config.jwks_endpoint_url,
        trust_file: config.jwks_trust_file.as_ref(),
        refresh: time(&config.jwks_endpoint_refresh_ms),
        retry: time(&config.jwks_endpoint_retry_backoff_ms),
        retry_max: time(&config.jwks_endpoint_retry_backoff_max_ms),
        on_start: config.on_start.as_ref().map(|on_start| on_start.value),
    };
    let size = config.authenticate_cache_max_size.as_ref();
    Some(OauthBearerValidationModel {
        keys: key_set::resolve(&settings, scope)?,
        rules: key_set::token_rules(
            text(&config.expected_audience),
            text(&config.expected_issuer),
            text(&config.scope_claim_name),
            text(&config.sub_claim_name),
        ),
        remembered_for: time(&config.authenticate_back_off_max_ms).unwrap_or(REMEMBERED_FOR),
        remembered: size.map_or(REMEMBERED, |size| size.value.get() as usize),
    })
}
