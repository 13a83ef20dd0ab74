//! Names of what asks for reloads and of what comes of them.

use crate::names::{names, read_names};

names! {
    /// How a reload ended.
    #[derive(Default)]
    pub enum Outcome {
        /// The new configuration runs.
        Applied = "applied",
        /// The files mean what runs already.
        Unchanged = "unchanged",
        /// The new configuration waits for approval; nothing has changed.
        Staged = "staged",
        /// The new configuration cannot run; nothing has changed.
        Rejected = "rejected",
        /// A hand-over of an address failed and what ran before was restored.
        RolledBack = "rolled_back",
        /// A hand-over failed, and so did restoring; the clusters concerned are `failed`, all others serve. Also the
        /// outcome that only another version knows.
        #[default]
        Failed = "failed",
    }
}

names! {
    /// What asked for a reload.
    #[derive(Default)]
    pub enum Trigger {
        /// The start of the process.
        Start = "start",
        /// An event of a followed file.
        Watch = "watch",
        /// A regular check of the followed files.
        Poll = "poll",
        /// SIGHUP.
        Sighup = "sighup",
        /// A command over the control socket. Also the trigger that only another version knows.
        #[default]
        Control = "control",
        /// `POST /reload` over TCP.
        Http = "http",
        /// A return to an earlier generation.
        Rollback = "rollback",
    }
}

read_names!(Outcome, Trigger);

impl Outcome {
    /// Returns whether the configuration that was asked for runs now.
    pub fn is_success(self) -> bool {
        matches!(self, Self::Applied | Self::Unchanged)
    }
}
