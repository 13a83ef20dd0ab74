//! Keys for operating the process: audit, webhooks, tests before a reload, earlier configurations.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use super::super::decode::{choice, record};
use super::super::{List, Percent, Spanned};

record! {
    /// Record of who changed what: one line per reload and per command that changes something.
    pub struct Audit {
        /// File that the lines are added to, one JSON object a line. Absent: they go to the log only.
        "file" file: Option<Spanned<PathBuf>>,
    }
}

record! {
    /// HTTP address that is told of events, with one JSON object per event.
    pub struct Webhook {
        /// Address of the requests, which are `POST`s: `http://` or `https://`.
        "url" url: Spanned<String>,
        /// Events to tell of. Absent: all of them.
        "events" events: Option<Spanned<List<WebhookEvent>>>,
        /// File with a token that requests send as `Authorization: Bearer TOKEN`. Absent: they send none.
        "tokenFile" token_file: Option<Spanned<PathBuf>>,
    }
}

choice! {
    /// Event that a webhook is told of.
    pub enum WebhookEvent {
        /// A reload was rejected.
        Rejected = "rejected",
        /// A reload was taken back, by itself or by a command.
        RolledBack = "rolled_back",
        /// A reload failed, or a virtual cluster is `failed`.
        Failed = "failed",
        /// A certificate expires soon, or has expired.
        CertificateExpiry = "certificate_expiry",
    }
}

record! {
    /// Tests of changed target clusters before a reload is applied.
    pub struct ReloadChecks {
        /// Whether kproxy connects to the bootstrap servers of changed targets, with TLS where the target has it.
        "connect" connect: Option<Spanned<bool>> = "false",
        /// Whether kproxy also tries its own credentials (its client certificate) with them. Includes `connect`.
        "authenticate" authenticate: Option<Spanned<bool>> = "false",
        /// Part of the bootstrap servers of each changed target that must pass, in percent.
        "minimumHealthy" minimum_healthy: Option<Spanned<Percent>> = "50",
        /// Longest time for all tests together.
        "timeout" timeout: Option<Spanned<Duration>> = "5s",
    }
}

record! {
    /// Earlier configurations: how many are kept, and when kproxy goes back to one by itself.
    pub struct Rollback {
        /// Bounds of the journal in `stateDirectory`.
        "history" history: Option<Spanned<JournalBounds>>,
        /// Whether changed virtual clusters are compared with themselves after a reload, and kproxy goes back to the
        /// configuration before it if they got worse.
        "auto" auto: Option<Spanned<bool>> = "false",
        /// Time for which changed virtual clusters are compared.
        "window" window: Option<Spanned<Duration>> = "60s",
        /// Rise of the part of sessions that end in an error, in percent of all sessions that end, from which kproxy goes back.
        "errorRate" error_rate: Option<Spanned<Percent>> = "5",
        /// Number of brokers of a changed target that cannot be reached, from which kproxy goes back.
        "connectFailures" connect_failures: Option<Spanned<NonZeroU32>> = "2",
        /// Rise of the 99th percentile of the time to an answer, in percent, from which kproxy goes back.
        "latencyIncrease" latency_increase: Option<Spanned<NonZeroU32>> = "50",
    }
}

record! {
    /// Bounds of the journal in `stateDirectory`.
    pub struct JournalBounds {
        /// Number of entries that are kept.
        "entries" entries: Option<Spanned<NonZeroU32>> = "50",
        /// Age from which entries are removed, unless one of them runs.
        "age" age: Option<Spanned<Duration>> = "90d",
    }
}
