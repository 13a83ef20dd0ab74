//! Tokens that are fetched with client credentials (RFC 6749 §4.4): kept until most of their time is over, and fetched once
//! for all who wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};
use tokio::sync::Semaphore;

use super::{LoginError, unix_now};
use crate::config::Secret;
use crate::http_client::{FetchedAnswer, HttpTarget};
use crate::model::{TokenGrant, UpstreamTls, UpstreamTrust};
use crate::pki::Negotiation;
use crate::sasl::client::BearerToken;

/// Time limit of one request for a token.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);

/// Time after a failure in which no other request is made.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Lifetime that is assumed if the endpoint does not tell it.
const ASSUMED_LIFETIME: Duration = Duration::from_secs(60);

/// Part of its lifetime after which a token is renewed, in percent.
const RENEW_AT: u32 = 80;

/// Time before the end of a token in which it is not used any more.
const SPARE: Duration = Duration::from_secs(5);

/// Largest accepted answer of the endpoint, in bytes.
const MAX_ANSWER: usize = 256 << 10;

/// Tokens by what they are granted for.
#[derive(Debug, Default)]
pub(super) struct GrantedTokens(Mutex<HashMap<GrantKey, Arc<TokenSlot>>>);

/// Number of slots; further ones are not kept.
const MAX_SLOTS: usize = 100_000;

/// What decides which token is granted: endpoint, client, scope. With another secret the token is still good.
type GrantKey = (String, String, Option<String>);

/// The token of one client.
#[derive(Debug)]
struct TokenSlot {
    /// Permit to ask the endpoint.
    turn: Semaphore,
    kept: Mutex<KeptToken>,
}

/// What is known of the token of one client.
#[derive(Debug, Default)]
struct KeptToken {
    granted: Option<GrantedToken>,
    /// The newest failure, if it came after the token.
    failed: Option<(Instant, LoginError)>,
}

/// A token as it was granted.
#[derive(Debug, Clone)]
struct GrantedToken {
    token: BearerToken,
    renew: Instant,
    end: Instant,
}

impl Default for TokenSlot {
    fn default() -> Self {
        Self {
            turn: Semaphore::new(1),
            kept: Mutex::default(),
        }
    }
}

impl GrantedTokens {
    /// A token that is good for a while.
    ///
    /// # Errors
    /// [`LoginError::NoCredentials`] if the endpoint gives none and there is none from before.
    pub(super) async fn get(&self, grant: &TokenGrant) -> Result<BearerToken, LoginError> {
        let slot = self.slot(grant);
        if let Some(known) = slot.known(Instant::now()) {
            return known;
        }
        let _turn = slot.turn.acquire().await;
        if let Some(known) = slot.known(Instant::now()) {
            return known;
        }
        let fetched = tokio::time::timeout(FETCH_TIMEOUT, fetch(grant)).await;
        let fetched = fetched.unwrap_or_else(|_| Err(format!("no answer within {FETCH_TIMEOUT:?}")));
        slot.note(
            fetched.map_err(|why| {
                LoginError::NoCredentials(format!("the token endpoint gives no token: {why}"))
            }),
        )
    }

    fn slot(&self, grant: &TokenGrant) -> Arc<TokenSlot> {
        let key = (
            grant.endpoint.clone(),
            grant.client.username.clone(),
            grant.scope.clone(),
        );
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= MAX_SLOTS && !slots.contains_key(&key) {
            return Arc::default();
        }
        Arc::clone(slots.entry(key).or_default())
    }
}

impl TokenSlot {
    /// What can be answered without a request to the endpoint.
    fn known(&self, now: Instant) -> Option<Result<BearerToken, LoginError>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = kept.failed.as_ref();
        let failed = failed.filter(|(at, _)| now.duration_since(*at) < RETRY_AFTER);
        match (&kept.granted, failed) {
            (Some(granted), _) if now < granted.renew => Some(Ok(granted.token.clone())),
            (Some(granted), Some(_)) if now < granted.end => Some(Ok(granted.token.clone())),
            (_, Some((_, error))) => Some(Err(error.clone())),
            (_, None) => None,
        }
    }

    /// Keeps the outcome of a request. A failure leaves the token from before in use as long as it is good.
    fn note(&self, fetched: Result<GrantedToken, LoginError>) -> Result<BearerToken, LoginError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match fetched {
            Ok(granted) => {
                let token = granted.token.clone();
                *kept = KeptToken {
                    granted: Some(granted),
                    failed: None,
                };
                Ok(token)
            }
            Err(error) => {
                let now = Instant::now();
                tracing::warn!(%error, "no new token for the brokers");
                kept.failed = Some((now, error.clone()));
                let before = kept.granted.as_ref().filter(|granted| now < granted.end);
                before.map(|granted| granted.token.clone()).ok_or(error)
            }
        }
    }
}

/// The answer of the endpoint (RFC 6749 §5.1).
#[derive(serde::Deserialize)]
struct TokenAnswer {
    access_token: String,
    expires_in: Option<f64>,
}

