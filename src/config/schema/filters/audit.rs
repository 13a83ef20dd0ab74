//! `config` of `Audit`.

use std::path::PathBuf;

use super::super::super::decode::{choice, record};
use super::super::super::{List, Percent, Spanned};
use super::NamedFiles;

record! {
    /// Settings of `Audit`, which writes a line for what clients do: who, from where, what, with which verdict. Never the
    /// content of records.
    pub struct AuditConfig {
        /// Where the lines go: into the `log`, or into a `file`.
        "sink" sink: Option<Spanned<AuditSink>> = "log",
        /// File that the lines are added to, one JSON object a line. Absent: see `sink`.
        "file" file: Option<Spanned<PathBuf>>,
        /// Kinds of events that are recorded: `auth` (a client authenticated itself, or failed to), `denied` (a filter
        /// refused something) and `admin` (a request that changes topics, settings, access rules or quotas) and `connect`
        /// (a session began or ended).
        "events" events: Option<Spanned<List<AuditedEvent>>> = "[auth, denied, admin]",
        /// Part of the events that are recorded, in percent, chosen at random. Those of `denied` and `auth` are always
        /// recorded.
        "sample" sample: Option<Spanned<Percent>> = "100",
    }
}

choice! {
    /// Where audit lines go.
    pub enum AuditSink {
        /// Into the log.
        Log = "log",
        /// Into a file of their own.
        File = "file",
    }
}

choice! {
    /// A kind of event that is recorded.
    pub enum AuditedEvent {
        /// A client authenticated itself, or failed to.
        Auth = "auth",
        /// A filter refused something.
        Denied = "denied",
        /// A request changes topics, settings, access rules or quotas.
        Admin = "admin",
        /// A session began or ended.
        Connect = "connect",
    }
}

impl NamedFiles for AuditConfig {}
