//! Checks before a reload is applied (`reload.checks`): which targets are tested, and whether what was found lets the
//! reload pass. The tests themselves are in [`run`].

mod run;

use std::collections::BTreeMap;

use crate::control::runtime::names::listed;
use crate::model::{HostPort, ProxyModel, TargetCluster, VirtualCluster};
use crate::reload::{Effect, Plan, TargetAction};
use crate::wire::proxy_protocol;

pub use run::check_targets;
pub(in crate::control) use run::{RunningChecks, start};

/// A target that is tested: once, however many virtual clusters lead to it in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::control) struct CheckedTarget {
    /// Names of the virtual clusters, in order.
    clusters: Vec<String>,
    target: TargetCluster,
    /// PROXY header that a connection begins with; may be empty.
    greeting: Vec<u8>,
}

/// Bootstrap servers of one target that did not pass, each with the reason.
type FailedServers = BTreeMap<HostPort, String>;

/// What the checks found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct CheckVerdict {
    /// A sentence for each server of a target of which too few servers pass. Not empty: the reload is rejected.
    pub rejected: Vec<String>,
    /// A sentence for each other server that does not pass.
    pub tolerated: Vec<String>,
}

/// The targets that `plan` adds, replaces, or reaches in another way than `current` does.
pub(in crate::control) fn changed_targets(current: &ProxyModel, plan: &Plan) -> Vec<CheckedTarget> {
    let is_changed = |cluster: &VirtualCluster| {
        let before = current.clusters.get(&cluster.name);
        before.is_none_or(|before| before.target != cluster.target)
    };
    let changed = plan.clusters().filter(|plan| {
        let has_new_header = || {
            let mut keys = plan.changed.iter();
            keys.any(|key| key.effect == Effect::ReplaceBrokerHeader)
        };
        plan.target != TargetAction::Keep || is_changed(&plan.cluster) || has_new_header()
    });
    gather(changed.map(|plan| &*plan.cluster))
}

/// The targets of these clusters, each once.
fn gather<'m>(clusters: impl Iterator<Item = &'m VirtualCluster>) -> Vec<CheckedTarget> {
    let mut found: Vec<CheckedTarget> = Vec::new();
    let mut by_servers: BTreeMap<&[HostPort], Vec<usize>> = BTreeMap::new();
    for cluster in clusters {
        let greeting = greeting(cluster);
        let places = by_servers.entry(&cluster.target.bootstrap_servers).or_default();
        let known = places.iter().copied().find(|&place| {
            let known = &found[place];
            known.target == cluster.target && known.greeting == greeting
        });
        match known {
            Some(place) => found[place].clusters.push(cluster.name.clone()),
            None => {
                places.push(found.len());
                found.push(CheckedTarget {
                    clusters: vec![cluster.name.clone()],
                    target: cluster.target.clone(),
                    greeting,
                });
            }
        }
    }
    found
}

/// The PROXY header of kproxy's own connections to the brokers of a cluster; may be empty.
pub(in crate::control) fn greeting(cluster: &VirtualCluster) -> Vec<u8> {
    let mut gateways = cluster.gateways.iter();
    let version = gateways.find_map(|gateway| gateway.proxy_protocol.upstream);
    version.map(proxy_protocol::encode_local).unwrap_or_default()
}

/// Judges what was found: a target passes if at least `minimum` percent of its bootstrap servers do.
fn judge(targets: &[CheckedTarget], failed: &[FailedServers], minimum: u8) -> CheckVerdict {
    let mut verdict = CheckVerdict::default();
    for (target, failed) in targets.iter().zip(failed) {
        let all = target.target.bootstrap_servers.len();
        let passed = all - failed.len();
        let is_enough = passed * 100 >= usize::from(minimum) * all;
        let clusters = listed(&target.clusters);
        let sentences = failed.iter().map(|(server, why)| {
            format!(
                "{clusters}: bootstrap server {server} does not pass the check: {why} ({passed} of {all} pass, \
                 `reload.checks.minimumHealthy` is {minimum} %)"
            )
        });
        match is_enough {
            true => verdict.tolerated.extend(sentences),
            false => verdict.rejected.extend(sentences),
        }
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model;

    fn model(clusters: &str) -> ProxyModel {
        let text = format!("virtualClusters:\n{clusters}");
        model::parse(text.as_bytes(), "test.yaml").unwrap()
    }

    fn cluster(name: &str, port: u16, servers: &str) -> String {
        format!(
            "  - {{name: {name}, targetCluster: {{bootstrapServers: '{servers}'}}, \
             gateways: [{{name: g, portIdentifiesNode: {{bootstrapAddress: 'localhost:{port}'}}}}]}}\n"
        )
    }

    fn names(targets: &[CheckedTarget]) -> Vec<&[String]> {
        targets.iter().map(|target| &*target.clusters).collect()
    }

    #[test]
    fn a_target_that_several_clusters_share_is_tested_once() {
        let new = [
            cluster("a", 9100, "x:1"),
            cluster("b", 9200, "x:1"),
            cluster("c", 9300, "y:1"),
        ];
        let new = model(&new.concat());
        let plan = Plan::between(&ProxyModel::empty(), &new);
        let targets = changed_targets(&ProxyModel::empty(), &plan);
        assert_eq!(
            names(&targets),
            [&["a".to_owned(), "b".to_owned()][..], &["c".to_owned()]]
        );
    }

    #[test]
    fn only_changed_targets_are_tested() {
        let old = model(&[cluster("a", 9100, "x:1"), cluster("b", 9200, "y:1")].concat());
        let new = model(&[cluster("a", 9101, "x:1"), cluster("b", 9200, "z:1")].concat());
        let plan = Plan::between(&old, &new);
        assert_eq!(plan.modified().count(), 2);
        assert_eq!(names(&changed_targets(&old, &plan)), [["b"]]);
    }

    #[test]
    fn each_failure_of_a_target_below_the_minimum_is_named() {
        let new = model(&[cluster("a", 9100, "x:1,y:1,z:1"), cluster("b", 9200, "y:1,w:1")].concat());
        let plan = Plan::between(&ProxyModel::empty(), &new);
        let targets = changed_targets(&ProxyModel::empty(), &plan);
        let at = |host: &str| HostPort {
            host: host.into(),
            port: 1,
        };
        let refused = |hosts: &[&str]| {
            hosts
                .iter()
                .map(|host| (at(host), "refused".to_owned()))
                .collect()
        };
        let verdict = judge(&targets, &[refused(&["x", "z"]), refused(&["w"])], 50);
        assert_eq!(
            verdict.rejected,
            [
                "virtual cluster `a`: bootstrap server x:1 does not pass the check: refused (1 of 3 pass, \
                 `reload.checks.minimumHealthy` is 50 %)",
                "virtual cluster `a`: bootstrap server z:1 does not pass the check: refused (1 of 3 pass, \
                 `reload.checks.minimumHealthy` is 50 %)",
            ]
        );
        assert_eq!(verdict.tolerated.len(), 1, "half of two is enough");
        let verdict = judge(&targets, &[refused(&["x", "y", "z"]), refused(&[])], 0);
        assert!(verdict.rejected.is_empty() && verdict.tolerated.len() == 3);
    }
}
