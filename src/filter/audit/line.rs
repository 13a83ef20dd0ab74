//! One line of the audit.

use std::time::SystemTime;

use serde::Serialize;

use crate::filter::ClientSession;
use crate::time::rfc3339;
use crate::wire::api::Api;

/// Target of the lines in the log.
const TARGET: &str = "kproxy::audit";

/// What one line says. Empty texts are left out of the JSON.
#[derive(Debug, Serialize)]
pub(super) struct AuditLine<'a> {
    at: String,
    event: &'static str,
    pub(super) verdict: &'static str,
    cluster: &'a str,
    gateway: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<i32>,
    session: u64,
    generation: u64,
    client: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    client_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    principal: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) mechanism: &'a str,
    /// The name that a client claimed without proving it.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) claimed: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    api: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<i16>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) resource: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) filter: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) rule: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) error: &'a str,
}

impl<'a> AuditLine<'a> {
    /// A line about the client of `session`.
    pub(super) fn new(event: &'static str, session: &'a ClientSession) -> Self {
        let (facts, handle) = (session.facts(), session.handle());
        Self {
            at: rfc3339(SystemTime::now()),
            event,
            verdict: "",
            cluster: &facts.cluster,
            gateway: &facts.gateway,
            node: facts.node,
            session: session.id(),
            generation: handle.generation(),
            client: session.client().to_string(),
            client_id: handle.activity.client_id().unwrap_or_default(),
            principal: principal(session),
            mechanism: session.subject().mechanism.as_deref().unwrap_or_default(),
            claimed: "",
            api: "",
            version: None,
            resource: "",
            filter: "",
            rule: "",
            error: "",
        }
    }

    pub(super) fn api(&mut self, api: &'static Api, version: i16) {
        self.api = api.name;
        self.version = Some(version);
    }

    /// The line for a file.
    pub(super) fn json(&self) -> Vec<u8> {
        // It derives its JSON, of keys that are text.
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line
    }

    /// Writes the line to the log.
    pub(super) fn log(&self) {
        tracing::info!(
            target: TARGET,
            event = self.event,
            verdict = self.verdict,
            cluster = self.cluster,
            gateway = self.gateway,
            node = self.node,
            session = self.session,
            generation = self.generation,
            client = self.client,
            client_id = self.client_id,
            principal = self.principal,
            mechanism = self.mechanism,
            claimed = self.claimed,
            api = self.api,
            version = self.version,
            resource = self.resource,
            filter = self.filter,
            rule = self.rule,
            error = self.error,
            "audit of a client"
        );
    }
}

/// The names of a client, such as `User:alice`.
fn principal(session: &ClientSession) -> String {
    let mut text = String::new();
    for principal in &session.subject().principals {
        if !text.is_empty() {
            text.push(',');
        }
        text.extend([&*principal.kind, ":", &*principal.name]);
    }
    text
}
