//! Drains that run after commits.

use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::task::{JoinError, JoinSet};

use super::reloader::{Leaving, advance};
use crate::cluster::{ClusterLifecycle, ClusterState};
use crate::control::events::{DrainEvent, Event, EventBus};
use crate::control::metrics::DrainCounters;
use crate::drain::{self, ConnectionTracker, DrainDeadlines};
use crate::model::DrainStrategy;
use crate::session::counters::ClusterCounters;
use crate::time::whole_millis;

/// Drains that run, and counts of those that have ended. Owned by the thread that applies changes.
#[derive(Debug)]
pub(in crate::control) struct ConnectionDrainManager {
    events: EventBus,
    running: BTreeMap<u64, DrainEntry>,
    tasks: JoinSet<u64>,
    next: u64,
    ended: EndedDrains,
    /// The snapshot taken last, until a drain begins or ends.
    snapshot: Option<DrainSnapshot>,
    /// Sessions closed at a hard deadline since [`Drains::reset_forced`], by drains that have ended.
    forced: u64,
}

/// A drain that has ended.
#[derive(Debug)]
pub(in crate::control) struct EndedDrain {
    drain: Arc<RunningDrain>,
    /// Sessions closed at the hard deadline.
    forced: u64,
    duration: Duration,
}

impl EndedDrain {
    pub(in crate::control) fn cluster(&self) -> &str {
        &self.drain.cluster
    }

    /// Returns its end as events, if it had sessions.
    pub(in crate::control) fn events(&self) -> Vec<Event> {
        let ended = DrainEvent {
            remaining: 0,
            duration: self.duration,
            ..self.drain.event()
        };
        let forced = (ended.forced > 0).then(|| Event::DrainForced(ended.clone()));
        let had_sessions = ended.sessions > 0;
        let events = forced.into_iter().chain([Event::DrainEnded(ended)]);
        events.filter(|_| had_sessions).collect()
    }

    /// Logs it, if it had sessions.
    pub(in crate::control) fn log(&self) {
        let Self {
            drain,
            forced,
            duration,
        } = self;
        if drain.sessions > 0 {
            tracing::info!(
                target: "kproxy::drain",
                cluster = %drain.cluster,
                generation = drain.ended_by,
                sessions_generation = drain.generation,
                sessions = drain.sessions,
                moved = drain.moved(),
                forced,
                duration_ms = whole_millis(*duration),
                "drained"
            );
        }
    }
}

/// All drains that run at one moment, oldest first.
pub(in crate::control) type DrainSnapshot = Arc<[Arc<RunningDrain>]>;

#[derive(Debug)]
struct DrainEntry {
    drain: Arc<RunningDrain>,
    /// Sessions closed at the hard deadline before [`Drains::reset_forced`].
    forced_before: u64,
}

/// Counts of drains that have ended, by cluster. Shared with those who read metrics.
#[derive(Debug, Clone, Default)]
pub(in crate::control) struct EndedDrains(Arc<Mutex<HashMap<String, DrainCounters>>>);

impl EndedDrains {
    /// Counts of one cluster's drains.
    pub(in crate::control) fn of(&self, cluster: &str) -> DrainCounters {
        self.lock().get(cluster).cloned().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, DrainCounters>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
    /// Lifecycle of the cluster, where that is removed.
    pub removed: Option<ClusterLifecycle>,
    trackers: Arc<[Arc<ConnectionTracker>]>,
    counters: Arc<ClusterCounters>,
    /// Sessions that had moved from its trackers before it began.
    moved_before: u64,
    began: Instant,
    /// Sessions when it began.
    pub sessions: usize,
}

impl ConnectionDrainManager {
    /// Publishes on `events` what drains begin and end.
    pub(in crate::control) fn new(events: EventBus) -> Self {
        Self {
            events,
            running: BTreeMap::new(),
            tasks: JoinSet::new(),
            next: 0,
            ended: EndedDrains::default(),
            snapshot: None,
            forced: 0,
        }
    }

    /// Begins to drain what the generation `ended_by` ended: when this returns, the first sessions have been asked. No
    /// session outlives `deadline`.
    pub(in crate::control) async fn begin(
        &mut self,
        leaving: Leaving,
        ended_by: u64,
        deadline: Option<Instant>,
    ) {
        let Leaving {
            cluster,
            generation,
            policy,
            reason,
            trackers,
            counters,
            mut removed,
            may_move,
        } = leaving;
        let began = Instant::now();
        let deadlines = match deadline {
            Some(deadline) => DrainDeadlines::within(&policy, began, deadline),
            None if may_move => DrainDeadlines::of(&policy, began).or_move(),
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
            moved_before: moved(&trackers),
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
                reason,
                soft_deadline_seconds = deadlines.soft.saturating_duration_since(began).as_secs_f64(),
                "drain begins"
            );
            self.events.publish(Event::DrainBegan(DrainEvent {
                reason: reason.map(Into::into),
                ..drain.event()
            }));
        }
        let entry = DrainEntry {
            drain: Arc::new(drain),
            forced_before: 0,
        };
        self.running.insert(id, entry);
        self.snapshot = None;
        let mut drained = Box::pin(async move {
            drain::drain_trackers(&trackers, &policy, deadlines).await;
            id
        });
        match poll_fn(|cx| Poll::Ready(drained.as_mut().poll(cx))).await {
            Poll::Ready(id) => self.tasks.spawn(std::future::ready(id)),
            Poll::Pending => self.tasks.spawn(drained),
        };
    }

