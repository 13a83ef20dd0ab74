//! Rewriting the tail of a response whose size has already been announced.
//!
//! A frame begins with its size, NodeEndpoints are its last element, and a Fetch response may be far too large to
//! be gathered first. So the size goes out before the tail is known, and the tail is made to fit it:
//!
//! 1. Before the first byte goes out, the announced size is raised by [`growth_reserve`]: the most that the addresses
//!    of the nodes known for the cluster can grow the tail by.
//! 2. At the end [`fit_tail`] writes the rewritten tail and fills what is left of the reserve with a tagged field of
//!    an unassigned number, which every client skips, as KIP-482 asks of it. The smallest tagged field is two
//!    bytes, number and length; a difference of one byte goes into a longer than necessary encoding of the number
//!    of fields, which the varint loops of all clients accept.
//! 3. Where the reserve does not suffice (a node that was not known before), racks are dropped, then whole endpoints. They
//!    are hints: without one, a client asks for Metadata. An address that was not rewritten never stays.

use super::super::Malformed;
use super::super::cursor::{Writer, uvarint_len};
use super::tail::{NodeEntries, Tail};
use super::{Nodes, RewriteCounts, layout};

/// Number of the tagged field that fills up a tail, unless a higher one is present. Kafka hands numbers out from 0
/// upwards and is nowhere near; one byte on the wire.
const FILLER_TAG: u32 = 127;

/// Outcome of [`fit_tail`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fit {
    /// Addresses replaced, and those removed because kproxy has none for the node.
    pub counts: RewriteCounts,
    /// Endpoints left out for lack of room, in neither number of `counts`.
    pub dropped: u32,
    /// Racks (and tagged fields of single endpoints) were left out for lack of room.
    pub racks_dropped: bool,
}

/// Appends `tail` with its addresses replaced to `out`, in exactly `exact_len` bytes.
///
/// Succeeds for every well-formed tail if `exact_len` is at least `tail.len()`, except one that no broker sends:
/// with over a hundred tagged fields, or field numbers of 2^28 and up, no filler may fit.
///
/// # Errors
/// The tail is malformed or cannot be made to fit; `out` is as it was before.
pub fn fit_tail(
    api_key: i16,
    version: i16,
    tail: &[u8],
    nodes: &dyn Nodes,
    exact_len: usize,
    out: &mut Vec<u8>,
) -> Result<Fit, Malformed> {
    let layout = layout(api_key, version).ok_or(Malformed::new("tail: no known layout"))?;
    let tail = Tail::read(layout, tail)?;
    let mut bytes = Vec::new();
    let fit = choose(&tail, nodes, exact_len, &mut bytes);
    let list = NodeEntries {
        count: fit.counts.rewritten as usize,
        bytes: &bytes,
    };
    let missing = exact_len
        .checked_sub(tail.len_with(list.count, bytes.len()))
        .ok_or(Malformed::new("tail: it does not fit"))?;
    let tag_count = tail.tag_count(list.count);
    let filler = Filler::new(missing, tag_count, tail.highest_other)
        .ok_or(Malformed::new("tail: its tagged fields cannot be padded"))?;
    let mut writer = Writer::new(out, true);
    tail.write(
        &list,
        tag_count + u32::from(filler.field.is_some()),
        filler.count_len,
        &mut writer,
    );
    if let Some(field) = filler.field {
        writer.uvarint(field.tag);
        writer.uvarint_of_len(field.zeros, field.size_len);
        out.resize(out.len() + field.zeros as usize, 0);
    }
    Ok(fit)
}

/// Bytes by which to raise an announced size: how much longer than the original a rewritten tail can be.
///
/// `hosts` has one item for each node that the cluster may name: the length of the host that the broker advertises (0 if
/// it is not known) and of the host that replaces it. Never less than two, so that a tail without endpoints, the usual
/// one, is filled up with a field in its ordinary encoding.
pub fn growth_reserve(hosts: impl IntoIterator<Item = (usize, usize)>) -> usize {
    /// The size of the field of endpoints may need four bytes more than before.
    const SIZE_GROWTH: usize = 4;
    const LEAST: usize = 2;
    let growth: usize = hosts
        .into_iter()
        .map(|(broker, ours)| string_len(ours).saturating_sub(string_len(broker)))
        .sum();
    LEAST + SIZE_GROWTH + growth
}

