//! `Audit`: what is recorded of what clients do.

use std::path::PathBuf;

use super::super::scope::Scope;
use crate::config::Pos;
use crate::config::schema::{AuditConfig, AuditSink, AuditedEvent};

/// Settings of a filter that records what clients do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditModel {
    /// Where the lines go.
    pub target: AuditTarget,
    /// Whether authentications are recorded.
    pub auth: bool,
    /// Whether denials are recorded.
    pub denied: bool,
    /// Whether administrative requests are recorded.
    pub admin: bool,
    /// Whether the beginnings and ends of sessions are recorded.
    pub connect: bool,
    /// Part of the administrative requests and sessions that are recorded, in percent.
    pub sample: u8,
}

/// Where audit lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditTarget {
    /// Into the log.
    Log,
    /// To the end of this file.
    File(PathBuf),
}

pub(super) fn resolve(config: &AuditConfig, at: Pos, scope: &mut Scope<'_>) -> Option<AuditModel> {
    let sink = config.sink.as_ref();
    let target = match (sink.map(|sink| sink.value), &config.file) {
        (None | Some(AuditSink::Log), None) => AuditTarget::Log,
        (Some(AuditSink::File), Some(file)) => AuditTarget::File(scope.config.path(file)),
        (Some(AuditSink::File), None) => {
            if config.shape.is_sound() {
                scope.errors.push(at, "`sink: file` needs `file`");
            }
            return None;
        }
        (None | Some(AuditSink::Log), Some(file)) => {
            scope.errors.push(file.key, "`file` needs `sink: file`");
            return None;
        }
    };
    let listed = |event| match &config.events {
        Some(events) => events.value.items.iter().any(|item| item.value == event),
        None => event != AuditedEvent::Connect,
    };
    Some(AuditModel {
        target,
        auth: listed(AuditedEvent::Auth),
        denied: listed(AuditedEvent::Denied),
        admin: listed(AuditedEvent::Admin),
        connect: listed(AuditedEvent::Connect),
        sample: config.sample.as_ref().map_or(100, |sample| sample.value.0),
    })
}
