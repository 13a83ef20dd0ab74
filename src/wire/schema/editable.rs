//! Messages as records, whose fields can be read by name, changed, and written again.

mod edit;

use std::borrow::Cow;

use super::super::Malformed;
use super::Direction;
use super::row::{FieldRow, FieldType, NO_TAG, StructRow};
use super::walk::{Encoding, ShapeWalk};

/// A message, or a structure in it. What nobody asks for stays as it is on the wire.
///
/// Fields have the names of Kafka's schemas, in snake case. A field that this version does not have reads as its default,
/// and setting it does nothing: code that builds answers need not know the versions.
#[derive(Debug, Clone)]
pub struct Editable<'a> {
    row: &'static StructRow,
    encoding: Encoding,
    /// One for each plain field that this version has, in the order of the wire.
    plain: Vec<EditableValue<'a>>,
    /// Tagged fields that are there, in ascending order of their numbers.
    tagged: Vec<(u32, EditableValue<'a>)>,
}

#[derive(Debug, Clone)]
enum EditableValue<'a> {
    /// Bytes as they are on the wire.
    Wire(Cow<'a, [u8]>),
    Structure(Option<Box<Editable<'a>>>),
    List(Option<Vec<Editable<'a>>>),
}

/// Text in place of text that is not UTF-8. No topic, group or transactional id of a broker has such a name.
const NO_TEXT: &str = "\u{fffd}";

impl<'a> Editable<'a> {
    /// Reads a whole message body of a known version.
    ///
    /// # Errors
    /// Which part of the body is malformed, or that the version is not known.
    pub fn read(api_key: i16, direction: Direction, version: i16, body: &'a [u8]) -> Result<Self, Malformed> {
        let (row, encoding) =
            super::find(api_key, direction, version).ok_or(Malformed::new("version: it is not known"))?;
        let mut walk = ShapeWalk::new(body, 0, encoding);
        let record = Self::of_walk(row.root, &mut walk)?;
        if walk.remaining() > 0 {
            return Err(Malformed::new("body: it is too long"));
        }
        Ok(record)
    }

    fn of_walk(row: &'static StructRow, walk: &mut ShapeWalk<'a>) -> Result<Self, Malformed> {
        let mut plain = Vec::with_capacity(row.plain.len());
        let version = walk.encoding.version;
        for field in row.plain.iter().filter(|field| field.is_in(version)) {
            let start = walk.at;
            walk.field(field, &mut ())?;
            plain.push(wire(walk, start));
        }
        let mut record = Self {
            row,
            encoding: walk.encoding,
            plain,
            tagged: Vec::new(),
        };
        record.read_tags(walk)?;
        Ok(record)
    }

    fn read_tags(&mut self, walk: &mut ShapeWalk<'a>) -> Result<(), Malformed> {
        let start = walk.at;
        walk.tags(self.row, &mut ())?;
        if walk.at <= start + 1 {
            return Ok(());
        }
        let mut tags = ShapeWalk::new(walk.bytes, start, walk.encoding);
        for _ in 0..tags.uvarint()? {
            let tag = tags.uvarint()?;
            let size = tags.uvarint()? as usize;
            let content = tags.at;
            tags.skip(size)?;
            self.tagged.push((tag, wire(&tags, content)));
        }
        Ok(())
    }

    /// Whether this version has the field.
    pub fn has(&self, name: &str) -> bool {
        self.row.find(name, self.encoding.version).is_some()
    }

    /// Whether some version has the field.
    pub fn has_ever(&self, name: &str) -> bool {
        self.row.knows(name)
    }

    fn row_of(&self, name: &str) -> Option<&'static FieldRow> {
        self.row.find(name, self.encoding.version)
    }

    fn get(&self, name: &str) -> Option<(&'static FieldRow, &EditableValue<'a>)> {
        let row = self.row_of(name)?;
        let value = if row.tag != NO_TAG {
            let mut tagged = self.tagged.iter();
            &tagged.find(|(tag, _)| *tag == u32::from(row.tag))?.1
        } else {
            self.plain.get(self.position(row))?
        };
        Some((row, value))
    }

    fn position(&self, row: &FieldRow) -> usize {
        let fields = self.row.plain.iter();
        let mut fields = fields.filter(|field| field.is_in(self.encoding.version));
        fields
            .position(|field| std::ptr::eq(field, row))
            .unwrap_or(usize::MAX)
    }

    /// The content of a text, of bytes or of records; `None` if it is null or this version has none.
    pub fn content(&self, name: &str) -> Option<&[u8]> {
        let (row, value) = self.get(name)?;
        let EditableValue::Wire(bytes) = value else {
            return None;
        };
        let mut walk = ShapeWalk::new(bytes, 0, self.encoding);
        walk.content(row).ok()?
    }

    /// The text of a field; `None` if it is null or this version has none.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.content(name)
            .map(|bytes| std::str::from_utf8(bytes).unwrap_or(NO_TEXT))
    }

    /// An id; `None` if this version has none.
    pub fn id(&self, name: &str) -> Option<[u8; 16]> {
        match self.get(name)?.1 {
            EditableValue::Wire(bytes) => bytes.first_chunk::<16>().copied(),
            EditableValue::Structure(_) | EditableValue::List(_) => None,
        }
    }

    /// A number, or 1 and 0 for true and false. The default if this version does not have the field.
    pub fn int(&self, name: &str) -> i64 {
        let Some((_, EditableValue::Wire(bytes))) = self.get(name) else {
            let mut all = self.row.plain.iter().chain(self.row.tagged);
            return all.find(|row| row.name == name).map_or(0, |row| row.default);
        };
        let mut wide = [if bytes.first().is_some_and(|byte| *byte >= 0x80) {
            0xff
        } else {
            0
        }; 8];
        let length = bytes.len().min(8);
        wide[8 - length..].copy_from_slice(&bytes[..length]);
        i64::from_be_bytes(wide)
    }

    /// Whether a field is null, or not in this version.
    pub fn is_null(&self, name: &str) -> bool {
        let Some((row, value)) = self.get(name) else {
            return true;
        };
        match value {
            EditableValue::Structure(structure) => structure.is_none(),
            EditableValue::List(list) => list.is_none(),
            EditableValue::Wire(bytes) => {
                let mut walk = ShapeWalk::new(bytes, 0, self.encoding);
                match (row.is_array, row.kind) {
                    (false, FieldType::Struct(_)) => !walk.is_present(row).unwrap_or(true),
                    (true, _) | (false, FieldType::Text | FieldType::Bytes) => {
                        walk.length(row).unwrap_or_default().is_none()
                    }
                    _ => false,
                }
            }
        }
    }

    /// The numbers of an array of 32-bit numbers; empty if it is null.
    pub fn ints(&self, name: &str) -> Vec<i32> {
        let Some((row, EditableValue::Wire(bytes))) = self.get(name) else {
            return Vec::new();
        };
        let mut walk = ShapeWalk::new(bytes, 0, self.encoding);
        if walk.length(row).is_err() {
            return Vec::new();
        }
        let (numbers, _) = bytes[walk.at..].as_chunks::<4>();
        numbers.iter().map(|number| i32::from_be_bytes(*number)).collect()
    }

    /// The texts of an array; empty if it is null.
    pub fn texts(&self, name: &str) -> Vec<&str> {
        let Some((row, EditableValue::Wire(bytes))) = self.get(name) else {
            return Vec::new();
        };
        let mut walk = ShapeWalk::new(bytes, 0, self.encoding);
        let count = walk.count(row).ok().flatten().unwrap_or(0);
        let mut texts = Vec::with_capacity(count);
        for _ in 0..count {
            let text = walk.element_content(row).unwrap_or_default();
            texts.push(std::str::from_utf8(text).unwrap_or(NO_TEXT));
        }
        texts
    }

    /// Makes a copy of what it borrows.
    pub fn owned<'b>(self) -> Editable<'b> {
        let owned = |value| match value {
            EditableValue::Wire(bytes) => EditableValue::Wire(Cow::Owned(bytes.into_owned())),
            EditableValue::Structure(inner) => {
                EditableValue::Structure(inner.map(|inner| Box::new(inner.owned())))
            }
            EditableValue::List(list) => {
                EditableValue::List(list.map(|list| list.into_iter().map(Editable::owned).collect()))
            }
        };
        Editable {
            row: self.row,
            encoding: self.encoding,
            plain: self.plain.into_iter().map(owned).collect(),
            tagged: self
                .tagged
                .into_iter()
                .map(|(tag, value)| (tag, owned(value)))
                .collect(),
        }
    }
}

