//! Reloads that have to be confirmed.

use std::time::Duration;

use hyper::StatusCode;
use hyper::header::HeaderMap;

use super::{Site, status_of};
use crate::admin::answer::{HttpReply, PLAIN, Refusal, answer, json};
use crate::admin::query::{BadQuery, Query};
use crate::control::{MAX_STAGED_WAIT, ReloadRequest};

/// Takes `confirm_within`, in whole seconds.
pub(super) fn take_confirm_within(query: &mut Query) -> Result<Option<Duration>, BadQuery> {
    match query.number("confirm_within")? {
        Some(seconds) if !(1..=MAX_STAGED_WAIT.as_secs()).contains(&seconds) => Err(BadQuery::Value {
            name: "confirm_within",
            expected: "a number of seconds from 1 to 604800",
        }),
        within => Ok(within.map(Duration::from_secs)),
    }
}

impl Site {
    /// Applies a configuration that comes to stay once it is confirmed.
    pub(super) async fn reload_unconfirmed(
        &self,
        request: ReloadRequest,
        within: Duration,
    ) -> Result<HttpReply, Refusal> {
        let report = self.handle.reload_unconfirmed(request, within).await?;
        Ok(json(status_of(&report), &report))
    }

    /// Confirms what runs.
    pub(super) async fn confirm(&self, headers: &HeaderMap, query: &str) -> Result<HttpReply, Refusal> {
        self.authorize(headers)?;
        Query::parse(query)?.finish()?;
        match self.handle.confirm(self.peer).await? {
            Ok(report) => Ok(json(StatusCode::OK, &report)),
            Err(why) => Ok(answer(StatusCode::CONFLICT, PLAIN, format!("{why}\n"))),
        }
    }
}
