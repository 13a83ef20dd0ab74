//! `Audit`: writes a line for what clients do: who, from where, what, with which verdict. Never the contents of records.
//!
//! What other filters decide is told to it ([`Recorder`]). Of requests it reads only those that change topics, settings, access
//! rules or quotas, and their answers.

mod admin;
mod line;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use line::AuditLine;

use super::{
    ClientSession, Denial, Filter, FilterStep, Interest, Level, Note, OnRequest, OnResponse, Recorder,
    Request, Response, SessionEvent,
};
use crate::audit_file::AuditFile;
use crate::model::{AuditModel, AuditTarget};
use crate::wire::api::ApiKey;
use crate::wire::error_code::ErrorCode;
use crate::wire::header;

/// The filter.
#[derive(Debug)]
pub struct ClientAudit {
    name: Box<str>,
    writer: Arc<ClientAuditWriter>,
    recorder: Arc<dyn Recorder>,
}

/// What writes the lines of one filter.
#[derive(Debug)]
struct ClientAuditWriter {
    settings: AuditModel,
    /// `None`: the lines go to the log.
    file: Option<Arc<AuditFile>>,
    /// Number of events of which only a part is written.
    drawn: AtomicU64,
}

/// What the filter keeps in a session.
#[derive(Debug, Default)]
struct AuditedSession {
    /// The session is known, whatever filter of this type has come first.
    is_known: bool,
}

impl ClientAudit {
    /// The filter of this definition.
    ///
    /// # Errors
    /// The file has no thread to write it.
    pub fn new(name: &str, settings: &AuditModel) -> std::io::Result<Self> {
        let file = match &settings.target {
            AuditTarget::Log => None,
            AuditTarget::File(path) => Some(AuditFile::shared(path)?),
        };
        let writer = Arc::new(ClientAuditWriter {
            settings: settings.clone(),
            file,
            drawn: AtomicU64::new(0),
        });
        Ok(Self {
            name: name.into(),
            recorder: Arc::clone(&writer) as Arc<dyn Recorder>,
            writer,
        })
    }
}

impl Filter for ClientAudit {
    fn name(&self) -> &str {
        &self.name
    }

    fn interest(&self, interest: &mut Interest) {
        let every = 0..=i16::MAX;
        if self.writer.settings.admin {
            for key in admin::API_KEYS {
                interest.requests(*key, every.clone(), Level::Whole);
            }
        }
        if self.writer.settings.auth {
            interest.responses(ApiKey::SASL_AUTHENTICATE, every, Level::Whole);
        }
    }

    fn opened(&self, session: &mut ClientSession) {
        session.add_recorder(&self.recorder);
        let has_begun = session.handle().activity.progress().requests > 0;
        let state = session.state::<AuditedSession>();
        if !std::mem::replace(&mut state.is_known, true) && !has_begun {
            self.writer.record(session, &SessionEvent::Began);
        }
    }

    fn request(&self, _session: &mut ClientSession, request: &mut Request<'_>) -> FilterStep<OnRequest> {
        if !admin::is_administrative(request.api_key()) {
            return FilterStep::Now(OnRequest::Forward);
        }
        if !self.writer.is_drawn() {
            return FilterStep::Now(OnRequest::ForwardBlind);
        }
        let resources = admin::resources(request.api_key(), request.version(), request.body());
        FilterStep::Now(OnRequest::ForwardNoting(Box::new(resources)))
    }

    fn response(
        &self,
        session: &mut ClientSession,
        response: &mut Response<'_>,
        note: &mut Option<Note>,
    ) -> FilterStep<OnResponse> {
        if response.api_key() == ApiKey::SASL_AUTHENTICATE {
            self.writer.authenticated(session, response.body());
        } else if let Some(resources) = note.take().and_then(|note| note.downcast::<String>().ok()) {
            let error = admin::first_error(response.api_key(), response.version(), response.body());
            let mut line = AuditLine::new("admin", session);
            line.api(response.api(), response.version());
            line.resource = &resources;
            line.verdict = if error == 0 { "allowed" } else { "failed" };
            line.error = error_name(error);
            self.writer.write(&line);
        }
        FilterStep::Now(OnResponse::Forward)
    }
}

impl ClientAuditWriter {
    fn write(&self, line: &AuditLine<'_>) {
        match &self.file {
            Some(file) => file.add(line.json()),
            None => line.log(),
        }
    }

    /// Whether this one of the events is written, of which only a part is.
    fn is_drawn(&self) -> bool {
        let percent = u64::from(self.settings.sample);
        // Exactly that many of a hundred in a row are written, spread evenly.
        let number = self.drawn.fetch_add(1, Ordering::Relaxed) % 100;
        (number * percent) % 100 < percent
    }

    /// Takes note of the broker's answer to an authentication. Where a filter settles who the client is, that filter tells.
    fn authenticated(&self, session: &ClientSession, body: &[u8]) {
        let Some(error) = header::error_code_at_start(body) else {
            return;
        };
        let mut line = AuditLine::new("auth", session);
        line.verdict = if error == 0 { "allowed" } else { "failed" };
        line.error = error_name(error);
        self.write(&line);
    }

    fn denied(&self, session: &ClientSession, denial: &Denial<'_>) {
        let mut line = AuditLine::new("denied", session);
        line.api(denial.api, denial.version);
        line.filter = denial.filter;
        line.resource = denial.resource;
        line.rule = denial.rule;
        line.verdict = if denial.is_shadow {
            "shadow_denied"
        } else {
            "denied"
        };
        self.write(&line);
    }
}

impl Recorder for ClientAuditWriter {
    fn record(&self, session: &ClientSession, event: &SessionEvent<'_>) {
        let settings = &self.settings;
        match event {
            SessionEvent::Began | SessionEvent::Ended if settings.connect && self.is_drawn() => {
                let mut line = AuditLine::new("connect", session);
                line.verdict = if matches!(event, SessionEvent::Began) {
                    "began"
                } else {
                    "ended"
                };
                self.write(&line);
            }
            SessionEvent::Authenticated if settings.auth => {
                let mut line = AuditLine::new("auth", session);
                line.verdict = "allowed";
                self.write(&line);
            }
            SessionEvent::AuthenticationFailed {
                mechanism,
                claimed,
                why,
            } if settings.auth => {
                let mut line = AuditLine::new("auth", session);
                line.verdict = "failed";
                line.mechanism = mechanism;
                line.claimed = claimed.unwrap_or_default();
                line.error = why;
                self.write(&line);
            }
            SessionEvent::Denied(denial) if settings.denied => self.denied(session, denial),
            _ => {}
        }
    }
}

fn error_name(code: i16) -> &'static str {
    match code {
        0 => "",
        code => ErrorCode::name_of(code).unwrap_or("UNKNOWN"),
    }
}

#[cfg(test)]
mod tests;
