//! Commands that steer what runs, and waiting for what they have begun.

use std::time::Duration;

use hyper::{HeaderMap, StatusCode};

use super::{Resource, Site};
use crate::admin::answer::{HttpReply, Refusal, json};
use crate::admin::query::{BadQuery, Query};
use crate::config::quoted;
use crate::control::{LogLevelRequest, MAX_LOG_CHANGE, SessionChoice, SteeringCommand, SteeringRequest};
use crate::model::{FenceModel, FenceText};
use crate::time::parse_duration;

/// How often the sessions of one virtual cluster are counted while somebody waits for them to leave.
const COUNT_INTERVAL: Duration = Duration::from_millis(100);

/// How often it is looked whether the requests from before a fence are answered, while somebody waits for that.
const SETTLE_INTERVAL: Duration = Duration::from_millis(20);

/// Longest time after which a fence ends by itself.
const LONGEST_FENCE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How long a pause lasts that has no time of its own, and at most. Clients give up after 30 s (Java) or 60 s (librdkafka).
const PAUSE: Duration = Duration::from_secs(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);

/// How long a log level holds that is set without a time.
const LOG_CHANGE: Duration = Duration::from_secs(10 * 60);

impl Site {
    /// Carries out `drain`, `pause`, `resume`, `fence`, `unfence` or `close`. The request has been authorized.
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
            Resource::Fence => fence(query)?,
            Resource::Pause => pause(query)?,
            _ => {
                let cluster = query.text("cluster")?;
                query.finish()?;
                let cluster = cluster.ok_or_else(|| missing("cluster", "the name of a virtual cluster"))?;
                match resource {
                    Resource::Resume => SteeringCommand::Resume(cluster),
                    Resource::Unfence => SteeringCommand::Unfence(cluster),
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

    /// Answers once all that is asked for holds, however long that takes. With `cluster`, `drained` is about that one; `fenced` is
    /// always about one.
    pub(super) async fn wait(&self, query: &str) -> Result<HttpReply, Refusal> {
        let mut query = Query::parse(query)?;
        let (drained, generation) = (query.flag("drained")?, query.number("generation")?);
        let (cluster, fenced) = (query.text("cluster")?, query.flag("fenced")?);
        query.finish()?;
        if fenced {
            let cluster = cluster.as_deref();
            let cluster = cluster.ok_or_else(|| missing("cluster", "the name of a virtual cluster"))?;
            self.wait_until_settled(cluster).await?;
        }
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

    /// Answers once no request is on its way that was sent before the fence of this virtual cluster.
    async fn wait_until_settled(&self, cluster: &str) -> Result<(), Refusal> {
        loop {
            let Some(fence) = self.observed().await?.fence(cluster) else {
                let why = format!("virtual cluster {} has no fence", quoted(cluster));
                return Err(Refusal::Unknown(why));
            };
            if fence.unsettled == 0 {
                return Ok(());
            }
            tokio::time::sleep(SETTLE_INTERVAL).await;
        }
    }

    /// Whether a drain of this virtual cluster has sessions left.
    async fn is_draining(&self, cluster: &str) -> Result<bool, Refusal> {
        let observed = self.observed().await?;
        Ok(observed.drains().iter().any(|drain| drain.cluster == cluster))
    }
}

/// The pause that a request asks for.
fn pause(mut query: Query) -> Result<SteeringCommand, Refusal> {
    let cluster = query.text("cluster")?;
    let (text, except) = (query.text("for")?, query.text("except")?);
    query.finish()?;
    let lasting = text.as_deref().map_or(Some(PAUSE), parse_duration);
    let lasting = lasting.filter(|lasting| !lasting.is_zero() && *lasting <= LONGEST_PAUSE);
    if except.as_deref().is_some_and(|except| except != "heartbeat") {
        return Err(missing("except", "`heartbeat`"));
    }
    Ok(SteeringCommand::Pause {
        cluster: cluster.ok_or_else(|| missing("cluster", "the name of a virtual cluster"))?,
        lasting: lasting.ok_or_else(|| missing("for", "a duration of at most 5m"))?,
        passes_heartbeats: except.is_some(),
    })
}

/// The fence that a request names.
fn fence(mut query: Query) -> Result<SteeringCommand, Refusal> {
    let cluster = query.text("cluster")?;
    let text = FenceText {
        topics: query.text("topics")?,
        operations: query.text("operations")?,
        answer: query.text("answer")?,
        hold_for: time(&mut query, "hold_for")?,
    };
    let lasting = time(&mut query, "for")?;
    query.finish()?;
    Ok(SteeringCommand::Fence {
        cluster: cluster.ok_or_else(|| missing("cluster", "the name of a virtual cluster"))?,
        fence: FenceModel::parse(&text).map_err(Refusal::Invalid)?,
        lasting,
    })
}

/// A duration; `None` if it is absent.
fn time(query: &mut Query, name: &'static str) -> Result<Option<Duration>, Refusal> {
    let Some(text) = query.text(name)? else {
        return Ok(None);
    };
    let duration = parse_duration(&text).filter(|duration| *duration <= LONGEST_FENCE);
    let duration = duration.ok_or_else(|| missing(name, "a duration of at most 7d"))?;
    Ok(Some(duration))
}

fn missing(name: &'static str, expected: &'static str) -> Refusal {
    BadQuery::Value { name, expected }.into()
}
