//! Making a message, changing its fields, and writing it.

use std::borrow::Cow;

use super::{Editable, EditableValue};
use crate::wire::schema::row::{self, FieldRow, FieldType, NO_TAG, NO_VERSION, StructRow};
use crate::wire::schema::walk::{Encoding, ShapeWalk};
use crate::wire::schema::{self, Direction};

impl<'a> Editable<'a> {
    /// A message with the default of every field; `None` if the version is not known.
    pub fn new(api_key: i16, direction: Direction, version: i16) -> Option<Self> {
        let (row, encoding) = schema::find(api_key, direction, version)?;
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

    /// An element with the default of every field for the array `list`, or the structure of this name.
    pub fn element(&self, list: &str) -> Editable<'static> {
        match self.row_of(list).map(|field| field.kind) {
            Some(FieldType::Struct(row)) => Editable::of_defaults(row, self.encoding),
            _ => Editable::of_defaults(&NOTHING, self.encoding),
        }
    }

    /// Sets a structure to null.
    pub fn set_absent(&mut self, name: &str) {
        let Some(row) = self.row_of(name) else { return };
        if let Some(place) = self.place(row) {
            *place = EditableValue::Structure(None);
        }
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
}

/// The structure without fields.
static NOTHING: StructRow = row::structure(false, 0, &[], &[], &[]);

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
