//! Texts and expressions as they are written in rules, with Kroxylicious' rules for backslashes.

use std::sync::Arc;

use super::NameMatch;
use crate::model::pattern::{BadPattern, JavaPattern};

/// Removes every backslash that stands before another character.
pub(super) fn unquoted(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(next) = chars.next() {
        match next {
            '\\' => text.push(chars.next().unwrap_or('\\')),
            next => text.push(next),
        }
    }
    text
}

/// What `like` matches: names that begin with the text before a final `*`; without one the name itself. `\*` is a star.
///
/// # Errors
/// A star that is not the last character.
pub(super) fn like(raw: &str) -> Result<NameMatch, &'static str> {
    let mut prefix = String::with_capacity(raw.len());
    let mut chars = raw.chars().peekable();
    while let Some(next) = chars.next() {
        match next {
            '\\' => prefix.push(chars.next().unwrap_or('\\')),
            '*' if chars.peek().is_some() => {
                return Err("`*` is only supported as the last character of `like`");
            }
            '*' if prefix.is_empty() => return Ok(NameMatch::Any),
            '*' => return Ok(NameMatch::Prefix(prefix.into())),
            next => prefix.push(next),
        }
    }
    Ok(NameMatch::OneOf(vec![prefix.into()]))
}

/// The expression behind `matching`, and the characters whose backslash was removed although it means something.
///
/// # Errors
/// [`BadPattern`], whose position is 0 where backslashes were removed.
pub(super) fn matching(raw: &str) -> Result<(JavaPattern, Option<char>), BadPattern> {
    let pattern = JavaPattern::new(&unquoted(raw)).map_err(|bad| BadPattern {
        at: if raw.contains('\\') { 0 } else { bad.at },
        ..bad
    })?;
    Ok((pattern, lost_backslash(raw)))
}

/// The first character, other than `\` and `/`, that a backslash stands before.
fn lost_backslash(raw: &str) -> Option<char> {
    let mut chars = raw.chars();
    while let Some(next) = chars.next() {
        if next == '\\' {
            match chars.next() {
                Some('\\' | '/' | '"') | None => {}
                lost => return lost,
            }
        }
    }
    None
}

/// Names without repetitions, in the order in which they were written.
pub(super) fn one_of(names: impl Iterator<Item = String>) -> NameMatch {
    let mut found: Vec<Arc<str>> = Vec::new();
    let mut known = std::collections::HashSet::new();
    for name in names {
        let name: Arc<str> = name.into();
        if known.insert(Arc::clone(&name)) {
            found.push(name);
        }
    }
    NameMatch::OneOf(found)
}
