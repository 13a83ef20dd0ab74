//! Decoding of the YAML tree into the records of the schema, with every error of shape reported.
//!
//! A [`record!`] lists the keys of a mapping once, each with its meaning and default. From that list come the decoder,
//! the paths of all keys and the reference in `docs/configuration.md`. The decoder reports every unknown, repeated,
//! missing and wrongly typed key and goes on, so that the rules of `model` are checked on everything that was readable.
//! A record remembers what was lost ([`RecordShape`]), so that no rule complains about a consequence of an earlier error.

use super::describe::Schema;
use super::diagnostic::{Errors, Pos, nearest, quoted, suggestion};
use super::yaml::{Mapping, Node, NodeContent};
use super::{environment, foreign};

/// A decoded value with its position in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The decoded value.
    pub value: T,
    /// Position of the first character of the value.
    pub at: Pos,
    /// Position of the first character of the key; for list items and the document itself, that of the value.
    pub key: Pos,
}

/// The items of a list that could be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T> {
    /// The decodable items, in the order of the file.
    pub items: Vec<Spanned<T>>,
    /// Whether every item could be decoded.
    pub complete: bool,
}

/// Parts of a mapping that were lost in decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecordShape {
    /// Whether the mapping has unknown keys that look like misspelt ones. The keys that were meant seem absent.
    pub misspelt_keys: bool,
    /// Whether a value could not be decoded. Its key seems absent.
    pub bad_values: bool,
}

impl RecordShape {
    /// Whether every key that seems absent is absent.
    pub fn is_sound(self) -> bool {
        !self.misspelt_keys && !self.bad_values
    }
}

/// A type that a value of the file is decoded into.
pub(crate) trait Decode: Sized {
    /// Returns the kind of value that is accepted.
    fn schema() -> Schema;

    /// Names what to write instead of a mapping that releases of Kroxylicious before 0.11 had in place of a list.
    const AS_MAPPING: Option<&'static str> = None;

    /// Decodes `node`. Returns `None` after reporting the reason to `errors`.
    fn decode(node: Node<'_>, errors: &mut Errors) -> Option<Self>;
}

/// A field of a record: optional (`Option<Spanned<T>>`) or required (`Spanned<T>`).
pub(crate) trait Field: Sized {
    /// Whether the key must be present.
    const REQUIRED: bool;

    /// Returns the kind of value that is accepted.
    fn schema() -> Schema;

    /// Takes the value of `key` out of `fields`. Returns `None` if it is required and absent, or undecodable.
    fn take(fields: &mut Fields<'_>, key: &'static str, errors: &mut Errors) -> Option<Self>;
}

impl<T: Decode> Field for Option<Spanned<T>> {
    const REQUIRED: bool = false;

    fn schema() -> Schema {
        T::schema()
    }

    fn take(fields: &mut Fields<'_>, key: &'static str, errors: &mut Errors) -> Option<Self> {
        let Some((at, node)) = fields.claim(key).filter(|(_, node)| !node.is_null()) else {
            return Some(None);
        };
        let decoded = T::decode(node, errors).map(|value| Spanned {
            value,
            at: node.at(),
            key: at,
        });
        fields.shape.bad_values |= decoded.is_none();
        Some(decoded)
    }
}

impl<T: Decode> Field for Spanned<T> {
    const REQUIRED: bool = true;

    fn schema() -> Schema {
        T::schema()
    }

    fn take(fields: &mut Fields<'_>, key: &'static str, errors: &mut Errors) -> Option<Self> {
        let found = <Option<Self> as Field>::take(fields, key, errors)?;
        if found.is_none() && !fields.is_given(key) {
            fields.missing.push(key);
        }
        found
    }
}

impl<T: Decode> Decode for List<T> {
    fn schema() -> Schema {
        Schema::List(T::schema)
    }

    fn decode(node: Node<'_>, errors: &mut Errors) -> Option<Self> {
        let NodeContent::Sequence(sequence) = node.content() else {
            errors.push(
                node.at(),
                match (T::AS_MAPPING, node.content()) {
                    (Some(now), NodeContent::Mapping(_)) => foreign::former("a mapping", now),
                    _ => format!("expected a list, found {}", node.describe()),
                },
            );
            return None;
        };
        let mut items = Vec::with_capacity(sequence.iter().len());
        for item in sequence.iter() {
            if let Some(value) = T::decode(item, errors) {
                items.push(Spanned {
                    value,
                    at: item.at(),
                    key: item.at(),
                });
            }
        }
        Some(Self {
            complete: items.len() == sequence.iter().len(),
            items,
        })
    }
}

/// Treatment of a key that does not belong to the mapping but is known from another program or another file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ForeignKey {
    /// An error with this message.
    Rejected(String),
    /// An error with this message: another key has its meaning now.
    Replaced(String),
    /// A warning with this message: the key has no effect.
    WithoutEffect(String),
    /// Accepted in silence: the value asks for nothing.
    Ignored,
}

