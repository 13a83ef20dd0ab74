//! Closed sessions, summed up by virtual cluster and cause between two looks at the counters. Nothing is done or kept when
//! a session is closed.

use std::collections::{BTreeMap, HashMap};

use super::{ClosedSessions, Event};
use crate::control::runtime::drains::ConnectionDrainManager;
use crate::control::runtime::reloader::Reloader;
use crate::control::status::Word;
use crate::session::cause::CloseCause;

/// Virtual clusters that are told of one by one at one look; those of more are added up.
const MAX_TOLD: usize = 100;

/// Closed sessions so far; causes that have not occurred are left out.
type Closes = BTreeMap<&'static str, u64>;

/// The counters at the last look.
#[derive(Debug)]
pub(super) struct CloseWatch {
    /// Connections whose virtual cluster was never known.
    unrouted: Closes,
    /// Virtual clusters with closed sessions, by name.
    clusters: HashMap<String, Closes>,
}

impl CloseWatch {
    /// The counters as they are.
    pub(super) fn begin(reloader: &Reloader, drains: &ConnectionDrainManager) -> Self {
        let running = reloader.clusters.iter();
        let running = running.map(|cluster| (&cluster.model.name, &cluster.context.counters));
        let removed = drains.running().filter(|drain| drain.removed.is_some());
        let removed = removed.map(|drain| (&drain.cluster, drain.counters()));
        let counts = running
            .chain(removed)
            .map(|(name, counters)| (name, named(counters.all_closes())));
        Self {
            unrouted: named(reloader.services.process.unrouted.iter()),
            clusters: counts
                .filter(|(_, closes)| !closes.is_empty())
                .map(|(name, closes)| (name.clone(), closes))
                .collect(),
        }
    }

    /// What has been closed since the last look.
    pub(super) fn look(&mut self, reloader: &Reloader, drains: &ConnectionDrainManager) -> Vec<Event> {
        let before = std::mem::replace(self, Self::begin(reloader, drains));
        self.since(&before)
    }

    fn since(&self, before: &Self) -> Vec<Event> {
        let mut found: BTreeMap<&String, BTreeMap<Word, u64>> = BTreeMap::new();
        for (name, closes) in &self.clusters {
            let more = more(closes, before.clusters.get(name));
            if !more.is_empty() {
                found.insert(name, more);
            }
        }
        let mut rest = ClosedSessions::default();
        let mut events = Vec::new();
        for (name, causes) in found {
            if events.len() < MAX_TOLD {
                events.push(Event::SessionsClosed(ClosedSessions {
                    cluster: Some(name.clone()),
                    clusters: 1,
                    causes,
                }));
                continue;
            }
            rest.clusters += 1;
            for (cause, count) in causes {
                *rest.causes.entry(cause).or_default() += count;
            }
        }
        let unrouted = ClosedSessions {
            causes: more(&self.unrouted, Some(&before.unrouted)),
            ..ClosedSessions::default()
        };
        let sums = [rest, unrouted].into_iter().filter(|sum| !sum.causes.is_empty());
        events.extend(sums.map(Event::SessionsClosed));
        events
    }
}

fn named(closes: impl Iterator<Item = (CloseCause, u64)>) -> Closes {
    closes.map(|(cause, count)| (cause.name(), count)).collect()
}

/// Counts that have grown, and by how much. A smaller count is that of a new virtual cluster of the same name.
fn more(now: &Closes, before: Option<&Closes>) -> BTreeMap<Word, u64> {
    let grown = now.iter().filter_map(|(&cause, &count)| {
        let before = before.and_then(|before| before.get(cause)).copied();
        let more = count.checked_sub(before.unwrap_or_default()).unwrap_or(count);
        (more > 0).then(|| (cause.into(), more))
    });
    grown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(clusters: usize, count: u64) -> CloseWatch {
        let closes = Closes::from([("drained", count)]);
        CloseWatch {
            unrouted: Closes::new(),
            clusters: (0..clusters)
                .map(|number| (format!("c{number:03}"), closes.clone()))
                .collect(),
        }
    }

    #[test]
    fn what_many_virtual_clusters_have_closed_is_added_up() {
        let events = watch(MAX_TOLD + 3, 5).since(&watch(MAX_TOLD + 2, 3));
        assert_eq!(events.len(), MAX_TOLD + 1);
        let closed = |event: &Event| match event {
            Event::SessionsClosed(closed) => closed.clone(),
            other => panic!("{other:?}"),
        };
        let first = closed(&events[0]);
        assert_eq!(
            (first.cluster.as_deref(), first.causes["drained"]),
            (Some("c000"), 2)
        );
        let rest = closed(&events[MAX_TOLD]);
        assert_eq!((rest.clusters, rest.causes["drained"]), (3, 2 + 2 + 5));
        assert_eq!(watch(3, 5).since(&watch(3, 5)), []);
        assert_eq!(
            closed(&watch(1, 2).since(&watch(1, 9))[0]).causes["drained"],
            2,
            "counted anew"
        );
    }
}
