//! From two models to the steps between them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{ProxyModel, VirtualCluster};

/// One step; each concerns one virtual cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Add(Arc<VirtualCluster>),
    /// The new meaning of a cluster that goes on under its name.
    Modify(Arc<VirtualCluster>),
    Remove(String),
}

/// The steps of one change, added before modified before removed, each in order of names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    pub steps: Vec<Step>,
}

impl Plan {
    /// What turns `old` into `new`. Clusters that mean the same in both are not touched.
    pub fn between(old: &ProxyModel, new: &ProxyModel) -> Self {
        let added = new
            .clusters
            .iter()
            .filter(|(name, _)| !old.clusters.contains_key(*name));
        let modified = new
            .clusters
            .iter()
            .filter(|(name, new)| old.clusters.get(*name).is_some_and(|old| old != *new));
        let removed = old
            .clusters
            .keys()
            .filter(|name| !new.clusters.contains_key(*name));
        let steps = (added.map(|(_, cluster)| Step::Add(Arc::clone(cluster))))
            .chain(modified.map(|(_, cluster)| Step::Modify(Arc::clone(cluster))))
            .chain(removed.map(|name| Step::Remove(name.clone())))
            .collect();
        Self { steps }
    }

    /// The clusters after this plan, for a plan made for `clusters`.
    pub fn apply(&self, clusters: &mut BTreeMap<String, Arc<VirtualCluster>>) {
        for step in &self.steps {
            match step {
                Step::Add(cluster) | Step::Modify(cluster) => {
                    clusters.insert(cluster.name.clone(), Arc::clone(cluster));
                }
                Step::Remove(name) => {
                    clusters.remove(name);
                }
            }
        }
    }

    /// Clusters that exist after the plan and are touched by it.
    pub fn arriving(&self) -> impl Iterator<Item = &Arc<VirtualCluster>> {
        self.steps.iter().filter_map(|step| match step {
            Step::Add(cluster) | Step::Modify(cluster) => Some(cluster),
            Step::Remove(_) => None,
        })
    }

    /// Names of clusters of which something ends with the plan.
    pub fn leaving(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|step| match step {
            Step::Add(_) => None,
            Step::Modify(cluster) => Some(cluster.name.as_str()),
            Step::Remove(name) => Some(name.as_str()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BootstrapSelection, DrainPolicy, DrainStrategy, HostPort, TargetCluster};
    use proptest::prelude::*;
    use std::time::Duration;

    fn cluster(name: &str, port: u16) -> Arc<VirtualCluster> {
        let servers = vec![HostPort {
            host: "b".into(),
            port,
        }];
        Arc::new(VirtualCluster {
            name: name.into(),
            target: TargetCluster {
                bootstrap_servers: servers,
                selection: BootstrapSelection::RoundRobin,
            },
            drain: DrainPolicy {
                strategy: DrainStrategy::Graceful,
                timeout: Duration::from_secs(30),
                hard_timeout: Duration::from_secs(60),
                rate: 50,
            },
            max_connections: None,
            log_network: false,
            log_frames: false,
            gateways: Vec::new(),
        })
    }

    fn model(ports: &BTreeMap<String, u16>) -> ProxyModel {
        let clusters = ports
            .iter()
            .map(|(name, &port)| (name.clone(), cluster(name, port)))
            .collect();
        ProxyModel {
            clusters,
            ..ProxyModel::empty()
        }
    }

    proptest! {
        #[test]
        fn replaying_a_plan_gives_the_new_model(
            old in prop::collection::btree_map("[a-f]", 1u16..4, 0..6),
            new in prop::collection::btree_map("[a-f]", 1u16..4, 0..6),
        ) {
            let (old, new) = (model(&old), model(&new));
            let mut clusters = old.clusters.clone();
            Plan::between(&old, &new).apply(&mut clusters);
            prop_assert_eq!(&clusters, &new.clusters);
            prop_assert_eq!(Plan::between(&new, &new), Plan::default());
        }
    }
}
