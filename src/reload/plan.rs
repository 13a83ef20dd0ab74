//! From two models to the steps between them, as data.

use std::fmt;
use std::sync::Arc;

use super::change::{ChangedKey, ClusterChange};
use super::classes::ReloadClass;
use super::detect::detect;
use super::handover::{self, Handover};
use crate::model::{ProxyModel, VirtualCluster};

/// One step; each concerns one virtual cluster, or the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Process(ProcessChange),
    Add(Arc<VirtualCluster>),
    /// The new meaning of a cluster that goes on under its name.
    Modify {
        cluster: Arc<VirtualCluster>,
        changed: Vec<ChangedKey>,
    },
    Remove(String),
}

/// New settings of the process as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessChange {
    /// A model without clusters.
    pub settings: Box<ProxyModel>,
    pub changed: Vec<ChangedKey>,
}

/// The steps of one change: the process, then clusters added before modified before removed, each in order of names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    pub steps: Vec<Step>,
    /// Addresses that have to be released before others can be bound.
    pub handovers: Vec<Handover>,
}

impl Plan {
    /// What turns `old` into `new`. Clusters that mean the same in both are not touched.
    pub fn between(old: &ProxyModel, new: &ProxyModel) -> Self {
        let changes = detect(old, new);
        let (mut added, mut modified, mut removed) = (Vec::new(), Vec::new(), Vec::new());
        for (name, change) in changes.clusters() {
            match (change, new.clusters.get(name)) {
                (ClusterChange::Added, Some(cluster)) => added.push(Step::Add(Arc::clone(cluster))),
                (ClusterChange::Modified(changed), Some(cluster)) => modified.push(Step::Modify {
                    cluster: Arc::clone(cluster),
                    changed: changed.clone(),
                }),
                (_, None) | (ClusterChange::Removed, _) => removed.push(Step::Remove(name.to_owned())),
            }
        }
        let process = (!changes.process().is_empty()).then(|| {
            let settings = Box::new(new.without_clusters());
            let changed = changes.process().to_vec();
            Step::Process(ProcessChange { settings, changed })
        });
        let steps = process
            .into_iter()
            .chain(added)
            .chain(modified)
            .chain(removed)
            .collect();
        let mut plan = Self {
            steps,
            handovers: Vec::new(),
        };
        let leaving = plan.leaving().filter_map(|name| Some(&**old.clusters.get(name)?));
        let arriving = plan.arriving().map(|cluster| &**cluster);
        let all = new.clusters.values().map(|cluster| &**cluster);
        plan.handovers = handover::between(leaving, arriving, all);
        plan
    }

    /// The model after this plan, for a plan made for `model`.
    pub fn apply(&self, model: &mut ProxyModel) {
        for step in &self.steps {
            match step {
                Step::Process(change) => {
                    let clusters = std::mem::take(&mut model.clusters);
                    *model = ProxyModel::clone(&change.settings);
                    model.clusters = clusters;
                }
                Step::Add(cluster) | Step::Modify { cluster, .. } => {
                    model.clusters.insert(cluster.name.clone(), Arc::clone(cluster));
                }
                Step::Remove(name) => {
                    model.clusters.remove(name);
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

    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Clusters that exist after the plan and are touched by it.
    pub fn arriving(&self) -> impl Iterator<Item = &Arc<VirtualCluster>> {
        self.steps.iter().filter_map(|step| match step {
            Step::Add(cluster) | Step::Modify { cluster, .. } => Some(cluster),
            Step::Process(_) | Step::Remove(_) => None,
        })
    }

    /// Names of clusters of which something ends with the plan.
    pub fn leaving(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|step| match step {
            Step::Process(_) | Step::Add(_) => None,
            Step::Modify { cluster, .. } => Some(cluster.name.as_str()),
            Step::Remove(name) => Some(name.as_str()),
        })
    }

    pub fn added(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|step| match step {
            Step::Add(cluster) => Some(cluster.name.as_str()),
            _ => None,
        })
    }

    pub fn modified(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|step| match step {
            Step::Modify { cluster, .. } => Some(cluster.name.as_str()),
            _ => None,
        })
    }

    pub fn removed(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|step| match step {
            Step::Remove(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// New settings of the process, where it has any.
    pub fn process(&self) -> Option<&ProcessChange> {
        self.steps.iter().find_map(|step| match step {
            Step::Process(change) => Some(change),
            _ => None,
        })
    }

    /// Keys that cannot change while the process runs.
    pub fn needs_restart(&self) -> impl Iterator<Item = &ChangedKey> {
        let changed = self.steps.iter().flat_map(|step| match step {
            Step::Process(change) => change.changed.as_slice(),
            Step::Modify { changed, .. } => changed.as_slice(),
            Step::Add(_) | Step::Remove(_) => &[],
        });
        changed.filter(|key| key.class == ReloadClass::Restart)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(change) => write!(out, "change the process{}", Keys(&change.changed)),
            Self::Add(cluster) => write!(out, "add `{}`", cluster.name),
            Self::Modify { cluster, changed } => write!(out, "modify `{}`{}", cluster.name, Keys(changed)),
            Self::Remove(name) => write!(out, "remove `{name}` (drain)"),
        }
    }
}

/// The keys of a step behind the most disturbing class among them.
struct Keys<'k>(&'k [ChangedKey]);

impl fmt::Display for Keys<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(class) = self.0.iter().map(|key| key.class).max() else {
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
        for handover in &self.handovers {
            writeln!(out, "hand port {} over", handover.bind.1)?;
        }
        Ok(())
    }
}
