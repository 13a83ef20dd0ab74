//! Names of topics by their ids (KIP-516). An id never changes its name: what is known is never wrong, only missing.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};

use super::access::TopicUuid;

/// Topics that are remembered of one cluster; beyond that the oldest are forgotten, and asked for again.
const MOST_NAMES: usize = 64 * 1024;

/// The topics of a cluster whose ids answers of its brokers have told. Sessions keep those that they use.
#[derive(Debug, Default)]
pub(super) struct TopicNameMap(RwLock<KnownNames>);

#[derive(Debug, Default)]
struct KnownNames {
    by_id: HashMap<TopicUuid, Arc<str>>,
    by_name: HashMap<Arc<str>, TopicUuid>,
    order: VecDeque<TopicUuid>,
}

impl TopicNameMap {
    /// The name of an id.
    pub(super) fn name(&self, id: &TopicUuid) -> Option<Arc<str>> {
        let names = self.0.read().unwrap_or_else(PoisonError::into_inner);
        names.by_id.get(id).cloned()
    }

    /// The id that a name had last.
    pub(super) fn id(&self, name: &str) -> Option<TopicUuid> {
        let names = self.0.read().unwrap_or_else(PoisonError::into_inner);
        names.by_name.get(name).copied()
    }

    /// Enters names.
    pub(super) fn learn(&self, told: &[(TopicUuid, &str)]) {
        let is_known = |(id, name): &(TopicUuid, &str)| self.name(id).is_some_and(|known| *known == **name);
        if told.iter().all(is_known) {
            return;
        }
        let mut names = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for (id, name) in told {
            names.enter(*id, name);
        }
    }
}

impl KnownNames {
    fn enter(&mut self, id: TopicUuid, name: &str) {
        let name: Arc<str> = name.into();
        if self.by_id.insert(id, Arc::clone(&name)).is_none() {
            self.order.push_back(id);
        }
        self.by_name.insert(name, id);
        while self.order.len() > MOST_NAMES
            && let Some(oldest) = self.order.pop_front()
        {
            let forgotten = self.by_id.remove(&oldest);
            if let Some(name) = forgotten.filter(|name| self.by_name.get(name) == Some(&oldest)) {
                self.by_name.remove(&name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> TopicUuid {
        (number as u128 + 1).to_be_bytes()
    }

    #[test]
    fn the_oldest_names_are_forgotten_beyond_the_limit() {
        let names = TopicNameMap::default();
        for number in 0..=MOST_NAMES {
            names.learn(&[(id(number), &number.to_string())]);
        }
        assert_eq!(names.name(&id(0)), None);
        assert_eq!(names.id("0"), None);
        assert_eq!(names.name(&id(1)).as_deref(), Some("1"));
        assert_eq!(names.id(&MOST_NAMES.to_string()), Some(id(MOST_NAMES)));
    }

    #[test]
    fn a_topic_that_was_made_anew_has_two_ids_and_one_name() {
        let names = TopicNameMap::default();
        names.learn(&[(id(1), "orders")]);
        names.learn(&[(id(2), "orders")]);
        assert_eq!(names.name(&id(1)), names.name(&id(2)));
        assert_eq!(names.id("orders"), Some(id(2)));
    }
}
