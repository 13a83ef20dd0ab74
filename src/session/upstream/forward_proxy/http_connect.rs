//! CONNECT of HTTP/1.1 (RFC 9110 §9.3.6), with Basic credentials (RFC 7617).

use std::io;

use data_encoding::BASE64;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::TunnelError;
use crate::model::{HostPort, UserLogin};

/// Longest head of an answer in bytes, interim answers included.
const MAX_HEAD: usize = 16 << 10;

/// Bytes that are looked at in one go.
const PEEK: usize = 1024;

const PROXY_AUTHENTICATION_REQUIRED: u16 = 407;

/// Asks for a connection to `broker`. The name of the broker is resolved there.
pub(super) async fn open(
    socket: &mut TcpStream,
    credentials: Option<&UserLogin>,
    broker: &HostPort,
) -> Result<(), TunnelError> {
    socket.write_all(request(credentials, broker).as_bytes()).await?;
    let mut left = MAX_HEAD;
    loop {
        let head = read_head(socket, &mut left).await?;
        match status(&head).ok_or(TunnelError::OtherProtocol("HTTP"))? {
            // Interim answers (RFC 9110 §15.2).
            100..200 => {}
            // Neither Content-Length nor Transfer-Encoding means anything here (RFC 9110 §9.3.6).
            200..300 => return Ok(()),
            PROXY_AUTHENTICATION_REQUIRED => {
                return Err(TunnelError::Credentials {
                    given: credentials.is_some(),
                });
            }
            code => return Err(TunnelError::Status(code)),
        }
    }
}

/// The request. A name that a broker advertises cannot end a line: control characters and blanks are left out, and no such
/// name exists.
fn request(credentials: Option<&UserLogin>, broker: &HostPort) -> String {
    let mut authority = broker.to_string();
    authority.retain(|letter| letter.is_ascii_graphic());
    let authorization = credentials.map_or_else(String::new, |login| {
        let pair = format!("{}:{}", login.username, login.password.reveal());
        format!(
            "Proxy-Authorization: Basic {}\r\n",
            BASE64.encode(pair.as_bytes())
        )
    });
    format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{authorization}\r\n")
}

/// Reads a head up to the empty line at its end, and not a byte more. `left` is how many bytes may still come.
async fn read_head(socket: &mut TcpStream, left: &mut usize) -> Result<Vec<u8>, TunnelError> {
    let mut head = Vec::new();
    let mut seen = [0; PEEK];
    loop {
        let count = socket.peek(&mut seen).await?;
        if count == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let before = head.len();
        head.extend_from_slice(&seen[..count]);
        let end = end_of(&head, before.saturating_sub(2));
        head.truncate(end.unwrap_or(head.len()));
        // What was looked at is there to be taken.
        let taken = head.len() - before;
        socket.read_exact(&mut seen[..taken]).await?;
        *left = left.checked_sub(taken).ok_or(TunnelError::TooLong(MAX_HEAD))?;
        if end.is_some() {
            return Ok(head);
        }
        if !b"HTTP/1.".starts_with(&head[..head.len().min(7)]) {
            return Err(TunnelError::OtherProtocol("HTTP"));
        }
    }
}

/// The place behind the empty line that ends a head; a line may end without CR (RFC 9112 §2.2). No line before `from` is
/// followed by it.
fn end_of(head: &[u8], from: usize) -> Option<usize> {
    let line_ends = head
        .iter()
        .enumerate()
        .skip(from)
        .filter(|(_, byte)| **byte == b'\n');
    line_ends.map(|(at, _)| at).find_map(|at| match &head[at + 1..] {
        [b'\n', ..] => Some(at + 2),
        [b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    })
}

/// The status code in the first line of a head.
fn status(head: &[u8]) -> Option<u16> {
    let rest = head.strip_prefix(b"HTTP/1.")?;
    let [minor, b' ', code @ ..] = rest else {
        return None;
    };
    let (code, rest) = code.split_at_checked(3)?;
    let ends = matches!(rest.first(), Some(b' ' | b'\r' | b'\n'));
    let is_number = minor.is_ascii_digit() && code.iter().all(u8::is_ascii_digit) && ends;
    let code = std::str::from_utf8(code)
        .ok()
        .filter(|_| is_number)?
        .parse()
        .ok()?;
    (100..600).contains(&code).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    #[test]
    fn a_request_names_the_broker_twice_and_the_credentials_once() {
        let broker = HostPort {
            host: "::1".into(),
            port: 9092,
        };
        let login = UserLogin {
            username: "kproxy".into(),
            password: Secret::new("a:b"),
        };
        assert_eq!(
            request(Some(&login), &broker),
            "CONNECT [::1]:9092 HTTP/1.1\r\nHost: [::1]:9092\r\nProxy-Authorization: Basic a3Byb3h5OmE6Yg==\r\n\r\n"
        );
    }

    #[test]
    fn a_name_cannot_add_a_line_to_the_request() {
        let broker = HostPort {
            host: "b\r\nEvil 1".into(),
            port: 9092,
        };
        assert_eq!(
            request(None, &broker),
            "CONNECT bEvil1:9092 HTTP/1.1\r\nHost: bEvil1:9092\r\n\r\n"
        );
    }

    #[test]
    fn a_head_ends_behind_its_first_empty_line() {
        for (head, end) in [
            ("HTTP/1.1 200 OK\r\n\r\nbytes", Some(19)),
            ("HTTP/1.1 200 OK\n\nbytes", Some(17)),
            ("HTTP/1.1 200 OK\r\nA: b\r\n\r\n", Some(25)),
            ("HTTP/1.1 200 OK\r\nA: b\r\n\r", None),
            ("", None),
        ] {
            assert_eq!(end_of(head.as_bytes(), 0), end, "{head:?}");
        }
    }

    #[test]
    fn a_status_has_three_digits() {
        for (head, code) in [
            ("HTTP/1.1 200 Connection established\r\n\r\n", Some(200)),
            ("HTTP/1.0 407\r\n\r\n", Some(407)),
            ("HTTP/2 200\r\n\r\n", None),
            ("HTTP/1.1 20\r\n\r\n", None),
            ("HTTP/1.1 2000\r\n\r\n", None),
            ("HTTP/1.1 999 No\r\n\r\n", None),
            ("SSH-2.0-x\r\n\r\n", None),
        ] {
            assert_eq!(status(head.as_bytes()), code, "{head:?}");
        }
    }
}
