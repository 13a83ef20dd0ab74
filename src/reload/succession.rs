//! Clusters that are removed while another one takes their place: a renamed cluster is not lost.

use std::collections::HashMap;

use crate::model::{BindIp, IdentifiedBy, VirtualCluster};

/// Where clients begin. The host tells clusters apart only where it is the host that identifies.
type BootstrapAddress<'m> = (BindIp, u16, Option<&'m str>);

/// The added clusters by where their clients begin.
pub(super) struct Successors<'m>(HashMap<BootstrapAddress<'m>, &'m str>);

impl<'m> Successors<'m> {
    pub(super) fn among(added: impl Iterator<Item = &'m VirtualCluster>) -> Self {
        let addresses = |cluster: &'m VirtualCluster| {
            let name = cluster.name.as_str();
            bootstrap_addresses(cluster).map(move |address| (address, name))
        };
        Self(added.flat_map(addresses).collect())
    }

    /// The added cluster that takes the place of this one at one of its addresses.
    pub(super) fn of(&self, removed: &VirtualCluster) -> Option<String> {
        let found = bootstrap_addresses(removed).find_map(|address| self.0.get(&address));
        found.map(|name| (*name).to_owned())
    }
}

fn bootstrap_addresses(cluster: &VirtualCluster) -> impl Iterator<Item = BootstrapAddress<'_>> {
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

    use super::super::Plan;
    use crate::model::{IdentifiedBy, ProxyModel};

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
            assert!(plan.conflicts.is_empty());
            plan.removed()
                .filter(|removal| removal.moved_to.is_none())
                .count()
        };
        assert_eq!(removed(&shared(&[("c", "c.example"), ("d", "d.example")])), 2);
        assert_eq!(removed(&shared(&[("c", "a.example"), ("d", "d.example")])), 1);
        assert_eq!(removed(&shared(&[("c", "a.example"), ("d", "b.example")])), 0);
    }
}
