//! Metadata (`MetadataResponse.json`): `throttle i32:3+ | brokers[id, host, port, rack:1+] | …`. The brokers come before the bulky topics,
//! so that a small prefix is all that is ever looked at.

use super::super::Malformed;
use super::super::api::{ApiKey, body_is_flexible};
use super::super::cursor::{ReadError, Reader, Writer, unless_incomplete};
use super::super::schema::{self, Direction};
use super::nodes::{NodeList, Shape};
use super::{Listing, NodeRef, Nodes, RewriteCounts};

const FIRST_WITH_THROTTLE: i16 =
    schema::first_with(ApiKey::METADATA, Direction::Response, &["throttle_time_ms"]);
const FIRST_WITH_CLUSTER_ID: i16 = schema::first_with(ApiKey::METADATA, Direction::Response, &["cluster_id"]);
const FIRST_WITH_RACK: i16 = schema::first_with(ApiKey::METADATA, Direction::Response, &["brokers", "rack"]);

/// Length of the body up to the end of `brokers[]`; `None` if `body` has to be longer to say.
pub(super) fn prefix_len(version: i16, body: &[u8]) -> Result<Option<usize>, Malformed> {
    unless_incomplete(read(version, body).map(|prefix| prefix.len))
}

/// The id of the cluster in `rest`, which follows the brokers; `None` if the version has none, it is null, or `rest` ends before.
pub(super) fn cluster_id(version: i16, rest: &[u8]) -> Option<&[u8]> {
    if version < FIRST_WITH_CLUSTER_ID {
        return None;
    }
    let mut reader = Reader::new(rest, body_is_flexible(ApiKey::METADATA, version));
    reader.nullable_string().ok().flatten()
}

pub(super) fn visit(
    version: i16,
    part: &[u8],
    visit: &mut dyn FnMut(NodeRef<'_>),
) -> Result<Listing, Malformed> {
    let brokers = read_all(version, part)?.brokers;
    brokers.visit(visit);
    // A broker that has just started may not know the others yet: an empty list says nothing about the cluster.
    Ok(if brokers.len() > 0 {
        Listing::Full
    } else {
        Listing::Partial
    })
}

pub(super) fn rewrite(
    version: i16,
    part: &[u8],
    nodes: &dyn Nodes,
    out: &mut Vec<u8>,
) -> Result<RewriteCounts, Malformed> {
    let prefix = read_all(version, part)?;
    let mut writer = Writer::new(out, body_is_flexible(ApiKey::METADATA, version));
    writer.raw(prefix.leading);
    Ok(prefix.brokers.write(&mut writer, nodes))
}

struct Prefix<'a> {
    /// What precedes the brokers.
    leading: &'a [u8],
    brokers: NodeList<'a>,
    len: usize,
}

fn read(version: i16, body: &[u8]) -> Result<Prefix<'_>, ReadError> {
    let flexible = body_is_flexible(ApiKey::METADATA, version);
    let mut reader = Reader::new(body, flexible);
    if version >= FIRST_WITH_THROTTLE {
        reader.skip(4)?;
    }
    let leading = reader.since(0);
    let shape = Shape {
        rack: version >= FIRST_WITH_RACK,
        fenced: false,
    };
    let brokers = NodeList::read(&mut reader, shape, flexible)?;
    Ok(Prefix {
        leading,
        brokers,
        len: reader.position(),
    })
}

/// Reads a part that is the prefix and nothing else.
fn read_all(version: i16, part: &[u8]) -> Result<Prefix<'_>, Malformed> {
    let prefix = read(version, part)?;
    if prefix.len != part.len() {
        return Err(Malformed::new("body: bytes after its end"));
    }
    Ok(prefix)
}
