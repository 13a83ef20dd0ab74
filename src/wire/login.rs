//! The frames of a SASL exchange in which kproxy is the client (KIP-152, KIP-368), and the answers with which kproxy
//! refuses the exchange of a client (`SaslHandshake*.json`, `SaslAuthenticate*.json`).

use super::Malformed;
use super::api::{ApiKey, body_is_flexible};
use super::cursor::{Reader, Writer};
use super::probe::{self, CLIENT_ID};

/// Version of SaslHandshake that is followed by SaslAuthenticate frames.
pub const HANDSHAKE_VERSION: i16 = 1;

/// Versions of SaslAuthenticate that can be spoken. Version 0 does not tell how long the authentication lasts.
pub const AUTHENTICATE_VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;

/// `ILLEGAL_SASL_STATE`: what a broker answers to SASL on a listener without it.
pub const ILLEGAL_SASL_STATE: i16 = 34;

/// Number of mechanisms that are read from one answer.
const MOST_MECHANISMS: usize = 20;

/// The answer to SaslHandshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandshakeAnswer<'a> {
    /// Error code; 0 is none.
    pub error: i16,
    /// Names of the first mechanisms that the broker accepts.
    pub mechanisms: Vec<&'a [u8]>,
}

/// The answer to SaslAuthenticate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticateAnswer<'a> {
    /// Error code; 0 is none.
    pub error: i16,
    /// Message of the broker; may be empty.
    pub message: &'a [u8],
    /// The broker's token.
    pub token: &'a [u8],
    /// Milliseconds after which the authentication has to be repeated; 0: never.
    pub lifetime_ms: i64,
}

/// Appends a SaslHandshake request.
pub fn handshake_request(mechanism: &str, correlation_id: i32, out: &mut Vec<u8>) {
    let api = (ApiKey::SASL_HANDSHAKE, HANDSHAKE_VERSION);
    probe::frame(CLIENT_ID, api, correlation_id, out, |writer| {
        writer.string(mechanism.as_bytes());
    });
}

/// Appends a SaslAuthenticate request. `version` is one of [`AUTHENTICATE_VERSIONS`].
pub fn authenticate_request(version: i16, token: &[u8], correlation_id: i32, out: &mut Vec<u8>) {
    let api = (ApiKey::SASL_AUTHENTICATE, version);
    probe::frame(CLIENT_ID, api, correlation_id, out, |writer| {
        writer.array_len(token.len());
        writer.raw(token);
        writer.no_tags();
    });
}

/// Reads the body of the answer to SaslHandshake.
///
/// # Errors
/// [`Malformed`] if it is none.
pub fn read_handshake(body: &[u8]) -> Result<HandshakeAnswer<'_>, Malformed> {
    let mut reader = Reader::new(body, false);
    let error = reader.i16()?;
    let count = reader.array_len(2)?;
    let mechanisms = (0..count.min(MOST_MECHANISMS)).map(|_| reader.string());
    Ok(HandshakeAnswer {
        error,
        mechanisms: mechanisms.collect::<Result<_, _>>()?,
    })
}

/// Reads the body of the answer to SaslAuthenticate.
///
/// # Errors
/// [`Malformed`] if it is none.
pub fn read_authenticate(version: i16, body: &[u8]) -> Result<AuthenticateAnswer<'_>, Malformed> {
    let is_flexible = body_is_flexible(ApiKey::SASL_AUTHENTICATE, version);
    let mut reader = Reader::new(body, is_flexible);
    let error = reader.i16()?;
    let message = reader.nullable_string()?.unwrap_or_default();
    let length = reader.array_len(1)?;
    let token = reader.take(length).map_err(Malformed::from)?;
    let lifetime_ms = if version >= 1 { reader.i64()? } else { 0 };
    Ok(AuthenticateAnswer {
        error,
        message,
        token,
        lifetime_ms,
    })
}

