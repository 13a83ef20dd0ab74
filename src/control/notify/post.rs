//! One request to a webhook.

use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};

use crate::http_client::HttpTarget;
use crate::model::Webhook;

/// Time limit of one attempt: name, connection, TLS, request and status.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a notification was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PostError {
    /// Another attempt may help.
    Passing(String),
    /// The server will not take it.
    Refused(String),
}

/// Sends notifications to one webhook.
pub(super) struct Poster {
    settings: Webhook,
    target: HttpTarget,
}

impl Poster {
    pub(super) fn new(settings: Webhook) -> Self {
        Self {
            target: HttpTarget::new(&settings.url),
            settings,
        }
    }

    /// Scheme and address of the webhook.
    pub(super) fn server(&self) -> &str {
        self.target.name()
    }

    /// Makes one attempt, which takes a limited time.
    pub(super) async fn post(&mut self, body: &str) -> Result<(), PostError> {
        let headers = self.headers()?;
        let answer = self.target.post(&headers, body.as_bytes().to_vec());
        match tokio::time::timeout(ATTEMPT_TIMEOUT, answer).await {
            Ok(status) => judge(status.map_err(PostError::Passing)?),
            Err(_) => Err(PostError::Passing(format!(
                "no answer within {ATTEMPT_TIMEOUT:?}"
            ))),
        }
    }

    fn headers(&self) -> Result<HeaderMap, PostError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(token) = &self.settings.token {
            let value = HeaderValue::try_from(format!("Bearer {}", token.reveal().trim()));
            let mut value = value.map_err(|_| {
                PostError::Refused(
                    "the content of `tokenFile` cannot be a token: it has control characters".into(),
                )
            })?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(headers)
    }
}

fn judge(status: StatusCode) -> Result<(), PostError> {
    let said = format!("the server answers {status}");
    match status {
        status if status.is_success() => Ok(()),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            Err(PostError::Passing(said))
        }
        status if status.is_server_error() => Err(PostError::Passing(said)),
        _ => Err(PostError::Refused(said)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_in_trouble_is_asked_again_and_one_that_refuses_is_not() {
        let judged = |status: u16| judge(StatusCode::from_u16(status).unwrap());
        assert_eq!([judged(200), judged(204)], [Ok(()), Ok(())]);
        for status in [408, 425, 429, 500, 502, 503] {
            assert!(matches!(judged(status), Err(PostError::Passing(_))), "{status}");
        }
        for status in [301, 307, 400, 401, 404] {
            assert!(matches!(judged(status), Err(PostError::Refused(_))), "{status}");
        }
    }
}
