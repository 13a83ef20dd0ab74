//! `kproxy doctor`.
//!
//! 1. A sound virtual cluster has no findings, step by step, for people and as JSON (`doctor/walks.rs`).
//! 2. Addresses that lead past kproxy, swapped, unreachable and withheld nodes, names that do not resolve, and other
//!    clusters are faults, with exit code 4 (`doctor/walks.rs`).
//! 3. Certificates are judged as clients judge them, and without the clients' trust store by the file
//!    (`doctor/secured.rs`).
//! 4. Logins succeed or fail as those of clients (`doctor/secured.rs`).
//! 5. Servers that hang, or send what is not Kafka, end the walk in time (`doctor/hostile.rs`).
//! 6. Without a target, the process and its machine are examined: limits, ports, permissions, names, and the time that a
//!    supervisor gives a stop (`doctor/machine.rs`).

mod hostile;
mod machine;
mod secured;
mod walks;

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The text of a configuration.
pub(crate) fn read(directory: &Path, name: &str) -> String {
    String::from_utf8(std::fs::read(directory.join(name)).unwrap()).unwrap()
}

/// What a run of the command came to.
pub(crate) struct Examined {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs `kproxy doctor` in a directory.
#[track_caller]
pub(crate) fn doctor(directory: &Path, arguments: &[&str]) -> Examined {
    let output = Command::new(testkit::binary::program())
        .arg("doctor")
        .args(arguments)
        .current_dir(directory)
        .env("XDG_RUNTIME_DIR", directory)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Examined {
        code: output.status.code().unwrap(),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

impl Examined {
    /// The one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.err))
    }

    /// Level, kind and sentence of each finding.
    #[track_caller]
    pub(crate) fn findings(&self) -> Vec<(String, String, String)> {
        let report = self.json();
        let walks = report["walks"].as_array().unwrap();
        let findings = walks.iter().flat_map(|walk| walk["findings"].as_array().unwrap());
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        findings
            .map(|finding| {
                (
                    text(&finding["level"]),
                    text(&finding["finding"]),
                    text(&finding["what"]),
                )
            })
            .collect()
    }

    /// Kinds of the findings.
    #[track_caller]
    pub(crate) fn kinds(&self) -> Vec<String> {
        self.findings().into_iter().map(|(_, kind, _)| kind).collect()
    }

    /// The text with `…` in place of times, and of what is named.
    pub(crate) fn stable(&self, named: &[(String, &str)]) -> String {
        let mut text: String = self
            .out
            .lines()
            .map(|line| format!("{}\n", without_time(line)))
            .collect();
        for (what, name) in named {
            text = text.replace(what, name);
        }
        text
    }
}

/// A line without the time of its step, and with single spaces between columns.
fn without_time(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        [status, time, "ms", rest @ ..] if time.parse::<f64>().is_ok() => {
            format!("  {status} … ms {}", rest.join(" "))
        }
        _ => line.to_owned(),
    }
}