/// Appends the whole answer to a SaslHandshake or SaslAuthenticate request that is out of place: what a broker answers on a
/// listener without SASL.
pub fn refuse(api_key: i16, version: i16, correlation_id: i32, out: &mut Vec<u8>) {
    let start = out.len();
    let is_flexible = body_is_flexible(api_key, version);
    let mut writer = Writer::new(out, is_flexible);
    writer.i32(0);
    writer.i32(correlation_id);
    writer.no_tags();
    writer.i16(ILLEGAL_SASL_STATE);
    if api_key == ApiKey::SASL_AUTHENTICATE {
        writer.string(b"kproxy authenticates to the brokers; clients of this virtual cluster need no SASL");
        writer.array_len(0);
        if version >= 1 {
            writer.raw(&0_i64.to_be_bytes());
        }
        writer.no_tags();
    } else {
        writer.array_len(0);
    }
    let size = (out.len() - start - 4) as i32;
    if let Some(prefix) = out.get_mut(start..start + 4) {
        prefix.copy_from_slice(&size.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::{
        RequestHeader, ResponseHeader, SaslAuthenticateRequest, SaslAuthenticateResponse,
        SaslHandshakeRequest, SaslHandshakeResponse,
    };
    use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};

    fn request<M: Decodable + HeaderVersion>(version: i16, frame: &[u8]) -> M {
        let mut rest = &frame[4..];
        assert_eq!(frame[..4], (rest.len() as u32).to_be_bytes());
        let header = RequestHeader::decode(&mut rest, M::header_version(version)).unwrap();
        assert_eq!((header.correlation_id, header.request_api_version), (7, version));
        let message = M::decode(&mut rest, version).unwrap();
        assert!(rest.is_empty());
        message
    }

    fn answer<M: Decodable + HeaderVersion>(version: i16, frame: &[u8]) -> M {
        let mut rest = &frame[4..];
        assert_eq!(frame[..4], (rest.len() as u32).to_be_bytes());
        let header = ResponseHeader::decode(&mut rest, M::header_version(version)).unwrap();
        assert_eq!(header.correlation_id, 7);
        let message = M::decode(&mut rest, version).unwrap();
        assert!(rest.is_empty());
        message
    }

    #[test]
    fn requests_are_what_the_oracle_reads() {
        let mut frame = Vec::new();
        handshake_request("PLAIN", 7, &mut frame);
        let read: SaslHandshakeRequest = request(HANDSHAKE_VERSION, &frame);
        assert_eq!(read.mechanism.as_str(), "PLAIN");
        for version in AUTHENTICATE_VERSIONS {
            let mut frame = Vec::new();
            authenticate_request(version, b"\0a\0b", 7, &mut frame);
            let read: SaslAuthenticateRequest = request(version, &frame);
            assert_eq!(&read.auth_bytes[..], b"\0a\0b");
        }
    }

    #[test]
    fn answers_are_read_in_every_version() {
        let mechanisms = ["PLAIN", "X"].map(StrBytes::from_static_str).to_vec();
        let mut body = Vec::new();
        let message = SaslHandshakeResponse::default()
            .with_error_code(33)
            .with_mechanisms(mechanisms);
        message.encode(&mut body, 1).unwrap();
        let read = read_handshake(&body).unwrap();
        assert_eq!((read.error, read.mechanisms), (33, vec![&b"PLAIN"[..], b"X"]));
        for version in AUTHENTICATE_VERSIONS {
            let message = SaslAuthenticateResponse::default()
                .with_error_code(58)
                .with_error_message(Some(StrBytes::from_static_str("no")))
                .with_auth_bytes(b"token"[..].into())
                .with_session_lifetime_ms(if version > 0 { 5000 } else { 0 });
            let mut body = Vec::new();
            message.encode(&mut body, version).unwrap();
            let read = read_authenticate(version, &body).unwrap();
            assert_eq!(
                (read.error, read.message, read.token),
                (58, &b"no"[..], &b"token"[..])
            );
            assert_eq!(read.lifetime_ms, if version > 0 { 5000 } else { 0 });
            for end in 0..body.len() {
                // Never a panic, and nothing is read beyond the end.
                drop(read_authenticate(version, &body[..end]));
            }
        }
        assert!(read_authenticate(0, b"\0\0\0\0\x7f\xff\xff\xff").is_err());
    }

    #[test]
    fn refusals_are_what_the_oracle_reads() {
        for version in 0..=1 {
            let mut frame = Vec::new();
            refuse(ApiKey::SASL_HANDSHAKE, version, 7, &mut frame);
            let read: SaslHandshakeResponse = answer(version, &frame);
            assert_eq!((read.error_code, read.mechanisms.len()), (34, 0));
        }
        for version in AUTHENTICATE_VERSIONS {
            let mut frame = Vec::new();
            refuse(ApiKey::SASL_AUTHENTICATE, version, 7, &mut frame);
            let read: SaslAuthenticateResponse = answer(version, &frame);
            assert_eq!((read.error_code, read.auth_bytes.len()), (34, 0));
        }
    }
}
