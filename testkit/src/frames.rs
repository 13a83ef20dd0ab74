//! Kafka frames as bytes: made by hand or by `kafka-protocol`, taken apart again.

use kafka_protocol::messages::{RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};

pub const CLIENT_ID: &str = "test";

/// The API of a request that only passes through: its answer carries no address.
pub const HEARTBEAT: i16 = 12;

/// The body of an answer that tells nothing but that somebody answers.
pub const ALIVE: &[u8] = b"alive";

/// Puts the size in front.
pub fn framed(content: &[u8]) -> Vec<u8> {
    let mut frame = i32::try_from(content.len()).unwrap().to_be_bytes().to_vec();
    frame.extend_from_slice(content);
    frame
}

/// A request frame with a header of version 1 (no tagged fields) in front of `body`.
pub fn raw_request(key: i16, version: i16, correlation_id: i32, body: &[u8]) -> Vec<u8> {
    let mut content = Vec::with_capacity(body.len() + 16);
    content.extend_from_slice(&key.to_be_bytes());
    content.extend_from_slice(&version.to_be_bytes());
    content.extend_from_slice(&correlation_id.to_be_bytes());
    content.extend_from_slice(&(CLIENT_ID.len() as i16).to_be_bytes());
    content.extend_from_slice(CLIENT_ID.as_bytes());
    content.extend_from_slice(body);
    framed(&content)
}

/// A request that only passes through.
pub fn heartbeat(correlation_id: i32) -> Vec<u8> {
    raw_request(HEARTBEAT, 0, correlation_id, b"")
}

/// A request frame of a typed message.
pub fn request<R: Request>(version: i16, correlation_id: i32, message: &R) -> Vec<u8> {
    request_of(version, correlation_id, Some(CLIENT_ID), message)
}

/// A request with this client id, or with none.
pub fn request_of<R: Request>(
    version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
    message: &R,
) -> Vec<u8> {
    let mut content = Vec::new();
    RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation_id)
        .with_client_id(client_id.map(|id| StrBytes::from_string(id.to_owned())))
        .encode(&mut content, R::header_version(version))
        .unwrap();
    message.encode(&mut content, version).unwrap();
    framed(&content)
}

/// A response frame of a typed message.
pub fn response<M: Encodable + HeaderVersion>(version: i16, correlation_id: i32, message: &M) -> Vec<u8> {
    let mut content = Vec::new();
    ResponseHeader::default()
        .with_correlation_id(correlation_id)
        .encode(&mut content, M::header_version(version))
        .unwrap();
    message.encode(&mut content, version).unwrap();
    framed(&content)
}

/// A response of an API whose body is of no interest: correlation id and whatever bytes.
pub fn raw_response(correlation_id: i32, body: &[u8]) -> Vec<u8> {
    framed(&[&correlation_id.to_be_bytes(), body].concat())
}

/// Correlation id and message of a response frame's content. Every byte must belong to the message.
#[track_caller]
pub fn decode<M: Decodable + HeaderVersion>(version: i16, content: &[u8]) -> (i32, M) {
    let mut bytes = content;
    let header = ResponseHeader::decode(&mut bytes, M::header_version(version)).unwrap();
    let message = M::decode(&mut bytes, version).unwrap();
    assert!(bytes.is_empty(), "{} bytes behind the message", bytes.len());
    (header.correlation_id, message)
}

pub fn correlation_id(content: &[u8]) -> i32 {
    i32::from_be_bytes(*content.first_chunk().unwrap())
}

/// `len` bytes that look like nothing and differ with `seed`.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}
