//! Fences of virtual clusters: how one begins and ends, when one ends by itself, and what the status says of it.

use std::sync::Arc;
use std::time::SystemTime;

use crate::cluster::ManagedCluster;
use crate::control::status::FenceStatus;
use crate::drain::{ConnectionTracker, SessionState};
use crate::filter::{FenceFacts, FencedOutcome, FilterChain, TopicFence, TopicNameMap};
use crate::model::{FenceModel, FencedOperation};
use crate::session::context::ClusterContext;
use crate::time::rfc3339;

/// Target of the log lines.
const FENCE: &str = "kproxy::fence";

/// The filters of a virtual cluster with the fence that it has in its new configuration, for `context`. A fence that a command has
/// set stays. In a context that is new, the fence is one of its own: requests that are held on the way to another target are not
/// let go to it later.
pub(in crate::control) fn configured(
    filters: FilterChain,
    wanted: Option<&Arc<FenceModel>>,
    context: &ClusterContext,
    is_new: bool,
) -> FilterChain {
    let facts = |by| FenceFacts {
        since: SystemTime::now(),
        by,
        until: None,
    };
    let current = filters.fence().cloned();
    let (settings, facts) = match (&current, wanted) {
        (Some(fence), wanted) if fence.facts().by.is_some() || wanted == Some(fence.settings()) => {
            if !is_new {
                return filters;
            }
            (Arc::clone(fence.settings()), fence.facts().clone())
        }
        (None, None) => return filters,
        (Some(_), None) => return filters.fenced(None),
        (_, Some(wanted)) => (Arc::clone(wanted), facts(None)),
    };
    let topics = filters.topics().cloned().unwrap_or_default();
    filters.fenced(Some(fence(settings, facts, topics, context)))
}

/// A fence of the virtual cluster of `context`.
pub(in crate::control) fn fence(
    settings: Arc<FenceModel>,
    facts: FenceFacts,
    topics: Arc<TopicNameMap>,
    context: &ClusterContext,
) -> Arc<TopicFence> {
    let totals = Arc::clone(&context.counters.fenced);
    Arc::new(TopicFence::new(settings, facts, topics, totals))
}

/// A fence that is in force no more.
#[derive(Debug)]
pub(in crate::control) struct EndedFence {
    fence: Arc<TopicFence>,
    is_replaced: bool,
}

impl EndedFence {
    /// Has the requests go on that wait for it, or has the fence in its place decide about them. The sessions have to know by
    /// then what is in force.
    pub(in crate::control) fn release(self) {
        match self.is_replaced {
            true => self.fence.replace(),
            false => self.fence.lift(),
        }
    }
}

/// Tells the log that `after` is in the place of the fence `before`. Returned is `before`, to be released.
pub(in crate::control) fn exchange(
    cluster: &str,
    before: Option<&Arc<TopicFence>>,
    after: Option<&Arc<TopicFence>>,
) -> Option<EndedFence> {
    if let (Some(before), Some(after)) = (before, after)
        && before.settings() == after.settings()
        && before.facts() == after.facts()
    {
        return None;
    }
    if let Some(fence) = before {
        let status = FenceStatus::of(fence, 0);
        tracing::info!(
            target: FENCE,
            cluster,
            topics = status.topics.join(","),
            held = status.held,
            answered = status.answered,
            "a fence has ended"
        );
    }
    if let Some(fence) = after {
        let status = FenceStatus::of(fence, 0);
        tracing::info!(
            target: FENCE,
            cluster,
            topics = status.topics.join(","),
            operations = status.operations.join(","),
            answer = &*status.answer,
            by = status.by,
            until = status.until,
            "a fence has begun"
        );
    }
    before.map(|fence| EndedFence {
        fence: Arc::clone(fence),
        is_replaced: after.is_some(),
    })
}

/// The fence of a virtual cluster. `draining`: trackers of sessions that leave it.
pub(in crate::control) fn status<'t>(
    cluster: &'t ManagedCluster,
    draining: impl Iterator<Item = &'t Arc<ConnectionTracker>>,
) -> Option<FenceStatus> {
    let fence = cluster.filters.fence()?;
    // A session that is being opened reads what is in force when it comes to its first request.
    let is_open = |state| {
        matches!(
            state,
            SessionState::Open | SessionState::Draining | SessionState::Leaving
        )
    };
    let sessions = cluster
        .trackers()
        .chain(draining)
        .flat_map(|tracker| tracker.sessions());
    let open = sessions.filter(|session| is_open(session.state()));
    let unsettled = fence.unsettled(open.map(|session| session.id));
    Some(FenceStatus::of(fence, unsettled))
}

impl FenceStatus {
    fn of(fence: &TopicFence, unsettled: usize) -> Self {
        let (settings, facts) = (fence.settings(), fence.facts());
        let operations = settings.operations.iter().copied();
        Self {
            topics: settings.topic_texts(),
            operations: operations.map(FencedOperation::name).map(Into::into).collect(),
            answer: settings.answer.name().into(),
            hold_for_ms: u64::try_from(settings.hold_for.as_millis()).unwrap_or(u64::MAX),
            since: rfc3339(facts.since),
            until: facts.until.map(rfc3339),
            by: facts.by.clone(),
            waiting: fence.waiting(),
            held: fence.count_of(FencedOutcome::Held),
            answered: fence.count_of(FencedOutcome::Retriable),
            emptied: fence.count_of(FencedOutcome::Emptied),
            closed: fence.count_of(FencedOutcome::Closed),
            unsettled: unsettled as u64,
        }
    }
}