    /// Shortens the deadlines of all running drains, so that no session outlives `deadline`.
    pub(in crate::control) fn tighten(&self, deadline: Instant) {
        let now = Instant::now();
        for DrainEntry { drain, .. } in self.running.values() {
            let left = deadline.saturating_duration_since(now);
            let order = drain::DrainOrder {
                soft: drain.deadlines.soft.min(now + left / 3),
                hard: drain.deadlines.hard.min(deadline),
                process_ends: true,
                may_move: false,
            };
            for tracker in drain.trackers.iter() {
                tracker
                    .begin_drain(order)
                    .iter()
                    .for_each(|session| session.give_order(order));
            }
        }
    }

    /// Waits until drains have ended, and counts them. Waits for ever while none runs. Cancel safe.
    pub(in crate::control) async fn ended(&mut self) -> Vec<EndedDrain> {
        let Some(first) = self.tasks.join_next().await else {
            return std::future::pending().await;
        };
        // Thousands may end at once; what runs is then published once.
        let more = std::iter::from_fn(|| self.tasks.try_join_next());
        let ended: Vec<_> = std::iter::once(first).chain(more).collect();
        ended.into_iter().filter_map(|ended| self.count(ended)).collect()
    }

    fn count(&mut self, ended: Result<u64, JoinError>) -> Option<EndedDrain> {
        let id = match ended {
            Ok(id) => id,
            Err(error) => {
                tracing::error!(%error, "a drain panicked");
                return None;
            }
        };
        let entry = self.running.remove(&id)?;
        self.snapshot = None;
        let forced = entry.forced();
        let drain = entry.drain;
        let duration = drain.began.elapsed();
        let mut ended = self.ended.lock();
        let counters = ended.entry(drain.cluster.clone()).or_default();
        counters.durations.observe(duration);
        counters.forced += drain.forced();
        self.forced += forced;
        Some(EndedDrain {
            drain,
            forced,
            duration,
        })
    }

    /// All drains with sessions, by the number of the drain, oldest first.
    pub(in crate::control) fn progress(&self) -> impl Iterator<Item = (u64, DrainEvent)> {
        let running = self.running.iter().filter(|(_, entry)| entry.drain.sessions > 0);
        running.map(|(&id, entry)| (id, entry.drain.event()))
    }

    pub(in crate::control) fn running(&self) -> impl Iterator<Item = &RunningDrain> {
        self.running.values().map(|entry| &*entry.drain)
    }

    /// All drains that run now. Costs nothing when none has begun or ended since the last time.
    pub(in crate::control) fn snapshot(&mut self) -> DrainSnapshot {
        let running = &self.running;
        let drains = || running.values().map(|entry| Arc::clone(&entry.drain)).collect();
        Arc::clone(self.snapshot.get_or_insert_with(drains))
    }

    /// Counts of the drains that have ended.
    pub(in crate::control) fn ended_drains(&self) -> &EndedDrains {
        &self.ended
    }

    /// Counts sessions closed at a hard deadline from zero.
    pub(in crate::control) fn reset_forced(&mut self) {
        self.forced = 0;
        for entry in self.running.values_mut() {
            entry.forced_before = entry.drain.forced();
        }
    }

    /// Sessions closed at a hard deadline since [`Drains::reset_forced`].
    pub(in crate::control) fn forced(&self) -> u64 {
        self.forced + self.running.values().map(DrainEntry::forced).sum::<u64>()
    }

    pub(in crate::control) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Drops the counts of a removed cluster, unless it still drains. Returns whether there were any.
    pub(in crate::control) fn forget(&mut self, removed: &str) -> bool {
        let drains = self.running().any(|drain| drain.cluster == removed);
        !drains && self.ended.lock().remove(removed).is_some()
    }
}

impl DrainEntry {
    /// Sessions closed at the hard deadline since [`Drains::reset_forced`].
    fn forced(&self) -> u64 {
        self.drain.forced() - self.forced_before
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

    /// Sessions closed at the hard deadline.
    fn forced(&self) -> u64 {
        self.trackers.iter().map(|tracker| tracker.forced()).sum()
    }

    /// Whether its sessions may go on over another broker connection instead of leaving.
    pub(in crate::control) fn may_move(&self) -> bool {
        self.deadlines.may_move
    }

    /// Sessions that have gone on over another broker connection.
    fn moved(&self) -> u64 {
        moved(&self.trackers) - self.moved_before
    }

    pub(in crate::control) fn counters(&self) -> &Arc<ClusterCounters> {
        &self.counters
    }

    /// State of the cluster: `draining`, or what became of it where it is removed.
    pub(in crate::control) fn state_name(&self) -> &'static str {
        self.removed
            .as_ref()
            .map_or("draining", |lifecycle| lifecycle.state().name())
    }

    /// The drain as it is now.
    fn event(&self) -> DrainEvent {
        DrainEvent {
            cluster: self.cluster.clone(),
            generation: self.ended_by,
            sessions_generation: self.generation,
            strategy: self.strategy_name().into(),
            reason: None,
            sessions: self.sessions,
            remaining: self.remaining(),
            moved: self.moved(),
            forced: self.forced(),
            duration: self.began.elapsed(),
        }
    }

    pub(in crate::control) fn strategy_name(&self) -> &'static str {
        self.strategy.name()
    }
}

fn moved(trackers: &[Arc<ConnectionTracker>]) -> u64 {
    trackers.iter().map(|tracker| tracker.moved()).sum()
}

fn sessions(trackers: &[Arc<ConnectionTracker>]) -> usize {
    trackers.iter().map(|tracker| tracker.len()).sum()
}
