//! Messages as records, whose fields can be read by name, changed, and written again.

use std::borrow::Cow;

use super::super::Malformed;
use super::Direction;
use super::row::{FieldRow, FieldType, NO_TAG, NO_VERSION, StructRow};
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

    /// A message with the default of every field; `None` if the version is not known.
    pub fn new(api_key: i16, direction: Direction, version: i16) -> Option<Self> {
        let (row, encoding) = super::find(api_key, direction, version)?;
        Some(Self::of_defaults(row.root, encoding))
    }

    fn of_defaults(row: &'static StructRow, encoding: Encoding) -> Self {
        let fields = row.plain.iter().filter(|field| field.is_in(encoding.version));
        Self {
            row,
            encoding,
            plain: fields.map(|field| default(field, encoding)).collect(),
            tagged: Vec::new(),
        }
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

    /// An element with the default of every field for the array `list`, or the structure of this name.
    pub fn element(&self, list: &str) -> Editable<'static> {
        match self.row_of(list).map(|field| field.kind) {
            Some(FieldType::Struct(row)) => Editable::of_defaults(row, self.encoding),
            _ => Editable::of_defaults(&NOTHING, self.encoding),
        }
    }

    /// Whether this version has the field.
    pub fn has(&self, name: &str) -> bool {
        self.row.find(name, self.encoding.version).is_some()
    }

    /// Whether some version has the field.
    pub fn has_ever(&self, name: &str) -> bool {
        self.row.knows(name)
    }

    /// Sets a structure to null.
    pub fn set_absent(&mut self, name: &str) {
        let Some(row) = self.row_of(name) else { return };
        if let Some(place) = self.place(row) {
            *place = EditableValue::Structure(None);
        }
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

    /// The place of a value; of a tagged field that is not there, one with its default is made.
    fn place(&mut self, row: &'static FieldRow) -> Option<&mut EditableValue<'a>> {
        if row.tag == NO_TAG {
            let at = self.position(row);
            return self.plain.get_mut(at);
        }
        let tag = u32::from(row.tag);
        let at = match self.tagged.binary_search_by_key(&tag, |(tag, _)| *tag) {
            Ok(at) => at,
            Err(at) => {
                self.tagged.insert(at, (tag, default(row, self.encoding)));
                at
            }
        };
        self.tagged.get_mut(at).map(|(_, value)| value)
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

    /// The elements of an array of structures; `None` if it is null or this version has none.
    pub fn list(&mut self, name: &str) -> Option<&mut Vec<Self>> {
        let row = self.row_of(name)?;
        let FieldType::Struct(inner) = row.kind else {
            return None;
        };
        let encoding = self.encoding;
        let place = self.place(row)?;
        if let EditableValue::Wire(bytes) = place {
            *place = EditableValue::List(elements(row, inner, bytes, encoding));
        }
        match place {
            EditableValue::List(list) => list.as_mut(),
            EditableValue::Wire(_) | EditableValue::Structure(_) => None,
        }
    }

    /// A structure; `None` if it is null or this version has none.
    pub fn structure(&mut self, name: &str) -> Option<&mut Self> {
        let row = self.row_of(name)?;
        let FieldType::Struct(inner) = row.kind else {
            return None;
        };
        let encoding = self.encoding;
        let place = self.place(row)?;
        if let EditableValue::Wire(bytes) = place {
            let mut walk = ShapeWalk::new(bytes, 0, encoding);
            let found = walk.is_present(row).unwrap_or(false);
            let record = found.then(|| Editable::of_walk(inner, &mut walk).ok().map(Editable::owned));
            *place = EditableValue::Structure(record.flatten().map(Box::new));
        }
        match place {
            EditableValue::Structure(structure) => structure.as_deref_mut(),
            EditableValue::Wire(_) | EditableValue::List(_) => None,
        }
    }

    fn set(&mut self, name: &str, encode: impl FnOnce(&'static FieldRow, Encoding) -> Option<Vec<u8>>) {
        let Some(row) = self.row_of(name) else { return };
        let bytes = encode(row, self.encoding);
        if let (Some(bytes), Some(place)) = (bytes, self.place(row)) {
            *place = EditableValue::Wire(Cow::Owned(bytes));
        }
    }

    /// Sets a number, or true and false by 1 and 0.
    pub fn set_int(&mut self, name: &str, value: i64) {
        self.set(name, |row, _| Some(number(row.kind, value)));
    }

    /// Sets an id.
    pub fn set_id(&mut self, name: &str, id: [u8; 16]) {
        self.set(name, |_, _| Some(id.to_vec()));
    }

    /// Sets a text. `None` makes it null, or empty where it cannot be null.
    pub fn set_text(&mut self, name: &str, text: Option<&str>) {
        self.set(name, |row, encoding| {
            let mut bytes = Vec::new();
            let nullable = row.is_nullable(encoding.version);
            let text = text.or(if nullable { None } else { Some("") });
            length(row, encoding, text.map(str::len), &mut bytes);
            bytes.extend_from_slice(text.unwrap_or_default().as_bytes());
            Some(bytes)
        });
    }

    /// Sets an array of texts.
    pub fn set_texts(&mut self, name: &str, texts: &[&str]) {
        self.set(name, |row, encoding| {
            let mut bytes = Vec::new();
            length(row, encoding, Some(texts.len()), &mut bytes);
            for text in texts {
                if encoding.flexible {
                    uvarint(text.len() as u32 + 1, &mut bytes);
                } else {
                    bytes.extend_from_slice(&(text.len() as i16).to_be_bytes());
                }
                bytes.extend_from_slice(text.as_bytes());
            }
            Some(bytes)
        });
    }

    /// Sets an array of 32-bit numbers.
    pub fn set_ints(&mut self, name: &str, numbers: &[i32]) {
        self.set(name, |row, encoding| {
            let mut bytes = Vec::new();
            length(row, encoding, Some(numbers.len()), &mut bytes);
            bytes.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
            Some(bytes)
        });
    }

    /// Sets an array, text or bytes to null, or to empty where it cannot be null.
    pub fn clear(&mut self, name: &str) {
        self.set(name, |row, encoding| {
            let mut bytes = Vec::new();
            let null = row.is_nullable(encoding.version);
            length(row, encoding, if null { None } else { Some(0) }, &mut bytes);
            Some(bytes)
        });
    }

    /// Sets an array of structures.
    pub fn set_list(&mut self, name: &str, list: Vec<Self>) {
        let Some(row) = self.row_of(name) else { return };
        if let Some(place) = self.place(row) {
            *place = EditableValue::List(Some(list));
        }
    }

    /// Sets a structure, which [`Self::element`] has made.
    pub fn set_structure(&mut self, name: &str, structure: Self) {
        let Some(row) = self.row_of(name) else { return };
        if let Some(place) = self.place(row) {
            *place = EditableValue::Structure(Some(Box::new(structure)));
        }
    }

    /// Appends to an array of structures. One that was null begins empty.
    pub fn extend(&mut self, name: &str, elements: impl IntoIterator<Item = Self>) {
        match self.list(name) {
            Some(list) => list.extend(elements),
            None => self.set_list(name, elements.into_iter().collect()),
        }
    }

    /// The bytes of the whole body.
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write_to(&mut bytes);
        bytes
    }

    fn write_to(&self, out: &mut Vec<u8>) {
        let fields = self
            .row
            .plain
            .iter()
            .filter(|field| field.is_in(self.encoding.version));
        for (row, value) in fields.zip(&self.plain) {
            self.write_value(row, value, out);
        }
        if !self.encoding.flexible {
            return;
        }
        uvarint(self.tagged.len() as u32, out);
        let mut content = Vec::new();
        for (tag, value) in &self.tagged {
            content.clear();
            let row = self.row.tagged.iter().find(|row| u32::from(row.tag) == *tag);
            match (row, value) {
                (Some(row), value) => self.write_value(row, value, &mut content),
                (None, EditableValue::Wire(bytes)) => content.extend_from_slice(bytes),
                (None, _) => {}
            }
            uvarint(*tag, out);
            uvarint(content.len() as u32, out);
            out.extend_from_slice(&content);
        }
    }

    fn write_value(&self, row: &FieldRow, value: &EditableValue<'_>, out: &mut Vec<u8>) {
        match value {
            EditableValue::Wire(bytes) => out.extend_from_slice(bytes),
            EditableValue::Structure(structure) => {
                if row.is_nullable(self.encoding.version) {
                    out.push(if structure.is_some() { 1 } else { 0xff });
                }
                if let Some(structure) = structure {
                    structure.write_to(out);
                }
            }
            EditableValue::List(list) => {
                length(row, self.encoding, list.as_ref().map(Vec::len), out);
                for element in list.iter().flatten() {
                    element.write_to(out);
                }
            }
        }
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

/// The structure without fields.
static NOTHING: StructRow = super::row::structure(false, 0, &[], &[], &[]);

fn wire<'a>(walk: &ShapeWalk<'a>, start: usize) -> EditableValue<'a> {
    EditableValue::Wire(Cow::Borrowed(walk.bytes.get(start..walk.at).unwrap_or_default()))
}

/// The elements of an array as it is on the wire. They borrow from what the array borrows from.
fn elements<'a>(
    row: &FieldRow,
    inner: &'static StructRow,
    bytes: &mut Cow<'a, [u8]>,
    encoding: Encoding,
) -> Option<Vec<Editable<'a>>> {
    match bytes {
        Cow::Borrowed(bytes) => read_elements(row, inner, bytes, encoding),
        Cow::Owned(bytes) => {
            let list = read_elements(row, inner, bytes, encoding)?;
            Some(list.into_iter().map(Editable::owned).collect())
        }
    }
}

