//! What is wrong with a configuration, and where.

use std::fmt;
use std::sync::Arc;

/// Diagnostics kept for one file. A file that breaks more rules than this is not a configuration, and whoever
/// reads the list has stopped reading.
const MAX_DIAGNOSTICS: usize = 1000;

/// Names compared when looking for the nearest; keeps a file of 10 000 wrong references from costing 10 000².
const MAX_CANDIDATES: usize = 512;

/// Names listed where none is near.
const MAX_LISTED: usize = 24;

/// Characters of the file's own text repeated in a message.
const MAX_QUOTED: usize = 64;

/// A place in the file: both count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pos {
    pub line: u32,
    pub col: u32,
}

impl Pos {
    /// The first character of the file: for what concerns the file as a whole.
    pub const START: Self = Self { line: 1, col: 1 };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// One violation. Displays as `FILE:LINE:COL: error: WHAT`, always on one line, and never contains a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file as the operator named it.
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub col: u32,
    pub severity: Severity,
    pub message: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}: {}: {}",
            self.file, self.line, self.col, self.severity, self.message
        )
    }
}

impl std::error::Error for Diagnostic {}

/// Collects every violation of one file.
#[derive(Debug)]
pub(crate) struct Errors {
    found: Vec<(Pos, String)>,
    suppressed: usize,
}

impl Errors {
    pub(crate) fn new() -> Self {
        Self {
            found: Vec::new(),
            suppressed: 0,
        }
    }

    pub(crate) fn push(&mut self, at: Pos, message: impl Into<String>) {
        self.push_with(at, || message.into());
    }

    /// Builds the message only if it will be kept: looking for the nearest name is the expensive part.
    pub(crate) fn push_with(&mut self, at: Pos, message: impl FnOnce() -> String) {
        if !self.is_full() {
            self.found.push((at, message()));
        } else {
            self.suppressed += 1;
        }
    }

    pub(crate) fn append(&mut self, other: Self) {
        self.suppressed += other.suppressed;
        other
            .found
            .into_iter()
            .for_each(|(at, message)| self.push(at, message));
    }

    /// What is still pushed will only be counted.
    pub(crate) fn is_full(&self) -> bool {
        self.found.len() >= MAX_DIAGNOSTICS
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// In the order of the file.
    pub(crate) fn into_diagnostics(mut self, file: &Arc<str>) -> Vec<Diagnostic> {
        self.found.sort();
        self.found.dedup();
        if self.suppressed > 0 {
            let last = self.found.last().map_or(Pos::START, |(at, _)| *at);
            self.found
                .push((last, format!("{} more errors are not shown", self.suppressed)));
        }
        let diagnostic = |(at, message): (Pos, String)| Diagnostic {
            file: Arc::clone(file),
            line: at.line,
            col: at.col,
            severity: Severity::Error,
            message,
        };
        self.found.into_iter().map(diagnostic).collect()
    }
}

/// The diagnostics of two passes over the same file as one list, in the order of the file.
pub(crate) fn merge(mut first: Vec<Diagnostic>, second: Vec<Diagnostic>) -> Vec<Diagnostic> {
    first.extend(second);
    first.sort_by_key(|d| (d.line, d.col));
    first
}

/// `` `text` ``, shortened and on one line. Only for text that cannot be a secret.
pub(crate) fn quoted(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(MAX_QUOTED)
        .flat_map(char::escape_debug)
        .collect();
    shown = shown.replace("\\'", "'").replace("\\\"", "\"");
    if text.chars().nth(MAX_QUOTED).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

/// What to try instead of `name`: `` , did you mean `x`? ``, or the valid names where none is near.
pub(crate) fn suggestion<'n>(name: &str, valid: impl IntoIterator<Item = &'n str>) -> String {
    let valid: Vec<&str> = valid.into_iter().take(MAX_CANDIDATES).collect();
    if let Some(near) = nearest(name, &valid) {
        return format!(", did you mean {}?", quoted(near));
    }
    match valid.as_slice() {
        [] => String::new(),
        [only] => format!(", the only valid name is {}", quoted(only)),
        _ => {
            let listed: Vec<String> = valid.iter().take(MAX_LISTED).map(|name| quoted(name)).collect();
            let more = if valid.len() > MAX_LISTED { ", …" } else { "" };
            format!(", valid names are {}{more}", listed.join(", "))
        }
    }
}

/// The name within a Damerau–Levenshtein distance of 1 + a quarter of the length, if there is one.
pub(crate) fn nearest<'n>(name: &str, valid: &[&'n str]) -> Option<&'n str> {
    let length = name.chars().take(MAX_QUOTED + 1).count();
    if length == 0 || length > MAX_QUOTED {
        return None;
    }
    let limit = 1 + length / 4;
    let lower = name.to_lowercase();
    valid
        .iter()
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= limit * 4)
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()),
                *candidate,
            )
        })
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_as_file_line_col() {
        let mut errors = Errors::new();
        errors.push(Pos { line: 9, col: 2 }, "second");
        errors.push(Pos { line: 3, col: 5 }, "first");
        let text: Vec<String> = errors
            .into_diagnostics(&Arc::from("a.yaml"))
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(text, ["a.yaml:3:5: error: first", "a.yaml:9:2: error: second"]);
    }

    #[test]
    fn nearest_is_one_plus_a_quarter_of_the_length() {
        assert_eq!(nearest("bnid", &["port", "bind"]), Some("bind"));
        assert_eq!(nearest("zzzz", &["port", "bind"]), None);
        assert_eq!(nearest("GATEWAYS", &["gateways"]), Some("gateways"));
        assert_eq!(nearest("", &["a"]), None);
    }

    #[test]
    fn quoted_text_stays_on_one_line_and_is_short() {
        assert_eq!(quoted("a\nb"), "`a\\nb`");
        assert_eq!(quoted(&"x".repeat(200)), format!("`{}…`", "x".repeat(64)));
        assert_eq!(quoted("it's"), "`it's`");
    }

    #[test]
    fn a_flood_of_errors_is_counted_not_kept() {
        let mut errors = Errors::new();
        for line in 1..=5000 {
            errors.push(Pos { line, col: 1 }, "no");
        }
        let shown = errors.into_diagnostics(&Arc::from("a"));
        assert_eq!(shown.len(), MAX_DIAGNOSTICS + 1);
        assert_eq!(shown[MAX_DIAGNOSTICS].message, "4000 more errors are not shown");
    }
}
