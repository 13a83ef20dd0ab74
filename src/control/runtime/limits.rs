//! Limits that are reached, and since when.
//!
//! A limit counts as reached from its first hit until it has had none for [`RELEASE_PERIOD`], so that one that is hit again
//! and again makes one log line, not many.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant, SystemTime};

use crate::control::events::{Event, EventBus, LimitEvent};
use crate::control::status::LimitStatus;
use crate::session::limits::{self, BUFFERS, DESCRIPTORS, FILTER_MEMORY, LOG_QUEUE, Limit, LimitCounter};
use crate::time::{rfc3339, whole_millis};

/// Target of log lines about limits.
const TARGET: &str = "kproxy::limits";

/// Time without a hit after which a limit is no longer reached.
const RELEASE_PERIOD: Duration = Duration::from_secs(10);

/// A limit, with its virtual cluster where it belongs to one.
type LimitKey = (Limit, Option<String>);

/// State of one limit at one moment.
#[derive(Debug, Clone)]
pub(in crate::control) struct LimitReading {
    /// Limit whose counter was read.
    pub(in crate::control) counter: Limit,
    /// Limit that this counter stands for now: `maxConnections` or descriptors, say.
    pub(in crate::control) limit: Limit,
    pub(in crate::control) cluster: Option<String>,
    /// Hits since the process began.
    pub(in crate::control) hits: u64,
    /// Whether something waits for it now.
    pub(in crate::control) is_waited_for: bool,
    /// Usage in words; may be empty.
    pub(in crate::control) usage: String,
}

impl LimitReading {
    pub(in crate::control) fn of(limit: Limit, counter: &LimitCounter) -> Self {
        Self {
            counter: limit,
            limit,
            cluster: None,
            hits: counter.hits(),
            is_waited_for: counter.has_waiters(),
            usage: String::new(),
        }
    }
}

/// Limits that are reached, updated by the control thread and by those who ask for the status.
#[derive(Debug)]
pub(in crate::control) struct ReachedLimits {
    events: EventBus,
    moved: u64,
    /// Hits at the last update.
    seen: HashMap<LimitKey, u64>,
    reached: BTreeMap<LimitKey, LimitEpisode>,
}

/// Time during which a limit is reached.
#[derive(Debug, Clone)]
struct LimitEpisode {
    since: SystemTime,
    began: Instant,
    /// Time of the last hit.
    last: Instant,
    affected: u64,
    usage: String,
}

/// Change found by an update.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    Reached(LimitKey),
    Over {
        key: LimitKey,
        lasted: Duration,
        affected: u64,
    },
}

impl Change {
    fn event(&self) -> Event {
        let event = |(limit, cluster): &LimitKey, affected| LimitEvent {
            limit: limit.name().into(),
            cluster: cluster.clone(),
            meaning: limit.meaning().into(),
            affected,
        };
        match self {
            Self::Reached(key) => Event::LimitReached(event(key, 0)),
            Self::Over { key, affected, .. } => Event::LimitOver(event(key, *affected)),
        }
    }
}

impl ReachedLimits {
    /// Starts with no limit reached; hits before this are ignored.
    pub(in crate::control) fn new(events: EventBus) -> Self {
        let marks = [
            (Limit::Descriptors, &DESCRIPTORS),
            (Limit::Buffers, &BUFFERS),
            (Limit::LogQueue, &LOG_QUEUE),
            (Limit::FilterMemory, &FILTER_MEMORY),
        ];
        Self {
            events,
            moved: 0,
            seen: marks
                .into_iter()
                .map(|(limit, counter)| ((limit, None), counter.hits()))
                .collect(),
            reached: BTreeMap::new(),
        }
    }

    /// Whether an update may find a change. To be called once before each update.
    pub(in crate::control) fn may_have_changed(&mut self) -> bool {
        let before = std::mem::replace(&mut self.moved, limits::total_hits());
        before != self.moved || !self.reached.is_empty()
    }

    /// Updates the states, and logs what has changed.
    pub(in crate::control) fn update(&mut self, readings: Vec<LimitReading>) {
        for change in self.take_in(readings, Instant::now(), SystemTime::now()) {
            self.log(&change);
            self.events.publish(change.event());
        }
    }

    fn take_in(&mut self, readings: Vec<LimitReading>, now: Instant, at: SystemTime) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut seen = HashMap::with_capacity(readings.len());
        for reading in readings {
            let counter = (reading.counter, reading.cluster);
            let before = self.seen.get(&counter).copied().unwrap_or_default();
            let more = reading.hits.saturating_sub(before);
            let key = (reading.limit, counter.1.clone());
            seen.insert(counter, reading.hits);
            if more == 0 && !reading.is_waited_for {
                continue;
            }
            let episode = self.reached.entry(key.clone()).or_insert_with(|| {
                changes.push(Change::Reached(key));
                LimitEpisode {
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
        // A limit without a reading is gone, with its virtual cluster.
        self.reached.retain(|key, episode| {
            let lasts =
                seen.contains_key(key) && now.saturating_duration_since(episode.last) < RELEASE_PERIOD;
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

    fn log(&self, change: &Change) {
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

    /// Limits that are reached, for the status.
    pub(in crate::control) fn status(&self) -> Vec<LimitStatus> {
        let status = |((limit, cluster), episode): (&LimitKey, &LimitEpisode)| LimitStatus {
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

    fn reading(hits: u64, is_waited_for: bool) -> Vec<LimitReading> {
        vec![LimitReading {
            counter: Limit::Connections,
            limit: Limit::Connections,
            cluster: None,
            hits,
            is_waited_for,
            usage: String::new(),
        }]
    }

    #[test]
    fn a_limit_that_is_met_again_and_again_is_told_of_once_and_once_when_it_is_over() {
        let mut board = ReachedLimits::new(EventBus::default());
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
