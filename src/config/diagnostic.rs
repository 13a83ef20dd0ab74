//! Errors and warnings about a configuration, with their positions.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

/// Number of diagnostics that are kept; further ones are counted. A file with more errors is not a configuration.
const MAX_DIAGNOSTICS: usize = 1000;

/// Number of names that are compared to find the nearest. Without a bound, a file of 10 000 wrong references would need
/// 10 000² comparisons.
const MAX_CANDIDATES: usize = 512;

/// Number of valid names that a message lists when none is near.
const MAX_LISTED: usize = 24;

/// Number of characters of the file that a message repeats.
const MAX_QUOTED: usize = 64;

/// Number of a file of the configuration, in the order in which the files were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u16);

impl FileId {
    /// The main file, which the operator named.
    pub const MAIN: Self = Self(0);

    /// Returns the position of the first character of the file, for errors about the whole file.
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

/// A position in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pos {
    /// The file.
    pub file: FileId,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub col: u32,
}

impl Pos {
    /// Position of the first character of the main file.
    pub const START: Self = Self {
        file: FileId::MAIN,
        line: 1,
        col: 1,
    };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
/// Effect of a diagnostic.
pub enum Severity {
    /// The configuration is rejected.
    Error,
    /// The configuration is used.
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

/// An error or warning. Displays as `FILE:LINE:COL: error: WHAT`, always on one line, and never contains a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Name of the file as the operator wrote it.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub col: u32,
    /// Whether the configuration is rejected for it.
    pub severity: Severity,
    /// What is wrong, without position.
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

/// Collector of the errors and warnings of a configuration.
#[derive(Debug, Clone, Default)]
pub(crate) struct Errors {
    /// Names of the files, by [`FileId`].
    files: Vec<Arc<str>>,
    found: Vec<(Pos, String)>,
    suppressed: usize,
    /// Warnings.
    noted: Vec<(Pos, String)>,
    /// Positions at which no further error is reported.
    settled: HashSet<Pos>,
    /// Positions of passwords.
    secrets: Vec<Pos>,
}

impl Errors {
    pub(crate) fn new() -> Self {
        Self::within(Vec::new())
    }

    /// Creates a collector for files with these names.
    pub(crate) fn within(files: Vec<Arc<str>>) -> Self {
        Self {
            files,
            found: Vec::new(),
            suppressed: 0,
            noted: Vec::new(),
            settled: HashSet::new(),
            secrets: Vec::new(),
        }
    }

    /// Adds a file.
    pub(crate) fn add_file(&mut self, name: Arc<str>) -> FileId {
        let id = FileId(u16::try_from(self.files.len()).unwrap_or(u16::MAX));
        self.files.push(name);
        id
    }

    /// Returns the text that names the line of `place` in a message at `from`.
    pub(crate) fn line_of(&self, place: Pos, from: Pos) -> String {
        match self.files.get(place.file.index()) {
            Some(file) if place.file != from.file => format!("line {} of {file}", place.line),
            _ => format!("line {}", place.line),
        }
    }

    /// Notes that a password stands at `at`.
    pub(super) fn note_secret(&mut self, at: Pos) {
        self.secrets.push(at);
    }

    /// Returns the positions of passwords.
    pub(super) fn take_secrets(&mut self) -> Vec<Pos> {
        std::mem::take(&mut self.secrets)
    }

    /// Adds an error.
    pub(crate) fn push(&mut self, at: Pos, message: impl Into<String>) {
        self.push_with(at, || message.into());
    }

    /// Adds an error, and builds the message only if it will be kept: the search for the nearest name is expensive.
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

    /// Adds an error and ignores all later errors at this position, which are consequences of it.
    pub(crate) fn push_alone(&mut self, at: Pos, message: String) {
        self.push(at, message);
        self.settled.insert(at);
    }

    /// Adds a warning.
    pub(crate) fn note(&mut self, at: Pos, message: impl FnOnce() -> String) {
        if self.noted.len() < MAX_DIAGNOSTICS {
            self.noted.push((at, message()));
        }
    }

    /// Removes and returns the warnings.
    pub(crate) fn take_notes(&mut self) -> Vec<(Pos, String)> {
        std::mem::take(&mut self.noted)
    }

    /// Adds everything that `other` has collected.
    pub(crate) fn append(&mut self, other: Self) {
        self.suppressed += other.suppressed;
        self.noted.extend(other.noted);
        other
            .found
            .into_iter()
            .for_each(|(at, message)| self.push(at, message));
    }

    /// Whether further errors will only be counted.
    pub(crate) fn is_full(&self) -> bool {
        self.found.len() >= MAX_DIAGNOSTICS
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Returns the errors in the order of the files.
    pub(crate) fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.into_all(Severity::Error)
    }

    /// Returns what was collected as warnings, in the order of the files.
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

/// Merges the diagnostics of two passes over the same files into one list, in the order of the files.
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

/// Returns `text` in backticks, shortened and on one line. Must not be used for text that may be a secret.
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

/// Returns the end of a message about the unknown `name`: `` , did you mean `x`? ``, or the valid names if none is near.
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

/// Returns the nearest valid name within a Damerau–Levenshtein distance of 1 + a quarter of the length, if there is one.
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