const fn string_len(length: usize) -> usize {
    uvarint_len(length as u32 + 1) + length
}

/// Encodes as much of the endpoints as fits: all as they are, or else all that fit with nothing but an address.
fn choose(tail: &Tail<'_>, nodes: &dyn Nodes, exact_len: usize, bytes: &mut Vec<u8>) -> Fit {
    let counts = tail.endpoints.write_entries(&mut Writer::new(bytes, true), nodes);
    if tail.len_with(counts.rewritten as usize, bytes.len()) <= exact_len {
        return Fit {
            counts,
            dropped: 0,
            racks_dropped: false,
        };
    }
    bytes.clear();
    let mut kept = 0;
    for (entry, address) in tail.endpoints.advertised(nodes) {
        let before = bytes.len();
        let mut writer = Writer::new(bytes, true);
        entry.write_head(&mut writer, address);
        writer.raw(&[0, 0]); // no rack, no tagged fields
        if tail.len_with(kept + 1, bytes.len()) <= exact_len {
            kept += 1;
        } else {
            bytes.truncate(before);
        }
    }
    let kept = kept as u32;
    Fit {
        counts: RewriteCounts {
            rewritten: kept,
            ..counts
        },
        dropped: counts.rewritten - kept,
        racks_dropped: true,
    }
}

/// Bytes that have been announced but are not needed, and how they are written.
struct Filler {
    /// Bytes for the number of tagged fields.
    count_len: usize,
    field: Option<FillerField>,
}

struct FillerField {
    tag: u32,
    zeros: u32,
    size_len: usize,
}

impl Filler {
    /// A filler of exactly `missing` bytes behind `tag_count` fields, of which `highest` is the last.
    fn new(missing: usize, tag_count: u32, highest: Option<u32>) -> Option<Self> {
        let shortest = uvarint_len(tag_count);
        if missing == 0 {
            return Some(Self {
                count_len: shortest,
                field: None,
            });
        }
        if let Some(tag) = highest.map_or(Some(FILLER_TAG), |highest| highest.checked_add(1)) {
            let tag = tag.max(FILLER_TAG);
            let count_len = uvarint_len(tag_count + 1);
            let overhead = count_len - shortest + uvarint_len(tag);
            if let Some((size_len, zeros)) = missing.checked_sub(overhead).and_then(content) {
                return Some(Self {
                    count_len,
                    field: Some(FillerField { tag, zeros, size_len }),
                });
            }
        }
        let count_len = shortest + missing;
        (count_len <= 5).then_some(Self {
            count_len,
            field: None,
        })
    }
}

/// Splits `room` into the bytes of a size and the content of that size.
fn content(room: usize) -> Option<(usize, u32)> {
    (1..=5).find_map(|size_len| {
        let zeros = u32::try_from(room.checked_sub(size_len)?).ok()?;
        (uvarint_len(zeros) <= size_len).then_some((size_len, zeros))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_difference_can_be_filled() {
        for (tag_count, highest) in [
            (0, None),
            (1, Some(0)),
            (1, Some(126)),
            (3, Some(127)),
            (126, Some(1 << 27)),
        ] {
            for missing in (0..1000).chain([16_383, 16_384, 16_385, 16_390, 2_097_160, 20_000_000]) {
                let filler = Filler::new(missing, tag_count, highest).unwrap();
                let field = filler.field.map_or(0, |field| {
                    assert!(highest.is_none_or(|highest| field.tag > highest));
                    uvarint_len(field.tag) + field.size_len + field.zeros as usize
                });
                assert_eq!(filler.count_len + field, uvarint_len(tag_count) + missing);
            }
        }
    }

    #[test]
    fn only_one_byte_needs_an_unusual_encoding() {
        for missing in 2..1000 {
            let filler = Filler::new(missing, 0, None).unwrap();
            assert_eq!(filler.count_len, 1);
        }
        assert_eq!(Filler::new(1, 0, None).unwrap().count_len, 2);
    }
}
