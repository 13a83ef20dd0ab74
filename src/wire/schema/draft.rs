//! Bodies that are built from values by name.

use super::super::cursor::Writer;
use super::row::{self, FieldRow, FieldType, NO_VERSION, StructRow};
use super::view::{FieldValue, NOTHING};
use super::walk::{Encoding, MAX_STRING};
use super::{Direction, find};

/// A body, or a structure in it, while it is being built.
///
/// What is not set has the default of the schema. What this version does not have is left out in silence, so that the same
/// lines build every version.
#[derive(Clone, Debug)]
pub struct Draft {
    pub(super) row: &'static StructRow,
    pub(super) encoding: Encoding,
    /// The bytes of the whole structure, in place of everything else.
    raw: Option<Vec<u8>>,
    values: Vec<(&'static FieldRow, DraftValue)>,
    /// Structures and elements of arrays, each with the field it belongs to.
    inner: Vec<(&'static FieldRow, Self)>,
}

/// Takes what is set under a name that no version has.
static UNKNOWN: FieldRow = row::field("", FieldType::Struct(&NOTHING), NO_VERSION, 0).array();

/// The value of a field.
#[derive(Clone, Debug)]
pub enum DraftValue {
    /// No value, where that is allowed.
    Null,
    /// A number of any width, or a truth value as 0 or 1.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// An id.
    Uuid([u8; 16]),
    /// A text, or bytes.
    Bytes(Vec<u8>),
    /// A structure.
    Structure(Draft),
    /// Elements of an array.
    Array(Vec<Self>),
    /// The bytes of the value as they are on the wire, length or count included; of an element without its count.
    Encoded(Vec<u8>),
}

macro_rules! from {
    ($($type:ty: |$value:ident| $made:expr;)*) => {
        $(impl From<$type> for DraftValue {
            fn from($value: $type) -> Self {
                $made
            }
        })*
    };
}

from! {
    i64: |value| Self::Int(value);
    i32: |value| Self::Int(value.into());
    i16: |value| Self::Int(value.into());
    i8: |value| Self::Int(value.into());
    bool: |value| Self::Int(value.into());
    f64: |value| Self::Float(value);
    [u8; 16]: |value| Self::Uuid(value);
    &str: |value| Self::Bytes(value.into());
    String: |value| Self::Bytes(value.into());
    &[u8]: |value| Self::Bytes(value.into());
    Vec<u8>: |value| Self::Bytes(value);
    Draft: |value| Self::Structure(value);
    Vec<Self>: |value| Self::Array(value);
}

impl<T: Into<Self>> From<Option<T>> for DraftValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl Draft {
    /// An empty body; `None` if the tables do not know this API and version.
    pub fn new(api_key: i16, direction: Direction, version: i16) -> Option<Self> {
        let (row, encoding) = find(api_key, direction, version)?;
        Some(Self::of(row.root, encoding))
    }

    /// An empty element of this array, for [`Splice::append`](super::Splice::append); `None` for what is no array of
    /// structures.
    pub fn element(array: &FieldValue<'_>) -> Option<Self> {
        match array.row.kind {
            FieldType::Struct(row) if array.row.is_array => Some(Self::of(row, array.encoding)),
            _ => None,
        }
    }

    pub(super) const fn of(row: &'static StructRow, encoding: Encoding) -> Self {
        Self {
            row,
            encoding,
            raw: None,
            values: Vec::new(),
            inner: Vec::new(),
        }
    }

    /// The row of a field: of this version, else of another, which then is not written.
    fn row_of(&self, name: &str) -> &'static FieldRow {
        let found = self
            .row
            .find(name, self.encoding.version)
            .or_else(|| self.row.find_any(name));
        debug_assert!(
            found.is_some(),
            "no version of this structure has a field {name:?}"
        );
        found.unwrap_or(&UNKNOWN)
    }

    /// Whether this version has a field of this name.
    pub fn knows(&self, name: &str) -> bool {
        self.row.find(name, self.encoding.version).is_some()
    }

    /// Whether this version has a field of this name that may be null.
    pub fn allows_null(&self, name: &str) -> bool {
        let row = self.row.find(name, self.encoding.version);
        row.is_some_and(|row| row.is_nullable(self.encoding.version))
    }

    /// Gives a field a value. One that does not fit its type leaves the default (and fails a debug build).
    pub fn set(&mut self, name: &str, value: impl Into<DraftValue>) -> &mut Self {
        let row = self.row_of(name);
        let value = value.into();
        let fits = !row.is_in(self.encoding.version)
            || write_value(row, false, self.encoding, &value, &mut Vec::new()).is_some();
        debug_assert!(fits, "{name}: {value:?} does not fit");
        if fits {
            self.inner.retain(|(other, _)| !std::ptr::eq(*other, row));
            self.values.push((row, value));
        }
        self
    }

    /// Adds an element to an array of structures and returns it, to be filled.
    pub fn push(&mut self, name: &str) -> &mut Self {
        let row = self.row_of(name);
        self.add(row)
    }

    /// Adds an element to an array as bytes that such an element has in this version.
    pub fn push_encoded(&mut self, name: &str, element: &[u8]) -> &mut Self {
        let row = self.row_of(name);
        self.add(row).raw = Some(element.to_vec());
        self
    }

    /// Adds a value to an array of plain values.
    pub fn push_value(&mut self, name: &str, element: impl Into<DraftValue>) -> &mut Self {
        let row = self.row_of(name);
        let element = element.into();
        let array = self
            .values
            .iter_mut()
            .rev()
            .find(|(other, _)| std::ptr::eq(*other, row));
        match array {
            Some((_, DraftValue::Array(elements))) => elements.push(element),
            _ => self.values.push((row, DraftValue::Array(vec![element]))),
        }
        self
    }

    /// The structure in a field, which is there from now on.
    pub fn structure(&mut self, name: &str) -> &mut Self {
        let row = self.row_of(name);
        match self.inner.iter().position(|(other, _)| std::ptr::eq(*other, row)) {
            Some(at) => &mut self.inner[at].1,
            None => self.add(row),
        }
    }

    fn add(&mut self, row: &'static FieldRow) -> &mut Self {
        let structure = match row.kind {
            FieldType::Struct(structure) => structure,
            _ => &NOTHING,
        };
        debug_assert!(
            row.is_struct(),
            "{}: neither a structure nor an array of them",
            row.name
        );
        let at = self.inner.len();
        self.inner.push((row, Self::of(structure, self.encoding)));
        &mut self.inner[at].1
    }

    /// The encoded structure, with its tagged fields.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut Vec<u8>) {
        if let Some(raw) = &self.raw {
            out.extend_from_slice(raw);
            return;
        }
        for row in self.row.plain {
            if row.is_in(self.encoding.version) {
                self.write_field(row, out);
            }
        }
        if self.encoding.flexible {
            self.write_tagged(out);
        }
    }

