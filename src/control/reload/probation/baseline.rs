//! What virtual clusters were like before the next reload.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::collect;
use super::judge::BeforeReload;
use super::sample::{ClusterFacts, ClusterSample};
use crate::cluster::ClusterSnapshot;

/// Counters of all clusters at one moment, with the number of unreachable brokers of each.
type AllSamples = HashMap<String, (ClusterSample, usize)>;

/// What all clusters were like, between one and two windows ago.
#[derive(Debug, Default)]
pub(super) struct Baseline {
    older: Option<Arc<AllSamples>>,
    newer: Option<(Instant, Arc<AllSamples>)>,
    collecting: Option<JoinHandle<AllSamples>>,
}

impl Baseline {
    /// Keeps the counters of all clusters once a window, and drops those of the window before the last.
    pub(super) async fn tick(&mut self, clusters: &ClusterSnapshot, window: Duration, now: Instant) {
        if let Some(collected) = finished(&mut self.collecting).await {
            let before = self.newer.replace((now, Arc::new(collected)));
            self.older = before.map(|(_, samples)| samples);
        }
        let is_due = self
            .newer
            .as_ref()
            .is_none_or(|(at, _)| now.saturating_duration_since(*at) >= window);
        if is_due && self.collecting.is_none() {
            let clusters = Arc::clone(clusters);
            self.collecting = Some(tokio::task::spawn_blocking(move || collect::all(&clusters)));
        }
    }

    /// What the cluster was like in the time before it had these counters.
    pub(super) fn before(&self, name: &str, start: &ClusterFacts) -> BeforeReload {
        let newer = self.newer.as_ref().map(|(_, samples)| samples);
        let known = self.older.as_ref().or(newer);
        let known = known.and_then(|samples| samples.get(name));
        BeforeReload {
            counted: match known {
                Some((counted, _)) => start.counted.since(counted),
                None => start.counted.clone(),
            },
            unreachable: start.brokers.unreachable,
        }
    }
}

/// Takes the result of a task that has ended. A task that panicked has none.
pub(super) async fn finished<T>(task: &mut Option<JoinHandle<T>>) -> Option<T> {
    task.take_if(|task| task.is_finished())?.await.ok()
}
