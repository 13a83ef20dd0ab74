//! NodeEndpoints (KIP-951): the addresses of new leaders, at the end of an answer that reports moved partitions.
//!
//! Produce and Fetch have them as tagged field 0 of the body, ShareFetch and ShareAcknowledge as a plain array before
//! the body's tagged fields. All of these versions are flexible.

use super::super::Malformed;
use super::super::api::AddressLayout;
use super::super::cursor::{Reader, Writer, uvarint_len};
use super::nodes::{ENDPOINT, NodeList};
use super::{Listing, NodeRef, Nodes, RewriteCounts, layout};

const NODE_ENDPOINTS: u32 = 0;

/// Whether the first byte of a tail shows that it has no endpoints, so that it can pass as it is: by far the most common
/// case. A tail for which this is false may still have none.
#[inline]
pub fn tail_is_empty(api_key: i16, version: i16, tail: &[u8]) -> bool {
    layout(api_key, version).is_some_and(|layout| is_empty(layout, tail))
}

#[inline]
fn is_empty(layout: AddressLayout, tail: &[u8]) -> bool {
    if is_plain(layout) {
        // A count of no elements; the rest is tagged fields, none of which has addresses.
        matches!(tail, [1, ..])
    } else {
        tail == [0]
    }
}

pub(super) fn visit(
    layout: AddressLayout,
    part: &[u8],
    visit: &mut dyn FnMut(NodeRef<'_>),
) -> Result<Listing, Malformed> {
    Tail::read(layout, part)?.endpoints.visit(visit);
    Ok(Listing::Partial)
}

pub(super) fn rewrite(
    layout: AddressLayout,
    part: &[u8],
    nodes: &dyn Nodes,
    out: &mut Vec<u8>,
) -> Result<RewriteCounts, Malformed> {
    if is_empty(layout, part) {
        out.extend_from_slice(part);
        return Ok(RewriteCounts::default());
    }
    let tail = Tail::read(layout, part)?;
    let mut bytes = Vec::new();
    let counts = tail
        .endpoints
        .write_entries(&mut Writer::new(&mut bytes, true), nodes);
    let list = NodeEntries {
        count: counts.rewritten as usize,
        bytes: &bytes,
    };
    let tag_count = tail.tag_count(list.count);
    tail.write(
        &list,
        tag_count,
        uvarint_len(tag_count),
        &mut Writer::new(out, true),
    );
    Ok(counts)
}

/// Whether the endpoints are a plain array rather than a tagged field.
const fn is_plain(layout: AddressLayout) -> bool {
    matches!(
        layout,
        AddressLayout::ShareFetch | AddressLayout::ShareAcknowledge
    )
}

/// The parts of a tail.
pub(super) struct Tail<'a> {
    pub plain: bool,
    pub endpoints: NodeList<'a>,
    /// The tagged fields other than the endpoints, as they are on the wire.
    pub others: &'a [u8],
    pub other_count: u32,
    /// Highest number among them.
    pub highest_other: Option<u32>,
}

impl<'a> Tail<'a> {
    pub(super) fn read(layout: AddressLayout, part: &'a [u8]) -> Result<Self, Malformed> {
        let plain = is_plain(layout);
        let mut reader = Reader::new(part, true);
        let mut tail = Self {
            plain,
            endpoints: NodeList::empty(true),
            others: &[],
            other_count: 0,
            highest_other: None,
        };
        if plain {
            tail.endpoints = NodeList::read(&mut reader, ENDPOINT, true)?;
        }
        tail.read_tags(&mut reader)?;
        reader.finish()?;
        Ok(tail)
    }

    /// Tagged fields come in ascending order (KIP-482), so the endpoints' are first if they are there at all.
    /// Accepting another order would let a second list slip through unseen.
    fn read_tags(&mut self, reader: &mut Reader<'a>) -> Result<(), Malformed> {
        let fields = reader.uvarint()?;
        let mut others_start = reader.position();
        let mut previous = None;
        self.other_count = fields;
        for _ in 0..fields {
            let (tag, content) = reader.tagged_field()?;
            if previous.is_some_and(|previous| tag <= previous) {
                return Err(Malformed::new("tagged fields: they are out of order"));
            }
            previous = Some(tag);
            if tag == NODE_ENDPOINTS && !self.plain {
                let mut inner = Reader::new(content, true);
                self.endpoints = NodeList::read(&mut inner, ENDPOINT, true)?;
                inner.finish()?;
                others_start = reader.position();
                self.other_count -= 1;
            } else {
                self.highest_other = Some(tag);
            }
        }
        self.others = reader.since(others_start);
        Ok(())
    }

    /// Number of tagged fields when this many endpoints are left.
    pub(super) const fn tag_count(&self, endpoints: usize) -> u32 {
        if self.plain || endpoints == 0 {
            self.other_count
        } else {
            self.other_count + 1
        }
    }

    /// Length of the tail when `endpoints` endpoints of `entries_len` bytes are left, in the shortest form.
    pub(super) const fn len_with(&self, endpoints: usize, entries_len: usize) -> usize {
        let list = uvarint_len(endpoints as u32 + 1) + entries_len;
        let endpoints_len = if self.plain {
            list
        } else if endpoints == 0 {
            0
        } else {
            uvarint_len(NODE_ENDPOINTS) + uvarint_len(list as u32) + list
        };
        endpoints_len + uvarint_len(self.tag_count(endpoints)) + self.others.len()
    }

    /// Writes the tail with the given endpoints (already encoded), announcing `tag_count` tagged fields in a
    /// varint of `count_len` bytes. Fields beyond the tail's own are for the caller to append.
    pub(super) fn write(
        &self,
        list: &NodeEntries<'_>,
        tag_count: u32,
        count_len: usize,
        writer: &mut Writer<'_>,
    ) {
        if self.plain {
            writer.array_len(list.count);
            writer.raw(list.bytes);
            writer.uvarint_of_len(tag_count, count_len);
        } else {
            writer.uvarint_of_len(tag_count, count_len);
            if list.count > 0 {
                let list_len = uvarint_len(list.count as u32 + 1) + list.bytes.len();
                writer.uvarint(NODE_ENDPOINTS);
                writer.uvarint(list_len as u32);
                writer.array_len(list.count);
                writer.raw(list.bytes);
            }
        }
        writer.raw(self.others);
    }
}

/// Encoded endpoints, without their count.
pub(super) struct NodeEntries<'a> {
    pub count: usize,
    pub bytes: &'a [u8],
}
