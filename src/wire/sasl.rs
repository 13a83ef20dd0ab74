//! SaslAuthenticate (KIP-152) as it passes through: the token in the request, the broker's answer, and the principal in
//! the first token of those mechanisms that send it in the clear.
//!
//! No secret is copied: only the principal is, and it has at most [`MAX_PRINCIPAL`] bytes.

use std::borrow::Cow;

use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;

use super::Malformed;
use super::api::ApiKey;
use super::cursor::{ReadError, Reader, unless_incomplete};
use super::schema;

/// Longest principal, in bytes. A longer one is dropped, not cut: a cut name could be another principal's.
pub const MAX_PRINCIPAL: usize = 256;

/// First version of SaslAuthenticate with the compact encoding.
const FIRST_FLEXIBLE: i16 = schema::first_flexible(ApiKey::SASL_AUTHENTICATE);

/// The token in the body of a SaslAuthenticate request.
///
/// # Errors
/// The body does not begin with such a token.
pub fn authenticate_token(body: &[u8], version: i16) -> Result<Option<&[u8]>, Malformed> {
    unless_incomplete(bytes(&mut Reader::new(body, version >= FIRST_FLEXIBLE)))
}

/// A broker's answer to a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthenticateOutcome<'a> {
    /// Kafka's error code; 0: the exchange goes on, or has succeeded.
    pub error_code: i16,
    /// The token that the broker sends back; empty if there is none.
    pub token: &'a [u8],
}

/// Error code and mechanisms in the body of a SaslHandshake response; `None` if it is not whole.
pub fn handshake_outcome(body: &[u8]) -> Option<(i16, Vec<&[u8]>)> {
    let mut reader = Reader::new(body, false);
    let error_code = reader.i16().ok()?;
    // A name has at least its length.
    let count = reader.array_len(2).ok()?;
    let mechanisms = (0..count).map(|_| reader.string().ok());
    Some((error_code, mechanisms.collect::<Option<_>>()?))
}

/// The outcome in the body of a SaslAuthenticate response; `None` if it has not arrived.
///
/// # Errors
/// The body does not begin as its version says.
pub fn authenticate_outcome(body: &[u8], version: i16) -> Result<Option<AuthenticateOutcome<'_>>, Malformed> {
    let mut reader = Reader::new(body, version >= FIRST_FLEXIBLE);
    let mut read = || {
        let error_code = reader.i16()?;
        reader.nullable_string()?;
        let token = bytes(&mut reader)?;
        Ok(AuthenticateOutcome { error_code, token })
    };
    unless_incomplete(read())
}

fn bytes<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], ReadError> {
    let length = reader.array_len(1)?;
    reader.take(length)
}

/// Whether the first token of this mechanism names the client in a way that [`principal`] reads.
pub fn names_principal(mechanism: &str) -> bool {
    matches!(
        mechanism,
        "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512" | "OAUTHBEARER"
    )
}

/// The principal in the first token of `mechanism`. `None` if there is none, if no server would accept the token, or if
/// the name has control characters.
pub fn principal(mechanism: &str, token: &[u8]) -> Option<Box<str>> {
    let token = || std::str::from_utf8(token).ok();
    let name = match mechanism {
        "PLAIN" => plain(token()?)?,
        "SCRAM-SHA-256" | "SCRAM-SHA-512" => scram(token()?)?,
        "OAUTHBEARER" => return sound_name(&subject(bearer(token()?)?)?),
        _ => return None,
    };
    sound_name(&name)
}

/// The name, if it may be that of a principal: not empty, at most [`MAX_PRINCIPAL`] bytes, no control characters.
pub fn sound_name(name: &str) -> Option<Box<str>> {
    let sound = (1..=MAX_PRINCIPAL).contains(&name.len()) && !name.chars().any(char::is_control);
    sound.then(|| name.into())
}

/// RFC 4616: `[authzid] NUL authcid NUL passwd`.
fn plain(token: &str) -> Option<Cow<'_, str>> {
    let mut parts = token.split('\0');
    let (_, name, _, rest) = (parts.next(), parts.next()?, parts.next()?, parts.next());
    rest.is_none().then_some(Cow::Borrowed(name))
}

/// RFC 5802 §7, client-first-message: `n,[a=authzid],n=saslname,r=nonce`.
fn scram(token: &str) -> Option<Cow<'_, str>> {
    let (_, rest) = token.strip_prefix("n,")?.split_once(',')?;
    let (name, _) = rest.strip_prefix("n=")?.split_once(',')?;
    if name.len() > 3 * MAX_PRINCIPAL {
        return None;
    }
    if !name.contains('=') {
        return Some(Cow::Borrowed(name));
    }
    let mut pieces = name.split('=');
    let mut decoded = pieces.next()?.to_owned();
    for piece in pieces {
        let (sign, rest) = match (piece.strip_prefix("2C"), piece.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (_, Some(rest)) => ('=', rest),
            (None, None) => return None,
        };
        decoded.push(sign);
        decoded.push_str(rest);
    }
    Some(Cow::Owned(decoded))
}

