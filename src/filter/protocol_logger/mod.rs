//! `ProtocolLogger`: logs requests and answers, with what is in them where they are small. Records, secrets and values of settings
//! are withheld.

use super::{
    ClientSession, Filter, FilterStep, Interest, Level, Note, OnRequest, OnResponse, Request, Response,
};
use crate::model::ProtocolLoggerModel;
use crate::wire::api::{Api, ApiKey, apis};
use crate::wire::schema::{Direction, Message, structure_text};

/// Target of the lines.
const TARGET: &str = "kproxy::protocol";

/// Bytes of a body that are waited for. A larger body is logged without its content.
const MOST_OF_A_BODY: usize = 16 * 1024;

/// Bytes of text of one body.
const MOST_TEXT: usize = 4 * 1024;

/// APIs whose bodies carry credentials.
const SECRET: &[i16] = &[
    ApiKey::SASL_HANDSHAKE,
    ApiKey::SASL_AUTHENTICATE,
    ApiKey::CREATE_DELEGATION_TOKEN,
    ApiKey::DESCRIBE_USER_SCRAM_CREDENTIALS,
    ApiKey::ALTER_USER_SCRAM_CREDENTIALS,
];

/// Fields with values of settings, which may be passwords.
const WITHHELD: &[&str] = &["value"];

/// The filter.
#[derive(Debug)]
pub struct ProtocolLogger {
    name: Box<str>,
    settings: ProtocolLoggerModel,
}

impl ProtocolLogger {
    /// The filter of this definition.
    pub fn new(name: &str, settings: &ProtocolLoggerModel) -> Self {
        Self {
            name: name.into(),
            settings: settings.clone(),
        }
    }

    fn logs(&self, api_key: i16, version: i16) -> bool {
        self.settings
            .apis
            .as_ref()
            .is_none_or(|apis| apis.contains(api_key, version))
    }

    fn log(&self, session: &ClientSession, line: &LoggedFrame<'_>) {
        let logger = self.settings.logger.as_deref().unwrap_or(&self.name);
        let facts = session.facts();
        macro_rules! log {
            ($level:ident) => {
                tracing::event!(
                    target: TARGET,
                    tracing::Level::$level,
                    logger,
                    cluster = %facts.cluster,
                    session = session.id(),
                    client = %session.client(),
                    direction = line.direction,
                    api = line.api.name,
                    version = line.version,
                    correlation_id = line.correlation_id,
                    client_id = line.client_id,
                    body = line.body,
                    "a frame"
                )
            };
        }
        match self.settings.level {
            tracing::Level::ERROR => log!(ERROR),
            tracing::Level::WARN => log!(WARN),
            tracing::Level::INFO => log!(INFO),
            tracing::Level::DEBUG => log!(DEBUG),
            tracing::Level::TRACE => log!(TRACE),
        }
    }

    /// Whether the log takes lines of the level now.
    fn is_enabled(&self) -> bool {
        match self.settings.level {
            tracing::Level::ERROR => tracing::enabled!(target: TARGET, tracing::Level::ERROR),
            tracing::Level::WARN => tracing::enabled!(target: TARGET, tracing::Level::WARN),
            tracing::Level::INFO => tracing::enabled!(target: TARGET, tracing::Level::INFO),
            tracing::Level::DEBUG => tracing::enabled!(target: TARGET, tracing::Level::DEBUG),
            tracing::Level::TRACE => tracing::enabled!(target: TARGET, tracing::Level::TRACE),
        }
    }
}

/// What a line says of a frame.
struct LoggedFrame<'a> {
    direction: &'static str,
    api: &'static Api,
    version: i16,
    correlation_id: Option<i32>,
    client_id: Option<&'a str>,
    body: String,
}

impl Filter for ProtocolLogger {
    fn name(&self) -> &str {
        &self.name
    }

    fn interest(&self, interest: &mut Interest) {
        for api in apis() {
            for version in (api.min..=api.max).filter(|version| self.logs(api.key, *version)) {
                interest.requests(api.key, version..=version, Level::Part);
                interest.responses(api.key, version..=version, Level::Part);
            }
        }
    }

    fn request(&self, session: &mut ClientSession, request: &mut Request<'_>) -> FilterStep<OnRequest> {
        let (api, version) = (request.api(), request.version());
        if !self.logs(api.key, version) || !self.is_enabled() {
            return FilterStep::Now(OnRequest::ForwardBlind);
        }
        if is_awaited(api.key, request.body(), request.is_complete()) {
            return FilterStep::More;
        }
        let line = LoggedFrame {
            direction: "request",
            api,
            version,
            correlation_id: Some(request.correlation_id()),
            client_id: request.client_id(),
            body: shown(
                api.key,
                Direction::Request,
                version,
                request.body(),
                request.is_complete(),
            ),
        };
        self.log(session, &line);
        FilterStep::Now(OnRequest::Forward)
    }

    fn response(
        &self,
        session: &mut ClientSession,
        response: &mut Response<'_>,
        _note: &mut Option<Note>,
    ) -> FilterStep<OnResponse> {
        let (api, version) = (response.api(), response.version());
        if is_awaited(api.key, response.body(), response.is_complete()) {
            return FilterStep::More;
        }
        let line = LoggedFrame {
            direction: "response",
            api,
            version,
            correlation_id: None,
            client_id: None,
            body: shown(
                api.key,
                Direction::Response,
                version,
                response.body(),
                response.is_complete(),
            ),
        };
        self.log(session, &line);
        FilterStep::Now(OnResponse::Forward)
    }
}

/// Whether more of a body is needed to show it.
fn is_awaited(api_key: i16, body: &[u8], is_complete: bool) -> bool {
    !is_complete && body.len() < MOST_OF_A_BODY && !SECRET.contains(&api_key)
}

/// A body as text, or why it is not shown.
fn shown(api_key: i16, direction: Direction, version: i16, body: &[u8], is_complete: bool) -> String {
    if SECRET.contains(&api_key) {
        return "withheld: it may carry credentials".to_owned();
    }
    if !is_complete {
        return format!("not shown: larger than {MOST_OF_A_BODY} bytes");
    }
    match Message::read(api_key, direction, version, body) {
        Ok(message) => structure_text(message.root(), WITHHELD, MOST_TEXT),
        Err(error) => format!("not shown: {error}"),
    }
}

#[cfg(test)]
mod tests;