/// Looks a key up among the foreign ones, with its value. Returns `None` for an unknown key.
pub(crate) type ForeignLookup<'j> = &'j dyn Fn(&str, Node<'_>) -> Option<ForeignKey>;

/// The keys of one mapping while they are taken one by one.
pub(crate) struct Fields<'t> {
    at: Pos,
    mapping: Mapping<'t>,
    claimed: Vec<bool>,
    known: Vec<(&'static str, Option<Pos>)>,
    missing: Vec<&'static str>,
    shape: RecordShape,
}

impl<'t> Fields<'t> {
    /// Opens the mapping at `node`. Reports any other kind of value and returns `None`.
    pub(crate) fn of(node: Node<'t>, errors: &mut Errors) -> Option<Self> {
        let NodeContent::Mapping(mapping) = node.content() else {
            errors.push(
                node.at(),
                format!("expected a mapping, found {}", node.describe()),
            );
            return None;
        };
        Some(Self {
            at: node.at(),
            mapping,
            claimed: vec![false; mapping.len()],
            known: Vec::new(),
            missing: Vec::new(),
            shape: RecordShape::default(),
        })
    }

    /// Returns the position of the mapping.
    pub(crate) fn at(&self) -> Pos {
        self.at
    }

    /// Returns the first value under `key`, which stays there to be taken.
    pub(crate) fn peek(&self, key: &str) -> Option<Node<'t>> {
        let mut entries = self.mapping.iter();
        let found = entries.find(|(name, _)| name.scalar() == Some(key));
        found.map(|(_, value)| value)
    }

    /// Notes that a value was lost, which has been reported.
    pub(crate) fn lose(&mut self) {
        self.shape.bad_values = true;
    }

    /// Returns the first value under `key` with the position of the key, and notes the key as known.
    pub(crate) fn claim(&mut self, key: &'static str) -> Option<(Pos, Node<'t>)> {
        let found = self
            .mapping
            .iter()
            .enumerate()
            .find(|(_, (name, _))| name.scalar() == Some(key));
        let Some((index, (name, value))) = found else {
            self.known.push((key, None));
            return None;
        };
        if let Some(claimed) = self.claimed.get_mut(index) {
            *claimed = true;
        }
        self.known.push((key, Some(name.at())));
        Some((name.at(), value))
    }

    /// Whether `key` has a value, decodable or not.
    fn is_given(&self, key: &str) -> bool {
        self.mapping
            .iter()
            .any(|(name, value)| name.scalar() == Some(key) && !value.is_null())
    }

    /// Reports every key that was not taken and every required key that is missing.
    pub(crate) fn finish(&mut self, foreign_keys: ForeignLookup<'_>, errors: &mut Errors) -> RecordShape {
        self.finish_with(foreign_keys, true, errors)
    }

    /// Does what [`finish`](Self::finish) does without repeating any key, for mappings around a secret: `{hunter2}` is a
    /// mapping with an unknown key.
    pub(crate) fn finish_hidden(
        &mut self,
        foreign_keys: ForeignLookup<'_>,
        errors: &mut Errors,
    ) -> RecordShape {
        self.finish_with(foreign_keys, false, errors)
    }

    fn finish_with(
        &mut self,
        foreign_keys: ForeignLookup<'_>,
        echo: bool,
        errors: &mut Errors,
    ) -> RecordShape {
        let unclaimed = self
            .mapping
            .iter()
            .zip(&self.claimed)
            .filter(|(_, claimed)| !**claimed);
        let mut foreign: Vec<(&str, Pos)> = Vec::new();
        for ((key, value), _) in unclaimed {
            let Some(name) = key.scalar() else {
                errors.push(key.at(), format!("expected a key, found {}", key.describe()));
                continue;
            };
            let taken = self.known.iter().find(|(known, _)| *known == name);
            let before = foreign.iter().find(|(known, _)| *known == name);
            let first = match (taken, before) {
                (Some((_, Some(first))), _) | (_, Some((_, first))) => Some(first),
                _ => None,
            };
            if let Some(first) = first {
                errors.push(
                    key.at(),
                    format!("duplicate key {}, already on line {}", quoted(name), first.line),
                );
                continue;
            }
            if let Some(treatment) = foreign_keys(name, value) {
                foreign.push((name, key.at()));
                match treatment {
                    ForeignKey::Rejected(why) => errors.push(key.at(), why),
                    ForeignKey::Replaced(why) => {
                        // The key that replaces it seems absent.
                        self.shape.misspelt_keys = true;
                        errors.push(key.at(), why);
                    }
                    ForeignKey::WithoutEffect(why) => errors.note(key.at(), || why),
                    ForeignKey::Ignored => {}
                }
                continue;
            }
            if errors.is_full() {
                errors.push(key.at(), "unknown key");
                continue;
            }
            let known: Vec<&str> = self.known.iter().map(|(known, _)| *known).collect();
            self.shape.misspelt_keys |= nearest(name, &known).is_some();
            errors.push(key.at(), unknown_key(name, &known, echo));
        }
        if self.shape.misspelt_keys {
            return self.shape;
        }
        for key in &self.missing {
            errors.push(self.at, format!("missing key {}", quoted(key)));
        }
        self.shape
    }
}

