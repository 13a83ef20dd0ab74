//! PLAIN (RFC 4616), with the rules of Kafka's `PlainSaslServer`.

use crate::config::Secret;

/// Name and password of a PLAIN message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PlainLogin {
    pub(super) name: String,
    pub(super) password: Secret,
}

/// Reads `[authzid] NUL authcid NUL passwd`.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(message: &[u8]) -> Result<PlainLogin, &'static str> {
    let text = std::str::from_utf8(message).map_err(|_| "the PLAIN message is not UTF-8")?;
    let mut parts = text.split('\0');
    let (Some(authorization), Some(name), Some(password), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err("the PLAIN message does not have three parts");
    };
    if name.is_empty() {
        return Err("the PLAIN message has no name");
    }
    if password.is_empty() {
        return Err("the PLAIN message has no password");
    }
    if !authorization.is_empty() && authorization != name {
        return Err("the client asks to act for another user");
    }
    Ok(PlainLogin {
        name: name.to_owned(),
        password: Secret::new(password),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_a_name_and_a_password() {
        let login = read("\0żaneta\0p=,x".as_bytes()).unwrap();
        assert_eq!((login.name.as_str(), login.password.reveal()), ("żaneta", "p=,x"));
        assert_eq!(read(b"alice\0alice\0secret").unwrap().name, "alice");
        for bad in [
            &b""[..],
            b"alice",
            b"\0alice",
            b"\0\0secret",
            b"\0alice\0",
            b"bob\0alice\0secret",
            b"\0alice\0secret\0",
            b"\0a\xff\0secret",
        ] {
            assert!(read(bad).is_err(), "{}", bad.escape_ascii());
        }
    }
}
