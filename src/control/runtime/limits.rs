//! Which limits are reached, and since when. A limit is reached from the first time it is met until nothing has met it
//! for a while, so that one that is met again and again is told of once, not each time.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant, SystemTime};

use crate::control::status::LimitStatus;
use crate::session::limits::{self, BUFFERS, DESCRIPTORS, LOG_QUEUE, Limit, LimitCounter};
use crate::time::{rfc3339, whole_millis};

/// The target of log lines about limits.
const TARGET: &str = "kproxy::limits";

/// A limit is no longer reached once nothing has met it for so long.
const QUIET: Duration = Duration::from_secs(10);

/// Which limit, and of which virtual cluster where it is one of a cluster's.
type Key = (Limit, Option<String>);

/// What one look finds of one limit.
#[derive(Debug, Clone)]
pub(in crate::control) struct Reading {
    /// Where it was counted.
    pub(in crate::control) counter: Limit,
    /// What was met there.
    pub(in crate::control) limit: Limit,
    pub(in crate::control) cluster: Option<String>,
    /// How often it was met since the process began.
    pub(in crate::control) met: u64,
    /// It holds somebody up now.
    pub(in crate::control) held: bool,
    /// How much is in use, in words; may be empty.
    pub(in crate::control) usage: String,
}

impl Reading {
    pub(in crate::control) fn of(limit: Limit, mark: &LimitCounter) -> Self {
        Self {
            counter: limit,
            limit,
            cluster: None,
            met: mark.hits(),
            held: mark.has_waiters(),
            usage: String::new(),
        }
    }
}

/// The limits that are reached. Owned by the control thread.
#[derive(Debug)]
pub(in crate::control) struct LimitBoard {
    moved: u64,
    /// Counts at the last look.
    seen: HashMap<Key, u64>,
    reached: BTreeMap<Key, Episode>,
}

/// One time that a limit is reached.
#[derive(Debug, Clone)]
struct Episode {
    since: SystemTime,
    began: Instant,
    /// When it was last met.
    last: Instant,
    affected: u64,
    usage: String,
}

/// What a look changes.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    Reached(Key),
    Over {
        key: Key,
        lasted: Duration,
        affected: u64,
    },
}

impl LimitBoard {
    /// What was counted before counts for nothing.
    pub(in crate::control) fn new() -> Self {
        let marks = [
            (Limit::Descriptors, &DESCRIPTORS),
            (Limit::Buffers, &BUFFERS),
            (Limit::LogQueue, &LOG_QUEUE),
        ];
        Self {
            moved: 0,
            seen: marks
                .into_iter()
                .map(|(limit, mark)| ((limit, None), mark.hits()))
                .collect(),
            reached: BTreeMap::new(),
        }
    }

    /// Whether there is anything to look at. To be asked before each look.
    pub(in crate::control) fn may_have_changed(&mut self) -> bool {
        let before = std::mem::replace(&mut self.moved, limits::total_hits());
        before != self.moved || !self.reached.is_empty()
    }

    /// Takes in what is found, and tells what it changes.
    pub(in crate::control) fn look(&mut self, readings: Vec<Reading>) {
        for change in self.take_in(readings, Instant::now(), SystemTime::now()) {
            self.tell(&change);
        }
    }

    fn take_in(&mut self, readings: Vec<Reading>, now: Instant, at: SystemTime) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut seen = HashMap::with_capacity(readings.len());
        for reading in readings {
            let counter = (reading.counter, reading.cluster);
            let before = self.seen.get(&counter).copied().unwrap_or_default();
            let more = reading.met.saturating_sub(before);
            let key = (reading.limit, counter.1.clone());
            seen.insert(counter, reading.met);
            if more == 0 && !reading.held {
                continue;
            }
            let episode = self.reached.entry(key.clone()).or_insert_with(|| {
                changes.push(Change::Reached(key));
                Episode {
                    since: at,
                    began: now,
                    last: now,
                    affected: 0,
                    usage: String::new(),
                }
            });
            episode.last = now;
            episode.affected += more;
            if !reading.usage.is_empty() {
                episode.usage = reading.usage;
            }
        }
        // What is not among the readings is gone, with its virtual cluster.
        self.reached.retain(|key, episode| {
            let lasts = seen.contains_key(key) && now.saturating_duration_since(episode.last) < QUIET;
            if !lasts {
                changes.push(Change::Over {
                    key: key.clone(),
                    lasted: episode.last.saturating_duration_since(episode.began),
                    affected: episode.affected,
                });
            }
            lasts
        });
        self.seen = seen;
        changes
    }

    fn tell(&self, change: &Change) {
        match change {
            Change::Reached(key) => {
                let (limit, cluster) = key;
                let usage = self.reached.get(key).map(|episode| episode.usage.as_str());
                tracing::warn!(
                    target: TARGET,
                    limit = limit.name(),
                    cluster,
                    usage = usage.filter(|usage| !usage.is_empty()),
                    advice = limit.advice(),
                    "limit reached: {}",
                    limit.meaning()
                );
            }
            Change::Over {
                key: (limit, cluster),
                lasted,
                affected,
            } => tracing::info!(
                target: TARGET,
                limit = limit.name(),
                cluster,
                lasted_ms = whole_millis(*lasted),
                affected,
                counted = limit.unit(),
                "limit no longer reached"
            ),
        }
    }

    pub(in crate::control) fn is_reached(&self, limit: Limit) -> bool {
        self.reached.keys().any(|(reached, _)| *reached == limit)
    }

    /// Those that are reached, for status.
    pub(in crate::control) fn status(&self) -> Vec<LimitStatus> {
        let status = |((limit, cluster), episode): (&Key, &Episode)| LimitStatus {
            limit: limit.name().into(),
            cluster: cluster.clone(),
            since: rfc3339(episode.since),
            affected: episode.affected,
            counted: limit.unit().into(),
            usage: episode.usage.clone(),
            meaning: limit.meaning().into(),
            advice: limit.advice().into(),
        };
        self.reached.iter().map(status).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(met: u64, held: bool) -> Vec<Reading> {
        vec![Reading {
            counter: Limit::Connections,
            limit: Limit::Connections,
            cluster: None,
            met,
            held,
            usage: String::new(),
        }]
    }

    #[test]
    fn a_limit_that_is_met_again_and_again_is_told_of_once_and_once_when_it_is_over() {
        let mut board = LimitBoard::new();
        let began = Instant::now();
        let mut look = |seconds, readings| {
            let now = began + Duration::from_secs(seconds);
            board.take_in(readings, now, SystemTime::UNIX_EPOCH)
        };
        let key = || (Limit::Connections, None);
        assert_eq!(look(0, reading(0, false)), []);
        assert_eq!(look(1, reading(3, false)), [Change::Reached(key())]);
        for second in 2..9 {
            assert_eq!(look(second, reading(3, false)), [], "it may be met again");
        }
        assert_eq!(look(9, reading(5, true)), [], "it is the same time");
        assert_eq!(look(60, reading(5, true)), [], "somebody waits all the time");
        assert_eq!(look(69, reading(5, false)), []);
        let over = Change::Over {
            key: key(),
            lasted: Duration::from_secs(59),
            affected: 5,
        };
        assert_eq!(look(70, reading(5, false)), [over]);
        assert_eq!(look(71, reading(6, false)), [Change::Reached(key())]);
        let over = look(72, Vec::new());
        assert!(
            matches!(over[..], [Change::Over { affected: 1, .. }]),
            "its cluster is gone: {over:?}"
        );
    }
}
