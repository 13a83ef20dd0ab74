//! DescribeQuorum since version 2 (KIP-853, `DescribeQuorumResponse.json`): `err i16, msg nstr, topics[…], nodes[id i32, listeners[name, host,
//! port u16]]`. The listeners are those of controllers. No client dials them, but they are addresses: a node for which
//! kproxy has a broker address is shown with that, any other without listeners.

use super::super::Malformed;
use super::super::cursor::{ReadError, Reader, Writer};
use super::super::skip::{Op, Skipper};
use super::{Nodes, RewriteCounts};

/// Smallest node: id, no listeners, no tags.
const SMALLEST_NODE: usize = 4 + 1 + 1;
/// Smallest listener: empty name, empty host, port, no tags.
const SMALLEST_LISTENER: usize = 1 + 1 + 2 + 1;

/// Replica id, directory id, log end offset, last fetch and last caught-up time.
const REPLICA: &[Op] = &[Op::Fixed(4 + 16 + 8 + 8 + 8), Op::Tags];
/// Index and error, message, then leader, epoch and high watermark.
const PARTITION: &[Op] = &[
    Op::Fixed(4 + 2),
    Op::Compact,
    Op::Fixed(4 + 4 + 8),
    Op::Array(REPLICA),
    Op::Array(REPLICA),
    Op::Tags,
];
const TOPIC: &[Op] = &[Op::Compact, Op::Array(PARTITION), Op::Tags];
const BEFORE_NODES: &[Op] = &[Op::Fixed(2), Op::Compact, Op::Array(TOPIC)];

pub(super) fn rewrite(part: &[u8], nodes: &dyn Nodes, out: &mut Vec<u8>) -> Result<RewriteCounts, Malformed> {
    let before = Skipper::new(BEFORE_NODES, part.len()).advance(part)?.consumed;
    let (before, body) = part.split_at(before);
    let mut reader = Reader::new(body, true);
    let mut writer = Writer::new(out, true);
    let mut counts = RewriteCounts::default();
    writer.raw(before);
    let count = reader.array_len(SMALLEST_NODE)?;
    writer.array_len(count);
    for _ in 0..count {
        rewrite_node(&mut reader, &mut writer, nodes, &mut counts)?;
    }
    let suffix = reader.rest();
    reader.tags()?;
    reader.finish()?;
    writer.raw(suffix);
    Ok(counts)
}

fn rewrite_node(
    reader: &mut Reader<'_>,
    writer: &mut Writer<'_>,
    nodes: &dyn Nodes,
    counts: &mut RewriteCounts,
) -> Result<(), ReadError> {
    let id = reader.i32()?;
    let listeners = reader.array_len(SMALLEST_LISTENER)?;
    let address = nodes.advertised(id);
    writer.i32(id);
    writer.array_len(if address.is_some() { listeners } else { 0 });
    for _ in 0..listeners {
        let name = reader.string()?;
        reader.string()?;
        reader.u16()?;
        let tags = tags(reader)?;
        let Some(address) = address else {
            counts.withheld += 1;
            continue;
        };
        writer.string(name);
        writer.string(address.host.as_bytes());
        writer.u16(address.port);
        writer.raw(tags);
        counts.rewritten += 1;
    }
    writer.raw(tags(reader)?);
    Ok(())
}

/// A section of tagged fields as it is on the wire.
fn tags<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], ReadError> {
    let start = reader.position();
    reader.tags()?;
    Ok(reader.since(start))
}