fn unknown_key(name: &str, known: &[&str], echo: bool) -> String {
    if echo && name.contains(environment::OPEN) {
        return "environment variables are allowed in values, not in keys".to_owned();
    }
    if echo {
        let hint = suggestion(name, known.iter().copied());
        format!("unknown key {}{hint}", quoted(name))
    } else {
        format!("unknown key{}", suggestion("", known.iter().copied()))
    }
}

/// Declares a mapping of the file: its keys, each with its meaning (the doc comment) and, after `=`, the value that an
/// absent key stands for. Both are texts of the configuration reference, so every key must have a doc comment.
///
/// Keys of Kroxylicious that kproxy does not have: `not_supported` lists those that ask for a feature that is not there,
/// `inert` those that have no effect here, and `former` those of releases before 0.11, with what to write now.
/// `as_mapping` is what to write now where such releases had a mapping in place of a list of these records.
macro_rules! record {
    (
        $(#[doc = $record_meaning:literal])+
        pub struct $name:ident {
            $( $(#[doc = $meaning:literal])+ $key:literal $field:ident: $type:ty $(= $default:literal)?, )*
        }
        $( not_supported { $($foreign:literal),* $(,)? } )?
        $( inert { $($inert:literal => $inert_why:literal),* $(,)? } )?
        $( former { $($former:literal => $now:literal),* $(,)? } )?
        $( as_mapping $as_mapping:literal )?
    ) => {
        $(#[doc = $record_meaning])+
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            $( $(#[doc = $meaning])+ pub $field: $type, )*
            /// Parts of the mapping that were lost in decoding.
            pub shape: $crate::config::RecordShape,
        }

        impl $name {
            /// The keys of the mapping.
            pub const KEYS: &'static [&'static str] = &[$($key),*];

            const FOREIGN: &'static $crate::config::foreign::ForeignKeys = &$crate::config::foreign::ForeignKeys {
                not_supported: &[$($($foreign),*)?],
                inert: &[$($(($inert, $inert_why)),*)?],
                former: &[$($(($former, $now)),*)?],
            };
        }

        impl $crate::config::decode::Decode for $name {
            fn schema() -> $crate::config::describe::Schema {
                const SCHEMA: &$crate::config::describe::RecordSchema = &$crate::config::describe::RecordSchema {
                    name: stringify!($name),
                    meaning: concat!($($record_meaning, "\n"),+),
                    keys: &[$( $crate::config::describe::KeySchema {
                        name: $key,
                        meaning: concat!($($meaning, "\n"),+),
                        default: $crate::config::decode::first(&[$($default)?]),
                        required: <$type as $crate::config::decode::Field>::REQUIRED,
                        schema: <$type as $crate::config::decode::Field>::schema,
                    }, )*],
                    foreign: $name::FOREIGN,
                };
                $crate::config::describe::Schema::Record(SCHEMA)
            }

            $( const AS_MAPPING: Option<&'static str> = Some($as_mapping); )?

            fn decode(
                node: $crate::config::yaml::Node<'_>,
                errors: &mut $crate::config::diagnostic::Errors,
            ) -> Option<Self> {
                let mut fields = $crate::config::decode::Fields::of(node, errors)?;
                $( let $field = <$type as $crate::config::decode::Field>::take(&mut fields, $key, errors); )*
                let shape = fields.finish(&|key, value| Self::FOREIGN.look_up(key, value), errors);
                Some(Self { $( $field: $field?, )* shape })
            }
        }
    };
}
pub(crate) use record;

/// Returns the first of at most one text.
pub(crate) const fn first(texts: &[&'static str]) -> Option<&'static str> {
    match texts {
        [] => None,
        [text, ..] => Some(text),
    }
}

/// Declares a value that is one of a few words.
macro_rules! choice {
    (
        $(#[$meta:meta])*
        pub enum $name:ident { $( $(#[$variant_meta:meta])* $variant:ident = $word:literal, )* }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $( $(#[$variant_meta])* $variant, )* }

        impl $crate::config::decode::Decode for $name {
            fn schema() -> $crate::config::describe::Schema {
                $crate::config::describe::Schema::Choice(&[$($word),*])
            }

            fn decode(
                node: $crate::config::yaml::Node<'_>,
                errors: &mut $crate::config::diagnostic::Errors,
            ) -> Option<Self> {
                match $crate::config::decode::word(node, &[$($word),*], errors)? {
                    $( $word => Some(Self::$variant), )*
                    _ => None,
                }
            }
        }
    };
}
pub(crate) use choice;

/// Returns the scalar at `node` if it is one of `words`, and reports any other value.
pub(crate) fn word<'t>(node: Node<'t>, words: &[&str], errors: &mut Errors) -> Option<&'t str> {
    match node.scalar() {
        Some(text) if words.contains(&text) => return Some(text),
        Some(text) => {
            let hint = suggestion(text, words.iter().copied());
            errors.push(node.at(), format!("unknown value {}{hint}", quoted(text)));
        }
        None => {
            let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
            errors.push(
                node.at(),
                format!("expected {}, found {}", words.join(" or "), node.describe()),
            );
        }
    }
    None
}
