//! Closed sessions, summed up by virtual cluster and cause between two looks at the counters. Nothing is done or kept when
//! a session is closed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{ClosedSessions, Event};
use crate::control::runtime::drains::ConnectionDrainManager;
use crate::control::runtime::reloader::Reloader;
use crate::control::status::Word;
use crate::session::cause::CloseCause;
use crate::session::counters::ClusterCounters;

/// Virtual clusters that are told of one by one at one look; those of more are added up.
const MAX_TOLD: usize = 100;

/// Closed sessions so far; causes that have not occurred are left out.
type Closes = BTreeMap<&'static str, u64>;

/// The counters at the last look.
#[derive(Debug)]
pub(super) struct CloseWatch {
    /// Connections whose virtual cluster was never known.
    unrouted: Closes,
    clusters: HashMap<String, SeenCloses>,
}

/// The counters of one virtual cluster. They are kept, so that what is closed last is not missed where it is removed.
#[derive(Debug, Clone)]
struct SeenCloses {
    counters: Arc<ClusterCounters>,
    closes: Closes,
}

impl SeenCloses {
    fn of(counters: &Arc<ClusterCounters>) -> Self {
        Self {
            counters: Arc::clone(counters),
            closes: named(counters.all_closes()),
        }
    }
}

impl CloseWatch {
    /// The counters as they are.
    pub(super) fn begin(reloader: &Reloader, drains: &ConnectionDrainManager) -> Self {
        let running = reloader.clusters.iter();
        let running = running.map(|cluster| (&cluster.model.name, &cluster.context.counters));
        let removed = drains.running().filter(|drain| drain.removed.is_some());
        let removed = removed.map(|drain| (&drain.cluster, drain.counters()));
        let all = removed.chain(running);
        Self {
            unrouted: named(reloader.services.process.unrouted.iter()),
            clusters: all
                .map(|(name, counters)| (name.clone(), SeenCloses::of(counters)))
                .collect(),
        }
    }

    /// What has been closed since the last look.
    pub(super) fn look(&mut self, reloader: &Reloader, drains: &ConnectionDrainManager) -> Vec<Event> {
        let before = std::mem::replace(self, Self::begin(reloader, drains));
        let mut found = BTreeMap::<&String, BTreeMap<Word, u64>>::new();
        for (name, now) in &self.clusters {
            let same = before.clusters.get(name);
            let same = same.filter(|before| Arc::ptr_eq(&before.counters, &now.counters));
            add(
                &mut found,
                name,
                more(&now.closes, same.map(|before| &before.closes)),
            );
        }
        for (name, before) in &before.clusters {
            let now = self.clusters.get(name);
            if !now.is_some_and(|now| Arc::ptr_eq(&before.counters, &now.counters)) {
                let last = named(before.counters.all_closes());
                add(&mut found, name, more(&last, Some(&before.closes)));
            }
        }
        let unrouted = more(&self.unrouted, Some(&before.unrouted));
        events(found, unrouted)
    }
}

fn add<'n>(
    found: &mut BTreeMap<&'n String, BTreeMap<Word, u64>>,
    name: &'n String,
    causes: BTreeMap<Word, u64>,
) {
    for (cause, count) in causes {
        *found.entry(name).or_default().entry(cause).or_default() += count;
    }
}

fn events(found: BTreeMap<&String, BTreeMap<Word, u64>>, unrouted: BTreeMap<Word, u64>) -> Vec<Event> {
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
        causes: unrouted,
        ..ClosedSessions::default()
    };
    let sums = [rest, unrouted].into_iter().filter(|sum| !sum.causes.is_empty());
    events.extend(sums.map(Event::SessionsClosed));
    events
}

fn named(closes: impl Iterator<Item = (CloseCause, u64)>) -> Closes {
    closes.map(|(cause, count)| (cause.name(), count)).collect()
}

/// Counts that have grown, and by how much.
fn more(now: &Closes, before: Option<&Closes>) -> BTreeMap<Word, u64> {
    let grown = now.iter().filter_map(|(&cause, &count)| {
        let before = before.and_then(|before| before.get(cause)).copied();
        let more = count.saturating_sub(before.unwrap_or_default());
        (more > 0).then(|| (cause.into(), more))
    });
    grown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_virtual_clusters_have_closed_is_added_up() {
        let names: Vec<String> = (0..MAX_TOLD + 3).map(|number| format!("c{number:03}")).collect();
        let (before, now) = (Closes::from([("drained", 3)]), Closes::from([("drained", 5)]));
        let mut found = BTreeMap::new();
        for name in &names {
            add(&mut found, name, more(&now, Some(&before)));
        }
        let events = events(found, more(&now, None));
        assert_eq!(events.len(), MAX_TOLD + 2);
        let closed = |event: &Event| match event {
            Event::SessionsClosed(closed) => {
                (closed.cluster.clone(), closed.clusters, closed.causes["drained"])
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(closed(&events[0]), (Some("c000".into()), 1, 2));
        assert_eq!(closed(&events[MAX_TOLD]), (None, 3, 6));
        assert_eq!(closed(&events[MAX_TOLD + 1]), (None, 0, 5), "never routed");
        assert_eq!(more(&now, Some(&now)), BTreeMap::new());
    }
}
