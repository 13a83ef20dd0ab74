//! Commands of kproxy beside a running process.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::binary::program;

/// Result of a command.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Runs a command to its end.
    #[track_caller]
    pub fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Its JSON document.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Its exit code, and everything that it has printed.
    pub fn told(self) -> (i32, String) {
        (self.code, self.out + &self.err)
    }
}

/// Runs a command in `directory`, with the control socket `s` there.
#[track_caller]
pub fn run(directory: &Path, arguments: &str) -> Ran {
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    run_with(directory, "s", &arguments)
}

/// Runs a command in `directory`, with the control socket of this name there.
#[track_caller]
pub fn run_with(directory: &Path, socket: &str, arguments: &[&str]) -> Ran {
    let mut command = Command::new(program());
    Ran::of(
        command
            .args(arguments)
            .args(["--control", socket])
            .current_dir(directory),
    )
}