    fn write_tagged(&self, out: &mut Vec<u8>) {
        let is_set = |row: &&FieldRow| row.is_in(self.encoding.version) && self.is_set(row);
        let count = self.row.tagged.iter().filter(is_set).count();
        Writer::new(out, true).uvarint(count as u32);
        for row in self.row.tagged.iter().filter(is_set) {
            let mut content = Vec::new();
            self.write_field(row, &mut content);
            let mut writer = Writer::new(out, true);
            writer.uvarint(row.tag.into());
            writer.uvarint(content.len() as u32);
            writer.raw(&content);
        }
    }

    fn value(&self, row: &FieldRow) -> Option<&DraftValue> {
        let mut values = self.values.iter().rev();
        values
            .find(|(other, _)| std::ptr::eq(*other, row))
            .map(|(_, value)| value)
    }

    fn is_set(&self, row: &FieldRow) -> bool {
        self.value(row).is_some() || self.inner.iter().any(|(other, _)| std::ptr::eq(*other, row))
    }

    fn write_field(&self, row: &FieldRow, out: &mut Vec<u8>) {
        let mut inner = self
            .inner
            .iter()
            .filter(|(other, _)| std::ptr::eq(*other, row))
            .peekable();
        if inner.peek().is_some() {
            if row.is_array {
                Writer::new(out, self.encoding.flexible).array_len(inner.clone().count());
            } else if row.is_nullable(self.encoding.version) {
                out.push(1);
            }
            inner.for_each(|(_, structure)| structure.write(out));
            return;
        }
        let start = out.len();
        let given = self.value(row);
        if given.is_none_or(|value| write_value(row, false, self.encoding, value, out).is_none()) {
            out.truncate(start);
            write_default(row, self.encoding, out);
        }
    }
}

