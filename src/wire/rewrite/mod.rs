//! Replaces broker addresses in the responses that carry them.
//!
//! Eight responses name brokers (the Kafka 4.4 schemas), and they do it in three places, see [`Placement`]. Only
//! that part of a body is ever looked at or copied; topics, partitions and records pass as they are. Node ids are
//! never changed. A node that has no address of ours is *withheld*: it is better for a client not to hear of a
//! broker than to hear an address that leads around the proxy.

mod cluster;
mod coordinator;
mod fit;
mod metadata;
mod nodes;
mod quorum;
mod tail;
mod tail_finder;
mod usual;

pub use fit::{Fit, fit_tail, tail_slack};
pub use metadata::prefix_len;
pub use tail::tail_is_empty;
pub use tail_finder::{TailFinder, produce_layout};
pub use usual::plainly_names_nobody;

use super::Malformed;
use super::api::ApiKey;

/// Where in a response body the addresses are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Nowhere.
    None,
    /// Spread over a small body: the part is the whole of it.
    Whole,
    /// At the beginning, before the bulk: the part ends where [`prefix_len`] says.
    Prefix,
    /// At the end, behind the bulk: the part begins where a [`TailFinder`] stops and ends with the frame.
    Tail,
}

/// Where a response of this API and version carries addresses. Constant time.
#[inline]
pub const fn placement(api_key: i16, version: i16) -> Placement {
    match api_key {
        ApiKey::METADATA => Placement::Prefix,
        ApiKey::FIND_COORDINATOR | ApiKey::DESCRIBE_CLUSTER => Placement::Whole,
        ApiKey::DESCRIBE_QUORUM if version >= quorum::FIRST_WITH_NODES => Placement::Whole,
        ApiKey::PRODUCE if version >= tail::PRODUCE_FIRST_WITH_NODES => Placement::Tail,
        ApiKey::FETCH if version >= tail::FETCH_FIRST_WITH_NODES => Placement::Tail,
        ApiKey::SHARE_FETCH | ApiKey::SHARE_ACKNOWLEDGE => Placement::Tail,
        _ => Placement::None,
    }
}

/// The address a client is given for a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advertised<'a> {
    /// Host name or address literal.
    pub host: &'a str,
    /// TCP port.
    pub port: u16,
}

/// Knows the address each node has from outside.
pub trait Nodes {
    /// The address for this node; `None` withholds the node from the client.
    fn advertised(&self, node_id: i32) -> Option<Advertised<'_>>;
}

/// A node as a broker described it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeRef<'a> {
    /// The node id.
    pub id: i32,
    /// Host as on the wire, not necessarily UTF-8.
    pub host: &'a [u8],
    /// Port as on the wire, not necessarily a valid one.
    pub port: i32,
}

impl<'a> NodeRef<'a> {
    /// Host and port, if this is a broker that can be dialled.
    pub fn dialable(&self) -> Option<(&'a str, u16)> {
        let host = std::str::from_utf8(self.host)
            .ok()
            .filter(|host| !host.is_empty())?;
        let port = u16::try_from(self.port).ok().filter(|&port| port != 0)?;
        (self.id >= 0).then_some((host, port))
    }
}

/// What a rewrite did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Addresses replaced.
    pub rewritten: u32,
    /// Addresses taken out because the node has none of ours.
    pub withheld: u32,
}

/// How much of the cluster the nodes of one answer are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// All brokers: one that is missing is not part of the cluster at the moment.
    Full,
    /// Some brokers, or none: nothing follows from what is missing.
    Partial,
}

/// Shows every broker address in `part` (the part of a response body that [`placement`] names).
///
/// Entries that stand for an error and controllers (DescribeCluster of endpoint type 2, DescribeQuorum) are not
/// brokers and are left out. When it fails, some nodes may have been shown already.
pub fn visit_nodes(
    api_key: i16,
    version: i16,
    part: &[u8],
    visit: &mut dyn FnMut(NodeRef<'_>),
) -> Result<Listing, Malformed> {
    match api_key {
        ApiKey::METADATA => metadata::visit(version, part, visit),
        ApiKey::DESCRIBE_CLUSTER => cluster::visit(version, part, visit),
        ApiKey::FIND_COORDINATOR => coordinator::visit(version, part, visit),
        _ if matches!(placement(api_key, version), Placement::Tail) => tail::visit(api_key, part, visit),
        _ => Ok(Listing::Partial),
    }
}

/// Appends `part` (the part of a response body that [`placement`] names) to `out`, with addresses replaced.
///
/// Everything else in it stays byte for byte, tagged fields unknown to kproxy included. On failure `out` is as it
/// was before.
pub fn rewrite(
    api_key: i16,
    version: i16,
    part: &[u8],
    nodes: &dyn Nodes,
    out: &mut Vec<u8>,
) -> Result<Tally, Malformed> {
    let before = out.len();
    let result = match (api_key, placement(api_key, version)) {
        (_, Placement::None) => {
            out.extend_from_slice(part);
            Ok(Tally::default())
        }
        (_, Placement::Tail) => tail::rewrite(api_key, part, nodes, out),
        (_, Placement::Prefix) => metadata::rewrite(version, part, nodes, out),
        (ApiKey::FIND_COORDINATOR, _) => coordinator::rewrite(version, part, nodes, out),
        (ApiKey::DESCRIBE_CLUSTER, _) => cluster::rewrite(version, part, nodes, out),
        (_, Placement::Whole) => quorum::rewrite(version, part, nodes, out),
    };
    if result.is_err() {
        out.truncate(before);
    }
    result
}

/// Knows no node, and so withholds them all.
struct NoNodes;

impl Nodes for NoNodes {
    fn advertised(&self, _node_id: i32) -> Option<Advertised<'_>> {
        None
    }
}
