//! What names a topic, a group or a transaction in a body, with its place.

use std::ops::Range;

use super::super::Malformed;
use super::row::{FieldRow, FieldType, NameMark, StructRow};
use super::view::{ArrayPlace, FieldValue, Structure};
use super::walk::{Encoding, ShapeWalk};

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NameKind {
    /// A topic by its name.
    TopicName,
    /// A topic by its id, 16 bytes.
    TopicId,
    /// A group of any type.
    GroupId,
    /// A transactional id.
    TransactionalId,
    /// A regular expression over names of topics.
    TopicRegex,
    /// A regular expression over transactional ids.
    TransactionalIdRegex,
    /// `group:topicId:partition`, by which the coordinator of a share group is asked for (KIP-932).
    ShareKey,
    /// A key in an answer of FindCoordinator. Its kind is that of the request's keys.
    CoordinatorKey,
    /// A resource of another type: a broker, a user, a cluster, a subscription to metrics, or a type that is any.
    OtherResource,
}

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
        }
    }

    fn push(&mut self, level: NameLevel) {
        if let Some(free) = self.levels.get_mut(self.depth) {
            *free = level;
            self.depth += 1;
        }
    }

    /// One step of the top level; a name if it was one.
    fn step(&mut self) -> Result<Option<MarkedName<'a>>, Malformed> {
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
                let tag = self.walk.uvarint()?;
                let size = self.walk.uvarint()? as usize;
                match self.walk.tagged_row(owner.row, tag) {
                    Some(field) if field.has_names() => self.field(field, owner),
                    _ => self.walk.skip(size).map(|()| None),
                }
            }
        }
    }

    fn field(&mut self, field: &'static FieldRow, owner: Owner) -> Result<Option<MarkedName<'a>>, Malformed> {
        if !field.has_names() {
            self.walk.field(field, &mut ())?;
            return Ok(None);
        }
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
        Ok(self.name(field, start, None, owner))
    }

    fn element(
        &mut self,
        field: &'static FieldRow,
        array: ArrayPlace,
        owner: Owner,
    ) -> Result<Option<MarkedName<'a>>, Malformed> {
        let start = self.walk.at;
        if let FieldType::Struct(row) = field.kind {
            self.push(NameLevel::Fields { row, next: 0, start });
            return Ok(None);
        }
        self.walk.element(field, &mut ())?;
        Ok(self.name(field, start, Some(array), owner))
    }

    fn name(
        &self,
        row: &'static FieldRow,
        start: usize,
        array: Option<ArrayPlace>,
        owner: Owner,
    ) -> Option<MarkedName<'a>> {
        let place = FieldValue {
            bytes: self.walk.bytes,
            start,
            row,
            encoding: self.walk.encoding,
            array,
        };
        if place.is_null() {
            return None;
        }
        let (kind, resource_type) = self.kind(row.mark, owner)?;
        Some(MarkedName {
            kind,
            place,
            resource_type,
        })
    }

    /// What a mark stands for, by the type that stands beside it where it has one.
    fn kind(&self, mark: NameMark, owner: Owner) -> Option<(NameKind, Option<i8>)> {
        let plain = match mark {
            NameMark::None => return None,
            NameMark::TopicName => NameKind::TopicName,
            NameMark::TopicId => NameKind::TopicId,
            NameMark::GroupId => NameKind::GroupId,
            NameMark::TransactionalId => NameKind::TransactionalId,
            NameMark::TopicRegex => NameKind::TopicRegex,
            NameMark::TransactionalIdRegex => NameKind::TransactionalIdRegex,
            NameMark::CoordinatorKey => return Some((self.coordinator_key(owner), None)),
            NameMark::ConfigResource => {
                let kind = self.beside(owner, &["resource_type"]);
                return Some((config_resource(kind), kind));
            }
            NameMark::AclResource => {
                let kind = self.beside(owner, &["resource_type", "resource_type_filter"]);
                return Some((acl_resource(kind), kind));
            }
        };
        Some((plain, None))
    }

    /// A coordinator was asked for by a group before there was a type.
    fn coordinator_key(&self, owner: Owner) -> NameKind {
        if !owner.row.knows("key_type") {
            return NameKind::CoordinatorKey;
        }
        match self.beside(owner, &["key_type"]) {
            None | Some(0) => NameKind::GroupId,
            Some(1) => NameKind::TransactionalId,
            Some(2) => NameKind::ShareKey,
            Some(_) => NameKind::OtherResource,
        }
    }

    /// The value of the first of these fields that the structure has.
    fn beside(&self, owner: Owner, names: &[&str]) -> Option<i8> {
        let structure = Structure {
            bytes: self.walk.bytes,
            start: owner.start,
            row: owner.row,
            encoding: self.walk.encoding,
            array: None,
        };
        let name = names.iter().find(|name| owner.row.knows(name))?;
        i8::try_from(structure.int(name)?).ok()
    }
}

/// Kinds of configuration resources (`ConfigResource.Type`).
const fn config_resource(kind: Option<i8>) -> NameKind {
    match kind {
        Some(2) => NameKind::TopicName,
        Some(32) => NameKind::GroupId,
        _ => NameKind::OtherResource,
    }
}

/// Kinds of ACL resources (`ResourceType`).
const fn acl_resource(kind: Option<i8>) -> NameKind {
    match kind {
        Some(2) => NameKind::TopicName,
        Some(3) => NameKind::GroupId,
        Some(5) => NameKind::TransactionalId,
        _ => NameKind::OtherResource,
    }
}

impl<'a> Iterator for MarkedNames<'a> {
    type Item = MarkedName<'a>;

    fn next(&mut self) -> Option<MarkedName<'a>> {
        while self.depth > 0 {
            match self.step() {
                Ok(Some(name)) => return Some(name),
                Ok(None) => {}
                // The body has passed the shape walk.
                Err(_) => self.depth = 0,
            }
        }
        None
    }
}
