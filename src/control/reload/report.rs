//! What came of a reload, for logs, status and whoever asked for it.

use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};

use crate::control::timestamp::rfc3339;
use crate::reload::{Outcome, Trigger};

/// One reload, from being asked for to its end.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReloadReport {
    pub outcome: Outcome,
    pub trigger: Trigger,
    #[serde(serialize_with = "as_rfc3339")]
    pub at: SystemTime,
    #[serde(rename = "duration_ms", serialize_with = "as_millis")]
    pub duration: Duration,
    /// What runs after it.
    pub generation: u64,
    /// Names of the clusters it concerns, in order. Empty unless applied.
    pub added: Vec<String>,
    pub modified: Vec<String>,
    pub removed: Vec<String>,
    /// Why not, one entry for each reason. `FILE:LINE:COL: error: WHAT` where a place in a file is to blame.
    pub errors: Vec<String>,
}

/// Milliseconds with three decimals.
#[expect(
    clippy::cast_precision_loss,
    reason = "a duration of 285 years is the first that is not exact"
)]
pub(in crate::control) fn millis(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

fn as_rfc3339<S: Serializer>(at: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*at))
}

fn as_millis<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(millis(*duration))
}
