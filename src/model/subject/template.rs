//! Replacements with references to groups, as Java reads them.

use regex_automata::util::captures::{Captures, GroupInfo};

/// A replacement: texts and references to groups of the expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Group(usize),
}

impl Template {
    /// Reads a replacement: `$1` and `${name}` stand for groups, `\` makes the next character an ordinary one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn new(written: &str, groups: &GroupInfo) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut rest = written;
        while let Some(next) = rest.chars().next() {
            rest = &rest[next.len_utf8()..];
            match next {
                '\\' => {
                    let escaped = rest
                        .chars()
                        .next()
                        .ok_or("a backslash at the end of the replacement")?;
                    text.push(escaped);
                    rest = &rest[escaped.len_utf8()..];
                }
                '$' => {
                    let (group, length) = reference(rest, groups)?;
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                    pieces.push(Piece::Group(group));
                    rest = &rest[length..];
                }
                next => text.push(next),
            }
        }
        pieces.push(Piece::Text(text));
        Ok(Self(pieces))
    }

    /// Appends the replacement for one match in `name`.
    pub(super) fn append(&self, name: &str, captures: &Captures, out: &mut String) {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Group(group) => {
                    if let Some(span) = captures.get_group(*group) {
                        out.push_str(&name[span.range()]);
                    }
                }
            }
        }
    }
}

/// The group behind a `$`, and the length of the reference in bytes. Of a number as many digits count as make a group that exists.
fn reference(rest: &str, groups: &GroupInfo) -> Result<(usize, usize), String> {
    if let Some((name, _)) = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
        let group = groups.to_index(regex_automata::PatternID::ZERO, name);
        let missing = || format!("the replacement refers to group `{name}`, which the expression has not");
        return Ok((group.ok_or_else(missing)?, name.len() + 2));
    }
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return Err("behind `$` stands the number of a group; write `\\$` for a dollar sign".to_owned());
    }
    let exists = |length: &usize| {
        let number: Option<usize> = rest[..*length].parse().ok();
        number.is_some_and(|number| number < groups.group_len(regex_automata::PatternID::ZERO))
    };
    let length = (1..=digits).take_while(exists).last();
    let Some(length) = length else {
        return Err(format!(
            "the replacement refers to group {}, which the expression has not",
            &rest[..digits]
        ));
    };
    Ok((rest[..length].parse().unwrap_or_default(), length))
}
