//! Keys of Kroxylicious' files that are no keys of kproxy.

use super::decode::Judgement;
use super::diagnostic::quoted;
use super::yaml::{Content, Node};

/// Those that may be met in one kind of mapping.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ForeignKeys {
    /// They ask for what kproxy does not do, unless they hold nothing.
    pub(crate) not_supported: &'static [&'static str],
    /// They change nothing here, with the reason.
    pub(crate) inert: &'static [(&'static str, &'static str)],
    /// Forms of old releases, with what is written now.
    pub(crate) former: &'static [(&'static str, &'static str)],
}

impl ForeignKeys {
    /// What becomes of `key`; `None` where it is unknown here, too.
    pub(crate) fn judge(&self, key: &str, value: Node<'_>) -> Option<Judgement> {
        let of = |list: &'static [(&'static str, &'static str)]| {
            list.iter()
                .find(|(known, _)| *known == key)
                .map(|(_, text)| *text)
        };
        if let Some(now) = of(self.former) {
            return Some(Judgement::Replaced(former(&quoted(key), now)));
        }
        if let Some(why) = of(self.inert) {
            return Some(match is_nothing(value) {
                true => Judgement::Silent,
                false => Judgement::WithoutEffect(format!("{} has no effect: {why}", quoted(key))),
            });
        }
        self.not_supported
            .contains(&key)
            .then(|| match is_nothing(value) {
                true => Judgement::Silent,
                false => Judgement::Refused(format!("{} is not supported yet", quoted(key))),
            })
    }
}

/// The message for a form of an old release.
pub(super) fn former(what: &str, now: &str) -> String {
    format!("{what} here is a form of Kroxylicious before 0.11, write {now}")
}

/// Nothing, `false`, or an empty list or mapping.
fn is_nothing(value: Node<'_>) -> bool {
    match value.content() {
        Content::Scalar {
            text: "false" | "False" | "FALSE",
            plain: true,
        } => true,
        Content::Scalar { .. } => value.is_null(),
        Content::Sequence(items) => items.iter().len() == 0,
        Content::Mapping(entries) => entries.len() == 0,
    }
}
