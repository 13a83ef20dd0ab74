//! The warnings in force: what is odd about the configuration that runs, as long as it is. Some of it begins and ends
//! with time alone, such as a certificate that expires.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::model::Warnings;
use crate::time::unix_seconds;

/// The target of log lines about warnings.
const TARGET: &str = "kproxy::warnings";

/// Lines at one time.
const TOLD: usize = 20;

/// Owned by the control thread.
#[derive(Debug)]
pub(in crate::control) struct WarningsInForce {
    warnings: Warnings,
    /// Those that depend on the time, as they were at the last look, by key.
    timely: BTreeMap<String, String>,
}

fn now() -> i64 {
    unix_seconds(SystemTime::now())
}

impl WarningsInForce {
    /// `warnings` have been told of.
    pub(in crate::control) fn new(warnings: Warnings) -> Self {
        Self {
            timely: warnings.timely_at(now()),
            warnings,
        }
    }

    /// Tells what has come and what has gone since the last look.
    pub(in crate::control) fn look(&mut self) {
        let timely = self.warnings.timely_at(now());
        let new = timely.iter().filter(|(key, _)| !self.timely.contains_key(*key));
        for (_, warning) in new.take(TOLD) {
            tracing::warn!(target: TARGET, warning, "a warning is in force from now on");
        }
        let gone = self.timely.iter().filter(|(key, _)| !timely.contains_key(*key));
        for (_, warning) in gone.take(TOLD) {
            tracing::info!(target: TARGET, warning, "a warning is no longer in force");
        }
        self.timely = timely;
    }

    /// All of them, in the order of the files.
    pub(in crate::control) fn all(&self) -> Vec<String> {
        let all = self.warnings.at(now());
        all.iter().map(ToString::to_string).collect()
    }
}
