//! Request and response headers, and the few body fields that decide how a frame is treated.
//!
//! All functions read a frame *behind* its 4-byte size, as far as it has arrived: `Ok(None)` means that bytes still to
//! come decide. For a caller that holds the whole frame `None` is as bad as [`Malformed`].
//!
//! Sources: `RequestHeader.json` and `ResponseHeader.json` of Apache Kafka. Request header v1 is `i16 key, i16 version, i32 correlation id, nullable string client id`; v2 appends tagged
//! fields, and its client id keeps the 2-byte length. Response header v0 is the correlation id; v1 appends tagged
//! fields (KIP-482).

use super::Malformed;
use super::api::{Api, ApiKey};
use super::cursor::{ReadError, Reader, unless_incomplete};
use super::schema::{self, Direction};

/// The fixed part of a request header: its first eight bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHead {
    /// Number of the API, see [`super::api`].
    pub api_key: i16,
    /// Version of the request, and of the answer.
    pub api_version: i16,
    /// The number the answer will carry.
    pub correlation_id: i32,
}

/// Bytes of a [`RequestHead`] on the wire.
pub const REQUEST_HEAD_LEN: usize = 8;

/// Reads the fixed part of a request header; `None` if fewer than eight bytes have arrived.
#[inline]
pub fn request_head(frame: &[u8]) -> Option<RequestHead> {
    let &[k0, k1, v0, v1, c0, c1, c2, c3] = frame.first_chunk::<REQUEST_HEAD_LEN>()?;
    Some(RequestHead {
        api_key: i16::from_be_bytes([k0, k1]),
        api_version: i16::from_be_bytes([v0, v1]),
        correlation_id: i32::from_be_bytes([c0, c1, c2, c3]),
    })
}

/// The client id of a request; `Some(None)` if it is null.
///
/// # Errors
/// The header is not what its version says it is.
pub fn client_id(frame: &[u8]) -> Result<Option<Option<&[u8]>>, Malformed> {
    unless_incomplete(read_client_id(frame).map(|(client_id, _)| client_id))
}

/// Position of the body of a request.
///
/// # Errors
/// The header is not what its version says it is.
pub fn request_body(frame: &[u8], api: &Api, version: i16) -> Result<Option<usize>, Malformed> {
    unless_incomplete(body_start(frame, api.request_is_flexible(version)))
}

/// The `acks` of a Produce request: 0 means that the broker will not answer.
///
/// Versions 0 to 2 begin with it, later ones put the transactional id first (KIP-98), compact since 9
/// (`ProduceRequest.json`).
///
/// # Errors
/// What precedes it is not what the version says it is.
pub fn produce_acks(frame: &[u8], version: i16) -> Result<Option<i16>, Malformed> {
    unless_incomplete(read_acks(frame, version))
}

/// The `acks` of a Produce request as nearly every producer writes it: no tagged fields in its header, no transactional
/// id. `None` says only that [`produce_acks`] has to be called.
#[inline]
pub fn produce_acks_fast(frame: &[u8], version: i16) -> Option<i16> {
    let client_id = i16::from_be_bytes(*frame.get(REQUEST_HEAD_LEN..)?.first_chunk()?);
    let client_id = usize::try_from(client_id).unwrap_or(0);
    let rest = frame.get(REQUEST_HEAD_LEN + 2 + client_id..)?;
    let ((9.., [0, 0, acks @ ..]) | (3..=8, [0xff, 0xff, acks @ ..])) = (version, rest) else {
        return None;
    };
    acks.first_chunk().map(|bytes| i16::from_be_bytes(*bytes))
}

/// The mechanism in the body of a SaslHandshake request, which is never flexible (`SaslHandshakeRequest.json`).
///
/// # Errors
/// The body does not begin with a string.
pub fn sasl_handshake_mechanism(body: &[u8]) -> Result<Option<&[u8]>, Malformed> {
    unless_incomplete(Reader::new(body, false).string())
}

/// Name and version of a client's software, as the client sends them (KIP-511). Not necessarily UTF-8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Software<'a> {
    /// `client_software_name`.
    pub name: &'a [u8],
    /// `client_software_version`.
    pub version: &'a [u8],
}

/// The client's software, from the body of an ApiVersions request; empty before version 3 (KIP-511).
///
/// # Errors
/// The body is not what its version says it is.
pub fn software(body: &[u8], version: i16) -> Result<Option<Software<'_>>, Malformed> {
    const FIRST_WITH_SOFTWARE: i16 = schema::first_with(
        ApiKey::API_VERSIONS,
        Direction::Request,
        &["client_software_name"],
    );
    if version < FIRST_WITH_SOFTWARE {
        return Ok(Some(Software::default()));
    }
    let mut reader = Reader::new(body, true);
    let mut read = || {
        let (name, version) = (reader.string()?, reader.string()?);
        Ok(Software { name, version })
    };
    unless_incomplete(read())
}

/// The correlation id of a response; `None` if fewer than four bytes have arrived.
#[inline]
pub fn response_correlation_id(frame: &[u8]) -> Option<i32> {
    frame.first_chunk::<4>().map(|bytes| i32::from_be_bytes(*bytes))
}

/// Position of the body of a response.
///
/// # Errors
/// The header is not what its version says it is.
#[inline]
pub fn response_body(frame: &[u8], api: &Api, version: i16) -> Result<Option<usize>, Malformed> {
    let mut reader = Reader::new(frame, api.response_header_is_flexible(version));
    unless_incomplete(
        reader
            .skip(4)
            .and_then(|()| reader.tags())
            .map(|()| reader.position()),
    )
}