async fn fetch(grant: &TokenGrant) -> Result<GrantedToken, String> {
    let trust = match &grant.authorities {
        Some(store) => UpstreamTrust::Store(Arc::clone(store)),
        None => UpstreamTrust::Platform,
    };
    let tls = UpstreamTls {
        trust,
        identity: None,
        server_name: None,
        revoked: None,
        negotiation: Negotiation::default(),
    };
    let mut endpoint = HttpTarget::with_tls(&grant.endpoint, tls);
    let asked = Instant::now();
    let (headers, form) = (headers(grant)?, form(grant).into_bytes());
    let answered = endpoint.ask(Method::POST, &headers, form, MAX_ANSWER);
    let FetchedAnswer { status, body: answer } = answered.await?;
    if status != StatusCode::OK {
        return Err(refused(status, &answer));
    }
    let answer: TokenAnswer =
        serde_json::from_slice(&answer).map_err(|_| "its answer has no `access_token`".to_owned())?;
    let is_word = answer.access_token.bytes().all(|byte| byte.is_ascii_graphic());
    if answer.access_token.is_empty() || !is_word {
        return Err("its `access_token` is not one word".to_owned());
    }
    let token = BearerToken::of(Secret::new(answer.access_token));
    let told = answer
        .expires_in
        .filter(|seconds| seconds.is_finite() && *seconds > 0.0);
    let lifetime = told.map(|seconds| Duration::from_secs_f64(seconds.min(1e9)));
    let lifetime = lifetime.or_else(|| {
        let end = token.expires?;
        Some(Duration::from_secs(end.saturating_sub(unix_now())))
    });
    let lifetime = lifetime.unwrap_or(ASSUMED_LIFETIME);
    Ok(GrantedToken {
        token,
        renew: asked + lifetime * RENEW_AT / 100,
        end: asked + lifetime.saturating_sub(SPARE),
    })
}

fn headers(grant: &TokenGrant) -> Result<HeaderMap, String> {
    let (id, secret) = (&grant.client.username, grant.client.password.reveal());
    let pair = format!("{}:{}", encode(id), encode(secret));
    let basic = format!("Basic {}", BASE64.encode(pair.as_bytes()));
    let mut basic = HeaderValue::try_from(basic).map_err(|error| error.to_string())?;
    basic.set_sensitive(true);
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, basic);
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    headers.insert(CONTENT_TYPE, form);
    Ok(headers)
}

fn form(grant: &TokenGrant) -> String {
    let mut form = "grant_type=client_credentials".to_owned();
    if let Some(scope) = &grant.scope {
        form.push_str("&scope=");
        form.push_str(&encode(scope));
    }
    form
}

/// The error of the endpoint (RFC 6749 §5.2), as far as it tells one.
fn refused(status: StatusCode, answer: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct EndpointError {
        error: String,
    }
    const LONGEST: usize = 100;
    let said = serde_json::from_slice::<EndpointError>(answer).map(|said| said.error);
    let said: String = said.unwrap_or_default().chars().take(LONGEST).collect();
    let said = said.escape_debug();
    match status {
        StatusCode::UNAUTHORIZED => format!("it does not accept client id and secret (401) {said}"),
        status => format!("it answers {} {said}", status.as_u16()),
    }
    .trim_end()
    .to_owned()
}

/// Encodes a value as RFC 6749 appendix B has it.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._*".contains(&byte) {
            encoded.push(char::from(byte));
        } else if byte == b' ' {
            encoded.push('+');
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(renew: Duration, end: Duration) -> GrantedToken {
        let now = Instant::now();
        GrantedToken {
            token: BearerToken::of(Secret::new("t")),
            renew: now + renew,
            end: now + end,
        }
    }

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_token_is_used_until_its_renewal_and_after_a_failure_until_its_end() {
        let slot = TokenSlot::default();
        let now = Instant::now();
        assert!(slot.known(now).is_none());
        slot.note(Ok(granted(HOUR, 2 * HOUR))).unwrap();
        assert!(slot.known(now).unwrap().is_ok());
        let late = now + HOUR + Duration::from_secs(1);
        assert!(slot.known(late).is_none(), "it is fetched anew");
        let down = LoginError::NoCredentials("down".to_owned());
        assert!(
            slot.note(Err(down.clone())).is_ok(),
            "the one from before is good"
        );
        slot.note(Ok(granted(Duration::ZERO, Duration::ZERO))).unwrap();
        assert!(slot.note(Err(down)).is_err());
        let soon = Instant::now();
        assert!(
            slot.known(soon).unwrap().is_err(),
            "a crowd does not ask again at once"
        );
        assert!(slot.known(soon + RETRY_AFTER).is_none());
    }

    #[test]
    fn client_and_scope_are_encoded() {
        assert_eq!(encode("a b:c/é*"), "a+b%3Ac%2F%C3%A9*");
        let told = refused(StatusCode::BAD_REQUEST, br#"{"error":"invalid_scope"}"#);
        assert_eq!(told, "it answers 400 invalid_scope");
        assert!(refused(StatusCode::UNAUTHORIZED, b"").ends_with("(401)"));
    }
}
