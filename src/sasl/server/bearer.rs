//! OAUTHBEARER (RFC 7628) up to the token itself.

/// What a client sends after it has read why its token is refused (RFC 7628 §3.2.3).
pub(super) const ACKNOWLEDGEMENT: &[u8] = &[1];

/// The token of a client's message, and the name that it wants to act for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BearerLogin<'a> {
    pub(crate) token: &'a str,
    pub(crate) authorization: Option<String>,
}

/// Reads `n,[a=authzid],^Aauth=Bearer token^A…^A`.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn read(message: &[u8]) -> Result<BearerLogin<'_>, &'static str> {
    let text = std::str::from_utf8(message).map_err(|_| "the OAUTHBEARER message is not text")?;
    let rest = text
        .strip_prefix("n,")
        .ok_or("the OAUTHBEARER message asks for channel binding")?;
    let (authorization, pairs) = rest
        .split_once(',')
        .ok_or("the OAUTHBEARER message ends in its header")?;
    let authorization = match authorization {
        "" => None,
        name => {
            let name = name
                .strip_prefix("a=")
                .ok_or("the OAUTHBEARER message has a wrong header")?;
            Some(super::names::decode(name).ok_or("the OAUTHBEARER message has a wrong name")?)
        }
    };
    let pairs = pairs
        .strip_prefix('\u{1}')
        .and_then(|pairs| pairs.strip_suffix("\u{1}\u{1}"))
        .ok_or("the OAUTHBEARER message does not end as it should")?;
    let mut found = None;
    for pair in pairs.split('\u{1}') {
        let (key, value) = pair
            .split_once('=')
            .ok_or("the OAUTHBEARER message has a part without a value")?;
        if key == "auth" && found.replace(value).is_some() {
            return Err("the OAUTHBEARER message has two tokens");
        }
    }
    let auth = found.ok_or("the OAUTHBEARER message has no token")?;
    let (scheme, token) = auth
        .split_once(' ')
        .ok_or("the OAUTHBEARER message has no token")?;
    if !scheme.eq_ignore_ascii_case("bearer") || token.trim().is_empty() {
        return Err("the OAUTHBEARER message has no bearer token");
    }
    Ok(BearerLogin {
        token: token.trim(),
        authorization,
    })
}

/// The challenge that tells a client that its token is refused, and no more (RFC 7628 §3.2.2).
pub(super) fn refusal(scope: Option<&str>) -> Vec<u8> {
    let mut refusal = serde_json::Map::new();
    refusal.insert("status".to_owned(), "invalid_token".into());
    if let Some(scope) = scope {
        refusal.insert("scope".to_owned(), scope.into());
    }
    serde_json::Value::Object(refusal).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_the_rfc_and_that_of_kafka_are_read() {
        let rfc = b"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01";
        let login = read(rfc).unwrap();
        assert_eq!(login.token, "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==");
        assert_eq!(login.authorization.as_deref(), Some("user@example.com"));
        let kafka = b"n,,\x01auth=Bearer a.b.c\x01ext=1\x01\x01";
        assert_eq!(
            read(kafka).unwrap(),
            BearerLogin {
                token: "a.b.c",
                authorization: None
            }
        );
        assert!(read(b"n,,\x01auth=bearer a.b.c\x01\x01").is_ok());
    }

    #[test]
    fn others_are_refused() {
        for bad in [
            &b""[..],
            b"\x01",
            b"n,,",
            b"n,,\x01\x01",
            b"n,,\x01auth=Bearer a\x01",
            b"n,,\x01auth=Bearer \x01\x01",
            b"n,,\x01auth=Basic a\x01\x01",
            b"n,,\x01auth=Bearer\x01\x01",
            b"n,,\x01auth=Bearer a\x01auth=Bearer b\x01\x01",
            b"n,,\x01host\x01auth=Bearer a\x01\x01",
            b"n,u,\x01auth=Bearer a\x01\x01",
            b"n,a==,\x01auth=Bearer a\x01\x01",
            b"p=x,,\x01auth=Bearer a\x01\x01",
            b"n,,\x01auth=Bearer \xff\x01\x01",
        ] {
            assert!(read(bad).is_err(), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn a_refusal_is_json() {
        assert_eq!(refusal(None), br#"{"status":"invalid_token"}"#);
        assert_eq!(
            refusal(Some("a b")),
            br#"{"scope":"a b","status":"invalid_token"}"#
        );
    }
}
