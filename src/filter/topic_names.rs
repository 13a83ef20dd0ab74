//! Names of topics by their ids (KIP-516). An id never changes its name: what is known is never wrong, only missing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::model::TopicNameLimits;

/// Id of a topic.
pub type TopicUuid = [u8; 16];

/// Longest name that is kept, in bytes: brokers have no longer ones.
const LONGEST_NAME: usize = 249;

/// The topics of a virtual cluster whose ids answers of its brokers have told. Filters share it, and it outlives them.
#[derive(Debug)]
pub struct TopicNameMap {
    names: RwLock<KnownNames>,
    /// Notified of every new name, for the task that writes them to the disk.
    changed: Arc<Notify>,
    began: Instant,
}

#[derive(Debug, Default)]
struct KnownNames {
    limits: TopicNameLimits,
    by_id: HashMap<TopicUuid, KnownName>,
    by_name: HashMap<Arc<str>, TopicUuid>,
}

/// A name. Its times are in microseconds since the map began.
#[derive(Debug)]
struct KnownName {
    name: Arc<str>,
    told: AtomicU64,
    used: AtomicU64,
}

impl Default for TopicNameMap {
    fn default() -> Self {
        Self::new(TopicNameLimits::default(), Arc::default())
    }
}

impl TopicNameMap {
    /// An empty map. `changed` is notified of every new name.
    pub fn new(limits: TopicNameLimits, changed: Arc<Notify>) -> Self {
        let names = KnownNames {
            limits,
            ..KnownNames::default()
        };
        Self {
            names: RwLock::new(names),
            changed,
            began: Instant::now(),
        }
    }

    /// Changes how many names are kept, and for how long.
    pub fn set_limits(&self, limits: TopicNameLimits) {
        if self.read().limits == limits {
            return;
        }
        let now = self.now();
        let mut names = self.write();
        names.limits = limits;
        names.shrink(now);
    }

    /// The name of an id.
    pub fn name(&self, id: &TopicUuid) -> Option<Arc<str>> {
        self.name_at(id, self.now())
    }

    fn name_at(&self, id: &TopicUuid, now: u64) -> Option<Arc<str>> {
        let names = self.read();
        let known = names.by_id.get(id)?;
        if names.limits.have_expired(known, now) {
            return None;
        }
        known.used.store(now, Ordering::Relaxed);
        Some(Arc::clone(&known.name))
    }

    /// The id that a name had last.
    pub fn id(&self, name: &str) -> Option<TopicUuid> {
        self.read().by_name.get(name).copied()
    }

    /// Enters names that a broker has told.
    pub fn learn(&self, told: &[(TopicUuid, &str)]) {
        self.learn_at(told, self.now());
    }

    fn learn_at(&self, told: &[(TopicUuid, &str)], now: u64) {
        if self.read().renew(told, now) {
            return;
        }
        let mut names = self.write();
        for (id, name) in told.iter().filter(|(_, name)| name.len() <= LONGEST_NAME) {
            names.enter(*id, name, now);
        }
        drop(names);
        self.changed.notify_one();
    }

    /// All names.
    pub fn snapshot(&self) -> Vec<(TopicUuid, Arc<str>)> {
        let now = self.now();
        let names = self.read();
        let known = names.by_id.iter();
        let known = known.filter(|(_, known)| !names.limits.have_expired(known, now));
        known.map(|(id, known)| (*id, Arc::clone(&known.name))).collect()
    }

    /// Number of names that are kept.
    pub fn len(&self) -> usize {
        self.read().by_id.len()
    }

