//! Events: readers of them, what is found by looking, and drains that have ended.

use std::time::SystemTime;

use super::Engine;
use crate::control::events::{Event, EventReader, StateChanges, WatchingEvent};
use crate::control::runtime::drains::EndedDrain;
use crate::time::unix_seconds;

impl Engine {
    /// Tells readers of events what has happened during the last second, and the service manager that all threads are alive.
    pub(in crate::control) fn check_threads(&mut self) {
        self.tick_events();
        self.service.check(&self.reloader.registry);
    }

    /// Logs which limits, warnings and degraded clusters have come or gone.
    pub(in crate::control) fn check(&mut self) {
        self.check_threads();
        self.snapshot().refresh_limits();
        self.warnings.log_changes();
        self.tell_of_certificates();
        let timeout = self.reloader.current().network.connect_timeout;
        self.brokers.check(&self.reloader.clusters, timeout);
    }

    /// Returns what runs, and a reader of all events from now on.
    pub(in crate::control) fn watch(&mut self) -> (WatchingEvent, EventReader) {
        let watching = WatchingEvent {
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            generation: self.generation(),
            clusters: self.reloader.clusters.len(),
            drains: self.drains.running().count(),
        };
        let reader = self
            .observer
            .subscribe(&self.events, &self.reloader, &self.drains);
        (watching, reader)
    }

    /// Tells readers what has been closed and what has left during the last second.
    pub(in crate::control) fn tick_events(&mut self) {
        self.observer.tick(&self.events, &self.reloader, &self.drains);
    }

    /// Tells of certificates in use that expire soon, or have expired.
    pub(super) fn tell_of_certificates(&mut self) {
        let now = unix_seconds(SystemTime::now());
        let expiries = self.certificates.check(self.reloader.current(), now);
        self.publish_all(expiries);
    }

    fn publish_all(&self, events: Vec<Event>) {
        for event in events {
            self.events.publish(event);
        }
    }

    /// Drops the counters of removed clusters whose last drain has ended, and logs the drains.
    pub(in crate::control) fn on_drains_ended(&mut self, ended: &[EndedDrain]) {
        let mut stopped = StateChanges::default();
        for drain in ended {
            let cluster = drain.cluster();
            if self.reloader.clusters.get(cluster).is_none() && self.drains.forget(cluster) {
                stopped.add(cluster, Some("draining"), "stopped", None);
            }
        }
        self.publish();
        for drain in ended {
            drain.log();
            self.publish_all(drain.events());
        }
        self.publish_all(stopped.events());
    }
}
