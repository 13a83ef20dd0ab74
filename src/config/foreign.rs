//! Keys that files of Kroxylicious have and kproxy does not.

use super::decode::ForeignKey;
use super::diagnostic::quoted;
use super::yaml::{Node, NodeContent};

/// The foreign keys that one kind of mapping may contain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ForeignKeys {
    /// Keys of features that kproxy does not have: errors, unless their value is empty.
    pub(crate) not_supported: &'static [&'static str],
    /// Keys without effect, with the reason: warnings, unless their value is empty.
    pub(crate) inert: &'static [(&'static str, &'static str)],
    /// Forms of old releases, with what to write now: errors.
    pub(crate) former: &'static [(&'static str, &'static str)],
}

impl ForeignKeys {
    /// Returns the treatment of `key`, or `None` if it is not one of these keys.
    pub(crate) fn look_up(&self, key: &str, value: Node<'_>) -> Option<ForeignKey> {
        let of = |list: &'static [(&'static str, &'static str)]| {
            list.iter()
                .find(|(known, _)| *known == key)
                .map(|(_, text)| *text)
        };
        if let Some(now) = of(self.former) {
            return Some(ForeignKey::Replaced(former(&quoted(key), now)));
        }
        if let Some(why) = of(self.inert) {
            return Some(match is_nothing(value) {
                true => ForeignKey::Ignored,
                false => ForeignKey::WithoutEffect(format!("{} has no effect: {why}", quoted(key))),
            });
        }
        self.not_supported
            .contains(&key)
            .then(|| match is_nothing(value) {
                true => ForeignKey::Ignored,
                false => ForeignKey::Rejected(format!("{} is not supported yet", quoted(key))),
            })
    }
}

/// Returns the error message for `what`, a form of an old release that is written as `now` today.
pub(super) fn former(what: &str, now: &str) -> String {
    format!("{what} here is a form of Kroxylicious before 0.11, write {now}")
}

/// Whether `value` asks for nothing: null, `false`, or an empty list or mapping.
fn is_nothing(value: Node<'_>) -> bool {
    match value.content() {
        NodeContent::Scalar {
            text: "false" | "False" | "FALSE",
            plain: true,
        } => true,
        NodeContent::Scalar { .. } => value.is_null(),
        NodeContent::Sequence(items) => items.iter().len() == 0,
        NodeContent::Mapping(entries) => entries.len() == 0,
    }
}