/// Writes what a field has that nobody has set.
fn write_default(row: &FieldRow, encoding: Encoding, out: &mut Vec<u8>) {
    if row.default_is_null && row.is_nullable(encoding.version) {
        write_value(row, false, encoding, &DraftValue::Null, out);
        return;
    }
    let value = match row.kind {
        _ if row.is_array => DraftValue::Array(Vec::new()),
        FieldType::Text | FieldType::Bytes => DraftValue::Bytes(Vec::new()),
        FieldType::Uuid => DraftValue::Uuid([0; 16]),
        FieldType::F64 => DraftValue::Float(0.0),
        FieldType::Struct(structure) => DraftValue::Structure(Draft::of(structure, encoding)),
        _ => DraftValue::Int(row.default),
    };
    write_value(row, false, encoding, &value, out);
}

/// Writes a value as a field, or as an element of the field's array; `None` if it does not fit. Then what was written is of
/// no use.
pub(super) fn write_value(
    row: &FieldRow,
    is_element: bool,
    encoding: Encoding,
    value: &DraftValue,
    out: &mut Vec<u8>,
) -> Option<()> {
    let is_array = row.is_array && !is_element;
    match value {
        DraftValue::Encoded(bytes) => out.extend_from_slice(bytes),
        DraftValue::Null if is_element || !row.is_nullable(encoding.version) => return None,
        DraftValue::Null => write_null(row, encoding, out)?,
        DraftValue::Array(elements) if is_array => {
            Writer::new(out, encoding.flexible).array_len(elements.len());
            for element in elements {
                write_value(row, true, encoding, element, out)?;
            }
        }
        _ if is_array => return None,
        DraftValue::Structure(draft) => {
            let FieldType::Struct(structure) = row.kind else {
                return None;
            };
            if !std::ptr::eq(structure, draft.row) || draft.encoding != encoding {
                return None;
            }
            if !is_element && row.is_nullable(encoding.version) {
                out.push(1);
            }
            draft.write(out);
        }
        plain => write_plain(row.kind, encoding, plain, out)?,
    }
    Some(())
}

fn write_null(row: &FieldRow, encoding: Encoding, out: &mut Vec<u8>) -> Option<()> {
    match row.kind {
        FieldType::Struct(_) if !row.is_array => out.push(0xff),
        kind if row.is_array || kind.width() == 0 => {
            if encoding.flexible {
                out.push(0);
            } else if matches!(row.kind, FieldType::Text) && !row.is_array {
                out.extend_from_slice(&[0xff; 2]);
            } else {
                out.extend_from_slice(&[0xff; 4]);
            }
        }
        _ => return None,
    }
    Some(())
}

fn write_plain(kind: FieldType, encoding: Encoding, value: &DraftValue, out: &mut Vec<u8>) -> Option<()> {
    match (kind, value) {
        (FieldType::Bool, DraftValue::Int(value @ (0 | 1))) => out.push(*value as u8),
        (FieldType::I8, DraftValue::Int(value)) => out.extend(i8::try_from(*value).ok()?.to_be_bytes()),
        (FieldType::I16, DraftValue::Int(value)) => out.extend(i16::try_from(*value).ok()?.to_be_bytes()),
        (FieldType::U16, DraftValue::Int(value)) => out.extend(u16::try_from(*value).ok()?.to_be_bytes()),
        (FieldType::I32, DraftValue::Int(value)) => out.extend(i32::try_from(*value).ok()?.to_be_bytes()),
        (FieldType::U32, DraftValue::Int(value)) => out.extend(u32::try_from(*value).ok()?.to_be_bytes()),
        (FieldType::I64, DraftValue::Int(value)) => out.extend(value.to_be_bytes()),
        (FieldType::F64, DraftValue::Float(value)) => out.extend(value.to_be_bytes()),
        (FieldType::Uuid, DraftValue::Uuid(value)) => out.extend(value),
        (FieldType::Text, DraftValue::Bytes(text)) if text.len() <= MAX_STRING => {
            Writer::new(out, encoding.flexible).string(text);
        }
        (FieldType::Bytes, DraftValue::Bytes(bytes)) => {
            Writer::new(out, encoding.flexible).array_len(bytes.len());
            out.extend_from_slice(bytes);
        }
        _ => return None,
    }
    Some(())
}
