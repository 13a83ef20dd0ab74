//! `config` of `ProtocolLogger`.

use super::super::super::decode::{choice, record};
use super::super::super::{ApiRange, List, Spanned};
use super::NamedFiles;

record! {
    /// Settings of `ProtocolLogger`, which logs requests and responses. The content of those that carry credentials is
    /// withheld.
    pub struct ProtocolLoggerConfig {
        /// APIs that are logged: `PRODUCE`, `Produce` or `0`. Absent: every API.
        "apiKeyNames" api_key_names: Option<Spanned<List<ApiRange>>>,
        /// Level of the log lines.
        "logLevel" log_level: Option<Spanned<ProtocolLogLevel>> = "DEBUG",
        /// Name in the log lines, as their field `logger`. Absent: the name of the filter.
        "loggerName" logger_name: Option<Spanned<String>>,
    }
}

choice! {
    /// Level of the log lines of `ProtocolLogger`.
    pub enum ProtocolLogLevel {
        /// `error`.
        Error = "ERROR",
        /// `warn`.
        Warn = "WARN",
        /// `info`.
        Info = "INFO",
        /// `debug`.
        Debug = "DEBUG",
        /// `trace`.
        Trace = "TRACE",
    }
}

impl NamedFiles for ProtocolLoggerConfig {}
