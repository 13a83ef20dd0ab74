//! Events that are found by looking: states of virtual clusters after each change; closed sessions and the progress of
//! drains once a second, while somebody reads.

use std::collections::{BTreeMap, HashMap};

use super::closes::CloseWatch;
use super::states::StateWatch;
use super::{DrainEvent, Event, EventBus, EventReader};
use crate::cluster::ClusterSnapshot;
use crate::control::runtime::drains::ConnectionDrainManager;
use crate::control::runtime::reloader::Reloader;

/// Drains whose progress is told of at one time.
const MAX_TOLD: usize = 100;

/// What has been published last, to tell what is new. Owned by the control thread.
#[derive(Debug, Default)]
pub(in crate::control) struct EventObserver {
    states: StateWatch,
    closes: Option<CloseWatch>,
    /// Sessions left at the last look, by drain.
    remaining: HashMap<u64, usize>,
}

impl EventObserver {
    /// Publishes which virtual clusters have another state since the last time.
    pub(in crate::control) fn look(&mut self, events: &EventBus, clusters: &ClusterSnapshot) {
        for event in self.states.look(clusters) {
            events.publish(event);
        }
    }

    /// Returns a reader of all events from now on; sessions that were closed before are not among them.
    pub(in crate::control) fn subscribe(
        &mut self,
        events: &EventBus,
        reloader: &Reloader,
        drains: &ConnectionDrainManager,
    ) -> EventReader {
        if !events.has_readers() {
            self.closes = Some(CloseWatch::begin(reloader, drains));
        }
        events.subscribe()
    }

    /// Publishes what has been closed and what has left since the last time, if somebody reads.
    pub(in crate::control) fn tick(
        &mut self,
        events: &EventBus,
        reloader: &Reloader,
        drains: &ConnectionDrainManager,
    ) {
        if !events.has_readers() {
            self.closes = None;
            self.remaining.clear();
            return;
        }
        if let Some(closes) = &mut self.closes {
            closes
                .look(reloader, drains)
                .into_iter()
                .for_each(|event| events.publish(event));
        }
        self.progress(drains)
            .into_iter()
            .for_each(|event| events.publish(event));
    }

    fn progress(&mut self, drains: &ConnectionDrainManager) -> Vec<Event> {
        let now: BTreeMap<u64, DrainEvent> = drains.progress().take(MAX_TOLD).collect();
        let before = std::mem::take(&mut self.remaining);
        self.remaining = now.iter().map(|(&id, drain)| (id, drain.remaining)).collect();
        let moved = now.into_iter().filter(|(id, drain)| {
            let before = before.get(id).copied().unwrap_or(drain.sessions);
            drain.remaining > 0 && drain.remaining != before
        });
        moved.map(|(_, drain)| Event::DrainProgress(drain)).collect()
    }
}
