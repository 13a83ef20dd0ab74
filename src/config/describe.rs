//! Description of the file: the kinds of values that its places take, for the reference and for editors.

use super::foreign::ForeignKeys;

/// The kind of value that a place of the file takes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Schema {
    /// A scalar.
    Value(ScalarKind),
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// A list whose items have this schema.
    List(fn() -> Self),
    /// A mapping.
    Record(&'static RecordSchema),
    /// A mapping whose keys depend on the value of `type` beside it, with the schema for each.
    ByType(&'static [TypedSchema]),
}

/// A value of `type`, and the schema of the mapping beside it.
pub(crate) type TypedSchema = (&'static str, fn() -> Schema);

/// A type of scalar.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScalarKind {
    /// Name of the type for people.
    pub(crate) name: &'static str,
    /// What editors can check of it.
    pub(crate) form: ScalarForm,
}

/// What can be said of a scalar without decoding it. Everything that decodes has the form.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ScalarForm {
    /// `true` or `false`, without quotes.
    Truth,
    /// A number without quotes, both ends included.
    Whole {
        /// The least number.
        least: i64,
        /// The greatest number.
        greatest: i64,
    },
    /// Any text, and numbers, which are taken as they are written.
    Text,
    /// A text of at least one character that matches this regular expression, in the dialect of ECMA-262 without
    /// look-around.
    Pattern(&'static str),
    /// A text as of [`ScalarForm::Pattern`], or a number without quotes from 0.
    PatternOrWhole(&'static str),
}

impl Schema {
    /// Returns the schema of a scalar that people know as `name`.
    pub(crate) const fn scalar(name: &'static str, form: ScalarForm) -> Self {
        Self::Value(ScalarKind { name, form })
    }

    /// Returns the schema of a whole number, both ends included.
    pub(crate) const fn whole(name: &'static str, least: i64, greatest: i64) -> Self {
        Self::scalar(name, ScalarForm::Whole { least, greatest })
    }

    /// Returns the schema of a text.
    pub(crate) const fn text(name: &'static str) -> Self {
        Self::scalar(name, ScalarForm::Text)
    }
}

/// The schema of a mapping.
#[derive(Debug)]
pub(crate) struct RecordSchema {
    /// Name of the type that the mapping is decoded into.
    pub(crate) name: &'static str,
    /// Doc comment of that type: the purpose of the mapping.
    pub(crate) meaning: &'static str,
    /// Every key of the mapping, in the order of the reference.
    pub(crate) keys: &'static [KeySchema],
    /// Keys of Kroxylicious that the mapping may contain.
    pub(crate) foreign: &'static ForeignKeys,
}

/// The schema of one key of a mapping.
#[derive(Debug)]
pub(crate) struct KeySchema {
    /// The key as it is written in the file.
    pub(crate) name: &'static str,
    /// Doc comment of the field: the meaning of the key.
    pub(crate) meaning: &'static str,
    /// The value that an absent key stands for, as it would be written, if it can be written.
    pub(crate) default: Option<&'static str>,
    /// Whether the mapping must have the key.
    pub(crate) required: bool,
    /// The kind of value.
    pub(crate) schema: fn() -> Schema,
}
