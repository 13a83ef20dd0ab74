//! OAUTHBEARER (RFC 7628, KIP-255) as a client.

use data_encoding::BASE64URL_NOPAD;

use crate::config::Secret;

/// A bearer token, and when it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BearerToken {
    /// The token itself.
    pub token: Secret,
    /// End of the token in seconds since 1970; `None` if it is not known.
    pub expires: Option<u64>,
}

/// What the client sends after an error of the server (RFC 7628 §3.2.3).
pub(super) const GIVE_UP: &[u8] = b"\x01";

/// Longest part of a server's error that is shown, in characters.
const MAX_ERROR: usize = 200;

/// The only message of the client.
pub(super) fn message(token: &Secret) -> Vec<u8> {
    format!("n,,\x01auth=Bearer {}\x01\x01", token.reveal()).into_bytes()
}

/// The reason that the server names in its error, a JSON document. It may be shown: it has no control characters.
pub(super) fn reason(challenge: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct ServerStatus {
        status: String,
    }
    match serde_json::from_slice::<ServerStatus>(challenge) {
        Ok(said) => {
            let shown = said.status.chars().take(MAX_ERROR);
            shown
                .map(|said| {
                    if said.is_control() {
                        char::REPLACEMENT_CHARACTER
                    } else {
                        said
                    }
                })
                .collect()
        }
        Err(_) => "no reason".to_owned(),
    }
}

impl BearerToken {
    /// A token, with its end if it says so itself (`exp` of a JWT).
    pub fn of(token: Secret) -> Self {
        let expires = claims_of(token.reveal()).and_then(|claims| claims.get("exp")?.as_f64());
        Self {
            token,
            expires: expires.filter(|end| *end >= 0.0).map(|end| end as u64),
        }
    }
}

/// The `sub` of a JWT, which is not verified here; `None` if the token is none.
pub fn subject_of(token: &Secret) -> Option<String> {
    let claims = claims_of(token.reveal())?;
    claims.get("sub")?.as_str().map(str::to_owned)
}

fn claims_of(token: &str) -> Option<serde_json::Value> {
    let payload = token.split('.').nth(1)?;
    let payload = payload.trim_end_matches('=');
    serde_json::from_slice(&BASE64URL_NOPAD.decode(payload.as_bytes()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(claims: &str) -> Secret {
        Secret::new(format!("e30.{}.c2ln", BASE64URL_NOPAD.encode(claims.as_bytes())))
    }

    #[test]
    fn the_message_is_that_of_the_rfc() {
        let message = message(&Secret::new("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="));
        assert_eq!(
            message,
            b"n,,\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01"
        );
        assert_eq!(
            reason(br#"{"status":"invalid_token","scope":"x"}"#),
            "invalid_token"
        );
        assert_eq!(reason(b"\xff"), "no reason");
    }

    #[test]
    fn control_characters_in_the_error_of_a_server_are_not_shown() {
        let error = b"{\"status\":\"no\\nlevel=error\\u001b[2J \x7f\"}";
        assert_eq!(reason(error), "no\u{fffd}level=error\u{fffd}[2J \u{fffd}");
    }

    #[test]
    fn a_token_may_say_whose_it_is_and_when_it_ends() {
        let token = jwt(r#"{"sub":"svc","exp":1700000000}"#);
        assert_eq!(subject_of(&token).as_deref(), Some("svc"));
        assert_eq!(BearerToken::of(token).expires, Some(1_700_000_000));
        for opaque in ["", "abc", "a.b.c", "a.!.c"] {
            let opaque = Secret::new(opaque);
            assert_eq!(subject_of(&opaque), None);
            assert_eq!(BearerToken::of(opaque).expires, None);
        }
        assert_eq!(BearerToken::of(jwt(r#"{"exp":"soon"}"#)).expires, None);
    }
}
