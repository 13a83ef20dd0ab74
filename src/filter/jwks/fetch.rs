//! One attempt to fetch keys.

use std::time::Duration;

use hyper::header::{ACCEPT, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};

use crate::http_client::HttpTarget;
use crate::model::UpstreamTls;
use crate::sasl::jwt::VerificationKeys;

/// Time limit of one attempt: name, connection, TLS, request and answer.
pub(super) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(4);

/// Largest set, in bytes: [`MAX_KEYS`](crate::sasl::jwt::MAX_KEYS) with a chain of certificates each.
const MAX_ANSWER: usize = 1024 * 1024;

/// Fetches the set at one address.
pub(super) struct Fetcher {
    target: HttpTarget,
    headers: HeaderMap,
}

impl Fetcher {
    pub(super) fn new(url: &str, tls: UpstreamTls) -> Self {
        let mut headers = HeaderMap::new();
        let types = "application/jwk-set+json, application/json";
        headers.insert(ACCEPT, HeaderValue::from_static(types));
        Self {
            target: HttpTarget::with_tls(url, tls),
            headers,
        }
    }

    /// Scheme and address of the issuer.
    pub(super) fn name(&self) -> &str {
        self.target.name()
    }

    /// Makes one attempt, which takes a limited time.
    ///
    /// # Errors
    /// What failed, in words.
    pub(super) async fn fetch(&mut self) -> Result<VerificationKeys, String> {
        let answer = self
            .target
            .ask(Method::GET, &self.headers, Vec::new(), MAX_ANSWER);
        let answer = tokio::time::timeout(ATTEMPT_TIMEOUT, answer)
            .await
            .map_err(|_| format!("no answer within {ATTEMPT_TIMEOUT:?}"))??;
        if answer.status != StatusCode::OK {
            return Err(format!("the server answers {}", answer.status));
        }
        VerificationKeys::from_json(&answer.body)
            .map_err(|fault| format!("what it answers is no set: {fault}"))
    }
}
