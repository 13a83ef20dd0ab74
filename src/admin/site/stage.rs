//! Reloads that wait for approval, and what a reload would do.

use std::time::Duration;

use hyper::StatusCode;
use hyper::header::HeaderMap;

use super::{Entrance, Site, status_of};
use crate::admin::answer::{HttpReply, Refusal, json};
use crate::admin::query::{BadQuery, Query};
use crate::control::{
    ApprovalRequest, MAX_STAGED_WAIT, PlanRequest, PlanVerdict, ReloadRequest, ReloadSource,
};
use crate::reload::Trigger;

/// Whether a reload is to wait for approval, and how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Staging {
    pub(super) is_wanted: bool,
    within: Option<Duration>,
}

impl Staging {
    /// Takes `stage` and `within`, in whole seconds.
    pub(super) fn take(query: &mut Query) -> Result<Self, BadQuery> {
        let (is_wanted, within) = (query.flag("stage")?, query.number("within")?);
        let is_fine = |seconds: u64| is_wanted && (1..=MAX_STAGED_WAIT.as_secs()).contains(&seconds);
        match within {
            Some(seconds) if !is_fine(seconds) => Err(BadQuery::Value {
                name: "within",
                expected: "a number of seconds from 1 to 604800, beside `stage`",
            }),
            within => Ok(Self {
                is_wanted,
                within: within.map(Duration::from_secs),
            }),
        }
    }
}

impl Site {
    /// Reads a configuration that waits for approval.
    pub(super) async fn stage(&self, request: ReloadRequest, staging: Staging) -> Result<HttpReply, Refusal> {
        let report = self.handle.stage(request, staging.within).await?;
        Ok(json(status_of(&report), &report))
    }

    /// Answers what waits for approval.
    pub(super) async fn staged(&self) -> Result<HttpReply, Refusal> {
        Ok(json(StatusCode::OK, &self.handle.staged().await?))
    }

    /// Applies what waits for approval.
    pub(super) async fn approve(&self, headers: &HeaderMap, query: &str) -> Result<HttpReply, Refusal> {
        self.authorize(headers)?;
        let mut query = Query::parse(query)?;
        let id = query.text("id")?.unwrap_or_default();
        query.finish()?;
        let request = ApprovalRequest {
            id,
            trigger: match self.entrance {
                Entrance::Tcp { .. } => Trigger::Http,
                Entrance::Socket => Trigger::Control,
            },
            by: self.peer,
        };
        let report = self.handle.approve(request).await?;
        Ok(json(status_of(&report), &report))
    }

    /// Answers what a reload would do.
    pub(super) async fn plan(&self, query: &str) -> Result<HttpReply, Refusal> {
        let mut query = Query::parse(query)?;
        let (force, file) = (query.flag("force")?, query.path("file")?);
        query.finish()?;
        let source = file.map_or(ReloadSource::Configured, ReloadSource::File);
        let report = self.handle.plan(PlanRequest { force, source }).await?;
        let status = match report.verdict {
            PlanVerdict::Rejected => StatusCode::UNPROCESSABLE_ENTITY,
            PlanVerdict::Unchanged | PlanVerdict::Undisturbed | PlanVerdict::Drains => StatusCode::OK,
        };
        Ok(json(status, &report))
    }
}
