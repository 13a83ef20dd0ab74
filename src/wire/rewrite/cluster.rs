//! DescribeCluster (`DescribeClusterResponse.json`): `throttle i32, err i16, msg nstr, endpoint_type i8:1+, cluster_id str, controller i32,
//! brokers[id, host, port, rack, fenced i8:2+], authorized operations i32`.
//!
//! For endpoint type 2 (KIP-919) it lists controllers instead, for which kproxy has no addresses.

use super::super::Malformed;
use super::super::api::{ApiKey, body_is_flexible};
use super::super::cursor::{Reader, Writer};
use super::super::schema::{self, Direction};
use super::nodes::{NodeList, Shape};
use super::{Listing, NoNodes, NodeRef, Nodes, RewriteCounts};

const FIRST_WITH_ENDPOINT_TYPE: i16 =
    schema::first_with(ApiKey::DESCRIBE_CLUSTER, Direction::Response, &["endpoint_type"]);
const FIRST_WITH_FENCED: i16 = schema::first_with(
    ApiKey::DESCRIBE_CLUSTER,
    Direction::Response,
    &["brokers", "is_fenced"],
);
const BROKERS: u8 = 1;

pub(super) fn visit(
    version: i16,
    part: &[u8],
    visit: &mut dyn FnMut(NodeRef<'_>),
) -> Result<Listing, Malformed> {
    let body = read(version, part)?;
    if body.endpoint_type != BROKERS || body.error != 0 {
        return Ok(Listing::Partial);
    }
    body.brokers.visit(visit);
    Ok(if body.brokers.len() > 0 {
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
    let body = read(version, part)?;
    let mut writer = Writer::new(out, body_is_flexible(ApiKey::DESCRIBE_CLUSTER, version));
    writer.raw(body.prefix);
    let nodes = if body.endpoint_type == BROKERS {
        nodes
    } else {
        &NoNodes
    };
    let counts = body.brokers.write(&mut writer, nodes);
    writer.raw(body.suffix);
    Ok(counts)
}

struct Body<'a> {
    error: i16,
    endpoint_type: u8,
    prefix: &'a [u8],
    brokers: NodeList<'a>,
    suffix: &'a [u8],
}

fn read(version: i16, part: &[u8]) -> Result<Body<'_>, Malformed> {
    let flexible = body_is_flexible(ApiKey::DESCRIBE_CLUSTER, version);
    let mut reader = Reader::new(part, flexible);
    reader.skip(4)?;
    let error = reader.i16()?;
    reader.nullable_string()?;
    let endpoint_type = if version >= FIRST_WITH_ENDPOINT_TYPE {
        reader.u8()?
    } else {
        BROKERS
    };
    reader.string()?;
    reader.skip(4)?;
    let prefix = reader.since(0);
    let shape = Shape {
        rack: true,
        fenced: version >= FIRST_WITH_FENCED,
    };
    let brokers = NodeList::read(&mut reader, shape, flexible)?;
    let suffix = reader.rest();
    reader.skip(4)?;
    reader.tags()?;
    reader.finish()?;
    Ok(Body {
        error,
        endpoint_type,
        prefix,
        brokers,
        suffix,
    })
}
