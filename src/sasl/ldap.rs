//! The two messages of a directory service (LDAP, RFC 4511) that a check of a password needs, and names in them (RFC 4514).

/// Largest answer that is read, in bytes.
pub const MAX_ANSWER: usize = 64 * 1024;

/// Result code of a bind that succeeded.
pub const SUCCESS: u8 = 0;

/// Result code of a bind with a wrong name or password.
pub const INVALID_CREDENTIALS: u8 = 49;

/// Result code of a bind with a name that is not there; some servers tell.
pub const NO_SUCH_OBJECT: u8 = 32;

/// The request to continue a connection with TLS (RFC 4511 §4.14.1).
const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const ENUMERATED: u8 = 0x0a;
const BIND_REQUEST: u8 = 0x60;
const BIND_RESPONSE: u8 = 0x61;
const EXTENDED_REQUEST: u8 = 0x77;
const EXTENDED_RESPONSE: u8 = 0x78;
const SIMPLE: u8 = 0x80;
const REQUEST_NAME: u8 = 0x80;

/// The place of the user's name in a template.
pub const PLACE_OF_NAME: &str = "$(username)";

/// Puts a user's name into the template of a distinguished name. Whatever the name is, it stays one value in it.
pub fn bind_dn(template: &str, name: &str) -> String {
    template.replace(PLACE_OF_NAME, &escaped(name))
}

/// Escapes a value of a distinguished name (RFC 4514 §2.4): all but letters, digits and a few signs as bytes.
fn escaped(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'@' => escaped.push(byte.into()),
            byte => {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
                escaped.extend(['\\', digit(byte >> 4), digit(byte & 15)]);
            }
        }
    }
    escaped
}

/// A simple bind. The password must not be empty: servers take that for an anonymous bind, which succeeds (RFC 4513
/// §5.1.2).
pub fn bind_request(id: u8, dn: &str, password: &str) -> Vec<u8> {
    let mut bind = element(INTEGER, &[3]);
    bind.extend(element(OCTET_STRING, dn.as_bytes()));
    bind.extend(element(SIMPLE, password.as_bytes()));
    message(id, &element(BIND_REQUEST, &bind))
}

/// The request to continue with TLS.
pub fn start_tls_request(id: u8) -> Vec<u8> {
    message(id, &element(EXTENDED_REQUEST, &element(REQUEST_NAME, START_TLS)))
}

fn message(id: u8, operation: &[u8]) -> Vec<u8> {
    let mut message = element(INTEGER, &[id & 0x7f]);
    message.extend_from_slice(operation);
    element(SEQUENCE, &message)
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut element = vec![tag];
    match content.len() {
        length @ 0..=0x7f => element.push(length as u8),
        length => {
            let bytes = (length as u32).to_be_bytes();
            let used = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
            element.push(0x80 | used.len() as u8);
            element.extend_from_slice(used);
        }
    }
    element.extend_from_slice(content);
    element
}

/// The answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirectoryAnswer {
    /// Number of the request.
    pub id: u8,
    /// Result code.
    pub code: u8,
    /// Length of the message in bytes.
    pub length: usize,
}

/// Reads the answer to a bind or to the request for TLS at the beginning of `bytes`. `None`: it has not all arrived.
///
/// # Errors
/// It is no such answer.
pub fn read_answer(bytes: &[u8]) -> Result<Option<DirectoryAnswer>, &'static str> {
    let unexpected = "the directory service answers with another message";
    if bytes.first().is_some_and(|tag| *tag != SEQUENCE) {
        return Err(unexpected);
    }
    let Some((_, content, length)) = split(bytes)? else {
        return Ok(None);
    };
    let (id, rest) = expect(content, INTEGER)?;
    let (tag, operation, _) = split(rest)?.ok_or(unexpected)?;
    if tag != BIND_RESPONSE && tag != EXTENDED_RESPONSE {
        return Err(unexpected);
    }
    let (code, _) = expect(operation, ENUMERATED)?;
    match (id, code) {
        (&[id], &[code]) => Ok(Some(DirectoryAnswer { id, code, length })),
        _ => Err(unexpected),
    }
}