fn wire<'a>(walk: &ShapeWalk<'a>, start: usize) -> EditableValue<'a> {
    EditableValue::Wire(Cow::Borrowed(walk.bytes.get(start..walk.at).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::super::{Draft, api_keys, request_versions};
    use super::*;

    /// Every message in every version.
    fn all() -> impl Iterator<Item = (i16, Direction, i16)> {
        api_keys().flat_map(|key| {
            let versions = request_versions(key).into_iter();
            let versions = versions.flat_map(|versions| versions.first..=versions.last);
            versions.flat_map(move |version| {
                [Direction::Request, Direction::Response].map(|way| (key, way, version))
            })
        })
    }

    #[test]
    fn a_new_message_has_the_defaults_of_the_schema() {
        for (key, way, version) in all() {
            let written = Editable::new(key, way, version).unwrap().write();
            let drafted = Draft::new(key, way, version).unwrap().encode();
            assert_eq!(written, drafted, "{key} {way:?} {version}");
        }
    }

    #[test]
    fn what_is_not_changed_is_written_as_it_was() {
        for (key, way, version) in all() {
            let body = Draft::new(key, way, version).unwrap().encode();
            let read = Editable::read(key, way, version, &body).unwrap();
            assert_eq!(read.write(), body, "{key} {way:?} {version}");
            assert_eq!(read.owned().write(), body, "{key} {way:?} {version}");
        }
    }

    #[test]
    fn elements_are_read_changed_and_added() {
        for version in [1, 12] {
            let mut answer = Editable::new(3, Direction::Response, version).unwrap();
            let mut topic = answer.element("topics");
            topic.set_text("name", Some("orders"));
            topic.set_id("topic_id", [7; 16]);
            let mut partition = topic.element("partitions");
            partition.set_int("partition_index", 5);
            partition.set_ints("replica_nodes", &[1, -2]);
            topic.set_list("partitions", vec![partition]);
            answer.extend("topics", [topic]);
            let body = answer.write();
            let mut read = Editable::read(3, Direction::Response, version, &body).unwrap();
            let topics = read.list("topics").unwrap();
            assert_eq!(topics[0].text("name"), Some("orders"));
            assert_eq!(topics[0].id("topic_id"), (version == 12).then_some([7; 16]));
            let partition = &topics[0].list("partitions").unwrap()[0];
            assert_eq!(
                (partition.int("partition_index"), partition.ints("replica_nodes")),
                (5, vec![1, -2])
            );
            topics.clear();
            let empty = Editable::new(3, Direction::Response, version).unwrap().write();
            assert_eq!(read.write(), empty);
        }
    }

    #[test]
    fn tagged_fields_stay_in_order() {
        let mut request = Editable::new(1, Direction::Request, 15).unwrap();
        assert!(request.is_null("cluster_id"));
        request
            .structure("replica_state")
            .unwrap()
            .set_int("replica_id", 3);
        request.set_text("cluster_id", Some("c"));
        let body = request.write();
        let mut read = Editable::read(1, Direction::Request, 15, &body).unwrap();
        assert_eq!(read.text("cluster_id"), Some("c"));
        assert_eq!(read.structure("replica_state").unwrap().int("replica_id"), 3);
    }

    #[test]
    fn a_field_that_a_version_lacks_reads_as_its_default_and_is_not_written() {
        let mut answer = Editable::new(1, Direction::Response, 4).unwrap();
        answer.set_int("session_id", 9);
        assert_eq!(answer.int("session_id"), 0);
        assert_eq!(answer.text("session_id"), None);
        assert_eq!(
            answer.write(),
            Editable::new(1, Direction::Response, 4).unwrap().write()
        );
    }

    #[test]
    fn a_malformed_body_is_refused() {
        let body = Editable::new(3, Direction::Request, 12).unwrap().write();
        assert!(Editable::read(3, Direction::Request, 12, &body[..body.len() - 1]).is_err());
        assert!(Editable::read(3, Direction::Request, 12, &[&body[..], b"x"].concat()).is_err());
        assert!(Editable::read(3, Direction::Request, 12, &[0xff; 9]).is_err());
        assert!(Editable::read(3, Direction::Request, 99, &body).is_err());
    }
}
