//! What is wrong with a configuration, and where.

use std::collections::{HashMap, HashSet};
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

/// One of the files of a configuration, by the order in which they were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u16);

impl FileId {
    /// The one the operator named.
    pub const MAIN: Self = Self(0);

    /// The first character of the file: for what concerns it as a whole.
    pub(crate) fn start(self) -> Pos {
        Pos {
            file: self,
            ..Pos::START
        }
    }

    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A place in a file: both count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pos {
    pub file: FileId,
    pub line: u32,
    pub col: u32,
}

impl Pos {
    /// The first character of the main file.
    pub const START: Self = Self {
        file: FileId::MAIN,
        line: 1,
        col: 1,
    };
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

/// Collects every violation of a configuration.
#[derive(Debug, Clone, Default)]
pub(crate) struct Errors {
    /// By [`FileId`].
    files: Vec<Arc<str>>,
    found: Vec<(Pos, String)>,
    suppressed: usize,
    /// What is no reason to refuse anything.
    noted: Vec<(Pos, String)>,
    /// Places of which everything has been said.
    settled: HashSet<Pos>,
}

impl Errors {
    pub(crate) fn new() -> Self {
        Self::within(Vec::new())
    }

    /// For files of these names.
    pub(crate) fn within(files: Vec<Arc<str>>) -> Self {
        Self {
            files,
            found: Vec::new(),
            suppressed: 0,
            noted: Vec::new(),
            settled: HashSet::new(),
        }
    }

    /// One file more.
    pub(crate) fn add_file(&mut self, name: Arc<str>) -> FileId {
        let id = FileId(u16::try_from(self.files.len()).unwrap_or(u16::MAX));
        self.files.push(name);
        id
    }

    /// How to name the line of `place` to whoever looks at `from`.
    pub(crate) fn line_of(&self, place: Pos, from: Pos) -> String {
        match self.files.get(place.file.index()) {
            Some(file) if place.file != from.file => format!("line {} of {file}", place.line),
            _ => format!("line {}", place.line),
        }
    }

    pub(crate) fn push(&mut self, at: Pos, message: impl Into<String>) {
        self.push_with(at, || message.into());
    }

    /// Builds the message only if it will be kept: looking for the nearest name is the expensive part.
    pub(crate) fn push_with(&mut self, at: Pos, message: impl FnOnce() -> String) {
        if self.settled.contains(&at) {
            return;
        }
        if !self.is_full() {
            self.found.push((at, message()));
        } else {
            self.suppressed += 1;
        }
    }

    /// Adds like [`Self::push`]; other findings at this place follow from it and are left out.
    pub(crate) fn push_alone(&mut self, at: Pos, message: String) {
        self.push(at, message);
        self.settled.insert(at);
    }

    /// Collects a warning.
    pub(crate) fn note(&mut self, at: Pos, message: impl FnOnce() -> String) {
        if self.noted.len() < MAX_DIAGNOSTICS {
            self.noted.push((at, message()));
        }
    }

    /// The warnings collected so far, which are collected no more.
    pub(crate) fn take_notes(&mut self) -> Vec<(Pos, String)> {
        std::mem::take(&mut self.noted)
    }

    pub(crate) fn append(&mut self, other: Self) {
        self.suppressed += other.suppressed;
        self.noted.extend(other.noted);
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

    /// In the order of the files.
    pub(crate) fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.into_all(Severity::Error)
    }

    /// As [`Self::into_diagnostics`], for what was collected as no reason to refuse anything.
    pub(crate) fn into_warnings(self) -> Vec<Diagnostic> {
        self.into_all(Severity::Warning)
    }

    fn into_all(mut self, severity: Severity) -> Vec<Diagnostic> {
        self.found.sort();
        self.found.dedup();
        if self.suppressed > 0 {
            let last = self.found.last().map_or(Pos::START, |(at, _)| *at);
            self.found.push((
                last,
                format!("{} more {severity}s are not shown", self.suppressed),
            ));
        }
        let files = self.files;
        let diagnostic = |(at, message): (Pos, String)| Diagnostic {
            file: files.get(at.file.index()).cloned().unwrap_or_default(),
            line: at.line,
            col: at.col,
            severity,
            message,
        };
        self.found.into_iter().map(diagnostic).collect()
    }
}

/// The diagnostics of two passes over the same files as one list, in the order of the files.
pub(crate) fn merge<'n>(
    mut first: Vec<Diagnostic>,
    second: Vec<Diagnostic>,
    files: impl Iterator<Item = &'n str>,
) -> Vec<Diagnostic> {
    let order: HashMap<&str, usize> = files.zip(0..).collect();
    first.extend(second);
    first.sort_by_key(|d| (order.get(&*d.file).copied(), d.line, d.col));
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
        let [a, b] = ["a.yaml", "b.yaml"].map(|name| errors.add_file(name.into()));
        let at = |file, line, col| Pos { file, line, col };
        errors.push(at(b, 1, 1), "third");
        errors.push(at(a, 9, 2), "second");
        errors.push(at(a, 3, 5), "first");
        assert_eq!(errors.line_of(at(b, 7, 1), at(b, 1, 1)), "line 7");
        assert_eq!(errors.line_of(at(a, 7, 1), at(b, 1, 1)), "line 7 of a.yaml");
        let text: Vec<String> = errors
            .into_diagnostics()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            text,
            [
                "a.yaml:3:5: error: first",
                "a.yaml:9:2: error: second",
                "b.yaml:1:1: error: third"
            ]
        );
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
            errors.push(Pos { line, ..Pos::START }, "no");
        }
        let shown = errors.into_diagnostics();
        assert_eq!(shown.len(), MAX_DIAGNOSTICS + 1);
        assert_eq!(shown[MAX_DIAGNOSTICS].message, "4000 more errors are not shown");
    }
}
