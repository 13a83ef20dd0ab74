//! The bearer token of the management HTTP server (`management.tokenFile`).

use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use hyper::header::{AUTHORIZATION, HeaderMap};

use crate::config::Secret;

/// The token that requests must present; a reload may replace it. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Token(Arc<RwLock<Option<Secret>>>);

/// Why a request may not change anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unauthorized {
    /// No token is configured.
    ReadOnly,
    /// The request presents none, or another one.
    WrongToken,
}

impl Token {
    /// Replaces the token. An empty one counts as none: it would let everybody in.
    pub(super) fn set(&self, token: Option<Secret>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) =
            token.filter(|token| !token.reveal().is_empty());
    }

    /// Checks the `Authorization` header.
    ///
    /// # Errors
    /// [`Unauthorized::ReadOnly`] without a configured token, [`Unauthorized::WrongToken`] unless the request presents it.
    pub(super) fn authorize(&self, headers: &HeaderMap) -> Result<(), Unauthorized> {
        let token = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let token = token.as_ref().ok_or(Unauthorized::ReadOnly)?;
        let (scheme, presented) = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .ok_or(Unauthorized::WrongToken)?;
        // Takes as long wherever the first difference is.
        let same = verify_slices_are_equal(presented.trim().as_bytes(), token.reveal().as_bytes());
        if scheme.eq_ignore_ascii_case("bearer") && same.is_ok() {
            Ok(())
        } else {
            Err(Unauthorized::WrongToken)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_the_same_only_if_every_byte_is() {
        let token = Token::default();
        let authorize = |presented: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, format!("Bearer {presented}").parse().unwrap());
            token.authorize(&headers)
        };
        assert_eq!(authorize("secret"), Err(Unauthorized::ReadOnly));
        token.set(Some(Secret::new("secret")));
        assert_eq!(authorize("secret"), Ok(()));
        for other in ["", "secre", "secrets", "Secret", "secreT"] {
            assert_eq!(authorize(other), Err(Unauthorized::WrongToken), "{other}");
        }
    }
}
