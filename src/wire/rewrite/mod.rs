//! Replaces broker addresses in the responses that carry them.
//!
//! Eight responses name brokers (the Kafka 4.4 schemas), and they do it in three places, see [`Placement`]. Only
//! that part of a body is ever looked at or copied; topics, partitions and records pass as they are. Node ids are
//! never changed. A node for which kproxy has no address is *withheld*: it is better for a client not to learn of a
//! broker than to learn an address that leads around the proxy.

mod cluster;
mod coordinator;
mod fast_path;
mod fit;
mod metadata;
mod nodes;
mod quorum;
mod tail;
mod tail_finder;

pub use fast_path::has_no_endpoints_fast;
pub use fit::{Fit, fit_tail, growth_reserve};
pub use tail::tail_is_empty;
pub use tail_finder::{TailFinder, produce_layout};

use super::Malformed;
use super::api::{AddressLayout, api};

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

impl AddressLayout {
    /// Where in a response body it is found.
    #[inline]
    pub const fn placement(self) -> Placement {
        match self {
            Self::Metadata => Placement::Prefix,
            Self::FindCoordinator | Self::DescribeCluster | Self::DescribeQuorum => Placement::Whole,
            Self::Produce | Self::Fetch | Self::ShareFetch | Self::ShareAcknowledge => Placement::Tail,
        }
    }
}

/// The layout of the addresses in a response of this API and version; `None` if it has none.
#[inline]
pub fn layout(api_key: i16, version: i16) -> Option<AddressLayout> {
    api(api_key)?.address_layout(version)
}

/// Where a response of this API and version carries addresses. Constant time.
#[inline]
pub fn placement(api_key: i16, version: i16) -> Placement {
    layout(api_key, version).map_or(Placement::None, AddressLayout::placement)
}

/// Length of the part of a response body that begins with it and ends with its list of brokers
/// ([`Placement::Prefix`]); `None` if `body` has to be longer to say. The caller limits how much it is willing to gather.
///
/// # Errors
/// The body is not what its version says it is, or has no such part.
pub fn prefix_len(api_key: i16, version: i16, body: &[u8]) -> Result<Option<usize>, Malformed> {
    match layout(api_key, version) {
        Some(AddressLayout::Metadata) => metadata::prefix_len(version, body),
        None
        | Some(
            AddressLayout::FindCoordinator
            | AddressLayout::DescribeCluster
            | AddressLayout::DescribeQuorum
            | AddressLayout::Produce
            | AddressLayout::Fetch
            | AddressLayout::ShareFetch
            | AddressLayout::ShareAcknowledge,
        ) => Err(Malformed::new("answer: no list of brokers at its beginning")),
    }
}

/// The id of the cluster (KIP-78) in what follows [`prefix_len`] in the body of an answer; `None` if it is not told there.
pub fn cluster_id(api_key: i16, version: i16, rest: &[u8]) -> Option<&[u8]> {
    match layout(api_key, version) {
        Some(AddressLayout::Metadata) => metadata::cluster_id(version, rest),
        _ => None,
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

/// The addresses that clients are given for nodes.
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
    /// Rack as on the wire, not necessarily UTF-8; `None` also in answers that name none.
    pub rack: Option<&'a [u8]>,
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

/// Numbers of addresses that a rewrite dealt with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RewriteCounts {
    /// Addresses replaced.
    pub rewritten: u32,
    /// Addresses removed because kproxy has none for the node.
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

/// Calls `visit` with every broker address in `part` (the part of a response body that [`placement`] names).
///
/// Entries that stand for an error and controllers (DescribeCluster of endpoint type 2, DescribeQuorum) are not
/// brokers and are left out.
///
/// # Errors
/// The part is not what its version says it is. Some nodes may have been visited already.
pub fn visit_nodes(
    api_key: i16,
    version: i16,
    part: &[u8],
    visit: &mut dyn FnMut(NodeRef<'_>),
) -> Result<Listing, Malformed> {
    let Some(layout) = layout(api_key, version) else {
        return Ok(Listing::Partial);
    };
    match layout {
        AddressLayout::Metadata => metadata::visit(version, part, visit),
        AddressLayout::DescribeCluster => cluster::visit(version, part, visit),
        AddressLayout::FindCoordinator => coordinator::visit(version, part, visit),
        // It names controllers.
        AddressLayout::DescribeQuorum => Ok(Listing::Partial),
        AddressLayout::Produce
        | AddressLayout::Fetch
        | AddressLayout::ShareFetch
        | AddressLayout::ShareAcknowledge => tail::visit(layout, part, visit),
    }
}

/// Appends `part` (the part of a response body that [`placement`] names) to `out`, with addresses replaced.
///
/// Everything else in it stays byte for byte, tagged fields unknown to kproxy included.
///
/// # Errors
/// The part is not what its version says it is; `out` is as it was before.
pub fn rewrite(
    api_key: i16,
    version: i16,
    part: &[u8],
    nodes: &dyn Nodes,
    out: &mut Vec<u8>,
) -> Result<RewriteCounts, Malformed> {
    let before = out.len();
    let Some(layout) = layout(api_key, version) else {
        out.extend_from_slice(part);
        return Ok(RewriteCounts::default());
    };
    let result = match layout {
        AddressLayout::Metadata => metadata::rewrite(version, part, nodes, out),
        AddressLayout::FindCoordinator => coordinator::rewrite(version, part, nodes, out),
        AddressLayout::DescribeCluster => cluster::rewrite(version, part, nodes, out),
        AddressLayout::DescribeQuorum => quorum::rewrite(part, nodes, out),
        AddressLayout::Produce
        | AddressLayout::Fetch
        | AddressLayout::ShareFetch
        | AddressLayout::ShareAcknowledge => tail::rewrite(layout, part, nodes, out),
    };
    if result.is_err() {
        out.truncate(before);
    }
    result
}

/// No addresses: withholds every node.
struct NoNodes;

impl Nodes for NoNodes {
    fn advertised(&self, _node_id: i32) -> Option<Advertised<'_>> {
        None
    }
}