fn expect(bytes: &[u8], expected: u8) -> Result<(&[u8], &[u8]), &'static str> {
    match split(bytes)? {
        Some((tag, content, length)) if tag == expected => Ok((content, &bytes[length..])),
        _ => Err("the directory service answers with another message"),
    }
}

/// Tag, content and length in bytes of the element at the beginning of `bytes`; `None` if it has not all arrived.
type Element<'a> = (u8, &'a [u8], usize);

fn split(bytes: &[u8]) -> Result<Option<Element<'_>>, &'static str> {
    let [tag, first, rest @ ..] = bytes else {
        return Ok(None);
    };
    let (length, header) = match first {
        0..=0x7f => (usize::from(*first), 2),
        0x81..=0x84 => {
            let count = usize::from(first & 0x7f);
            let Some(digits) = rest.get(..count) else {
                return Ok(None);
            };
            let length = digits
                .iter()
                .fold(0, |length, digit| length << 8 | usize::from(*digit));
            (length, 2 + count)
        }
        _ => return Err("the directory service answers with a length that is none"),
    };
    if length > MAX_ANSWER {
        return Err("the directory service answers with a message that is too long");
    }
    let content = bytes.get(header..header + length);
    Ok(content.map(|content| (*tag, content, header + length)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bytes as `ldapwhoami -D cn=admin -w secret` of OpenLDAP sends them.
    #[test]
    fn a_bind_is_written_as_other_clients_write_it() {
        let expected = b"\x30\x1a\x02\x01\x01\x60\x15\x02\x01\x03\x04\x08cn=admin\x80\x06secret";
        assert_eq!(bind_request(1, "cn=admin", "secret"), expected);
        let long = bind_request(1, &"x".repeat(300), "p");
        assert_eq!(long[..4], [0x30, 0x82, 0x01, 0x3d]);
        assert_eq!(long.len(), 4 + 0x13d);
    }

    #[test]
    fn answers_are_read_when_they_have_arrived() {
        let refused = b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x31\x04\x00\x04\x00";
        let answer = DirectoryAnswer {
            id: 1,
            code: INVALID_CREDENTIALS,
            length: refused.len(),
        };
        assert_eq!(read_answer(refused), Ok(Some(answer)));
        for cut in 0..refused.len() {
            assert_eq!(read_answer(&refused[..cut]), Ok(None), "{cut}");
        }
        for bad in [
            &b"HTTP/1.1 400"[..],
            b"\x30\x80\x00\x00",
            b"\x30\x84\x7f\xff\xff\xff",
            b"\x30\x03\x02\x01\x01",
            b"\x30\x0c\x02\x01\x01\x65\x07\x0a\x01\x00\x04\x00\x04\x00",
        ] {
            assert!(read_answer(bad).is_err(), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn a_name_cannot_leave_its_place() {
        let dn = |name| bind_dn("uid=$(username),ou=people", name);
        assert_eq!(dn("alice"), "uid=alice,ou=people");
        assert_eq!(dn("a,ou=admin"), "uid=a\\2cou\\3dadmin,ou=people");
        assert_eq!(dn(" #\\\"+<>;"), "uid=\\20\\23\\5c\\22\\2b\\3c\\3e\\3b,ou=people");
        assert_eq!(dn("ż"), "uid=\\c5\\bc,ou=people");
        assert_eq!(dn("$(username)"), "uid=\\24\\28username\\29,ou=people");
    }

    proptest! {
        #[test]
        fn a_name_stays_one_value(name in ".*") {
            let dn = bind_dn("uid=$(username),ou=people", &name);
            prop_assert_eq!(dn.matches(',').count(), 1);
            prop_assert_eq!(dn.matches('=').count(), 2);
        }

        #[test]
        fn any_answer_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            if let Ok(Some(answer)) = read_answer(&bytes) {
                prop_assert!(answer.length <= bytes.len());
            }
        }
    }
}