/// RFC 7628 §3.1: `n,[a=authzid],` and key-value pairs that 0x01 separates; of `auth=Bearer token` the token.
fn bearer(token: &str) -> Option<&str> {
    let (_, pairs) = token.strip_prefix("n,")?.split_once(',')?;
    let auth = pairs.split('\u{1}').find_map(|pair| pair.strip_prefix("auth="))?;
    let (scheme, token) = auth.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The `sub` claim of a JSON Web Token (RFC 7519 §4.1.2). Its signature is the broker's to check.
fn subject(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims {
        sub: String,
    }
    let payload = token.split('.').nth(1)?.trim_end_matches('=');
    let claims = BASE64URL_NOPAD.decode(payload.as_bytes()).ok()?;
    serde_json::from_slice(&claims)
        .ok()
        .map(|claims: Claims| claims.sub)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(mechanism: &str, token: &[u8]) -> Option<String> {
        principal(mechanism, token).map(Into::into)
    }

    fn jwt(claims: &str) -> String {
        let part = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
        format!(
            "n,,\u{1}auth=Bearer {}.{}.sig\u{1}\u{1}",
            part("{\"alg\":\"RS256\"}"),
            part(claims)
        )
    }

    #[test]
    fn plain_names_the_authentication_identity() {
        assert_eq!(of("PLAIN", b"\0alice\0secret").as_deref(), Some("alice"));
        assert_eq!(
            of("PLAIN", "ann\0\u{17b}aneta\0p".as_bytes()).as_deref(),
            Some("Żaneta")
        );
        for token in [
            &b""[..],
            b"alice",
            b"\0alice",
            b"\0\0secret",
            b"\0a\0b\0c",
            b"\0a\xff\0p",
            b"\0a\nb\0p",
        ] {
            assert_eq!(of("PLAIN", token), None, "{}", token.escape_ascii());
        }
        let long = |len| format!("\0{}\0p", "n".repeat(len)).into_bytes();
        assert_eq!(of("PLAIN", &long(MAX_PRINCIPAL)).unwrap().len(), MAX_PRINCIPAL);
        assert_eq!(of("PLAIN", &long(MAX_PRINCIPAL + 1)), None);
    }

    /// The first is the example of RFC 5802 §5.
    #[test]
    fn scram_names_are_decoded() {
        for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
            let name = |token: &str| of(mechanism, token.as_bytes());
            assert_eq!(
                name("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL").as_deref(),
                Some("user")
            );
            assert_eq!(name("n,a=user,n=a=2Cb=3Dc=3D,r=x").as_deref(), Some("a,b=c="));
            assert_eq!(name("n,,n=id,r=x,tokenauth=true").as_deref(), Some("id"));
            for token in [
                "n,,n=,r=x",
                "n,,n=user",
                "y,,n=u,r=x",
                "n,,m=1,n=u,r=x",
                "n,,n=a=2cb,r=x",
                "n,,n=a=,r=x",
                "c=biws,r=x,p=y",
            ] {
                assert_eq!(name(token), None, "{token}");
            }
        }
    }

    #[test]
    fn a_bearer_token_names_its_subject() {
        let name = |token: &str| of("OAUTHBEARER", token.as_bytes());
        assert_eq!(
            name(&jwt(r#"{"iss":"x","sub":"billing","n":[[1]]}"#)).as_deref(),
            Some("billing")
        );
        let padded = "n,a=me,\u{1}host=h\u{1}auth=bearer e30.eyJzdWIiOiJhIn0=.\u{1}\u{1}";
        assert_eq!(name(padded).as_deref(), Some("a"));
        for claims in [
            "{}",
            r#"{"sub":7}"#,
            r#"{"sub":""}"#,
            r#"{"sub":"a","sub":"b"}"#,
            r#"{"sub":"a\u0000"}"#,
            "[",
            &"[".repeat(9000),
        ] {
            assert_eq!(name(&jwt(claims)), None, "{claims}");
        }
        for token in [
            "",
            "n,,",
            "n,,\u{1}auth=Basic x.y.z\u{1}\u{1}",
            "n,,\u{1}auth=Bearer opaque\u{1}\u{1}",
            "n,,\u{1}auth=Bearer a.!.c\u{1}",
        ] {
            assert_eq!(name(token), None, "{token}");
        }
    }

    #[test]
    fn other_mechanisms_name_nobody() {
        for mechanism in ["GSSAPI", "SCRAM-SHA-1", "", "plain"] {
            assert!(!names_principal(mechanism));
            assert_eq!(of(mechanism, b"\0alice\0secret"), None);
        }
    }

    #[test]
    fn the_mechanisms_of_a_handshake_are_read() {
        let answer = b"\0\x21\0\0\0\x02\0\x05PLAIN\0\x06GSSAPI";
        let names = vec![b"PLAIN".as_slice(), b"GSSAPI"];
        assert_eq!(handshake_outcome(answer), Some((33, names)));
        assert_eq!(handshake_outcome(&answer[..answer.len() - 1]), None);
        assert_eq!(handshake_outcome(b"\0\0\x7f\xff\xff\xff"), None);
        assert_eq!(handshake_outcome(b"\0\0\0\0\0\0"), Some((0, vec![])));
    }

    #[test]
    fn requests_and_answers_are_read_in_both_encodings() {
        let classic = [&[0, 0, 0, 3][..], b"abc"].concat();
        assert_eq!(authenticate_token(&classic, 1), Ok(Some(b"abc".as_slice())));
        assert_eq!(authenticate_token(b"\x04abc\0", 2), Ok(Some(b"abc".as_slice())));
        assert_eq!(authenticate_token(&classic[..6], 1), Ok(None));
        assert!(authenticate_token(&[0xff; 4], 0).is_err());
        let verdict = |error_code, token| Ok(Some(AuthenticateOutcome { error_code, token }));
        let refused = [&[0, 58, 0, 2][..], b"no", &[0, 0, 0, 0]].concat();
        assert_eq!(authenticate_outcome(&refused, 0), verdict(58, b""));
        let accepted = [&[0, 0, 0][..], b"\x02v", &[0; 9]].concat();
        assert_eq!(authenticate_outcome(&accepted, 2), verdict(0, b"v"));
        assert_eq!(authenticate_outcome(&accepted[..4], 2), Ok(None));
    }
}
