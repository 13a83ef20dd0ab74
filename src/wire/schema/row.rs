//! Rows of the tables, and how `table.rs` writes them.

use super::Direction;

/// Number of a version that no version reaches: the end of what has none.
pub(super) const NO_VERSION: u8 = u8::MAX;
/// [`FieldRow::tag`] of a plain field.
pub(super) const NO_TAG: u8 = u8::MAX;

/// One message in the versions that share a layout.
#[derive(Debug)]
pub(super) struct MessageRow {
    pub api: i16,
    pub direction: Direction,
    pub name: &'static str,
    pub first: u8,
    pub last: u8,
    /// First version with compact lengths and tagged fields (KIP-482); [`NO_VERSION`] if there is none.
    pub first_flexible: u8,
    pub root: &'static StructRow,
}

/// The fields of a message, or of a structure in it.
#[derive(Debug)]
pub(super) struct StructRow {
    /// Whether a marked field is among them or inside them.
    pub has_names: bool,
    /// Estimate of what the decoded structure takes in memory, without what is behind its pointers.
    pub memory: u16,
    /// Fewest bytes on the wire, at least 1, each from a version on.
    pub sizes: &'static [(u8, u16)],
    /// Fields in the order of the wire.
    pub plain: &'static [FieldRow],
    /// Tagged fields in ascending order of their numbers.
    pub tagged: &'static [FieldRow],
}

/// One field.
#[derive(Debug)]
pub(super) struct FieldRow {
    pub name: &'static str,
    /// Type of the value, or of the elements if it is an array.
    pub kind: FieldType,
    pub is_array: bool,
    pub first: u8,
    pub last: u8,
    pub first_nullable: u8,
    pub last_nullable: u8,
    pub tag: u8,
    pub mark: NameMark,
    pub default_is_null: bool,
    pub default: i64,
}

/// Type of a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum FieldType {
    Bool,
    I8,
    I16,
    U16,
    I32,
    #[expect(
        dead_code,
        reason = "a type of Kafka's schemas that no message has at present"
    )]
    U32,
    I64,
    F64,
    Uuid,
    Text,
    /// Opaque bytes or records.
    Bytes,
    Struct(&'static StructRow),
}

/// What a text or an id names, as far as the table alone can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameMark {
    None,
    TopicName,
    TopicId,
    GroupId,
    TransactionalId,
    TopicRegex,
    TransactionalIdRegex,
    /// `key_type` beside it says what it names; in an answer only the request can say it.
    CoordinatorKey,
    /// `resource_type` beside it says what it names, by the numbers of configuration resources.
    ConfigResource,
    /// `resource_type` or `resource_type_filter` beside it says what it names, by the numbers of ACL resources.
    AclResource,
}

impl FieldType {
    /// Bytes of a value whose length does not depend on it; 0 for others.
    #[inline]
    pub(super) const fn width(self) -> usize {
        match self {
            Self::Bool | Self::I8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 => 4,
            Self::I64 | Self::F64 => 8,
            Self::Uuid => 16,
            Self::Text | Self::Bytes | Self::Struct(_) => 0,
        }
    }
}

impl FieldRow {
    #[inline]
    pub(super) const fn is_in(&self, version: u8) -> bool {
        self.first <= version && version <= self.last
    }

    #[inline]
    pub(super) const fn is_nullable(&self, version: u8) -> bool {
        self.first_nullable <= version && version <= self.last_nullable
    }

    /// Whether it is a structure or an array of them.
    pub(super) const fn is_struct(&self) -> bool {
        matches!(self.kind, FieldType::Struct(_))
    }

    /// Whether it is a name, or has names inside it.
    #[inline]
    pub(super) const fn has_names(&self) -> bool {
        match self.kind {
            FieldType::Struct(row) => row.has_names,
            _ => !matches!(self.mark, NameMark::None),
        }
    }

    pub(super) const fn array(mut self) -> Self {
        self.is_array = true;
        self
    }

    pub(super) const fn nullable(mut self, first: u8, last: u8) -> Self {
        self.first_nullable = first;
        self.last_nullable = last;
        self
    }

    pub(super) const fn tagged(mut self, tag: u8) -> Self {
        self.tag = tag;
        self
    }

    pub(super) const fn mark(mut self, mark: NameMark) -> Self {
        self.mark = mark;
        self
    }

    pub(super) const fn default(mut self, value: i64) -> Self {
        self.default = value;
        self
    }

    pub(super) const fn default_null(mut self) -> Self {
        self.default_is_null = true;
        self
    }
}

impl StructRow {
    /// Fewest bytes of it on the wire.
    #[inline]
    pub(super) fn smallest(&self, version: u8) -> usize {
        let mut smallest = 1;
        for (since, size) in self.sizes {
            if *since > version {
                break;
            }
            smallest = usize::from(*size);
        }
        smallest
    }

    /// The field of this name in this version.
    pub(super) fn find(&self, name: &str, version: u8) -> Option<&'static FieldRow> {
        let named = |row: &&'static FieldRow| row.name == name && row.is_in(version);
        let found = self.plain.iter().find(named);
        found.or_else(|| self.tagged.iter().find(named))
    }

    /// The field of this name in any version.
    pub(super) fn find_any(&self, name: &str) -> Option<&'static FieldRow> {
        self.plain.iter().chain(self.tagged).find(|row| row.name == name)
    }

    /// Whether some version has a field of this name. A name that none has is a mistake of the caller.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.find_any(name).is_some()
    }
}

pub(super) const fn message(
    api: i16,
    direction: Direction,
    name: &'static str,
    first: u8,
    last: u8,
    first_flexible: u8,
    root: &'static StructRow,
) -> MessageRow {
    MessageRow {
        api,
        direction,
        name,
        first,
        last,
        first_flexible,
        root,
    }
}

pub(super) const fn structure(
    has_names: bool,
    memory: u16,
    sizes: &'static [(u8, u16)],
    plain: &'static [FieldRow],
    tagged: &'static [FieldRow],
) -> StructRow {
    StructRow {
        has_names,
        memory,
        sizes,
        plain,
        tagged,
    }
}

pub(super) const fn field(name: &'static str, kind: FieldType, first: u8, last: u8) -> FieldRow {
    FieldRow {
        name,
        kind,
        is_array: false,
        first,
        last,
        first_nullable: NO_VERSION,
        last_nullable: 0,
        tag: NO_TAG,
        mark: NameMark::None,
        default_is_null: false,
        default: 0,
    }
}
