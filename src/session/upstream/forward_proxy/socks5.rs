//! SOCKS version 5 (RFC 1928), with user name and password (RFC 1929).

use std::net::IpAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::TunnelError;
use crate::model::{HostPort, UserLogin};

const VERSION: u8 = 5;
/// Version of the exchange of user name and password.
const PASSWORD_VERSION: u8 = 1;

const NO_AUTHENTICATION: u8 = 0;
const PASSWORD: u8 = 2;
const NONE_ACCEPTED: u8 = 0xff;

const CONNECT: u8 = 1;

const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// Meaning of a reply code (RFC 1928 §6).
pub(super) fn meaning(code: u8) -> &'static str {
    match code {
        1 => "general failure",
        2 => "not allowed by its rules",
        3 => "network unreachable",
        4 => "host unreachable, or its name is not known there",
        5 => "connection refused",
        6 => "time to live expired",
        7 => "it has no command CONNECT",
        8 => "it does not know this kind of address",
        _ => "a code without a meaning",
    }
}

/// Asks for a connection to `broker`. The name of the broker is resolved there.
pub(super) async fn open<S: AsyncReadExt + AsyncWriteExt + Unpin>(
    socket: &mut S,
    credentials: Option<&UserLogin>,
    broker: &HostPort,
) -> Result<(), TunnelError> {
    let request = request(broker)?;
    authenticate(socket, credentials).await?;
    socket.write_all(&request).await?;
    let mut head = [0; 4];
    socket.read_exact(&mut head).await?;
    let [version, reply, _, kind] = head;
    match (version, reply) {
        (VERSION, 0) => {}
        (VERSION, code) => return Err(TunnelError::Reply(code)),
        _ => return Err(TunnelError::OtherProtocol("SOCKS5")),
    }
    // The address that it connects from says nothing, but stands before the bytes of the broker.
    let address_len = match kind {
        IPV4 => 4,
        IPV6 => 16,
        NAME => socket.read_u8().await?.into(),
        _ => return Err(TunnelError::OtherProtocol("SOCKS5")),
    };
    let mut rest = [0; u8::MAX as usize + 2];
    socket.read_exact(&mut rest[..address_len + 2]).await?;
    Ok(())
}

async fn authenticate<S: AsyncReadExt + AsyncWriteExt + Unpin>(
    socket: &mut S,
    credentials: Option<&UserLogin>,
) -> Result<(), TunnelError> {
    let offer: &[u8] = match credentials {
        Some(_) => &[VERSION, 2, NO_AUTHENTICATION, PASSWORD],
        None => &[VERSION, 1, NO_AUTHENTICATION],
    };
    socket.write_all(offer).await?;
    let mut chosen = [0; 2];
    socket.read_exact(&mut chosen).await?;
    match (chosen, credentials) {
        ([VERSION, NO_AUTHENTICATION], _) => Ok(()),
        ([VERSION, PASSWORD], Some(login)) => {
            socket.write_all(&password_request(login)?).await?;
            let mut verdict = [0; 2];
            socket.read_exact(&mut verdict).await?;
            match verdict {
                [_, 0] => Ok(()),
                _ => Err(TunnelError::Credentials { given: true }),
            }
        }
        ([VERSION, NONE_ACCEPTED], _) => Err(TunnelError::Credentials {
            given: credentials.is_some(),
        }),
        _ => Err(TunnelError::OtherProtocol("SOCKS5")),
    }
}

fn password_request(login: &UserLogin) -> Result<Vec<u8>, TunnelError> {
    let mut request = vec![PASSWORD_VERSION];
    for part in [login.username.as_str(), login.password.reveal()] {
        // The model has them short enough.
        let len = u8::try_from(part.len()).map_err(|_| TunnelError::Credentials { given: true })?;
        request.push(len);
        request.extend_from_slice(part.as_bytes());
    }
    Ok(request)
}

fn request(broker: &HostPort) -> Result<Vec<u8>, TunnelError> {
    let mut request = vec![VERSION, CONNECT, 0];
    match broker.host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => {
            request.push(IPV4);
            request.extend_from_slice(&ip.octets());
        }
        Ok(IpAddr::V6(ip)) => {
            request.push(IPV6);
            request.extend_from_slice(&ip.octets());
        }
        Err(_) => {
            let len = u8::try_from(broker.host.len()).map_err(|_| TunnelError::LongName)?;
            request.extend_from_slice(&[NAME, len]);
            request.extend_from_slice(broker.host.as_bytes());
        }
    }
    request.extend_from_slice(&broker.port.to_be_bytes());
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_goes_as_one_and_a_name_as_a_name() {
        let of = |host: &str| {
            request(&HostPort {
                host: host.into(),
                port: 0x2384,
            })
        };
        assert_eq!(of("10.0.0.1").unwrap(), [5, 1, 0, 1, 10, 0, 0, 1, 0x23, 0x84]);
        let v6 = of("2001:db8::1").unwrap();
        assert_eq!((&v6[..6], v6.len()), (&[5, 1, 0, 4, 0x20, 0x01][..], 22));
        assert_eq!(of("b.k").unwrap(), [5, 1, 0, 3, 3, b'b', b'.', b'k', 0x23, 0x84]);
        assert!(matches!(of(&"x".repeat(256)), Err(TunnelError::LongName)));
    }
}
