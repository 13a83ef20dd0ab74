//! JSON Web Tokens (RFC 7519) as access tokens: who signed one, for whom, until when, and whom it names.
//!
//! A token is judged in the order in which trust grows: size, shape, algorithm, key, signature, and only then claims. So
//! an error names values of claims only if the issuer has signed them, and it never shows the token.
//!
//! Signatures are checked by aws-lc. The time is given, so that a test decides what is expired.

mod algorithm;
mod claims;
mod fault;
mod header;
mod keys;

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;

pub use fault::{TokenFault, TokenOutcome};
pub use keys::{KeySetFault, MAX_KEYS, VerificationKeys};

use header::TokenHeader;

/// Largest token, in bytes. Kafka and Kroxylicious read no larger message of OAUTHBEARER.
pub const MAX_TOKEN_LEN: usize = 128 * 1024;

/// Rules that a token has to keep.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TokenRules {
    /// Names of which `aud` has to contain one. Empty: a token must have no `aud` at all (RFC 7519 §4.1.3).
    pub audiences: Vec<Box<str>>,
    /// The only accepted `iss`; `None` accepts every issuer whose keys are in the set.
    pub issuer: Option<Box<str>>,
    /// Name of the claim that holds the scopes.
    pub scope_claim: Box<str>,
    /// Name of the claim that names the principal.
    pub subject_claim: Box<str>,
    /// Largest difference between the clocks of issuer and kproxy.
    pub clock_skew: Duration,
}

impl Default for TokenRules {
    fn default() -> Self {
        Self {
            audiences: Vec::new(),
            issuer: None,
            scope_claim: "scope".into(),
            subject_claim: "sub".into(),
            clock_skew: Duration::from_secs(30),
        }
    }
}

/// Contents of a token that keeps the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidToken {
    /// Name of the principal.
    pub subject: Box<str>,
    /// Scopes that the issuer has granted.
    pub scopes: Vec<Box<str>>,
    /// End of its life (`exp`), since the Unix epoch.
    pub expires_at: Duration,
}

/// Validates `token` at the time `now`, since the Unix epoch.
///
/// # Errors
/// [`TokenFault`]; [`TokenFault::UnknownKey`] may mean that the issuer has got new keys.
pub fn validate(
    token: &str,
    keys: &VerificationKeys,
    rules: &TokenRules,
    now: Duration,
) -> Result<ValidToken, TokenFault> {
    if token.len() > MAX_TOKEN_LEN {
        return Err(TokenFault::TooLarge { len: token.len() });
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenFault::NotSigned)?;
    let (header, payload) = signed.split_once('.').ok_or(TokenFault::NotSigned)?;
    if payload.contains('.') {
        return Err(TokenFault::NotSigned);
    }
    let header = TokenHeader::read(&part(header, "header")?)?;
    let key = keys.find(header.key_id.as_deref(), header.algorithm)?;
    if !key.verifies(
        header.algorithm,
        signed.as_bytes(),
        &part(signature, "signature")?,
    ) {
        return Err(TokenFault::WrongSignature);
    }
    claims::judge(&part(payload, "payload")?, rules, now)
}

/// Judges the claims of a token whose signature has been found valid before, as at the time `at`, since the Unix epoch.
///
/// # Errors
/// [`TokenFault`]
pub fn judge_again(token: &str, rules: &TokenRules, at: Duration) -> Result<ValidToken, TokenFault> {
    let payload = token.split('.').nth(1).ok_or(TokenFault::NotSigned)?;
    claims::judge(&part(payload, "payload")?, rules, at)
}

/// One of the three parts of a token.
fn part(encoded: &str, name: &'static str) -> Result<Vec<u8>, TokenFault> {
    let decoded = BASE64URL_NOPAD.decode(encoded.as_bytes());
    decoded.map_err(|_| TokenFault::NotBase64 { part: name })
}

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;