    /// Whether no name is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_micros() as u64
    }

    fn read(&self) -> RwLockReadGuard<'_, KnownNames> {
        self.names.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, KnownNames> {
        self.names.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KnownNames {
    /// Notes that names were told again. False: there is one that is not known, or that another topic has by now.
    fn renew(&self, told: &[(TopicUuid, &str)], now: u64) -> bool {
        told.iter().all(|(id, name)| {
            let known = self.by_id.get(id).filter(|known| *known.name == **name);
            if let Some(known) = known {
                known.told.store(now, Ordering::Relaxed);
                known.used.fetch_max(now, Ordering::Relaxed);
            }
            known.is_some() && self.by_name.get(*name) == Some(id)
        })
    }

    fn enter(&mut self, id: TopicUuid, name: &str, now: u64) {
        let name: Arc<str> = name.into();
        let known = KnownName {
            name: Arc::clone(&name),
            told: now.into(),
            used: now.into(),
        };
        self.by_id.insert(id, known);
        self.by_name.insert(name, id);
        self.shrink(now);
    }

    /// Forgets what has expired, and then what was used longest ago, until there is room. It makes room for more than one
    /// name, so that it has not to look at all of them for each.
    fn shrink(&mut self, now: u64) {
        if self.by_id.len() <= self.limits.max_size {
            return;
        }
        let limits = self.limits;
        self.by_id.retain(|_, known| !limits.have_expired(known, now));
        let left = self.by_id.len();
        if left > limits.max_size {
            let excess = left - limits.max_size + limits.max_size / 16;
            let used = |known: &KnownName| known.used.load(Ordering::Relaxed);
            let mut oldest: Vec<_> = self.by_id.iter().map(|(id, known)| (used(known), *id)).collect();
            oldest.select_nth_unstable(excess.saturating_sub(1).min(left - 1));
            for (_, id) in oldest.iter().take(excess) {
                self.by_id.remove(id);
            }
        }
        let by_id = &self.by_id;
        self.by_name.retain(|_, id| by_id.contains_key(id));
    }
}

impl TopicNameLimits {
    fn have_expired(&self, known: &KnownName, now: u64) -> bool {
        let is_over = |since: &AtomicU64, limit: Duration| {
            let age = now.saturating_sub(since.load(Ordering::Relaxed));
            u128::from(age) >= limit.as_micros()
        };
        is_over(&known.used, self.expire_after_access)
            || self
                .expire_after_write
                .is_some_and(|limit| is_over(&known.told, limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000_000;

    fn id(number: usize) -> TopicUuid {
        (number as u128 + 1).to_be_bytes()
    }

    fn of_size(max_size: usize) -> TopicNameLimits {
        TopicNameLimits {
            max_size,
            ..TopicNameLimits::default()
        }
    }

    #[test]
    fn the_names_that_were_used_longest_ago_are_forgotten_beyond_the_limit() {
        let names = TopicNameMap::new(of_size(100), Arc::default());
        for number in 0..100 {
            names.learn_at(&[(id(number), &number.to_string())], number as u64);
        }
        assert_eq!(names.len(), 100);
        assert_eq!(names.name_at(&id(0), 200).as_deref(), Some("0"));
        names.learn_at(&[(id(100), "100")], 201);
        assert!(names.len() <= 100 && names.len() > 90, "{}", names.len());
        assert_eq!(names.name_at(&id(0), 202).as_deref(), Some("0"));
        assert_eq!((names.name_at(&id(1), 202), names.id("1")), (None, None));
        assert_eq!(names.name_at(&id(100), 202).as_deref(), Some("100"));
    }

    #[test]
    fn a_lower_limit_holds_at_once() {
        let names = TopicNameMap::default();
        for number in 0..100 {
            names.learn_at(&[(id(number), &number.to_string())], number as u64);
        }
        names.set_limits(of_size(1));
        assert_eq!(names.len(), 1);
        assert_eq!(names.id("99"), Some(id(99)));
        names.learn_at(&[(id(7), "seven")], 1000);
        assert_eq!((names.len(), names.id("seven")), (1, Some(id(7))));
    }

    #[test]
    fn a_name_that_nobody_uses_expires_after_an_hour() {
        let names = TopicNameMap::default();
        names.learn_at(&[(id(1), "orders"), (id(2), "bills")], 0);
        assert!(names.name_at(&id(1), HOUR - 1).is_some());
        assert!(names.name_at(&id(1), HOUR + 1).is_some());
        assert_eq!(names.name_at(&id(2), HOUR + 1), None);
        names.learn_at(&[(id(2), "bills")], HOUR + 2);
        assert!(names.name_at(&id(2), HOUR + 3).is_some());
    }

    #[test]
    fn a_name_that_brokers_no_longer_tell_may_expire() {
        let limits = TopicNameLimits {
            expire_after_write: Some(Duration::from_secs(10)),
            ..TopicNameLimits::default()
        };
        let names = TopicNameMap::new(limits, Arc::default());
        names.learn_at(&[(id(1), "orders")], 0);
        assert!(names.name_at(&id(1), 9_999_999).is_some());
        assert_eq!(names.name_at(&id(1), 10_000_000), None);
        names.learn_at(&[(id(1), "orders")], 10_000_000);
        assert!(names.name_at(&id(1), 19_999_999).is_some());
    }

    #[test]
    fn a_topic_that_was_made_anew_has_two_ids_and_one_name() {
        let names = TopicNameMap::default();
        names.learn(&[(id(1), "orders")]);
        names.learn(&[(id(2), "orders")]);
        assert_eq!(names.name(&id(1)), names.name(&id(2)));
        assert_eq!(names.id("orders"), Some(id(2)));
        names.learn(&[(id(3), &"x".repeat(LONGEST_NAME + 1))]);
        assert_eq!(names.len(), 2);
    }
}
