//! The shape walk: passes over a body field by field and checks every length and count on the way.

use super::super::Malformed;
use super::super::cursor::{ReadError, uvarint};
use super::row::{FieldRow, FieldType, StructRow};

/// Most tagged fields in one section.
const MAX_TAGS: u32 = 1024;
/// Kafka's own limit on a string, in bytes.
pub(super) const MAX_STRING: usize = i16::MAX as usize;
/// Estimate of the memory that a decoder takes for a section with unknown tagged fields, and for each of them.
const UNKNOWN_TAGS: usize = 512;
const UNKNOWN_TAG: usize = 48;

const fn malformed(what: &'static str) -> ReadError {
    ReadError::Malformed(Malformed::new(what))
}

/// A version as the tables number it, with the encoding that follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Encoding {
    pub version: u8,
    pub flexible: bool,
}

/// What wants to know of the places that the walk passes.
pub(super) trait Observer {
    /// A tagged field: where its size stands, and where its content.
    fn tagged(&mut self, size: std::ops::Range<usize>, content: std::ops::Range<usize>);
}

impl Observer for () {
    #[inline]
    fn tagged(&mut self, _: std::ops::Range<usize>, _: std::ops::Range<usize>) {}
}

/// Position in a body, of which the end may still have to arrive.
#[derive(Clone, Copy, Debug)]
pub(super) struct ShapeWalk<'a> {
    /// What has arrived.
    pub bytes: &'a [u8],
    pub at: usize,
    /// Length of the body, or the end of the tagged field that is being walked.
    end: usize,
    pub encoding: Encoding,
    /// Estimate of the memory that decoding what was passed takes.
    pub decoded: usize,
}

impl<'a> ShapeWalk<'a> {
    /// A walk over a body that has arrived whole.
    pub(super) const fn new(bytes: &'a [u8], at: usize, encoding: Encoding) -> Self {
        Self::partial(bytes, at, bytes.len(), encoding)
    }

    /// A walk over a body of this length, of which so many bytes have arrived.
    pub(super) const fn partial(bytes: &'a [u8], at: usize, end: usize, encoding: Encoding) -> Self {
        Self {
            bytes,
            at,
            end,
            encoding,
            decoded: 0,
        }
    }

    #[inline]
    pub(super) fn remaining(&self) -> usize {
        self.end - self.at
    }

    #[inline]
    pub(super) fn skip(&mut self, length: usize) -> Result<(), ReadError> {
        if length > self.remaining() {
            return Err(malformed("length: it exceeds the frame"));
        }
        self.at += length;
        Ok(())
    }

