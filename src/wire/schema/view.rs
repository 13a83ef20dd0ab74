//! Reading fields by name, with their places in the body.
//!
//! The body has passed the shape walk, so that nothing here can fail; what would fail reads as absent.

use std::ops::Range;

use super::row::{FieldRow, FieldType, StructRow};
use super::walk::{Encoding, ShapeWalk};

/// A structure in a body: the body itself, a structure in it, or an element of an array.
#[derive(Clone, Copy, Debug)]
pub struct Structure<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) start: usize,
    pub(super) row: &'static StructRow,
    pub(super) encoding: Encoding,
    /// The array that it is an element of.
    pub(super) array: Option<ArrayPlace>,
}

/// Where the count of an array stands, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ArrayPlace {
    pub at: usize,
    /// Bytes of the count.
    pub length: usize,
    pub count: Option<usize>,
}

/// A field of a structure, or an element of an array of plain values: its place, and its value.
#[derive(Clone, Copy, Debug)]
pub struct FieldValue<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) start: usize,
    pub(super) row: &'static FieldRow,
    pub(super) encoding: Encoding,
    /// The array that it is an element of.
    pub(super) array: Option<ArrayPlace>,
}

impl<'a> Structure<'a> {
    pub(super) const fn root(bytes: &'a [u8], row: &'static StructRow, encoding: Encoding) -> Self {
        Self {
            bytes,
            start: 0,
            row,
            encoding,
            array: None,
        }
    }

    /// The bytes it takes in the body.
    pub fn range(&self) -> Range<usize> {
        let mut walk = self.walk();
        if walk.structure(self.row, &mut ()).is_err() {
            return self.start..self.start;
        }
        self.start..walk.at
    }

    /// The field of this name. `None` if this version has no such field, or it is a tagged one that is not there.
    pub fn field(&self, name: &str) -> Option<FieldValue<'a>> {
        debug_assert!(
            self.row.knows(name),
            "no version of this structure has a field {name:?}"
        );
        let row = self.row.find(name, self.encoding.version)?;
        let mut walk = self.walk();
        for field in self.row.plain {
            if std::ptr::eq(field, row) {
                return Some(self.place(row, walk.at));
            }
            if field.is_in(self.encoding.version) {
                walk.field(field, &mut ()).ok()?;
            }
        }
        self.tagged(&mut walk, row)
    }

    fn tagged(&self, walk: &mut ShapeWalk<'a>, row: &'static FieldRow) -> Option<FieldValue<'a>> {
        if !self.encoding.flexible {
            return None;
        }
        for _ in 0..walk.uvarint().ok()? {
            let tag = walk.uvarint().ok()?;
            let size = walk.uvarint().ok()? as usize;
            if tag == u32::from(row.tag) {
                return Some(self.place(row, walk.at));
            }
            walk.skip(size).ok()?;
        }
        None
    }

    pub(super) const fn place(&self, row: &'static FieldRow, start: usize) -> FieldValue<'a> {
        FieldValue {
            bytes: self.bytes,
            start,
            row,
            encoding: self.encoding,
            array: None,
        }
    }

    pub(super) const fn walk(&self) -> ShapeWalk<'a> {
        ShapeWalk::new(self.bytes, self.start, self.encoding)
    }

    /// Whether this version has a field of this name; a tagged one need not be there.
    pub fn has(&self, name: &str) -> bool {
        debug_assert!(
            self.row.knows(name),
            "no version of this structure has a field {name:?}"
        );
        self.row.find(name, self.encoding.version).is_some()
    }

    /// Whether this version has a field of this name, as [`Self::has`], for a name that perhaps no version has.
    pub fn knows(&self, name: &str) -> bool {
        self.row.find(name, self.encoding.version).is_some()
    }

    /// The value of a number or truth value, see [`FieldValue::int`].
    pub fn int(&self, name: &str) -> Option<i64> {
        self.field(name)?.int()
    }

    /// The value of a text, see [`FieldValue::text`].
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.field(name)?.text()
    }

    /// The value of a text, of bytes or of records, see [`FieldValue::content`].
    pub fn content(&self, name: &str) -> Option<&'a [u8]> {
        self.field(name)?.content()
    }

    /// The value of an id, see [`FieldValue::uuid`].
    pub fn uuid(&self, name: &str) -> Option<[u8; 16]> {
        self.field(name)?.uuid()
    }

    /// The elements of an array of structures; none if this version has no such field, or it is null or absent.
    pub fn array(&self, name: &str) -> Elements<'a> {
        self.field(name).map_or_else(
            || Elements::none(self.row, self.encoding),
            |place| place.elements(),
        )
    }

    /// The elements of an array of plain values; none if this version has no such field, or it is null or absent.
    pub fn values(&self, name: &str) -> Values<'a> {
        self.field(name).map_or_else(Values::none, |place| place.values())
    }

    /// The structure in the field of this name; `None` if it is not there.
    pub fn structure(&self, name: &str) -> Option<Self> {
        self.field(name)?.structure()
    }
}

