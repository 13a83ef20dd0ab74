//! The requests that kproxy sends on its own behalf, to learn a cluster's brokers. Whole frames, size included
//! (`ApiVersionsRequest.json`, `MetadataRequest.json`).

use super::api::{ApiKey, body_is_flexible};
use super::cursor::Writer;
use super::schema::{self, Direction};

/// The client id of kproxy's own requests.
pub const CLIENT_ID: &str = "kproxy";

/// Versions of Metadata that can ask for brokers alone: version 0 has no way to ask for no topics.
pub const METADATA_VERSIONS: std::ops::RangeInclusive<i16> = 1..=13;

/// Appends an ApiVersions request of version 0, which every broker understands.
pub fn api_versions_request(correlation_id: i32, out: &mut Vec<u8>) {
    frame(CLIENT_ID, (ApiKey::API_VERSIONS, 0), correlation_id, out, |_| {});
}

/// Appends an ApiVersions request of a version, from no cluster and no node in particular.
pub fn offers_request(version: i16, correlation_id: i32, out: &mut Vec<u8>) {
    let software = (CLIENT_ID, env!("CARGO_PKG_VERSION"));
    introduction(CLIENT_ID, software, version, correlation_id, out);
}

/// Appends an ApiVersions request of a version, from a client with this id, name of its software and version of that.
pub fn introduction(
    client_id: &str,
    software: (&str, &str),
    version: i16,
    correlation_id: i32,
    out: &mut Vec<u8>,
) {
    const FIRST_WITH_SOFTWARE: i16 = schema::first_with(
        ApiKey::API_VERSIONS,
        Direction::Request,
        &["client_software_name"],
    );
    const FIRST_WITH_NODE: i16 = schema::first_with(ApiKey::API_VERSIONS, Direction::Request, &["node_id"]);
    let api = (ApiKey::API_VERSIONS, version);
    frame(client_id, api, correlation_id, out, |writer| {
        if version >= FIRST_WITH_SOFTWARE {
            writer.string(software.0.as_bytes());
            writer.string(software.1.as_bytes());
        }
        if version >= FIRST_WITH_NODE {
            writer.raw(&[0]); // cluster id: null
            writer.i32(-1);
        }
        writer.no_tags();
    });
}

/// Appends a Metadata request for the brokers and no topics. `version` is one of [`METADATA_VERSIONS`].
pub fn metadata_request(version: i16, correlation_id: i32, out: &mut Vec<u8>) {
    debug_assert!(METADATA_VERSIONS.contains(&version));
    frame(
        CLIENT_ID,
        (ApiKey::METADATA, version),
        correlation_id,
        out,
        |writer| {
            writer.array_len(0);
            if version >= 4 {
                writer.raw(&[0]); // allow_auto_topic_creation
            }
            if (8..=10).contains(&version) {
                writer.raw(&[0]); // include_cluster_authorized_operations
            }
            if version >= 8 {
                writer.raw(&[0]); // include_topic_authorized_operations
            }
            writer.no_tags();
        },
    );
}

/// Appends a request of an API in a version, with the body that `body` writes.
pub fn frame(
    client_id: &str,
    (key, version): (i16, i16),
    correlation_id: i32,
    out: &mut Vec<u8>,
    body: impl FnOnce(&mut Writer<'_>),
) {
    let start = out.len();
    let mut header = Writer::new(out, false);
    header.i32(0);
    header.i16(key);
    header.i16(version);
    header.i32(correlation_id);
    header.string(client_id.as_bytes());
    let mut writer = Writer::new(out, body_is_flexible(key, version));
    writer.no_tags();
    body(&mut writer);
    let size = (out.len() - start - 4) as i32;
    if let Some(prefix) = out.get_mut(start..start + 4) {
        prefix.copy_from_slice(&size.to_be_bytes());
    }
}