    /// The next bytes. [`ReadError::End`] if they belong to the body and have not arrived.
    #[inline]
    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        if self.remaining() < N {
            return Err(malformed("body: it ends too early"));
        }
        let arrived = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk::<N>);
        let value = *arrived.ok_or(ReadError::End)?;
        self.at += N;
        Ok(value)
    }

    #[inline]
    pub(super) fn uvarint(&mut self) -> Result<u32, ReadError> {
        if self.remaining() > 0
            && let Some(&byte) = self.bytes.get(self.at)
            && byte < 0x80
        {
            self.at += 1;
            return Ok(byte.into());
        }
        self.long_uvarint()
    }

    fn long_uvarint(&mut self) -> Result<u32, ReadError> {
        let end = self.end.min(self.bytes.len());
        let rest = self.bytes.get(self.at..end).unwrap_or_default();
        let (value, length) = uvarint(rest).map_err(|error| match error {
            ReadError::End if self.end <= self.bytes.len() => malformed("body: it ends too early"),
            other => other,
        })?;
        self.at += length;
        Ok(value)
    }

    /// A length or count; `None` is null. Negative ones other than −1 are refused: Kafka takes them for null as well, but
    /// no client writes them, and what reads less exactly than a broker must not be fooled.
    #[inline]
    pub(super) fn length(&mut self, row: &FieldRow) -> Result<Option<usize>, ReadError> {
        let length = if self.encoding.flexible {
            i64::from(self.uvarint()?) - 1
        } else if !row.is_array && matches!(row.kind, FieldType::Text) {
            i16::from_be_bytes(self.take()?).into()
        } else {
            i32::from_be_bytes(self.take()?).into()
        };
        self.checked(length, row.is_nullable(self.encoding.version))
    }

    #[inline]
    fn checked(&self, length: i64, nullable: bool) -> Result<Option<usize>, ReadError> {
        if length >= 0 {
            return Ok(Some(length as usize));
        }
        if length < -1 {
            return Err(malformed("length: it is negative"));
        }
        if !nullable {
            return Err(malformed("value: it is null"));
        }
        Ok(None)
    }

    /// The fields of a structure, with its tagged fields.
    pub(super) fn structure(
        &mut self,
        row: &StructRow,
        observer: &mut impl Observer,
    ) -> Result<(), ReadError> {
        for field in row.plain {
            if field.is_in(self.encoding.version) {
                self.field(field, observer)?;
            }
        }
        self.tags(row, observer)
    }

    /// The value of a field: of its own structures and arrays as well.
    #[inline]
    pub(super) fn field(&mut self, row: &FieldRow, observer: &mut impl Observer) -> Result<(), ReadError> {
        let width = row.kind.width();
        if row.is_array {
            let Some(count) = self.count(row)? else {
                return Ok(());
            };
            if width > 0 {
                return self.skip(count * width);
            }
            return self.elements(row, count, observer);
        }
        if width > 0 {
            return self.skip(width);
        }
        match row.kind {
            FieldType::Struct(inner) => {
                if self.is_present(row)? {
                    self.structure(inner, observer)?;
                }
                Ok(())
            }
            _ => self.content(row).map(drop),
        }
    }

    /// The count of an array, compared with what is left of the body.
    #[inline]
    pub(super) fn count(&mut self, row: &FieldRow) -> Result<Option<usize>, ReadError> {
        let Some(count) = self.length(row)? else {
            return Ok(None);
        };
        let (smallest, memory) = match row.kind {
            FieldType::Struct(inner) => (inner.smallest(self.encoding.version), usize::from(inner.memory)),
            FieldType::Text => (if self.encoding.flexible { 1 } else { 2 }, 32),
            FieldType::Bytes => (if self.encoding.flexible { 1 } else { 4 }, 32),
            fixed => (fixed.width(), fixed.width()),
        };
        if count
            .checked_mul(smallest)
            .is_none_or(|least| least > self.remaining())
        {
            return Err(malformed("count: it exceeds the frame"));
        }
        self.decoded += count * memory;
        Ok(Some(count))
    }

    /// So many elements of an array whose elements are no fixed number of bytes.
    fn elements(
        &mut self,
        row: &FieldRow,
        count: usize,
        observer: &mut impl Observer,
    ) -> Result<(), ReadError> {
        for _ in 0..count {
            self.element(row, observer)?;
        }
        Ok(())
    }

    /// One element of an array.
    pub(super) fn element(&mut self, row: &FieldRow, observer: &mut impl Observer) -> Result<(), ReadError> {
        match row.kind {
            FieldType::Struct(inner) => self.structure(inner, observer),
            FieldType::Text | FieldType::Bytes => self.element_content(row).map(drop),
            fixed => self.skip(fixed.width()),
        }
    }

    /// Whether a structure is there. Only where it may be absent, a byte says so.
    pub(super) fn is_present(&mut self, row: &FieldRow) -> Result<bool, ReadError> {
        if !row.is_nullable(self.encoding.version) {
            return Ok(true);
        }
        match self.take()? {
            [1] => Ok(true),
            [0xff] => Ok(false),
            _ => Err(malformed("structure: neither there nor absent")),
        }
    }

    /// Text or bytes; `None` is null.
    #[inline]
    pub(super) fn content(&mut self, row: &FieldRow) -> Result<Option<&'a [u8]>, ReadError> {
        match self.length(row)? {
            Some(length) => self.bytes_of(row, length).map(Some),
            None => Ok(None),
        }
    }

    /// Text or bytes as an element of an array, which is never null.
    pub(super) fn element_content(&mut self, row: &FieldRow) -> Result<&'a [u8], ReadError> {
        let length = if self.encoding.flexible {
            i64::from(self.uvarint()?) - 1
        } else if matches!(row.kind, FieldType::Text) {
            i16::from_be_bytes(self.take()?).into()
        } else {
            i32::from_be_bytes(self.take()?).into()
        };
        let length = self.checked(length, false)?.unwrap_or_default();
        self.bytes_of(row, length)
    }

    #[inline]
    fn bytes_of(&mut self, row: &FieldRow, length: usize) -> Result<&'a [u8], ReadError> {
        if length > MAX_STRING && matches!(row.kind, FieldType::Text) {
            return Err(malformed("string: it is too long"));
        }
        let start = self.at;
        self.skip(length)?;
        Ok(self.bytes.get(start..self.at).unwrap_or_default())
    }

    /// The section of tagged fields at the end of a structure.
    #[inline]
    pub(super) fn tags(&mut self, row: &StructRow, observer: &mut impl Observer) -> Result<(), ReadError> {
        if !self.encoding.flexible {
            return Ok(());
        }
        match self.uvarint()? {
            0 => Ok(()),
            count => self.some_tags(row, count, observer),
        }
    }

    #[cold]
    fn some_tags(
        &mut self,
        row: &StructRow,
        count: u32,
        observer: &mut impl Observer,
    ) -> Result<(), ReadError> {
        if count > MAX_TAGS {
            return Err(malformed("tagged fields: there are too many"));
        }
        let mut lowest = 0;
        let mut unknown = 0;
        for _ in 0..count {
            let tag = self.uvarint()?;
            if tag < lowest {
                return Err(malformed("tagged fields: they are out of order"));
            }
            lowest = tag
                .checked_add(1)
                .ok_or(malformed("tagged fields: a number is too large"))?;
            let field = self.tagged_row(row, tag);
            unknown += usize::from(field.is_none());
            self.tagged_field(field, observer)?;
        }
        if unknown > 0 {
            self.decoded += UNKNOWN_TAGS + unknown * UNKNOWN_TAG;
        }
        Ok(())
    }

    /// The row of the tagged field of this number.
    pub(super) fn tagged_row(&self, row: &StructRow, tag: u32) -> Option<&'static FieldRow> {
        let mut rows = row.tagged.iter();
        rows.find(|row| u32::from(row.tag) == tag && row.is_in(self.encoding.version))
    }

    /// Size and content of a tagged field. A known one has to fill its size exactly: Kafka reads it without regard to the
    /// size.
    fn tagged_field(
        &mut self,
        row: Option<&FieldRow>,
        observer: &mut impl Observer,
    ) -> Result<(), ReadError> {
        let start = self.at;
        let size = self.uvarint()? as usize;
        let content = self.at;
        if size > self.remaining() {
            return Err(malformed("length: it exceeds the frame"));
        }
        let Some(row) = row else { return self.skip(size) };
        let whole = std::mem::replace(&mut self.end, content + size);
        self.field(row, observer)?;
        self.end = whole;
        if self.at != content + size {
            return Err(malformed("tagged field: its size is wrong"));
        }
        observer.tagged(start..content, content..self.at);
        Ok(())
    }
}
