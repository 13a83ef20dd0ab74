//! States of virtual clusters, compared with those of the last look.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{ClusterStateEvent, Event};
use crate::cluster::{ClusterSnapshot, ClusterState, ManagedCluster, ReportedState};

/// Virtual clusters that are told of one by one at one look; of more, only their number.
const MAX_TOLD: usize = 100;

/// The states at the last look.
#[derive(Debug, Default)]
pub(super) struct StateWatch {
    clusters: Option<ClusterSnapshot>,
}

/// Changes at one time.
#[derive(Debug, Default)]
pub(in crate::control) struct StateChanges {
    told: Vec<Event>,
    /// Number of further changes, by state before and after.
    more: BTreeMap<(Option<&'static str>, &'static str), usize>,
}

impl StateWatch {
    /// Compares `now` with the last look; the first one finds nothing. Costs next to nothing where nothing has changed.
    pub(super) fn look(&mut self, now: &ClusterSnapshot) -> Vec<Event> {
        let Some(before) = self.clusters.replace(Arc::clone(now)) else {
            return Vec::new();
        };
        if Arc::ptr_eq(&before, now) {
            return Vec::new();
        }
        let mut changes = StateChanges::default();
        let (mut old, mut new) = (before.iter().peekable(), now.iter().peekable());
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => break,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some(old), Some(new)) => old.model.name.cmp(&new.model.name),
            };
            let old = if order.is_le() { old.next() } else { None };
            let new = if order.is_ge() { new.next() } else { None };
            changes.compare(old, new);
        }
        changes.events()
    }
}

impl StateChanges {
    fn compare(&mut self, old: Option<&Arc<ManagedCluster>>, new: Option<&Arc<ManagedCluster>>) {
        let state = |cluster: &'_ Arc<ManagedCluster>| cluster.lifecycle.state().clone();
        match (old, new) {
            (Some(old), Some(new)) if Arc::ptr_eq(old, new) => {}
            (old, Some(new)) => {
                let (from, to) = (old.map(state), state(new));
                if from.as_ref() != Some(&to) {
                    let from = from.as_ref().map(ClusterState::name);
                    self.add(&new.model.name, from, to.name(), to.cause());
                }
            }
            // Its sessions have to leave; it is stopped when they have left.
            (Some(old), None) => {
                let draining = ReportedState::Draining.name();
                self.add(&old.model.name, Some(state(old).name()), draining, None);
            }
            (None, None) => {}
        }
    }

    /// Adds a virtual cluster that has another state.
    pub(in crate::control) fn add(
        &mut self,
        cluster: &str,
        from: Option<&'static str>,
        to: &'static str,
        cause: Option<&str>,
    ) {
        // A cluster that fails is told of in any case.
        if self.told.len() >= MAX_TOLD && to != ReportedState::Failed.name() {
            *self.more.entry((from, to)).or_default() += 1;
            return;
        }
        self.told.push(changed(cluster, from, to, cause));
    }

    /// Returns them as events.
    pub(in crate::control) fn events(self) -> Vec<Event> {
        let more = self.more.into_iter().map(|((from, to), clusters)| {
            Event::ClusterState(ClusterStateEvent {
                cluster: None,
                clusters,
                from: from.map(Into::into),
                to: to.into(),
                cause: None,
            })
        });
        self.told.into_iter().chain(more).collect()
    }
}

/// One virtual cluster that has another state.
fn changed(cluster: &str, from: Option<&'static str>, to: &'static str, cause: Option<&str>) -> Event {
    Event::ClusterState(ClusterStateEvent {
        cluster: Some(cluster.to_owned()),
        clusters: 1,
        from: from.map(Into::into),
        to: to.into(),
        cause: cause.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_changes_at_once_are_summed_up_but_none_that_failed() {
        let mut changes = StateChanges::default();
        for number in 0..MAX_TOLD + 5 {
            changes.add(&format!("c{number}"), None, "serving", None);
        }
        changes.add("broken", Some("serving"), "failed", Some("port taken"));
        let events = changes.events();
        assert_eq!(events.len(), MAX_TOLD + 2);
        assert!(events[MAX_TOLD..].contains(&changed(
            "broken",
            Some("serving"),
            "failed",
            Some("port taken")
        )));
        let Event::ClusterState(rest) = &events[MAX_TOLD + 1] else {
            panic!("{events:?}");
        };
        assert_eq!(
            (rest.cluster.as_deref(), rest.clusters, &*rest.to),
            (None, 5, "serving")
        );
    }
}
