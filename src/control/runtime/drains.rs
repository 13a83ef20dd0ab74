//! The drains that run behind commits.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinSet;

use super::reloader::{Leaving, advance};
use crate::cluster::{ClusterLifecycle, ClusterState};
use crate::control::metrics::DrainCounters;
use crate::drain::{self, ConnectionTracker, DrainDeadlines};
use crate::model::DrainStrategy;
use crate::session::counters::ClusterCounters;
use crate::time::whole_millis;

/// See the module. Owned by the thread that applies changes.
#[derive(Debug, Default)]
pub(in crate::control) struct Drains {
    running: HashMap<u64, RunningDrain>,
    tasks: JoinSet<u64>,
    next: u64,
    counters: HashMap<String, DrainCounters>,
    /// Sessions closed at a hard deadline since [`Drains::count_from_here`], by drains that have ended.
    forced: u64,
}

/// One drain that has sessions left.
#[derive(Debug)]
pub(in crate::control) struct RunningDrain {
    pub cluster: String,
    /// The generation with which the sessions began.
    pub generation: u64,
    /// The generation that ended the sessions.
    pub ended_by: u64,
    pub strategy: DrainStrategy,
    pub deadlines: DrainDeadlines,
    /// Present where the cluster itself is gone.
    pub removed: Option<ClusterLifecycle>,
    trackers: Arc<[Arc<ConnectionTracker>]>,
    counters: Arc<ClusterCounters>,
    began: Instant,
    sessions: usize,
    forced_before: u64,
}

impl Drains {
    /// Begins to drain what the generation `ended_by` ended. `deadline`: nothing outlives it.
    pub(in crate::control) fn begin(&mut self, leaving: Leaving, ended_by: u64, deadline: Option<Instant>) {
        let Leaving {
            cluster,
            generation,
            policy,
            trackers,
            counters,
            mut removed,
        } = leaving;
        let began = Instant::now();
        let deadlines = match deadline {
            Some(deadline) => DrainDeadlines::within(&policy, began, deadline),
            None => DrainDeadlines::of(&policy, began),
        };
        if let Some(lifecycle) = &mut removed
            && *lifecycle.state() == ClusterState::Serving
        {
            advance(lifecycle, ClusterState::Draining);
        }
        let trackers: Arc<[_]> = trackers.into();
        let drain = RunningDrain {
            cluster,
            generation,
            ended_by,
            strategy: policy.strategy,
            deadlines,
            removed,
            sessions: sessions(&trackers),
            forced_before: 0,
            trackers: Arc::clone(&trackers),
            counters,
            began,
        };
        let id = self.next;
        self.next += 1;
        if drain.sessions > 0 {
            tracing::info!(
                target: "kproxy::drain",
                cluster = %drain.cluster,
                generation = drain.ended_by,
                sessions_generation = drain.generation,
                sessions = drain.sessions,
                strategy = drain.strategy_name(),
                soft_deadline_seconds = deadlines.soft.saturating_duration_since(began).as_secs_f64(),
                "drain begins"
            );
        }
        self.running.insert(id, drain);
        self.tasks.spawn(async move {
            drain::run(&trackers, &policy, deadlines).await;
            id
        });
    }

    /// Tells the sessions of all running drains that nothing outlives `deadline`.
    pub(in crate::control) fn tighten(&self, deadline: Instant) {
        let now = Instant::now();
        for drain in self.running.values() {
            let left = deadline.saturating_duration_since(now);
            let order = drain::DrainOrder {
                soft: drain.deadlines.soft.min(now + left / 3),
                hard: drain.deadlines.hard.min(deadline),
                process_ends: true,
            };
            for tracker in drain.trackers.iter() {
                tracker
                    .begin_drain(order)
                    .iter()
                    .for_each(|session| session.give(order));
            }
        }
    }

    /// Waits until one has ended, and counts it: of this cluster. For ever where none runs. Cancel safe.
    pub(in crate::control) async fn ended(&mut self) -> Option<String> {
        match self.tasks.join_next().await {
            Some(Ok(id)) => self.count(id),
            Some(Err(error)) => {
                tracing::error!(%error, "a drain panicked");
                None
            }
            None => std::future::pending().await,
        }
    }

    fn count(&mut self, id: u64) -> Option<String> {
        let mut drain = self.running.remove(&id)?;
        if let Some(lifecycle) = &mut drain.removed
            && *lifecycle.state() == ClusterState::Draining
        {
            advance(lifecycle, ClusterState::Stopped);
        }
        let (forced, all_forced) = (drain.forced(), drain.all_forced());
        let duration = drain.began.elapsed();
        if drain.sessions > 0 {
            tracing::info!(
                target: "kproxy::drain",
                cluster = %drain.cluster,
                generation = drain.ended_by,
                sessions_generation = drain.generation,
                sessions = drain.sessions,
                forced,
                duration_ms = whole_millis(duration),
                "drained"
            );
        }
        let counters = self.counters.entry(drain.cluster.clone()).or_default();
        counters.durations.observe(duration);
        counters.forced += all_forced;
        self.forced += forced;
        Some(drain.cluster)
    }

    pub(in crate::control) fn running(&self) -> impl Iterator<Item = &RunningDrain> {
        self.running.values()
    }

    /// Forgets the sessions closed at a hard deadline so far.
    pub(in crate::control) fn count_from_here(&mut self) {
        self.forced = 0;
        for drain in self.running.values_mut() {
            drain.forced_before = drain.all_forced();
        }
    }

    /// Sessions closed at a hard deadline since.
    pub(in crate::control) fn forced(&self) -> u64 {
        self.forced + self.running.values().map(RunningDrain::forced).sum::<u64>()
    }

    pub(in crate::control) fn len(&self) -> usize {
        self.running.len()
    }

    pub(in crate::control) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Of the drains of one cluster that have ended.
    pub(in crate::control) fn counters(&self, cluster: &str) -> DrainCounters {
        self.counters.get(cluster).cloned().unwrap_or_default()
    }

    /// Forgets what is counted about a cluster that is gone, unless it still drains.
    pub(in crate::control) fn forget(&mut self, gone: &str) {
        if !self.running.values().any(|drain| drain.cluster == gone) {
            self.counters.remove(gone);
        }
    }
}

impl RunningDrain {
    /// Sessions that have not left.
    pub(in crate::control) fn remaining(&self) -> usize {
        sessions(&self.trackers)
    }

    pub(in crate::control) fn trackers(&self) -> &[Arc<ConnectionTracker>] {
        &self.trackers
    }

    /// Sessions closed at the hard deadline since [`Drains::count_from_here`].
    fn forced(&self) -> u64 {
        self.all_forced() - self.forced_before
    }

    fn all_forced(&self) -> u64 {
        self.trackers.iter().map(|tracker| tracker.forced()).sum()
    }

    pub(in crate::control) fn counters(&self) -> &Arc<ClusterCounters> {
        &self.counters
    }

    /// Of the cluster, where that is gone.
    pub(in crate::control) fn state_name(&self) -> &'static str {
        self.removed
            .as_ref()
            .map_or("draining", |lifecycle| lifecycle.state().name())
    }

    pub(in crate::control) fn strategy_name(&self) -> &'static str {
        match self.strategy {
            DrainStrategy::Graceful => "graceful",
            DrainStrategy::Progressive => "progressive",
            DrainStrategy::Immediate => "immediate",
        }
    }
}

fn sessions(trackers: &[Arc<ConnectionTracker>]) -> usize {
    trackers.iter().map(|tracker| tracker.len()).sum()
}