/// The error code of a body that begins with one (ApiVersions, SaslHandshake, SaslAuthenticate, …).
pub fn error_code_at_start(body: &[u8]) -> Option<i16> {
    body.first_chunk::<2>().map(|bytes| i16::from_be_bytes(*bytes))
}

fn read_client_id(frame: &[u8]) -> Result<(Option<&[u8]>, usize), ReadError> {
    let mut reader = Reader::new(frame, false);
    reader.skip(REQUEST_HEAD_LEN)?;
    let client_id = reader.nullable_string()?;
    Ok((client_id, reader.position()))
}

fn body_start(frame: &[u8], flexible: bool) -> Result<usize, ReadError> {
    let (_, start) = read_client_id(frame)?;
    let mut tags = Reader::new(&frame[start..], flexible);
    tags.tags()?;
    Ok(start + tags.position())
}

fn read_acks(frame: &[u8], version: i16) -> Result<i16, ReadError> {
    const FIRST_WITH_TRANSACTIONS: i16 =
        schema::first_with(ApiKey::PRODUCE, Direction::Request, &["transactional_id"]);
    const FIRST_FLEXIBLE: i16 = schema::first_flexible(ApiKey::PRODUCE);
    let flexible = version >= FIRST_FLEXIBLE;
    let start = body_start(frame, flexible)?;
    let mut body = Reader::new(&frame[start..], flexible);
    if version >= FIRST_WITH_TRANSACTIONS {
        body.nullable_string()?;
    }
    body.i16()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::api::{ApiKey, api};

    const HEAD: [u8; 8] = [0, 3, 0, 12, 0, 0, 0, 7];

    fn frame(parts: &[&[u8]]) -> Vec<u8> {
        [&[HEAD.as_slice()], parts].concat().concat()
    }

    #[test]
    fn the_head_needs_eight_bytes() {
        let expected = RequestHead {
            api_key: 3,
            api_version: 12,
            correlation_id: 7,
        };
        assert_eq!(request_head(&HEAD), Some(expected));
        assert_eq!(request_head(&HEAD[..7]), None);
    }

    #[test]
    fn the_client_id_keeps_a_two_byte_length_in_flexible_headers() {
        let metadata = api(ApiKey::METADATA).unwrap();
        let frame = frame(&[&[0, 2], b"me", &[1, 5, 3, 9, 9, 9], b"body"]);
        assert_eq!(client_id(&frame), Ok(Some(Some(b"me".as_slice()))));
        assert_eq!(request_body(&frame, metadata, 12), Ok(Some(8 + 4 + 6)));
        assert_eq!(request_body(&frame, metadata, 8), Ok(Some(8 + 4)));
        for cut in 0..18 {
            assert_eq!(
                request_body(&frame[..cut], metadata, 12),
                Ok(None),
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn a_null_client_id_is_told_from_a_missing_one() {
        assert_eq!(client_id(&frame(&[&[0xff, 0xff]])), Ok(Some(None)));
        assert_eq!(client_id(&frame(&[&[0xff]])), Ok(None));
        for negative in [[0xff, 0xfe], [0x80, 0]] {
            assert_eq!(client_id(&frame(&[&negative])), Ok(Some(None)));
        }
    }

    #[test]
    fn acks_of_the_versions_the_oracle_lacks() {
        for version in 0..=2 {
            let frame = frame(&[&[0, 1], b"c", &[0xff, 0xff], &[0, 0, 0, 9]]);
            assert_eq!(produce_acks(&frame, version), Ok(Some(-1)));
            assert_eq!(produce_acks(&frame[..12], version), Ok(None));
        }
    }

    #[test]
    fn the_fast_path_to_acks_agrees_with_the_slow_one() {
        let bodies: [&[u8]; 6] = [
            &[0, 0, 0, 1, 0, 0, 0, 9],
            &[0, 0, 0xff, 0xff, 0, 0, 0, 9],
            &[0xff, 0xff, 0, 0, 0, 0, 0, 9],
            &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 9],
            &[0, 2, b't', 0, 1, 0, 0, 0],
            &[1, 5, 1, 7, 0, 0, 1, 0, 0],
        ];
        let mut agreed = 0;
        for version in 0..=13 {
            for client_id in [&[0, 1, b'c'][..], &[0xff, 0xff], &[0xff, 0xfe]] {
                for body in bodies {
                    let frame = frame(&[client_id, body]);
                    for end in 0..=frame.len() {
                        if let Some(acks) = produce_acks_fast(&frame[..end], version) {
                            assert_eq!(produce_acks(&frame[..end], version), Ok(Some(acks)));
                            agreed += 1;
                        }
                    }
                }
            }
        }
        assert!(agreed > 100, "{agreed}");
    }

    #[test]
    fn the_api_versions_answer_has_the_old_header_in_every_version() {
        let versions = api(ApiKey::API_VERSIONS).unwrap();
        assert_eq!(response_body(&[0, 0, 0, 1, 0, 0], versions, 4), Ok(Some(4)));
        let metadata = api(ApiKey::METADATA).unwrap();
        assert_eq!(
            response_body(&[0, 0, 0, 1, 1, 7, 2, 0, 0, 5], metadata, 9),
            Ok(Some(9))
        );
        assert_eq!(response_body(&[0, 0, 0, 1, 1, 7, 2, 0], metadata, 9), Ok(None));
    }
}
