//! What names a topic, a group or a transaction in a body, with its place.

use std::ops::Range;

use super::super::Malformed;
use super::super::cursor::ReadError;
use super::kind::{NameKind, kind};
use super::row::{FieldRow, FieldType, StructRow};
use super::view::{ArrayPlace, FieldValue, Structure};
use super::walk::{Encoding, ShapeWalk};
use super::{Direction, find};

/// One name in a body.
#[derive(Clone, Copy, Debug)]
pub struct MarkedName<'a> {
    /// What it stands for.
    pub kind: NameKind,
    /// Where it stands; [`Splice`](super::Splice) replaces it there.
    pub place: FieldValue<'a>,
    /// The resource type beside it, where there is one: a configuration's or an ACL's, by the field's own numbers.
    pub resource_type: Option<i8>,
}

impl<'a> MarkedName<'a> {
    /// The bytes of the name: a text that need not be UTF-8, or an id. `None` if it is null.
    pub fn bytes(&self) -> Option<&'a [u8]> {
        match self.place.row.kind {
            FieldType::Uuid => self.place.bytes.get(self.place.start..self.place.start + 16),
            _ => self.place.content(),
        }
    }

    /// The name if it is a text in UTF-8.
    pub fn text(&self) -> Option<&'a str> {
        self.place.text()
    }

    /// The name without its length.
    pub fn range(&self) -> Range<usize> {
        self.place.content_range()
    }
}

/// Deepest nesting in the tables: a structure and an array each count. A test compares it with the tables.
pub(super) const MAX_DEPTH: usize = 16;

#[derive(Clone, Copy, Debug)]
enum NameLevel {
    /// Plain fields of a structure from the next one on, then its tagged fields.
    Fields {
        row: &'static StructRow,
        next: usize,
        start: usize,
    },
    /// Elements that are left.
    Elements {
        field: &'static FieldRow,
        left: usize,
        array: ArrayPlace,
        owner: Owner,
    },
    /// Tagged fields that are left.
    Tags {
        row: &'static StructRow,
        left: u32,
        start: usize,
    },
}

/// The structure that a field belongs to.
#[derive(Clone, Copy, Debug)]
struct Owner {
    row: &'static StructRow,
    start: usize,
}

/// The names in a body, in the order of the wire. Null ones are not among them.
#[derive(Clone, Debug)]
pub struct MarkedNames<'a> {
    walk: ShapeWalk<'a>,
    levels: [NameLevel; MAX_DEPTH],
    depth: usize,
    /// How the iteration has ended.
    end: Option<Result<(), ReadError>>,
    /// The last step was at a field that is a name or has names in it.
    at_name: bool,
}

/// What is known of the names in a body of which not all has arrived, see [`MarkedNames::rest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamesLeft {
    /// There can be none: every name was given, although records and other fields may still arrive.
    None,
    /// There may be more in what has not arrived.
    Possible,
}

impl<'a> MarkedNames<'a> {
    pub(super) fn new(body: &'a [u8], row: &'static StructRow, encoding: Encoding) -> Self {
        Self {
            walk: ShapeWalk::new(body, 0, encoding),
            levels: [NameLevel::Fields {
                row,
                next: 0,
                start: 0,
            }; MAX_DEPTH],
            depth: usize::from(row.has_names),
            end: None,
            at_name: false,
        }
    }

    /// The names in what has arrived of a body of `length` bytes. Records and whatever else is no name is passed over
    /// whether or not it has arrived, so that [`Self::rest`] says early that every name was seen.
    ///
    /// Nothing has checked the body: what the iteration does not pass may still be malformed.
    ///
    /// # Errors
    /// The tables do not know this API and version.
    pub fn arriving(
        api_key: i16,
        direction: Direction,
        version: i16,
        arrived: &'a [u8],
        length: usize,
    ) -> Result<Self, Malformed> {
        let (row, encoding) =
            find(api_key, direction, version).ok_or(Malformed::new("message: its version is not known"))?;
        let mut names = Self::new(arrived, row.root, encoding);
        names.walk = ShapeWalk::partial(arrived, 0, length, encoding);
        Ok(names)
    }

    /// Whether more names can follow those that the iteration gave. To be asked when it has ended.
    ///
    /// # Errors
    /// The body is malformed where the iteration ended.
    pub fn rest(&self) -> Result<NamesLeft, Malformed> {
        match self.end {
            Some(Ok(())) => Ok(NamesLeft::None),
            Some(Err(ReadError::Malformed(malformed))) => Err(malformed),
            _ if self.at_name || self.levels_have_names() => Ok(NamesLeft::Possible),
            _ => Ok(NamesLeft::None),
        }
    }

    /// Whether what is left of the levels can have names.
    fn levels_have_names(&self) -> bool {
        let version = self.walk.encoding.version;
        let counts = |field: &FieldRow| field.is_in(version) && field.has_names();
        let levels = self.levels.get(..self.depth).unwrap_or_default();
        levels.iter().any(|level| match level {
            NameLevel::Fields { row, next, .. } => {
                let plain = row.plain.get(*next..).unwrap_or_default();
                plain.iter().any(counts) || row.tagged.iter().any(counts)
            }
            NameLevel::Elements { left, .. } => *left > 0,
            NameLevel::Tags { row, left, .. } => *left > 0 && row.tagged.iter().any(counts),
        })
    }

