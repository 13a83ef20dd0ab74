//! What a reload was asked for by and what came of it, as names.

use serde::Serialize;

/// How a reload ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It runs.
    Applied,
    /// The files mean what runs already.
    Unchanged,
    /// Something stood against it; nothing has changed.
    Rejected,
    /// A hand-over of an address failed and what ran before was restored.
    RolledBack,
    /// A hand-over failed, and so did restoring; the clusters concerned are `failed`, all others serve.
    Failed,
}

/// What asked for a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    Start,
    Watch,
    Poll,
    Sighup,
    Control,
    Http,
    Rollback,
}

impl Outcome {
    pub const ALL: [Self; 5] = [
        Self::Applied,
        Self::Unchanged,
        Self::Rejected,
        Self::RolledBack,
        Self::Failed,
    ];

    /// The name in logs, status and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Unchanged => "unchanged",
            Self::Rejected => "rejected",
            Self::RolledBack => "rolled_back",
            Self::Failed => "failed",
        }
    }

    /// Whether what was asked for is what runs now.
    pub fn is_success(self) -> bool {
        matches!(self, Self::Applied | Self::Unchanged)
    }
}

impl Trigger {
    pub const ALL: [Self; 7] = [
        Self::Start,
        Self::Watch,
        Self::Poll,
        Self::Sighup,
        Self::Control,
        Self::Http,
        Self::Rollback,
    ];

    /// The name in logs, status and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Watch => "watch",
            Self::Poll => "poll",
            Self::Sighup => "sighup",
            Self::Control => "control",
            Self::Http => "http",
            Self::Rollback => "rollback",
        }
    }
}
