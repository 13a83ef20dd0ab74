//! The warnings in force: what is odd about the configuration that runs, as long as it is. Some of it begins and ends
//! with time alone, such as a certificate that expires.

use std::collections::BTreeMap;
use std::sync::Arc;
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
    warnings: Arc<Warnings>,
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
            warnings: Arc::new(warnings),
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

    /// What was found odd about the configuration, whether it applies now or not.
    pub(in crate::control) fn warnings(&self) -> &Arc<Warnings> {
        &self.warnings
    }
}

/// Those of `warnings` that apply now, in the order of the files.
pub(in crate::control) fn in_force(warnings: &Warnings) -> Vec<String> {
    let found = warnings.at(now());
    found.iter().map(ToString::to_string).collect()
}
