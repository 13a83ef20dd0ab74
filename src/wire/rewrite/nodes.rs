//! Lists of nodes. Metadata, DescribeCluster and NodeEndpoints share one shape:
//! `{id i32, host str, port i32, rack nullable str, …, tags}`.

use super::super::cursor::{ReadError, Reader, Writer};
use super::{Advertised, NodeRef, Nodes, RewriteCounts};

/// Which optional fields follow the port.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub rack: bool,
    pub fenced: bool,
}

/// What KIP-951 calls `NodeEndpoint`.
pub(super) const ENDPOINT: Shape = Shape {
    rack: true,
    fenced: false,
};

/// Smallest node on the wire: id, an empty compact host, port.
const SMALLEST: usize = 4 + 1 + 4;

/// One node, and the bytes behind its port, which stay as they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct NodeEntry<'a> {
    pub node: NodeRef<'a>,
    pub suffix: &'a [u8],
}

/// A list whose end is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct NodeList<'a> {
    bytes: &'a [u8],
    count: usize,
    shape: Shape,
    flexible: bool,
}

impl<'a> NodeList<'a> {
    /// Reads the list at the reader, count included.
    ///
    /// # Errors
    /// The bytes end too early, or are no such list.
    pub(super) fn read(reader: &mut Reader<'a>, shape: Shape, flexible: bool) -> Result<Self, ReadError> {
        let count = reader.array_len(SMALLEST)?;
        let start = reader.position();
        for _ in 0..count {
            read_entry(reader, shape)?;
        }
        Ok(Self {
            bytes: reader.since(start),
            count,
            shape,
            flexible,
        })
    }

    pub(super) const fn empty(flexible: bool) -> Self {
        Self {
            bytes: &[],
            count: 0,
            shape: ENDPOINT,
            flexible,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.count
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = NodeEntry<'a>> + use<'a> {
        let mut reader = Reader::new(self.bytes, self.flexible);
        let shape = self.shape;
        (0..self.count).map_while(move |_| read_entry(&mut reader, shape).ok())
    }

    pub(super) fn visit(&self, visit: &mut dyn FnMut(NodeRef<'_>)) {
        self.entries().for_each(|entry| visit(entry.node));
    }

    /// The entries for whose node kproxy has an address, with that address.
    pub(super) fn advertised<'n>(
        &self,
        nodes: &'n dyn Nodes,
    ) -> impl Iterator<Item = (NodeEntry<'a>, Advertised<'n>)> + use<'a, 'n> {
        self.entries()
            .filter_map(|entry| Some((entry, nodes.advertised(entry.node.id)?)))
    }

    /// Writes count and entries, addresses replaced, withheld nodes left out.
    pub(super) fn write(&self, writer: &mut Writer<'_>, nodes: &dyn Nodes) -> RewriteCounts {
        writer.array_len(self.advertised(nodes).count());
        self.write_entries(writer, nodes)
    }

    /// Writes the entries without their count, addresses replaced, withheld nodes left out.
    pub(super) fn write_entries(&self, writer: &mut Writer<'_>, nodes: &dyn Nodes) -> RewriteCounts {
        let mut rewritten = 0;
        for (entry, address) in self.advertised(nodes) {
            entry.write_head(writer, address);
            writer.raw(entry.suffix);
            rewritten += 1;
        }
        RewriteCounts {
            rewritten,
            withheld: self.count as u32 - rewritten,
        }
    }
}

impl NodeEntry<'_> {
    /// Writes the entry up to its port, with another address.
    pub(super) fn write_head(&self, writer: &mut Writer<'_>, address: Advertised<'_>) {
        writer.i32(self.node.id);
        writer.string(address.host.as_bytes());
        writer.i32(address.port.into());
    }
}

fn read_entry<'a>(reader: &mut Reader<'a>, shape: Shape) -> Result<NodeEntry<'a>, ReadError> {
    let mut node = NodeRef {
        id: reader.i32()?,
        host: reader.string()?,
        port: reader.i32()?,
        rack: None,
    };
    let start = reader.position();
    if shape.rack {
        node.rack = reader.nullable_string()?;
    }
    if shape.fenced {
        reader.skip(1)?;
    }
    reader.tags()?;
    Ok(NodeEntry {
        node,
        suffix: reader.since(start),
    })
}
