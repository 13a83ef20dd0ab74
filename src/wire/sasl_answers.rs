//! Answers to SaslHandshake and SaslAuthenticate, as a broker gives them (`SaslHandshakeResponse.json`,
//! `SaslAuthenticateResponse.json`). Bodies, without a header.

use super::api::{ApiKey, body_is_flexible};
use super::cursor::Writer;

/// The body of an answer to SaslHandshake, which is the same in every version.
pub fn handshake_answer<'a>(error: i16, mechanisms: impl ExactSizeIterator<Item = &'a str>) -> Vec<u8> {
    let mut body = Vec::new();
    let mut writer = Writer::new(&mut body, false);
    writer.i16(error);
    writer.array_len(mechanisms.len());
    for mechanism in mechanisms {
        writer.string(mechanism.as_bytes());
    }
    body
}

/// What an answer to SaslAuthenticate says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AuthenticateAnswerFields<'a> {
    /// Error code; 0 is none.
    pub error: i16,
    /// Text of the error; empty if there is none.
    pub message: &'a str,
    /// Token of the server.
    pub token: &'a [u8],
    /// Milliseconds after which the client has to authenticate again; 0: never (KIP-368).
    pub lifetime_ms: u64,
}

/// The body of an answer to SaslAuthenticate of a version.
pub fn authenticate_answer(version: i16, fields: &AuthenticateAnswerFields<'_>) -> Vec<u8> {
    const FIRST_WITH_LIFETIME: i16 = 1;
    let flexible = body_is_flexible(ApiKey::SASL_AUTHENTICATE, version);
    let mut body = Vec::new();
    let mut writer = Writer::new(&mut body, flexible);
    writer.i16(fields.error);
    match (fields.message.is_empty(), flexible) {
        (false, _) => writer.string(fields.message.as_bytes()),
        (true, true) => writer.raw(&[0]),
        (true, false) => writer.i16(-1),
    }
    writer.array_len(fields.token.len());
    writer.raw(fields.token);
    if version >= FIRST_WITH_LIFETIME {
        let lifetime = i64::try_from(fields.lifetime_ms).unwrap_or(i64::MAX);
        writer.raw(&lifetime.to_be_bytes());
    }
    writer.no_tags();
    body
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::{SaslAuthenticateResponse, SaslHandshakeResponse};
    use kafka_protocol::protocol::Decodable as _;

    use super::*;

    #[test]
    fn answers_are_those_of_another_codec() {
        for version in 0..=1 {
            let body = handshake_answer(33, ["PLAIN", "SCRAM-SHA-256"].into_iter());
            let mut rest = body.as_slice();
            let read = SaslHandshakeResponse::decode(&mut rest, version).unwrap();
            assert_eq!((read.error_code, read.mechanisms.len(), rest.len()), (33, 2, 0));
        }
        for version in 0..=2 {
            for fields in [
                AuthenticateAnswerFields {
                    token: b"v=abc",
                    lifetime_ms: 60_000,
                    ..AuthenticateAnswerFields::default()
                },
                AuthenticateAnswerFields {
                    error: 58,
                    message: "no",
                    ..AuthenticateAnswerFields::default()
                },
            ] {
                let body = authenticate_answer(version, &fields);
                let mut rest = body.as_slice();
                let read = SaslAuthenticateResponse::decode(&mut rest, version).unwrap();
                assert!(rest.is_empty());
                assert_eq!(read.error_code, fields.error);
                assert_eq!(read.error_message.as_deref().unwrap_or_default(), fields.message);
                assert_eq!(read.auth_bytes, fields.token);
                let lifetime = if version > 0 { fields.lifetime_ms as i64 } else { 0 };
                assert_eq!(read.session_lifetime_ms, lifetime);
            }
        }
    }
}
