//! Warnings about the running configuration. Some begin and end with time alone, such as that of a certificate that
//! expires.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use crate::model::Warnings;
use crate::time::unix_seconds;

/// Target of log lines about warnings.
const TARGET: &str = "kproxy::warnings";

/// Number of warnings that are logged at one time.
const MAX_LOGGED: usize = 20;

/// Warnings about the running configuration, and those that were in force when they were last checked.
#[derive(Debug)]
pub(in crate::control) struct WarningsInForce {
    warnings: Arc<Warnings>,
    /// Warnings that depend on the time, as they were at the last check, by key.
    timely: BTreeMap<String, String>,
}

fn now() -> i64 {
    unix_seconds(SystemTime::now())
}

impl WarningsInForce {
    /// Takes warnings that have been logged already.
    pub(in crate::control) fn new(warnings: Warnings) -> Self {
        Self {
            timely: warnings.timely_at(now()),
            warnings: Arc::new(warnings),
        }
    }

    /// Logs which warnings have come into force since the last check, and which no longer are.
    pub(in crate::control) fn log_changes(&mut self) {
        let timely = self.warnings.timely_at(now());
        let new = timely.iter().filter(|(key, _)| !self.timely.contains_key(*key));
        for (_, warning) in new.take(MAX_LOGGED) {
            tracing::warn!(target: TARGET, warning, "a warning is in force from now on");
        }
        let gone = self.timely.iter().filter(|(key, _)| !timely.contains_key(*key));
        for (_, warning) in gone.take(MAX_LOGGED) {
            tracing::info!(target: TARGET, warning, "a warning is no longer in force");
        }
        self.timely = timely;
    }

    /// All warnings, in force now or not.
    pub(in crate::control) fn warnings(&self) -> &Arc<Warnings> {
        &self.warnings
    }
}

/// Warnings that are in force now, in the order of the files.
pub(in crate::control) fn in_force(warnings: &Warnings) -> Vec<String> {
    let found = warnings.at(now());
    found.iter().map(ToString::to_string).collect()
}
