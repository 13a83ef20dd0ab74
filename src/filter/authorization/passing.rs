//! Requests that pass at once: what was allowed before, by the same rules and for the same client, and changes nothing that is
//! kept of the session. All others are decided by the functions of their APIs, with the same result.

#[cfg(test)]
mod tests;

use super::produce::Beginning;
use super::session_rights::SessionRights;
use super::{Authorization, fetch};
use crate::filter::{ClientSession, Request};
use crate::wire::api::ApiKey;

impl Authorization {
    /// See [`Filter::passes`](super::Filter::passes).
    pub(super) fn lets_pass(&self, session: &mut ClientSession, request: &Request<'_>) -> bool {
        let (version, body) = (request.version(), request.body());
        if !matches!(request.api_key(), ApiKey::PRODUCE | ApiKey::FETCH) {
            return false;
        }
        let Some((rights, subject)) = SessionRights::kept(session, &self.name) else {
            return false;
        };
        if !rights.is_settled(&self.rules, subject) {
            return false;
        }
        match request.api_key() {
            ApiKey::PRODUCE => match Beginning::read(version, body) {
                Ok(Some(beginning)) => {
                    rights.look(&self.topics, |parts| beginning.is_allowed(&mut parts.access))
                }
                _ => false,
            },
            _ if request.is_complete() => rights.look(&self.topics, |parts| {
                let current = parts.fetch.as_ref();
                fetch::passes(&mut parts.access, (version, body), current).unwrap_or(false)
            }),
            _ => false,
        }
    }

    /// See [`Filter::passed`](super::Filter::passed).
    pub(super) fn note_passed(&self, session: &mut ClientSession) {
        if let Some((rights, _)) = SessionRights::kept(session, &self.name) {
            rights.passed.add_up();
        }
    }

    /// See [`Filter::count_passed`](super::Filter::count_passed).
    pub(super) fn count_noted(&self, session: &mut ClientSession) {
        if let Some((rights, _)) = SessionRights::kept(session, &self.name) {
            for decided in rights.passed.drain() {
                self.count_allowed(&decided);
            }
        }
    }
}
