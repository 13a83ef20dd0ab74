//! What differs between two models, by name and by key.

use std::collections::BTreeMap;

use super::ReloadClass;

/// A key whose value has another meaning than before, and what that does to live connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangedKey {
    /// How it is reached in the file, as in `virtualClusters[].maxConnections`.
    pub path: &'static str,
    pub class: ReloadClass,
}

/// What becomes of one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterChange {
    Added,
    Removed,
    /// Never empty.
    Modified(Vec<ChangedKey>),
}

/// Everything that differs. A cluster stands under its name once, so added, removed and modified are disjoint by
/// construction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChangeResult {
    clusters: BTreeMap<String, ClusterChange>,
    /// Keys that concern the process as a whole.
    process: Vec<ChangedKey>,
}

impl ChangeResult {
    pub fn add(&mut self, cluster: &str) {
        self.clusters.insert(cluster.to_owned(), ClusterChange::Added);
    }

    pub fn remove(&mut self, cluster: &str) {
        self.clusters.insert(cluster.to_owned(), ClusterChange::Removed);
    }

    /// Notes one more key of a cluster that is there before and after.
    pub fn modify(&mut self, cluster: &str, key: ChangedKey) {
        match self.clusters.get_mut(cluster) {
            Some(ClusterChange::Modified(keys)) => keys.push(key),
            Some(ClusterChange::Added | ClusterChange::Removed) => {}
            None => {
                self.clusters
                    .insert(cluster.to_owned(), ClusterChange::Modified(vec![key]));
            }
        }
    }

    /// Notes one more key of the process.
    pub fn change_process(&mut self, key: ChangedKey) {
        self.process.push(key);
    }

    pub fn process(&self) -> &[ChangedKey] {
        &self.process
    }

    pub fn clusters(&self) -> impl Iterator<Item = (&str, &ClusterChange)> {
        self.clusters.iter().map(|(name, change)| (name.as_str(), change))
    }

    pub fn added(&self) -> impl Iterator<Item = &str> {
        self.named(|change| *change == ClusterChange::Added)
    }

    pub fn removed(&self) -> impl Iterator<Item = &str> {
        self.named(|change| *change == ClusterChange::Removed)
    }

    pub fn modified(&self) -> impl Iterator<Item = (&str, &[ChangedKey])> {
        self.clusters.iter().filter_map(|(name, change)| match change {
            ClusterChange::Modified(keys) => Some((name.as_str(), keys.as_slice())),
            ClusterChange::Added | ClusterChange::Removed => None,
        })
    }

    pub fn is_empty(&self) -> bool {
        self.clusters.is_empty() && self.process.is_empty()
    }

    fn named(&self, which: impl Fn(&ClusterChange) -> bool) -> impl Iterator<Item = &str> {
        self.clusters
            .iter()
            .filter(move |(_, change)| which(change))
            .map(|(name, _)| name.as_str())
    }
}
