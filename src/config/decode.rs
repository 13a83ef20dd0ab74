//! One walk over the YAML tree that decodes it and finds everything wrong with its shape.
//!
//! A [`record!`] lists the keys of a mapping once; the walk that comes of it reports every unknown, repeated,
//! missing and wrongly typed key it meets and goes on, so that the rules that follow can be checked on whatever
//! was readable. A record remembers what it lost ([`Shape`]), so that no rule complains about the consequences.

use super::diagnostic::{Errors, Pos, nearest, quoted, suggestion};
use super::yaml::{Content, Mapping, Node};
use super::{environment, foreign};

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    pub value: T,
    /// The value's first character.
    pub at: Pos,
    /// The key's first character; for items of lists and the document, the value's.
    pub key: Pos,
}

/// The items of a list that could be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T> {
    pub items: Vec<Spanned<T>>,
    /// No item was left out.
    pub complete: bool,
}

/// What of a mapping was lost in decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shape {
    /// It has keys that look like misspelt ones, which now seem absent.
    pub misspelt_keys: bool,
    /// A key has a value that could not be decoded and now seems absent.
    pub bad_values: bool,
}

impl Shape {
    /// What seems absent is absent.
    pub fn is_sound(self) -> bool {
        !self.misspelt_keys && !self.bad_values
    }
}

/// What may stand in a place of the file.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Schema {
    Value,
    /// Of such items.
    List(fn() -> Self),
    Record(&'static [Key]),
}

