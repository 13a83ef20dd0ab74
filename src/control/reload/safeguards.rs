//! What a plan must not do unless it is asked to twice. Pure.

use std::collections::HashSet;

use crate::model::{BindIp, IdentifiedBy, ProxyModel, VirtualCluster};
use crate::reload::Plan;

/// Why a plan for `new` is not applied to `old`; empty if it may be. `force` takes removals at their word; a key that
/// needs a restart cannot be forced.
pub(in crate::control) fn objections(
    old: &ProxyModel,
    new: &ProxyModel,
    plan: &Plan,
    force: bool,
) -> Vec<String> {
    let restart: Vec<&str> = plan.needs_restart().map(|key| key.path).collect();
    let mut objections = Vec::new();
    if !restart.is_empty() {
        objections.push(format!(
            "`{}` cannot change while kproxy runs: restart it, or take the change back",
            restart.join("`, `")
        ));
    }
    if force || old.clusters.is_empty() {
        return objections;
    }
    let (removed, all) = (lost(old, new, plan), old.clusters.len());
    if new.clusters.is_empty() {
        objections.push(format!(
            "this would remove all {all} virtual clusters; --force removes them"
        ));
    } else if removed * 100 > all * usize::from(new.reload.max_removed_percent) {
        objections.push(format!(
            "this would remove {removed} of {all} virtual clusters, more than `reload.maxRemovedPercent` ({} %) \
             allows; --force removes them",
            new.reload.max_removed_percent
        ));
    }
    objections
}

/// Clusters that go without another taking their place at one of their addresses: a cluster that is renamed is not
/// lost.
fn lost(old: &ProxyModel, new: &ProxyModel, plan: &Plan) -> usize {
    let taken: HashSet<Place<'_>> = plan
        .added()
        .filter_map(|name| new.clusters.get(name))
        .flat_map(|cluster| places(cluster))
        .collect();
    plan.removed()
        .filter_map(|name| old.clusters.get(name))
        .filter(|cluster| !places(cluster).any(|place| taken.contains(&place)))
        .count()
}

/// Where clients begin. The host tells clusters apart only where it is the host that identifies.
type Place<'m> = (BindIp, u16, Option<&'m str>);

fn places(cluster: &VirtualCluster) -> impl Iterator<Item = Place<'_>> {
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
