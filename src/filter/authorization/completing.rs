//! The way of an answer: what was taken out of its request is added, and what may not be read is taken out.

use super::fetch::FetchNote;
use super::fetch_session::DeniedTopic;
use super::session_rights::{RightsParts, SessionRights};
use super::verdict::Merge;
use super::{Authorization, failed, fetch, share};
use crate::filter::{ClientSession, FilterStep, Note, OnResponse, Response, TopicNameMap};
use crate::wire::Malformed;
use crate::wire::api::ApiKey;
use crate::wire::schema::{Direction, Editable};

/// What is kept of a request for its answer.
pub(super) enum Kept {
    Merge(Merge),
    Fetch(FetchNote),
    ShareFetch(Vec<DeniedTopic>),
}

impl Authorization {
    /// Decides about an answer as far as it has arrived.
    pub(super) fn respond(
        &self,
        session: &ClientSession,
        rights: &mut SessionRights,
        response: &mut Response<'_>,
        note: &mut Option<Note>,
    ) -> Result<FilterStep<OnResponse>, Malformed> {
        if let Some(kept) = note.as_mut().and_then(|note| note.downcast_mut::<Kept>())
            && let Kept::Fetch(fetch) = kept
            && fetch.begins
        {
            let Some(begin) = fetch::session_id(response.body()) else {
                let ends = Malformed::new("answer: it ends before its fetch session");
                return if response.is_complete() {
                    Err(ends)
                } else {
                    Ok(FilterStep::More)
                };
            };
            if let Some(current) = &mut rights.fetch {
                current.id = begin;
            }
            if fetch.denied.is_empty() {
                return Ok(FilterStep::Now(OnResponse::Forward));
            }
            fetch.begins = false;
        }
        if self.shadow {
            return Ok(self.look_at(session, rights, response, note));
        }
        if !response.is_complete() {
            return Ok(FilterStep::More);
        }
        let kept = note
            .take()
            .and_then(|note| note.downcast::<Kept>().ok())
            .map(|kept| *kept);
        let changed = self.complete(&self.topics, rights, response, kept)?;
        if let Some(body) = changed
            && !response.replace_body(&body)
        {
            return Ok(FilterStep::Now(OnResponse::Leave(failed(
                "an answer cannot be changed",
            ))));
        }
        Ok(FilterStep::Now(OnResponse::Forward))
    }

    /// Completes an answer that has arrived whole. Returns its new body, if it is not the same.
    fn complete(
        &self,
        topics: &TopicNameMap,
        rights: &mut SessionRights,
        response: &Response<'_>,
        kept: Option<Kept>,
    ) -> Result<Option<Vec<u8>>, Malformed> {
        let mut body = Editable::read(
            response.api_key(),
            Direction::Response,
            response.version(),
            response.body(),
        )?;
        let Some(RightsParts { mut access, .. }) = rights.parts(topics) else {
            return Ok(None);
        };
        let changed = match kept {
            Some(Kept::Merge(merge)) => {
                merge(&mut access, &mut body);
                true
            }
            Some(Kept::Fetch(note)) => fetch::censor(&mut access, &mut body, &note.denied),
            Some(Kept::ShareFetch(denied)) => share::censor(&mut access, &mut body, &denied),
            None if response.api_key() == ApiKey::FETCH => fetch::censor(&mut access, &mut body, &[]),
            None if response.api_key() == ApiKey::SHARE_FETCH => share::censor(&mut access, &mut body, &[]),
            None => false,
        };
        Ok(changed.then(|| body.write()))
    }
}
