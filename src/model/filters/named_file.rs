//! Content of the files that filters name, such as lists of rules.

use std::path::PathBuf;

use super::super::scope::Scope;
use crate::config::{Pos, Spanned};

/// Faults in a file that a filter names, at their places in that file.
#[derive(Debug, Default)]
pub(crate) struct FileFaults(Vec<(u32, u32, String)>);

impl FileFaults {
    /// Adds a fault. Lines and columns count from 1.
    pub(crate) fn push(&mut self, line: u32, col: u32, message: impl Into<String>) {
        self.0.push((line, col, message.into()));
    }
}

/// Parses a file that a filter names. Faults are reported at their places in the file itself; a file that cannot be read is
/// reported at the key that names it. Returns `None` after a fault.
pub(super) fn parse<T>(
    file: &Spanned<PathBuf>,
    scope: &mut Scope<'_>,
    parse: impl FnOnce(&[u8], &mut FileFaults) -> Option<T>,
) -> Option<T> {
    let path = scope.config.path(file);
    let mut faults = FileFaults::default();
    let parsed = match scope.config.references.get(&path) {
        Ok(content) => parse(content, &mut faults),
        Err(why) => {
            let path = path.to_string_lossy().escape_debug().to_string();
            let why = format!("`{path}`: {why}");
            scope.errors.push(file.at, why);
            return None;
        }
    };
    if faults.0.is_empty() {
        return parsed;
    }
    report(file, faults, scope);
    None
}

/// Reports faults in a file that a filter names.
pub(super) fn report(file: &Spanned<PathBuf>, faults: FileFaults, scope: &mut Scope<'_>) {
    let path = scope.config.path(file);
    let id = scope.errors.add_file(path.to_string_lossy().into());
    for (line, col, message) in faults.0 {
        let at = Pos { file: id, line, col };
        scope.errors.push(at, message);
    }
}
