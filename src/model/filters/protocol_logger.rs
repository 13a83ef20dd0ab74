//! `ProtocolLogger`: which requests and responses are logged.

use crate::config::schema::{ProtocolLogLevel, ProtocolLoggerConfig};

use super::ApiSet;

/// Settings of a filter that logs requests and responses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtocolLoggerModel {
    /// APIs that are logged; `None` is every API.
    pub apis: Option<ApiSet>,
    /// Level of the log lines.
    pub level: tracing::Level,
    /// Name in the log lines; `None` is the name of the filter.
    pub logger: Option<String>,
}

pub(super) fn resolve(config: &ProtocolLoggerConfig) -> ProtocolLoggerModel {
    let apis = config.api_key_names.as_ref();
    ProtocolLoggerModel {
        apis: apis.map(|list| ApiSet::of(list.value.items.iter().map(|item| &item.value))),
        level: match config.log_level.as_ref().map(|level| level.value) {
            Some(ProtocolLogLevel::Error) => tracing::Level::ERROR,
            Some(ProtocolLogLevel::Warn) => tracing::Level::WARN,
            Some(ProtocolLogLevel::Info) => tracing::Level::INFO,
            None | Some(ProtocolLogLevel::Debug) => tracing::Level::DEBUG,
            Some(ProtocolLogLevel::Trace) => tracing::Level::TRACE,
        },
        logger: config.logger_name.as_ref().map(|name| name.value.clone()),
    }
}
