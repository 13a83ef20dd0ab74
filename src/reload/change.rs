//! What differs between two models, by name and by key.

use std::collections::BTreeMap;

use super::effect::{Effect, ReloadClass};
use super::key_effects::may_have;

/// A key whose value has another meaning than before, and what that does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangedKey {
    /// The path of the key in the file, as in `virtualClusters[].maxConnections`.
    pub path: &'static str,
    /// What this change of it does.
    pub effect: Effect,
}

impl ChangedKey {
    /// A change of the key at `path` with one of the effects that [`effects_of`](super::effects_of) lists for it.
    pub(super) fn new(path: &'static str, effect: Effect) -> Self {
        debug_assert!(may_have(path, effect), "{path}: {effect:?}");
        Self { path, effect }
    }

    /// The reload class of the effect.
    pub fn class(&self) -> ReloadClass {
        self.effect.class()
    }
}

/// The change of one cluster between two models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterChange {
    /// Only the new model has it.
    Added,
    /// Only the old model has it.
    Removed,
    /// Both have it, with different meanings.
    Modified(Modification),
}

/// The keys that differ between two meanings of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Modification {
    /// Every changed key, those of gateways included. Never empty in a [`ClusterChange`].
    pub changed: Vec<ChangedKey>,
    /// The effects on each gateway that goes on under its name and differs.
    pub(super) gateways: BTreeMap<String, Vec<Effect>>,
}

/// Everything that differs between two models. A cluster stands under its name once, so added, removed and modified are disjoint by
/// construction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChangeResult {
    clusters: BTreeMap<String, ClusterChange>,
    /// Keys that concern the process as a whole.
    process: Vec<ChangedKey>,
}

impl ChangeResult {
    /// Notes a cluster that only the new model has.
    pub fn add(&mut self, cluster: &str) {
        self.clusters.insert(cluster.to_owned(), ClusterChange::Added);
    }

    /// Notes a cluster that only the old model has.
    pub fn remove(&mut self, cluster: &str) {
        self.clusters.insert(cluster.to_owned(), ClusterChange::Removed);
    }

    /// Notes one more changed key of a cluster that both models have.
    pub fn modify(&mut self, cluster: &str, key: ChangedKey) {
        if let Some(modification) = self.modification(cluster) {
            modification.changed.push(key);
        }
    }

    /// Notes one more changed key of a gateway of a cluster; both models have the two.
    pub fn modify_gateway(&mut self, cluster: &str, gateway: &str, key: ChangedKey) {
        if let Some(modification) = self.modification(cluster) {
            modification.changed.push(key);
            let effects = modification.gateways.entry(gateway.to_owned()).or_default();
            effects.push(key.effect);
        }
    }

    fn modification(&mut self, cluster: &str) -> Option<&mut Modification> {
        if !self.clusters.contains_key(cluster) {
            let change = ClusterChange::Modified(Modification::default());
            self.clusters.insert(cluster.to_owned(), change);
        }
        match self.clusters.get_mut(cluster) {
            Some(ClusterChange::Modified(modification)) => Some(modification),
            _ => None,
        }
    }

    /// Notes one more key of the process.
    pub fn change_process(&mut self, key: ChangedKey) {
        self.process.push(key);
    }

    /// Changed keys of the process.
    pub fn process(&self) -> &[ChangedKey] {
        &self.process
    }

    /// Every changed cluster, by name.
    pub fn clusters(&self) -> impl Iterator<Item = (&str, &ClusterChange)> {
        self.clusters.iter().map(|(name, change)| (name.as_str(), change))
    }

    /// Names of added clusters.
    pub fn added(&self) -> impl Iterator<Item = &str> {
        self.named(|change| *change == ClusterChange::Added)
    }

    /// Names of removed clusters.
    pub fn removed(&self) -> impl Iterator<Item = &str> {
        self.named(|change| *change == ClusterChange::Removed)
    }

    /// Modified clusters with their changed keys.
    pub fn modified(&self) -> impl Iterator<Item = (&str, &[ChangedKey])> {
        self.clusters.iter().filter_map(|(name, change)| match change {
            ClusterChange::Modified(modification) => Some((name.as_str(), modification.changed.as_slice())),
            ClusterChange::Added | ClusterChange::Removed => None,
        })
    }

    /// Whether both models mean the same.
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
