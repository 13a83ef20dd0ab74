//! The list of tests that a run of `cargo test` skipped, which `tests/zz_skipped.rs` prints at its end.
//!
//! Each test binary is a process of its own. They share a file that is named after the process which started them.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::process::parent_id,
    path::{Path, PathBuf},
    sync::OnceLock,
    thread,
};

/// Why the first test of this process was skipped.
static REASON: OnceLock<String> = OnceLock::new();

/// Adds the test that runs on this thread to the list, for the reason that the first one had.
pub fn note_again() {
    note(REASON.get().map_or("no reason given", String::as_str));
}

/// Adds the test that runs on this thread to the list.
pub fn note(why: &str) {
    REASON.get_or_init(|| why.to_owned());
    let Some(file) = list() else { return };
    let binary = std::env::current_exe().unwrap_or_default();
    let binary = binary.file_stem().unwrap_or_default().to_string_lossy();
    // Cargo puts a hash behind the name.
    let binary = binary
        .rsplit_once('-')
        .map_or(&*binary, |(name, _)| name)
        .to_owned();
    let test = thread::current().name().unwrap_or("a test").to_owned();
    if let Err(error) = append(&file, &format!("{binary}: {test}: {why}\n")) {
        eprintln!("{}: {error}", file.display());
    }
}

/// The list so far, sorted, without repetitions. It is empty afterwards.
pub fn take() -> Vec<String> {
    let Some(file) = list() else { return Vec::new() };
    let text = String::from_utf8(std::fs::read(&file).unwrap_or_default()).unwrap_or_default();
    if !text.is_empty()
        && let Err(error) = std::fs::remove_file(&file)
    {
        eprintln!("{}: {error}", file.display());
    }
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines.dedup();
    lines
}

/// `None` outside `cargo test`: examples use parts of this crate too.
fn list() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let folder = own.parent().filter(|folder| folder.ends_with("deps"))?;
    Some(folder.join(format!("skipped-{}", parent_id())))
}

/// One write a line: tests of one binary run at the same time.
fn append(file: &Path, line: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(file)?;
    file.write_all(line.as_bytes())
}