/// A key of a mapping, and what may stand there.
pub(crate) type Key = (&'static str, fn() -> Schema);

/// A type that can stand as a value. `None` means that it could not, and that the reason has been reported.
pub(crate) trait Decode: Sized {
    /// What may stand there.
    fn schema() -> Schema {
        Schema::Value
    }

    /// What to write where a list of such items was a mapping once.
    const AS_MAPPING: Option<&'static str> = None;

    fn decode(node: Node<'_>, errors: &mut Errors) -> Option<Self>;
}

/// A key of a record: optional (`Option<Spanned<T>>`) or required (`Spanned<T>`).
pub(crate) trait Field: Sized {
    /// What may stand as its value.
    fn schema() -> Schema;

    fn take(fields: &mut Fields<'_>, key: &'static str, errors: &mut Errors) -> Option<Self>;
}

impl<T: Decode> Field for Option<Spanned<T>> {
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
        let Content::Sequence(sequence) = node.content() else {
            errors.push(
                node.at(),
                match (T::AS_MAPPING, node.content()) {
                    (Some(now), Content::Mapping(_)) => foreign::former("a mapping", now),
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

/// What becomes of a key that is not one of the mapping's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// It cannot stand here.
    Refused(String),
    /// Another key has its meaning now.
    Replaced(String),
    /// It may stand here and changes nothing, which is worth a warning.
    WithoutEffect(String),
    /// It may stand here and says nothing.
    Silent,
}

/// Judges a key by its value; `None`: it is unknown.
pub(crate) type Judge<'j> = &'j dyn Fn(&str, Node<'_>) -> Option<Judgement>;

/// The keys of one mapping while they are being taken.
pub(crate) struct Fields<'t> {
    at: Pos,
    mapping: Mapping<'t>,
    claimed: Vec<bool>,
    known: Vec<(&'static str, Option<Pos>)>,
    missing: Vec<&'static str>,
    shape: Shape,
}

impl<'t> Fields<'t> {
    /// Reports and returns `None` where something other than a mapping stands.
    pub(crate) fn of(node: Node<'t>, errors: &mut Errors) -> Option<Self> {
        let Content::Mapping(mapping) = node.content() else {
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
            shape: Shape::default(),
        })
    }

    /// The first value under `key`, with the position of the key.
    fn claim(&mut self, key: &'static str) -> Option<(Pos, Node<'t>)> {
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

    /// Whether `key`, already taken, had a value, decodable or not.
    fn is_given(&self, key: &str) -> bool {
        self.mapping
            .iter()
            .any(|(name, value)| name.scalar() == Some(key) && !value.is_null())
    }

    /// Reports every key that was not taken, and every required one that is missing.
    ///
    /// `judge` knows the keys of other programs and other files.
    pub(crate) fn finish(&mut self, judge: Judge<'_>, errors: &mut Errors) -> Shape {
        self.finish_with(judge, true, errors)
    }

    /// As [`finish`](Self::finish), for mappings around a secret: `{hunter2}` is a mapping with an unknown key.
    pub(crate) fn finish_hidden(&mut self, judge: Judge<'_>, errors: &mut Errors) -> Shape {
        self.finish_with(judge, false, errors)
    }

    fn finish_with(&mut self, judge: Judge<'_>, echo: bool, errors: &mut Errors) -> Shape {
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
            if let Some(judgement) = judge(name, value) {
                foreign.push((name, key.at()));
                match judgement {
                    Judgement::Refused(why) => errors.push(key.at(), why),
                    Judgement::Replaced(why) => {
                        // What it stands for now seems absent.
                        self.shape.misspelt_keys = true;
                        errors.push(key.at(), why);
                    }
                    Judgement::WithoutEffect(why) => errors.note(key.at(), || why),
                    Judgement::Silent => {}
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
        return "variables of the environment may stand in values, not in keys".to_owned();
    }
    if echo {
        let hint = suggestion(name, known.iter().copied());
        format!("unknown key {}{hint}", quoted(name))
    } else {
        format!("unknown key{}", suggestion("", known.iter().copied()))
    }
}

/// Declares a mapping of the file: its keys, once. Of Kroxylicious' other keys, `not_supported` names those that ask
/// for what kproxy does not do, `inert` those that change nothing here, and `former` those of its releases before
/// 0.11, with what to write now; `as_mapping` says the same of lists of such mappings that were a mapping then.
macro_rules! record {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $( $(#[$field_meta:meta])* $key:literal $field:ident: $type:ty, )*
        }
        $( not_supported { $($foreign:literal),* $(,)? } )?
        $( inert { $($inert:literal => $inert_why:literal),* $(,)? } )?
        $( former { $($former:literal => $now:literal),* $(,)? } )?
        $( as_mapping $as_mapping:literal )?
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            $( $(#[$field_meta])* pub $field: $type, )*
            /// What was lost in decoding.
            pub shape: $crate::config::Shape,
        }

        impl $name {
            /// The keys of the mapping.
            pub const KEYS: &'static [&'static str] = &[$($key),*];
        }

        impl $crate::config::decode::Decode for $name {
            fn schema() -> $crate::config::decode::Schema {
                $crate::config::decode::Schema::Record(&[
                    $( ($key, <$type as $crate::config::decode::Field>::schema), )*
                ])
            }

            $( const AS_MAPPING: Option<&'static str> = Some($as_mapping); )?

            fn decode(
                node: $crate::config::yaml::Node<'_>,
                errors: &mut $crate::config::diagnostic::Errors,
            ) -> Option<Self> {
                let mut fields = $crate::config::decode::Fields::of(node, errors)?;
                $( let $field = <$type as $crate::config::decode::Field>::take(&mut fields, $key, errors); )*
                const FOREIGN: $crate::config::foreign::ForeignKeys = $crate::config::foreign::ForeignKeys {
                    not_supported: &[$($($foreign),*)?],
                    inert: &[$($(($inert, $inert_why)),*)?],
                    former: &[$($(($former, $now)),*)?],
                };
                let shape = fields.finish(&|key, value| FOREIGN.judge(key, value), errors);
                Some(Self { $( $field: $field?, )* shape })
            }
        }
    };
}
pub(crate) use record;

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

/// The scalar, if it is one of `words`.
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
