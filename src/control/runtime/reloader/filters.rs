//! The filters that a plan needs, built before anything else of it: they may take time, and may fail.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::task::JoinSet;

use super::PrepareError;
use crate::cluster::VirtualClusterManager;
use crate::filter::{FilterChain, FilterEnv, FilterError, TopicNameMap};
use crate::model::VirtualCluster;
use crate::reload::{ClusterPlan, FiltersAction, Plan};

/// The filters of every cluster of `plan` after it, in its order. `new_names` makes what a cluster knows of its topics when it
/// gets its first filter. Those of different clusters are built at the same time.
///
/// # Errors
/// Every cluster whose filters cannot do their work.
pub(super) async fn build_all(
    plan: &Plan,
    running: &VirtualClusterManager,
    new_names: impl Fn(&VirtualCluster) -> Arc<TopicNameMap>,
) -> Result<Vec<FilterChain>, Vec<PrepareError>> {
    let clusters: Vec<&ClusterPlan> = plan.clusters().collect();
    let mut chains = Vec::with_capacity(clusters.len());
    // Dropping it stops what is still being built.
    let mut building = JoinSet::new();
    let mut places = HashMap::new();
    for (index, plan) in clusters.iter().enumerate() {
        let before = running.get(&plan.cluster.name);
        let before = before.map(|cluster| cluster.filters.clone()).unwrap_or_default();
        let needs_names = plan.cluster.fence.is_some() && before.topics().is_none();
        let before = match needs_names {
            true => before.knowing(new_names(&plan.cluster)),
            false => before,
        };
        chains.push(match plan.filters {
            FiltersAction::Keep => before,
            _ if plan.cluster.filters.is_empty() => before.emptied(),
            _ => {
                let topics = before.topics().cloned();
                let topics = topics.unwrap_or_else(|| new_names(&plan.cluster));
                let task = building.spawn(build(plan, before, topics));
                places.insert(task.id(), index);
                FilterChain::default()
            }
        });
    }
    let mut errors = BTreeMap::new();
    while let Some(built) = building.join_next_with_id().await {
        let id = built.as_ref().map_or_else(|error| error.id(), |(id, _)| *id);
        let Some(index) = places.remove(&id) else { continue };
        match built.map(|(_, built)| built) {
            Ok(Ok(chain)) => chains[index] = chain,
            Ok(Err(error)) => drop(errors.insert(index, error)),
            Err(_) => drop(errors.insert(index, panicked(clusters[index]))),
        }
    }
    if errors.is_empty() {
        return Ok(chains);
    }
    let refused = errors.into_iter().map(|(index, error)| PrepareError::Filter {
        cluster: clusters[index].cluster.name.clone(),
        error,
    });
    Err(refused.collect())
}

fn build(
    plan: &ClusterPlan,
    before: FilterChain,
    topics: Arc<TopicNameMap>,
) -> impl Future<Output = Result<FilterChain, FilterError>> + Send + use<> {
    let env = FilterEnv {
        cluster: plan.cluster.name.as_str().into(),
        topics,
    };
    FilterChain::build(plan.cluster.filters.clone(), before, env)
}

/// A defect in a filter. The panic itself has been logged.
fn panicked(plan: &ClusterPlan) -> FilterError {
    let names: Vec<&str> = plan
        .cluster
        .filters
        .iter()
        .map(|filter| filter.name.as_str())
        .collect();
    FilterError {
        filter: names.join("`, `"),
        why: "panicked while it was built".to_owned(),
        may_pass: false,
    }
}
