//! What a plan must not do unless it is asked to twice. Pure.

use std::collections::HashSet;

use crate::model::{BindIp, IdentifiedBy, ProxyModel, VirtualCluster};
use crate::reload::Plan;

/// Reason for which a plan is not applied although the configuration is valid.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::control) enum PolicyViolation {
    /// Keys changed that are only read at the start. Cannot be forced.
    #[error("`{}` cannot change while kproxy runs: restart it, or take the change back", keys.join("`, `"))]
    NeedsRestart { keys: Vec<&'static str> },
    /// No virtual cluster would be left.
    #[error("this would remove all {clusters} virtual clusters; --force removes them")]
    RemovesAll { clusters: usize },
    /// More virtual clusters would be removed than `reload.maxRemovedPercent` allows.
    #[error(
        "this would remove {removed} of {clusters} virtual clusters, more than `reload.maxRemovedPercent` ({allowed} %) \
         allows; --force removes them"
    )]
    RemovesTooMany {
        removed: usize,
        clusters: usize,
        allowed: u8,
    },
}

/// Reasons for which a plan from `old` to `new` is not applied; empty if it may be. `force` allows every removal.
pub(in crate::control) fn policy_violations(
    old: &ProxyModel,
    new: &ProxyModel,
    plan: &Plan,
    force: bool,
) -> Vec<PolicyViolation> {
    let keys: Vec<&str> = plan.needs_restart().map(|key| key.path).collect();
    let mut violations = Vec::new();
    if !keys.is_empty() {
        violations.push(PolicyViolation::NeedsRestart { keys });
    }
    if force || old.clusters.is_empty() {
        return violations;
    }
    let (removed, clusters) = (lost(old, new, plan), old.clusters.len());
    let allowed = new.reload.max_removed_percent;
    if new.clusters.is_empty() {
        violations.push(PolicyViolation::RemovesAll { clusters });
    } else if removed * 100 > clusters * usize::from(allowed) {
        violations.push(PolicyViolation::RemovesTooMany {
            removed,
            clusters,
            allowed,
        });
    }
    violations
}

/// Number of removed clusters whose bootstrap addresses no added cluster has: a renamed cluster is not lost.
fn lost(old: &ProxyModel, new: &ProxyModel, plan: &Plan) -> usize {
    let taken: HashSet<BootstrapPlace<'_>> = plan
        .added()
        .filter_map(|name| new.clusters.get(name))
        .flat_map(|cluster| places(cluster))
        .collect();
    plan.removed()
        .filter_map(|name| old.clusters.get(name))
        .filter(|cluster| !places(cluster).any(|place| taken.contains(&place)))
        .count()
}

/// Address that clients bootstrap from, with the host name where names tell clusters on one address apart.
type BootstrapPlace<'m> = (BindIp, u16, Option<&'m str>);

fn places(cluster: &VirtualCluster) -> impl Iterator<Item = BootstrapPlace<'_>> {
    let gateways = cluster
        .gateways
        .iter()
        .filter(|gateway| gateway.bootstrap_port != 0);
    gateways.map(|gateway| {
        let host = match gateway.identified_by {
            IdentifiedBy::Port => None,
            IdentifiedBy::SniHost { .. } => Some(gateway.bootstrap_host.as_str()),
        };
        (gateway.bind, gateway.bootstrap_port, host)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Clusters by name and bootstrap host, all on one port.
    fn shared(clusters: &[(&str, &str)]) -> ProxyModel {
        let mut model = ProxyModel::empty();
        for (index, (name, host)) in clusters.iter().enumerate() {
            let yaml = format!(
                "virtualClusters: [{{name: {name}, targetCluster: {{bootstrapServers: \"127.0.0.1:1\"}}, gateways: \
                 [{{name: g, portIdentifiesNode: {{bootstrapAddress: \"{host}:9443\", nodeStartPort: {}}}}}]}}]",
                20_000 + index * 10
            );
            let mut parsed = crate::model::parse(yaml.as_bytes(), "f").unwrap();
            let cluster = parsed.clusters.remove(*name).unwrap();
            let mut cluster = Arc::unwrap_or_clone(cluster);
            let advertised_port = None;
            cluster.gateways[0].identified_by = IdentifiedBy::SniHost { advertised_port };
            cluster.gateways[0].nodes.clear();
            model.clusters.insert((*name).to_owned(), Arc::new(cluster));
        }
        model
    }

    /// The port says nothing where all have the same.
    #[test]
    fn a_cluster_of_another_host_does_not_take_the_place_of_one_that_goes() {
        let old = shared(&[("a", "a.example"), ("b", "b.example")]);
        let removed = |new: &ProxyModel| {
            let plan = Plan::between(&old, new);
            assert!(plan.handovers.is_empty());
            lost(&old, new, &plan)
        };
        assert_eq!(removed(&shared(&[("c", "c.example"), ("d", "d.example")])), 2);
        assert_eq!(removed(&shared(&[("c", "a.example"), ("d", "d.example")])), 1);
        assert_eq!(removed(&shared(&[("c", "a.example"), ("d", "b.example")])), 0);
    }
}
