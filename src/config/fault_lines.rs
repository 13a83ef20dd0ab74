//! The lines around the errors of a configuration, from what was read, for people.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::masked::Masker;
use super::{Diagnostic, Sources};

/// Lines before and after the one that an error blames.
const BEFORE: u32 = 3;
const AFTER: u32 = 2;

/// Errors whose lines are shown.
const MAX_SHOWN: usize = 20;

/// Lines of a file around the one that an error blames. What may be a secret is masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultLines {
    /// Name of the file, as in the error.
    pub file: Arc<str>,
    /// The line that the error blames, from 1.
    pub line: u32,
    /// Number of the first of `lines`.
    pub first: u32,
    /// The lines, in order.
    pub lines: Vec<String>,
}

impl Sources {
    /// Returns the lines around the first errors, each place once. A file that could not be read has none.
    pub fn lines_around(&self, errors: &[Diagnostic]) -> Vec<FaultLines> {
        let mut found: Vec<FaultLines> = Vec::new();
        for error in errors.iter().take(MAX_SHOWN) {
            let is_there = |there: &FaultLines| (&there.file, there.line) == (&error.file, error.line);
            if !found.iter().any(is_there) {
                found.push(FaultLines {
                    file: Arc::clone(&error.file),
                    line: error.line,
                    first: error.line.saturating_sub(BEFORE).max(1),
                    lines: Vec::new(),
                });
            }
        }
        for (path, text) in std::iter::once(self.main_text()).chain(self.included_texts()) {
            let name = path.to_string_lossy();
            let mut of_file: Vec<&mut FaultLines> =
                found.iter_mut().filter(|fault| *fault.file == *name).collect();
            fill(&mut of_file, &String::from_utf8_lossy(text));
        }
        found.retain(|fault| !fault.lines.is_empty());
        found
    }
}

/// Takes the lines of all faults in one pass, because what a line means depends on those before it.
fn fill(faults: &mut [&mut FaultLines], text: &str) {
    let Some(last) = faults.iter().map(|fault| fault.line + AFTER).max() else {
        return;
    };
    let wanted: BTreeSet<u32> = faults
        .iter()
        .flat_map(|fault| fault.first..=fault.line + AFTER)
        .collect();
    let mut masker = Masker::new();
    for (line, number) in text.trim_start_matches('\u{feff}').lines().zip(1..=last) {
        let masked = masker.line(line);
        if wanted.contains(&number) {
            let around = |fault: &&mut &mut FaultLines| (fault.first..=fault.line + AFTER).contains(&number);
            for fault in faults.iter_mut().filter(around) {
                fault.lines.push(masked.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::load;
    use super::*;

    #[test]
    fn the_lines_around_each_place_are_those_that_were_read() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("proxy.yaml");
        let text: String = (1..=9).map(|line| format!("name: line-{line}\n")).collect();
        fs::write(&file, text).unwrap();
        let (parsed, sources) = load(&file);
        fs::write(&file, "another: text\n").unwrap();
        let error = |line| Diagnostic {
            line,
            ..parsed.diagnostics[0].clone()
        };
        let found = sources.lines_around(&[error(1), error(8), error(8), error(100)]);
        let lines = |of: &FaultLines| (of.line, of.first, of.lines.len(), of.lines[0].clone());
        let found: Vec<_> = found.iter().map(lines).collect();
        assert_eq!(
            found,
            [
                (1, 1, 3, "name: line-1".to_owned()),
                (8, 5, 5, "name: line-5".to_owned())
            ]
        );
    }
}
