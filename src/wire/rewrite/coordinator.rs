//! FindCoordinator (`FindCoordinatorResponse.json`): one coordinator up to version 3, an array of them since (KIP-699).
//!
//! An entry with an error names no node (id −1, empty host, port −1) and passes. A coordinator that is withheld becomes
//! such an entry with a retriable error, so that the client asks again.

use super::super::Malformed;
use super::super::api::{ApiKey, body_is_flexible};
use super::super::cursor::{ReadError, Reader, Writer};
use super::super::schema::{self, Direction};
use super::{Advertised, Listing, NodeRef, Nodes, RewriteCounts};

const FIRST_WITH_ARRAY: i16 =
    schema::first_with(ApiKey::FIND_COORDINATOR, Direction::Response, &["coordinators"]);
const FIRST_WITH_THROTTLE: i16 = schema::first_with(
    ApiKey::FIND_COORDINATOR,
    Direction::Response,
    &["throttle_time_ms"],
);
const FIRST_WITH_MESSAGE: i16 =
    schema::first_with(ApiKey::FIND_COORDINATOR, Direction::Response, &["error_message"]);
const COORDINATOR_NOT_AVAILABLE: i16 = 15;
/// Smallest entry: an empty key, id, an empty host, port, error, no message, no tags.
const SMALLEST: usize = 1 + 4 + 1 + 4 + 2 + 1 + 1;

const NO_NODE: NodeRef<'static> = NodeRef {
    id: -1,
    host: b"",
    port: -1,
    rack: None,
};

pub(super) fn visit(
    version: i16,
    part: &[u8],
    visit: &mut dyn FnMut(NodeRef<'_>),
) -> Result<Listing, Malformed> {
    walk(version, part, &mut |coordinator| {
        if coordinator.error == 0 && coordinator.node.id >= 0 {
            visit(coordinator.node);
        }
    })?;
    Ok(Listing::Partial)
}

pub(super) fn rewrite(
    version: i16,
    part: &[u8],
    nodes: &dyn Nodes,
    out: &mut Vec<u8>,
) -> Result<RewriteCounts, Malformed> {
    let flexible = body_is_flexible(ApiKey::FIND_COORDINATOR, version);
    let mut writer = Writer::new(out, flexible);
    let mut counts = RewriteCounts::default();
    let mut copied = 0;
    walk(version, part, &mut |coordinator| {
        let action = EntryAction::of(&coordinator, nodes);
        writer.raw(part.get(copied..coordinator.start).unwrap_or_default());
        coordinator.write(version, &action, &mut writer);
        copied = coordinator.end;
        match action {
            EntryAction::Keep => {}
            EntryAction::Replace(_) => counts.rewritten += 1,
            EntryAction::Withhold => counts.withheld += 1,
        }
    })?;
    writer.raw(part.get(copied..).unwrap_or_default());
    Ok(counts)
}

/// What becomes of one entry.
enum EntryAction<'a> {
    /// It stays as it is: it reports an error.
    Keep,
    /// It names the coordinator by this address.
    Replace(Advertised<'a>),
    /// It reports `COORDINATOR_NOT_AVAILABLE` and names no node.
    Withhold,
}

impl<'a> EntryAction<'a> {
    fn of(coordinator: &Coordinator<'_>, nodes: &'a dyn Nodes) -> Self {
        if coordinator.error != 0 {
            return Self::Keep;
        }
        let id = coordinator.node.id;
        // Without an error there has to be a node; kproxy has no address for a negative id.
        let address = if id >= 0 { nodes.advertised(id) } else { None };
        address.map_or(Self::Withhold, Self::Replace)
    }
}

/// One coordinator, and the span of its rewritable fields within the body.
struct Coordinator<'a> {
    error: i16,
    /// The message as encoded; nothing where the version has none.
    message: &'a [u8],
    node: NodeRef<'a>,
    start: usize,
    end: usize,
}

impl Coordinator<'_> {
    /// Writes the span from `start` to `end`.
    fn write(&self, version: i16, action: &EntryAction<'_>, writer: &mut Writer<'_>) {
        let (error, node) = match action {
            EntryAction::Keep => (self.error, self.node),
            EntryAction::Replace(address) => {
                let replaced = NodeRef {
                    id: self.node.id,
                    host: address.host.as_bytes(),
                    port: address.port.into(),
                    rack: None,
                };
                (self.error, replaced)
            }
            EntryAction::Withhold => (COORDINATOR_NOT_AVAILABLE, NO_NODE),
        };
        if version < FIRST_WITH_ARRAY {
            writer.i16(error);
            writer.raw(self.message);
        }
        writer.i32(node.id);
        writer.string(node.host);
        writer.i32(node.port);
        if version >= FIRST_WITH_ARRAY {
            writer.i16(error);
            writer.raw(self.message);
        }
    }
}

/// Shows every coordinator in a body, which has to be whole.
fn walk<'a>(version: i16, body: &'a [u8], show: &mut dyn FnMut(Coordinator<'a>)) -> Result<(), Malformed> {
    let mut reader = Reader::new(body, body_is_flexible(ApiKey::FIND_COORDINATOR, version));
    if version >= FIRST_WITH_THROTTLE {
        reader.skip(4)?;
    }
    if version >= FIRST_WITH_ARRAY {
        for _ in 0..reader.array_len(SMALLEST)? {
            show(read_in_array(&mut reader)?);
        }
    } else {
        show(read_alone(&mut reader, version)?);
    }
    reader.tags()?;
    reader.finish()
}

/// `err i16, msg nstr:1+, id i32, host str, port i32`
fn read_alone<'a>(reader: &mut Reader<'a>, version: i16) -> Result<Coordinator<'a>, ReadError> {
    let start = reader.position();
    let error = reader.i16()?;
    let message_start = reader.position();
    if version >= FIRST_WITH_MESSAGE {
        reader.nullable_string()?;
    }
    let message = reader.since(message_start);
    let node = read_node(reader)?;
    Ok(Coordinator {
        error,
        message,
        node,
        start,
        end: reader.position(),
    })
}

/// `key str, id i32, host str, port i32, err i16, msg nstr, tags`
fn read_in_array<'a>(reader: &mut Reader<'a>) -> Result<Coordinator<'a>, ReadError> {
    reader.string()?;
    let start = reader.position();
    let node = read_node(reader)?;
    let error = reader.i16()?;
    let message_start = reader.position();
    reader.nullable_string()?;
    let message = reader.since(message_start);
    let end = reader.position();
    reader.tags()?;
    Ok(Coordinator {
        error,
        message,
        node,
        start,
        end,
    })
}

fn read_node<'a>(reader: &mut Reader<'a>) -> Result<NodeRef<'a>, ReadError> {
    Ok(NodeRef {
        id: reader.i32()?,
        host: reader.string()?,
        port: reader.i32()?,
        rack: None,
    })
}
