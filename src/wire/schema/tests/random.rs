//! Arbitrary bodies of every API and version, written from the tables.

use super::super::row::{FieldRow, FieldType, StructRow};
use super::super::table::MESSAGES;
use super::super::walk::Encoding;
use super::super::{Direction, NO_VERSION};
use crate::wire::cursor::Writer;

/// Every API, direction and version of the tables.
pub(super) fn every_version() -> impl Iterator<Item = (i16, Direction, i16)> {
    MESSAGES.iter().flat_map(|row| {
        let versions = row.first..=row.last;
        versions.map(|version| (row.api, row.direction, version.into()))
    })
}

/// A source of values: SplitMix64.
pub(super) struct Random(pub u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn up_to(&mut self, most: u64) -> usize {
        (self.next() % (most + 1)) as usize
    }

    fn text(&mut self) -> Vec<u8> {
        // Lengths around the one where a compact length takes another byte.
        let length = match self.up_to(9) {
            0 => 0,
            1 => 125 + self.up_to(4),
            _ => 1 + self.up_to(20),
        };
        (0..length).map(|_| b'a' + self.up_to(25) as u8).collect()
    }
}

/// An arbitrary body of this message.
pub(super) fn body(api_key: i16, direction: Direction, version: i16, random: &mut Random) -> Vec<u8> {
    let version = u8::try_from(version).unwrap();
    let mut rows = MESSAGES.iter();
    let row = rows
        .find(|row| {
            (row.api, row.direction) == (api_key, direction) && row.first <= version && version <= row.last
        })
        .unwrap();
    let flexible = row.first_flexible != NO_VERSION && version >= row.first_flexible;
    let mut out = Vec::new();
    structure(row.root, Encoding { version, flexible }, random, &mut out);
    out
}

fn structure(row: &StructRow, encoding: Encoding, random: &mut Random, out: &mut Vec<u8>) {
    for field in row.plain.iter().filter(|field| field.is_in(encoding.version)) {
        let null = field.is_nullable(encoding.version) && random.up_to(3) == 0;
        write_field(field, encoding, null, random, out);
    }
    if encoding.flexible {
        tags(row, encoding, random, out);
    }
}

fn tags(row: &StructRow, encoding: Encoding, random: &mut Random, out: &mut Vec<u8>) {
    let mut fields: Vec<(u32, Vec<u8>)> = Vec::new();
    for field in row.tagged.iter().filter(|field| field.is_in(encoding.version)) {
        if random.up_to(2) == 0 {
            let mut content = Vec::new();
            write_field(field, encoding, false, random, &mut content);
            fields.push((field.tag.into(), content));
        }
    }
    if random.up_to(5) == 0 {
        let tag = 100 + random.up_to(100_000) as u32;
        fields.push((tag, random.text()));
    }
    let mut writer = Writer::new(out, true);
    writer.uvarint(fields.len() as u32);
    for (tag, content) in fields {
        writer.uvarint(tag);
        writer.uvarint(content.len() as u32);
        writer.raw(&content);
    }
}

fn write_field(row: &FieldRow, encoding: Encoding, null: bool, random: &mut Random, out: &mut Vec<u8>) {
    if row.is_array {
        if null {
            out.extend_from_slice(if encoding.flexible { &[0] } else { &[0xff; 4] });
            return;
        }
        let least = u64::from(row.tag != u8::MAX);
        let count = least as usize + random.up_to(2);
        Writer::new(out, encoding.flexible).array_len(count);
        for _ in 0..count {
            value(row, encoding, random, out);
        }
        return;
    }
    match row.kind {
        FieldType::Struct(_) if row.is_nullable(encoding.version) => {
            out.push(if null { 0xff } else { 1 });
            if !null {
                value(row, encoding, random, out);
            }
        }
        FieldType::Text if null => out.extend_from_slice(if encoding.flexible { &[0] } else { &[0xff; 2] }),
        FieldType::Bytes if null => out.extend_from_slice(if encoding.flexible { &[0] } else { &[0xff; 4] }),
        _ => value(row, encoding, random, out),
    }
}

fn value(row: &FieldRow, encoding: Encoding, random: &mut Random, out: &mut Vec<u8>) {
    // What says of which type something is has few values.
    if row.name.starts_with("resource_type") || row.name == "key_type" {
        out.push([0, 1, 2, 3, 5, 16, 32][random.up_to(6)]);
        return;
    }
    match row.kind {
        FieldType::Bool => out.push(1),
        FieldType::Struct(inner) => structure(inner, encoding, random, out),
        FieldType::Text => Writer::new(out, encoding.flexible).string(&random.text()),
        FieldType::Bytes => {
            let bytes = random.text();
            let mut writer = Writer::new(out, encoding.flexible);
            writer.array_len(bytes.len());
            writer.raw(&bytes);
        }
        fixed => out.extend((0..fixed.width()).map(|_| 1 + random.up_to(100) as u8)),
    }
}
