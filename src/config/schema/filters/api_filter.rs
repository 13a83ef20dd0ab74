//! `config` of `ApiFilter`.

use super::super::super::decode::{choice, record};
use super::super::super::{ApiRange, List, Spanned};
use super::NamedFiles;

record! {
    /// Settings of `ApiFilter`, which switches APIs off, for all clients or for some. It has exactly one of `denied` and
    /// `allowed`.
    pub struct ApiFilterConfig {
        /// APIs that clients may not use: `DELETE_TOPICS`, `DeleteTopics` or `20`, and versions of them: `Fetch@0-11`,
        /// `Fetch@0` or `Fetch@12+`. Absent: see `allowed`.
        "denied" denied: Option<Spanned<List<ApiRange>>>,
        /// The only APIs that clients may use, written as in `denied`, besides ApiVersions, SaslHandshake and
        /// SaslAuthenticate. Absent: see `denied`.
        "allowed" allowed: Option<Spanned<List<ApiRange>>>,
        /// What a client gets that calls a denied API although it is not offered: an `error` in the answer, or the `close`
        /// of its connection.
        "onDenied" on_denied: Option<Spanned<OnDenied>> = "error",
        /// Whether a change that takes APIs or versions away drains the sessions of the cluster, so that clients learn of
        /// it as they connect again. `false`: they learn of it from the answer to the next such request.
        "strict" strict: Option<Spanned<bool>> = "false",
        /// Principals that the filter concerns: `alice`, `User:alice`, or the beginning of names: `batch-*`. Absent: every
        /// client.
        "principals" principals: Option<Spanned<List<String>>>,
        /// Client ids that the filter concerns, in full or as a beginning: `batch-*`. Absent: every client.
        "clientIds" client_ids: Option<Spanned<List<String>>>,
    }
}

choice! {
    /// What a client gets that calls a denied API.
    pub enum OnDenied {
        /// An error in the answer.
        Error = "error",
        /// The end of its connection.
        Close = "close",
    }
}

impl NamedFiles for ApiFilterConfig {}