impl<'a> FieldValue<'a> {
    const fn walk(&self) -> ShapeWalk<'a> {
        ShapeWalk::new(self.bytes, self.start, self.encoding)
    }

    /// Name in Kafka's schemas.
    pub const fn name(&self) -> &'static str {
        self.row.name
    }

    /// The bytes of the value, with the length or count that precedes it.
    pub fn range(&self) -> Range<usize> {
        let mut walk = self.walk();
        let walked = match self.array {
            Some(_) => walk.element(self.row, &mut ()),
            None => walk.field(self.row, &mut ()),
        };
        if walked.is_err() {
            return self.start..self.start;
        }
        self.start..walk.at
    }

    /// The bytes of a text, of bytes or of records without their length; of any other value all its bytes.
    pub fn content_range(&self) -> Range<usize> {
        let range = self.range();
        match self.content() {
            Some(content) => range.end - content.len()..range.end,
            None => range,
        }
    }

    /// A number of any width; a truth value as 0 or 1. `None` for anything else.
    pub fn int(&self) -> Option<i64> {
        if self.is_array() {
            return None;
        }
        let mut walk = self.walk();
        Some(match self.row.kind {
            FieldType::Bool => i64::from(walk.take::<1>().ok()? != [0]),
            FieldType::I8 => i8::from_be_bytes(walk.take().ok()?).into(),
            FieldType::I16 => i16::from_be_bytes(walk.take().ok()?).into(),
            FieldType::U16 => u16::from_be_bytes(walk.take().ok()?).into(),
            FieldType::I32 => i32::from_be_bytes(walk.take().ok()?).into(),
            FieldType::U32 => u32::from_be_bytes(walk.take().ok()?).into(),
            FieldType::I64 => i64::from_be_bytes(walk.take().ok()?),
            FieldType::F64 | FieldType::Uuid | FieldType::Text | FieldType::Bytes | FieldType::Struct(_) => {
                return None;
            }
        })
    }

    /// A text that is UTF-8. `None` if it is null, not UTF-8 ([`Self::content`] has it then), or no text.
    pub fn text(&self) -> Option<&'a str> {
        match self.row.kind {
            FieldType::Text => std::str::from_utf8(self.content()?).ok(),
            _ => None,
        }
    }

    /// The content of a text, of bytes or of records. `None` if it is null, or anything else.
    pub fn content(&self) -> Option<&'a [u8]> {
        if self.is_array() || !matches!(self.row.kind, FieldType::Text | FieldType::Bytes) {
            return None;
        }
        let mut walk = self.walk();
        match self.array {
            Some(_) => walk.element_content(self.row).ok(),
            None => walk.content(self.row).ok()?,
        }
    }

    /// An id, such as that of a topic. `None` for anything else.
    pub fn uuid(&self) -> Option<[u8; 16]> {
        match self.row.kind {
            FieldType::Uuid if !self.is_array() => self.walk().take().ok(),
            _ => None,
        }
    }

    /// Whether it is there but null.
    pub fn is_null(&self) -> bool {
        if self.array.is_some() {
            return false;
        }
        let mut walk = self.walk();
        match self.row.kind {
            FieldType::Struct(_) if !self.row.is_array => matches!(walk.is_present(self.row), Ok(false)),
            kind if self.row.is_array || kind.width() == 0 => matches!(walk.length(self.row), Ok(None)),
            _ => false,
        }
    }

    /// The structure in it; `None` if it is absent or anything else.
    pub fn structure(&self) -> Option<Structure<'a>> {
        let FieldType::Struct(row) = self.row.kind else {
            return None;
        };
        if self.row.is_array {
            return None;
        }
        let mut walk = self.walk();
        let present = walk.is_present(self.row).ok()?;
        present.then_some(Structure {
            bytes: self.bytes,
            start: walk.at,
            row,
            encoding: self.encoding,
            array: None,
        })
    }

    /// Whether it is an array.
    pub const fn is_array(&self) -> bool {
        self.row.is_array && self.array.is_none()
    }

    /// The array at this place, and where its first element begins.
    pub(super) fn array_place(&self) -> Option<(ArrayPlace, usize)> {
        if !self.is_array() {
            return None;
        }
        let mut walk = self.walk();
        let count = walk.count(self.row).ok()?;
        let place = ArrayPlace {
            at: self.start,
            length: walk.at - self.start,
            count,
        };
        Some((place, walk.at))
    }

    /// The elements of an array of structures; none of anything else.
    pub fn elements(&self) -> Elements<'a> {
        match (self.row.kind, self.array_place()) {
            (FieldType::Struct(row), Some((array, start))) => Elements {
                next: Structure {
                    bytes: self.bytes,
                    start,
                    row,
                    encoding: self.encoding,
                    array: Some(array),
                },
                left: array.count.unwrap_or_default(),
            },
            (FieldType::Struct(row), None) => Elements::none(row, self.encoding),
            _ => Elements {
                next: Structure::root(&[], &NOTHING, self.encoding),
                left: 0,
            },
        }
    }

    /// The elements of an array of plain values; none of anything else.
    pub fn values(&self) -> Values<'a> {
        match (self.row.kind, self.array_place()) {
            (FieldType::Struct(_), _) | (_, None) => Values::none(),
            (_, Some((array, start))) => Values {
                next: Some(FieldValue {
                    start,
                    array: Some(array),
                    ..*self
                }),
                left: array.count.unwrap_or_default(),
            },
        }
    }
}

/// A structure without fields.
pub(super) static NOTHING: StructRow = super::row::structure(false, 0, &[], &[], &[]);

/// Elements of an array of structures.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    next: Structure<'a>,
    left: usize,
}

impl Elements<'_> {
    const fn none(row: &'static StructRow, encoding: Encoding) -> Self {
        Self {
            next: Structure::root(&[], row, encoding),
            left: 0,
        }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Structure<'a>;

    fn next(&mut self) -> Option<Structure<'a>> {
        self.left = self.left.checked_sub(1)?;
        let element = self.next;
        self.next.start = element.range().end;
        Some(element)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Elements<'_> {}

/// Elements of an array of plain values.
#[derive(Clone, Debug)]
pub struct Values<'a> {
    next: Option<FieldValue<'a>>,
    left: usize,
}

impl Values<'_> {
    const fn none() -> Self {
        Self { next: None, left: 0 }
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = FieldValue<'a>;

    fn next(&mut self) -> Option<FieldValue<'a>> {
        self.left = self.left.checked_sub(1)?;
        let next = self.next.as_mut()?;
        let value = *next;
        next.start = value.range().end;
        Some(value)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Values<'_> {}
