//! From two models to the steps between them, as data.

use std::fmt;
use std::sync::Arc;

use super::address_conflict::{self, AddressConflict};
use super::change::{ChangedKey, ClusterChange};
use super::cluster_plan::ClusterPlan;
use super::detect::detect;
use super::effect::ReloadClass;
use super::succession::Successors;
use crate::model::ProxyModel;

/// One step of a change. Each concerns one virtual cluster, or the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Changes settings of the process.
    Process(ProcessChange),
    /// Adds a cluster.
    Add(ClusterPlan),
    /// Modifies a cluster.
    Modify(ClusterPlan),
    /// Removes a cluster.
    Remove(Removal),
}

/// New settings of the process as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessChange {
    /// The new settings, in a model without clusters.
    pub settings: Box<ProxyModel>,
    /// Keys that changed.
    pub changed: Vec<ChangedKey>,
}

/// The removal of a cluster. Its sessions leave, even if another cluster takes its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// Name of the virtual cluster.
    pub cluster: String,
    /// The added cluster that takes its place at one of its addresses: the cluster is moved, not lost.
    pub moved_to: Option<String>,
}

/// The steps of one change: the process, then clusters added before modified before removed, each in order of names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The steps in order.
    pub steps: Vec<Step>,
    /// Addresses that have to be released before others can be bound.
    pub conflicts: Vec<AddressConflict>,
}

impl Plan {
    /// The plan that turns `old` into `new`. Clusters that are equal in both are not touched.
    pub fn between(old: &ProxyModel, new: &ProxyModel) -> Self {
        let changes = detect(old, new);
        let (mut added, mut modified, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        for (name, change) in changes.clusters() {
            let (before, after) = (old.clusters.get(name), new.clusters.get(name));
            match (change, before, after) {
                (ClusterChange::Added, _, Some(after)) => added.push(ClusterPlan::adding(after)),
                (ClusterChange::Modified(change), Some(before), Some(after)) => {
                    modified.push(ClusterPlan::modifying(before, after, change));
                }
                (_, Some(before), _) => gone.push(before),
                (_, None, _) => {}
            }
        }
        let successors = Successors::among(added.iter().map(|plan| &*plan.cluster));
        let removed: Vec<Step> = gone
            .into_iter()
            .map(|cluster| {
                let moved_to = successors.of(cluster);
                let cluster = cluster.name.clone();
                Step::Remove(Removal { cluster, moved_to })
            })
            .collect();
        let process = (!changes.process().is_empty()).then(|| {
            let settings = Box::new(new.without_clusters());
            let changed = changes.process().to_vec();
            Step::Process(ProcessChange { settings, changed })
        });
        let steps = process
            .into_iter()
            .chain(added.into_iter().map(Step::Add))
            .chain(modified.into_iter().map(Step::Modify))
            .chain(removed)
            .collect();
        let mut plan = Self {
            steps,
            conflicts: Vec::new(),
        };
        plan.conflicts = plan.find_conflicts(old, new);
        plan
    }

    fn find_conflicts(&self, old: &ProxyModel, new: &ProxyModel) -> Vec<AddressConflict> {
        let modified = self.modified().map(|plan| plan.cluster.name.as_str());
        let leaving = modified.chain(self.removed().map(|removal| removal.cluster.as_str()));
        let leaving = leaving.filter_map(|name| Some(&**old.clusters.get(name)?));
        let arriving = self.clusters().map(|plan| &*plan.cluster);
        let all = || new.clusters.values().map(|cluster| &**cluster);
        address_conflict::between(leaving, arriving, all)
    }

    /// Changes `model`, for which the plan was made, to the one it leads to.
    pub fn apply(&self, model: &mut ProxyModel) {
        for step in &self.steps {
            match step {
                Step::Process(change) => {
                    let clusters = std::mem::take(&mut model.clusters);
                    *model = ProxyModel::clone(&change.settings);
                    model.clusters = clusters;
                }
                Step::Add(ClusterPlan { cluster, .. }) | Step::Modify(ClusterPlan { cluster, .. }) => {
                    model.clusters.insert(cluster.name.clone(), Arc::clone(cluster));
                }
                Step::Remove(removal) => {
                    model.clusters.remove(&removal.cluster);
                }
            }
        }
    }

    /// The model that this plan leads to from `old`, sharing with it what does not change.
    pub fn replayed(&self, old: &ProxyModel) -> ProxyModel {
        let mut model = old.clone();
        self.apply(&mut model);
        model
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The clusters that exist after the plan and are touched by it.
    pub fn clusters(&self) -> impl Iterator<Item = &ClusterPlan> {
        self.added().chain(self.modified())
    }

    /// The clusters that are added.
    pub fn added(&self) -> impl Iterator<Item = &ClusterPlan> {
        self.steps.iter().filter_map(|step| match step {
            Step::Add(plan) => Some(plan),
            Step::Process(_) | Step::Modify(_) | Step::Remove(_) => None,
        })
    }

    /// The clusters that go on under their names with another meaning.
    pub fn modified(&self) -> impl Iterator<Item = &ClusterPlan> {
        self.steps.iter().filter_map(|step| match step {
            Step::Modify(plan) => Some(plan),
            Step::Process(_) | Step::Add(_) | Step::Remove(_) => None,
        })
    }

    /// The clusters that go.
    pub fn removed(&self) -> impl Iterator<Item = &Removal> {
        self.steps.iter().filter_map(|step| match step {
            Step::Remove(removal) => Some(removal),
            Step::Process(_) | Step::Add(_) | Step::Modify(_) => None,
        })
    }

    /// New settings of the process, where it has any.
    pub fn process(&self) -> Option<&ProcessChange> {
        self.steps.iter().find_map(|step| match step {
            Step::Process(change) => Some(change),
            Step::Add(_) | Step::Modify(_) | Step::Remove(_) => None,
        })
    }

    /// Keys that cannot change while the process runs.
    pub fn needs_restart(&self) -> impl Iterator<Item = &ChangedKey> {
        let changed = self.steps.iter().flat_map(|step| match step {
            Step::Process(change) => change.changed.as_slice(),
            Step::Modify(plan) => plan.changed.as_slice(),
            Step::Add(_) | Step::Remove(_) => &[],
        });
        changed.filter(|key| key.class() == ReloadClass::Restart)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(change) => write!(out, "change the process{}", Keys(&change.changed)),
            Self::Add(plan) => write!(out, "add `{}`", plan.cluster.name),
            Self::Modify(plan) => write!(out, "modify `{}`{}", plan.cluster.name, Keys(&plan.changed)),
            Self::Remove(removal) => write!(out, "remove `{}` (drain)", removal.cluster),
        }
    }
}

/// The keys of a step behind the most disturbing class among them.
struct Keys<'k>(&'k [ChangedKey]);

impl fmt::Display for Keys<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(class) = self.0.iter().map(ChangedKey::class).max() else {
            return Ok(());
        };
        write!(out, " ({})", class.name())?;
        for (index, key) in self.0.iter().enumerate() {
            let separator = if index == 0 { ": " } else { ", " };
            let short = key.path.rsplit("[].").next().unwrap_or(key.path);
            write!(out, "{separator}{short}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(out, "{step}")?;
        }
        for conflict in &self.conflicts {
            writeln!(out, "hand port {} over", conflict.bind.1)?;
        }
        Ok(())
    }
}