    fn push(&mut self, level: NameLevel) {
        if let Some(free) = self.levels.get_mut(self.depth) {
            *free = level;
            self.depth += 1;
        }
    }

    /// One step of the top level; a name if it was one.
    fn step(&mut self) -> Result<Option<MarkedName<'a>>, ReadError> {
        let version = self.walk.encoding.version;
        let Some(top) = self.depth.checked_sub(1).and_then(|top| self.levels.get_mut(top)) else {
            return Ok(None);
        };
        match top {
            NameLevel::Fields { row, next, start } => {
                let owner = Owner { row, start: *start };
                if let Some(field) = row.plain.get(*next) {
                    *next += 1;
                    return if field.is_in(version) {
                        self.field(field, owner)
                    } else {
                        Ok(None)
                    };
                }
                let left = if self.walk.encoding.flexible {
                    self.walk.uvarint()?
                } else {
                    0
                };
                *top = NameLevel::Tags {
                    row: owner.row,
                    left,
                    start: owner.start,
                };
                Ok(None)
            }
            NameLevel::Elements { left: 0, .. } | NameLevel::Tags { left: 0, .. } => {
                self.depth -= 1;
                Ok(None)
            }
            NameLevel::Elements {
                field,
                left,
                array,
                owner,
            } => {
                *left -= 1;
                let (field, array, owner) = (*field, *array, *owner);
                self.element(field, array, owner)
            }
            NameLevel::Tags { row, left, start } => {
                *left -= 1;
                let owner = Owner { row, start: *start };
                self.at_name = row.tagged.iter().any(FieldRow::has_names);
                let tag = self.walk.uvarint()?;
                let size = self.walk.uvarint()? as usize;
                match self.walk.tagged_row(owner.row, tag) {
                    Some(field) if field.has_names() => self.field(field, owner),
                    _ => self.walk.skip(size).map(|()| None),
                }
            }
        }
    }

    fn field(&mut self, field: &'static FieldRow, owner: Owner) -> Result<Option<MarkedName<'a>>, ReadError> {
        if !field.has_names() {
            self.walk.field(field, &mut ())?;
            return Ok(None);
        }
        self.at_name = true;
        let start = self.walk.at;
        if field.is_array {
            let count = self.walk.count(field)?;
            let array = ArrayPlace {
                at: start,
                length: self.walk.at - start,
                count,
            };
            self.push(NameLevel::Elements {
                field,
                left: count.unwrap_or_default(),
                array,
                owner,
            });
            return Ok(None);
        }
        if let FieldType::Struct(row) = field.kind {
            if self.walk.is_present(field)? {
                self.push(NameLevel::Fields {
                    row,
                    next: 0,
                    start: self.walk.at,
                });
            }
            return Ok(None);
        }
        self.walk.field(field, &mut ())?;
        self.name(field, start, None, owner)
    }

    fn element(
        &mut self,
        field: &'static FieldRow,
        array: ArrayPlace,
        owner: Owner,
    ) -> Result<Option<MarkedName<'a>>, ReadError> {
        self.at_name = true;
        let start = self.walk.at;
        if let FieldType::Struct(row) = field.kind {
            self.push(NameLevel::Fields { row, next: 0, start });
            return Ok(None);
        }
        self.walk.element(field, &mut ())?;
        self.name(field, start, Some(array), owner)
    }

    fn name(
        &self,
        row: &'static FieldRow,
        start: usize,
        array: Option<ArrayPlace>,
        owner: Owner,
    ) -> Result<Option<MarkedName<'a>>, ReadError> {
        // It was passed over, but may still have to arrive.
        if self.walk.at > self.walk.bytes.len() {
            return Err(ReadError::End);
        }
        let (bytes, encoding) = (self.walk.bytes, self.walk.encoding);
        let place = FieldValue {
            bytes,
            start,
            row,
            encoding,
            array,
        };
        if place.is_null() {
            return Ok(None);
        }
        let owner = Structure {
            bytes,
            start: owner.start,
            row: owner.row,
            encoding,
            array: None,
        };
        let named = kind(row.mark, &owner)?;
        Ok(named.map(|(kind, resource_type)| MarkedName {
            kind,
            place,
            resource_type,
        }))
    }
}

impl<'a> Iterator for MarkedNames<'a> {
    type Item = MarkedName<'a>;

    fn next(&mut self) -> Option<MarkedName<'a>> {
        while self.end.is_none() {
            if self.depth == 0 {
                self.end = Some(Ok(()));
                break;
            }
            self.at_name = false;
            match self.step() {
                Ok(Some(name)) => return Some(name),
                Ok(None) => {}
                Err(error) => self.end = Some(Err(error)),
            }
        }
        None
    }
}
