//! Commands beside a running kproxy.

use std::path::Path;
use std::process::{Command, Output};

/// What stands above the clusters of a file whose process commands can ask, and which is read when it is asked to.
pub(super) const UNWATCHED: &str = "control: {socket: s}\nreload: {watch: false, maxRemovedPercent: 100}\n";

/// Result of a command.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

/// Runs a command with the socket in `directory`.
#[track_caller]
pub(super) fn run(directory: &Path, arguments: &str) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_kproxy"))
        .args(arguments.split_whitespace())
        .args(["--control", "s"])
        .current_dir(directory)
        .output()
        .unwrap();
    ran(output)
}

pub(super) fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}
