//! `config` of `OauthBearerValidation`.

use std::num::NonZeroU32;
use std::path::PathBuf;

use super::super::super::decode::{choice, record};
use super::super::super::{KeySetUrl, Milliseconds, Spanned};
use super::NamedFiles;

record! {
    /// Settings of `OauthBearerValidation`, which checks the token of every client that authenticates with `OAUTHBEARER`
    /// before the broker sees it.
    pub struct OauthBearerValidationConfig {
        /// Where the keys of the issuer are (JWKS): a URL that begins with `https://`, `http://` or `file://`. A file is
        /// followed like every file that the configuration names.
        "jwksEndpointUrl" jwks_endpoint_url: Spanned<KeySetUrl>,
        /// PEM file with the certificates of the authorities that are trusted for `https://`. Absent: those of the platform.
        "jwksTrustFile" jwks_trust_file: Option<Spanned<PathBuf>>,
        /// Time after which the keys are fetched again, in milliseconds; `0` is never without need. A token with an unknown
        /// key has them fetched at once, at most every 10 s for all clients together.
        "jwksEndpointRefreshMs" jwks_endpoint_refresh_ms: Option<Spanned<Milliseconds>> = "3600000",
        /// Pause after a fetch that failed, in milliseconds. It doubles with each further one. Known keys stay in use.
        "jwksEndpointRetryBackoffMs" jwks_endpoint_retry_backoff_ms: Option<Spanned<Milliseconds>> = "100",
        /// Longest such pause, in milliseconds.
        "jwksEndpointRetryBackoffMaxMs" jwks_endpoint_retry_backoff_max_ms: Option<Spanned<Milliseconds>> = "10000",
        /// Whether the filter starts before the issuer has answered: with `require` it waits for its keys, 5 s at most, and
        /// without them the reload is rejected; with `lazy` it starts, and rejects tokens until it has keys.
        "onStart" on_start: Option<Spanned<KeysAtStart>> = "require",
        /// Claim with the scopes of a token.
        "scopeClaimName" scope_claim_name: Option<Spanned<String>> = "scope",
        /// Claim with the name of the client.
        "subClaimName" sub_claim_name: Option<Spanned<String>> = "sub",
        /// Time for which a token that was rejected is remembered, in milliseconds. The more often it comes back meanwhile, the
        /// later it is answered: 0.5 s to 5 s. `0`: nothing is remembered.
        "authenticateBackOffMaxMs" authenticate_back_off_max_ms: Option<Spanned<Milliseconds>> = "60000",
        /// Number of tokens that are remembered; beyond it the oldest are forgotten.
        "authenticateCacheMaxSize" authenticate_cache_max_size: Option<Spanned<NonZeroU32>> = "1000",
        /// Audiences, separated by commas, of which a token has to be meant for one (`aud`). Absent: tokens that are meant for
        /// an audience are rejected (RFC 7519 §4.1.3).
        "expectedAudience" expected_audience: Option<Spanned<String>>,
        /// The only issuer whose tokens are accepted (`iss`). Absent: every issuer whose tokens have one of the keys.
        "expectedIssuer" expected_issuer: Option<Spanned<String>>,
    }
    inert {
        "jwtValidatorClass" => "kproxy has one way of checking tokens",
    }
}

choice! {
    /// Whether a filter starts without the keys of its issuer.
    pub enum KeysAtStart {
        /// It waits for them.
        Require = "require",
        /// It starts.
        Lazy = "lazy",
    }
}

impl NamedFiles for OauthBearerValidationConfig {
    fn files(&self) -> Vec<&Spanned<PathBuf>> {
        let keys = self.jwks_endpoint_url.value.file();
        keys.into_iter().chain(&self.jwks_trust_file).collect()
    }
}
