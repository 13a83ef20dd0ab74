//! Commands that steer what runs, and waiting for what they have begun.

use std::time::Duration;

use hyper::{HeaderMap, StatusCode};

use super::{Resource, Site};
use crate::admin::answer::{HttpReply, Refusal, json};
use crate::admin::query::{BadQuery, Query};
use crate::control::{LogLevelRequest, MAX_LOG_CHANGE, SessionChoice, SteeringCommand, SteeringRequest};
use crate::time::parse_duration;

/// How often the sessions of one virtual cluster are counted while somebody waits for them to leave.
const COUNT_INTERVAL: Duration = Duration::from_millis(100);

/// How long a log level holds that is set without a time.
const LOG_CHANGE: Duration = Duration::from_secs(10 * 60);

impl Site {
    /// Carries out `drain`, `resume` or `close`. The request has been authorized.
    pub(super) async fn steer(&self, resource: Resource, query: &str) -> Result<HttpReply, Refusal> {
        let mut query = Query::parse(query)?;
        let command = match resource {
            Resource::Close => {
                let choice = SessionChoice {
                    cluster: query.text("cluster")?,
                    session: query.number("session")?,
                    client_id: query.text("client")?,
                    principal: query.text("principal")?,
                };
                query.finish()?;
                if !choice.is_specific() {
                    return Err(missing("session", "given, or `client`, or `principal`"));
                }
                let observed = self.observed().await?;
                SteeringCommand::Close {
                    object: choice.describe(),
                    sessions: choice.find(&*observed).map_err(Refusal::Unknown)?,
                }
            }
            _ => {
                let cluster = query.text("cluster")?;
                query.finish()?;
                let cluster = cluster.ok_or_else(|| missing("cluster", "the name of a virtual cluster"))?;
                match resource {
                    Resource::Resume => SteeringCommand::Resume(cluster),
                    _ => SteeringCommand::Drain(cluster),
                }
            }
        };
        let by = self.peer;
        let report = self.handle.steer(SteeringRequest { by, command }).await?;
        Ok(json(StatusCode::OK, &report.map_err(Refusal::Unknown)?))
    }

    /// Changes the log level: `level` with `for`, a duration, or `until_restart`; without `level`, back to that of the
    /// configuration.
    pub(super) async fn log(&self, headers: &HeaderMap, query: &str) -> Result<HttpReply, Refusal> {
        self.authorize(headers)?;
        let mut query = Query::parse(query)?;
        let (level, lasting) = (query.text("level")?, query.flag("until_restart")?);
        let text = query.text("for")?;
        query.finish()?;
        let duration = text.as_deref().map_or(Some(LOG_CHANGE), parse_duration);
        let duration = duration.filter(|duration| *duration <= MAX_LOG_CHANGE);
        let expected = "a duration of at most 7d; `until_restart` is longer";
        let duration = duration.ok_or(BadQuery::Value {
            name: "for",
            expected,
        })?;
        let request = LogLevelRequest {
            by: self.peer,
            level,
            duration: (!lasting).then_some(duration),
        };
        let status = self.handle.log_level(request).await?;
        Ok(json(StatusCode::OK, &status.map_err(Refusal::Invalid)?))
    }

    /// Rehearses one reload.
    pub(super) async fn bench(&self, query: &str) -> Result<HttpReply, Refusal> {
        let mut query = Query::parse(query)?;
        let change = query.flag("change")?;
        query.finish()?;
        let rehearsal = self.handle.rehearse(change).await?;
        Ok(json(StatusCode::OK, &rehearsal.map_err(Refusal::Invalid)?))
    }

    /// Answers once all that is asked for holds, however long that takes. With `cluster`, `drained` is about that one.
    pub(super) async fn wait(&self, query: &str) -> Result<HttpReply, Refusal> {
        let mut query = Query::parse(query)?;
        let (drained, generation) = (query.flag("drained")?, query.number("generation")?);
        let cluster = query.text("cluster")?;
        query.finish()?;
        let reached = self.handle.wait_for(|progress| {
            (!drained || cluster.is_some() || progress.drains == 0)
                && generation.is_none_or(|wanted| progress.generation >= wanted)
        });
        let mut reached = reached.await?;
        if let Some(cluster) = cluster.filter(|_| drained) {
            while self.is_draining(&cluster).await? {
                tokio::time::sleep(COUNT_INTERVAL).await;
            }
            reached = self.handle.progress();
        }
        Ok(json(StatusCode::OK, &reached))
    }

    /// Whether a drain of this virtual cluster has sessions left.
    async fn is_draining(&self, cluster: &str) -> Result<bool, Refusal> {
        let observed = self.observed().await?;
        Ok(observed.drains().iter().any(|drain| drain.cluster == cluster))
    }
}

fn missing(name: &'static str, expected: &'static str) -> Refusal {
    BadQuery::Value { name, expected }.into()
}