fn read_elements<'a>(
    row: &FieldRow,
    inner: &'static StructRow,
    bytes: &'a [u8],
    encoding: Encoding,
) -> Option<Vec<Editable<'a>>> {
    let mut walk = ShapeWalk::new(bytes, 0, encoding);
    let count = walk.count(row).ok()??;
    let mut list = Vec::with_capacity(count);
    for _ in 0..count {
        // The whole message was read before: nothing in it is malformed.
        list.push(Editable::of_walk(inner, &mut walk).ok()?);
    }
    Some(list)
}

/// The default of a field.
fn default<'a>(row: &'static FieldRow, encoding: Encoding) -> EditableValue<'a> {
    let nullable = row.is_nullable(encoding.version) && row.first_nullable != NO_VERSION;
    let null = row.default_is_null && nullable;
    let mut bytes = Vec::new();
    match (row.is_array, row.kind) {
        (true, _) | (false, FieldType::Text | FieldType::Bytes) => {
            length(row, encoding, if null { None } else { Some(0) }, &mut bytes);
        }
        (false, FieldType::Struct(_)) if null => return EditableValue::Structure(None),
        (false, FieldType::Struct(inner)) => {
            return EditableValue::Structure(Some(Box::new(Editable::of_defaults(inner, encoding))));
        }
        (false, kind) => bytes = number(kind, row.default),
    }
    EditableValue::Wire(Cow::Owned(bytes))
}

/// A number of the width of its type.
fn number(kind: FieldType, value: i64) -> Vec<u8> {
    let width = kind.width();
    let mut bytes = vec![0; width.saturating_sub(8)];
    bytes.extend_from_slice(&value.to_be_bytes()[8 - width.min(8)..]);
    bytes
}

/// A length or count as this encoding writes it.
fn length(row: &FieldRow, encoding: Encoding, length: Option<usize>, out: &mut Vec<u8>) {
    if encoding.flexible {
        uvarint(length.map_or(0, |length| length as u32 + 1), out);
    } else if !row.is_array && matches!(row.kind, FieldType::Text) {
        out.extend_from_slice(&length.map_or(-1, |length| length as i16).to_be_bytes());
    } else {
        out.extend_from_slice(&length.map_or(-1, |length| length as i32).to_be_bytes());
    }
}

fn uvarint(mut value: u32, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
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
