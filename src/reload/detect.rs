//! Small functions that each look at one part of two models and say what differs. Equality is by meaning: a
//! [`ProxyModel`] has every default filled in and every order that means nothing put in order.
//!
//! Records are taken apart without `..`, so a field that nobody has thought of does not compile.

pub(super) mod filters;
mod forward_proxy;
mod gateways;
mod login;
mod process;
mod tls;
mod upstream_tls;

use std::sync::Arc;

use super::change::{ChangeResult, ChangedKey};
use super::effect::Effect;
use crate::model::{ProxyModel, TargetCluster, VirtualCluster};

/// Both models, with results that every detector needs.
#[derive(Debug)]
pub struct ConfigurationChangeContext<'m> {
    /// The running model.
    pub old: &'m ProxyModel,
    /// The model after the change.
    pub new: &'m ProxyModel,
    /// Names of clusters that only `new` has.
    pub added: Vec<&'m str>,
    /// Names of clusters that only `old` has.
    pub removed: Vec<&'m str>,
    /// Clusters that are in both and not the same.
    pub changed: Vec<(&'m VirtualCluster, &'m VirtualCluster)>,
}

/// Detects changes of one part of the configuration.
pub trait ChangeDetector {
    /// Adds the changes of its part to `result`.
    fn detect(&self, context: &ConfigurationChangeContext<'_>, result: &mut ChangeResult);
}

/// Every detector.
const DETECTORS: [&dyn ChangeDetector; 6] = [
    &ClusterNames,
    &ClusterSettings,
    &Targets,
    &filters::Filters,
    &gateways::Gateways,
    &process::Process,
];

/// Everything that differs between `old` and `new`.
pub fn detect(old: &ProxyModel, new: &ProxyModel) -> ChangeResult {
    let context = ConfigurationChangeContext::new(old, new);
    let mut result = ChangeResult::default();
    for detector in DETECTORS {
        detector.detect(&context, &mut result);
    }
    result
}

impl<'m> ConfigurationChangeContext<'m> {
    /// Compares the clusters of both models in one pass. Those that the models share are not looked at.
    pub fn new(old: &'m ProxyModel, new: &'m ProxyModel) -> Self {
        let mut context = Self {
            old,
            new,
            added: Vec::new(),
            removed: Vec::new(),
            changed: Vec::new(),
        };
        let mut before = old.clusters.iter().peekable();
        for (name, cluster) in &new.clusters {
            while let Some((gone, _)) = before.next_if(|(before, _)| *before < name) {
                context.removed.push(gone);
            }
            match before.next_if(|(before, _)| *before == name) {
                None => context.added.push(name),
                Some((_, before)) if Arc::ptr_eq(before, cluster) || before == cluster => {}
                Some((_, before)) => context.changed.push((before, cluster)),
            }
        }
        context.removed.extend(before.map(|(gone, _)| gone.as_str()));
        context
    }
}

/// Which clusters there are.
struct ClusterNames;

impl ChangeDetector for ClusterNames {
    fn detect(&self, context: &ConfigurationChangeContext<'_>, result: &mut ChangeResult) {
        context.added.iter().for_each(|name| result.add(name));
        context.removed.iter().for_each(|name| result.remove(name));
    }
}

/// What a cluster says of itself.
struct ClusterSettings;

impl ChangeDetector for ClusterSettings {
    fn detect(&self, context: &ConfigurationChangeContext<'_>, result: &mut ChangeResult) {
        for (old, new) in &context.changed {
            let VirtualCluster {
                name,
                target: _,
                drain,
                max_connections,
                max_connections_per_client,
                log_network,
                log_frames,
                filters: _,
                fence,
                subject_builder,
                topic_names,
                gateways: _,
            } = old;
            if *subject_builder != new.subject_builder {
                let key = ChangedKey::new("virtualClusters[].subjectBuilder", Effect::ReplaceIdentity);
                result.modify(name, key);
            }
            if *fence != new.fence {
                let key = ChangedKey::new("virtualClusters[].fence", Effect::RenewFilters);
                result.modify(name, key);
            }
            let mut note = |same: bool, path| {
                if !same {
                    result.modify(name, ChangedKey::new(path, Effect::Apply));
                }
            };
            note(*drain == new.drain, "virtualClusters[].drain");
            note(
                *max_connections == new.max_connections,
                "virtualClusters[].maxConnections",
            );
            note(
                *max_connections_per_client == new.max_connections_per_client,
                "virtualClusters[].maxConnectionsPerClient",
            );
            note(*log_network == new.log_network, "virtualClusters[].logNetwork");
            note(
                *topic_names == new.topic_names,
                "virtualClusters[].topicNameCache",
            );
            note(*log_frames == new.log_frames, "virtualClusters[].logFrames");
        }
    }
}

/// Where it leads. Whether the target is written in the cluster or in a cluster definition means nothing.
struct Targets;

impl ChangeDetector for Targets {
    fn detect(&self, context: &ConfigurationChangeContext<'_>, result: &mut ChangeResult) {
        for (old, new) in &context.changed {
            let TargetCluster {
                bootstrap_servers,
                selection,
                allowed_brokers,
                via,
                tls,
                login,
            } = &old.target;
            let mut note = |path, effect| result.modify(&old.name, ChangedKey::new(path, effect));
            if *bootstrap_servers != new.target.bootstrap_servers {
                note(
                    "virtualClusters[].targetCluster.bootstrapServers",
                    Effect::ReplaceTarget,
                );
            }
            forward_proxy::compare(via.as_deref(), new.target.via.as_deref(), &mut note);
            upstream_tls::compare(tls.as_ref(), new.target.tls.as_ref(), &mut note);
            login::compare(login.as_deref(), new.target.login.as_deref(), &mut note);
            if *allowed_brokers != new.target.allowed_brokers {
                note("virtualClusters[].targetCluster.allowedBrokers", Effect::Apply);
            }
            if *selection != new.target.selection {
                note(
                    "virtualClusters[].targetCluster.bootstrapServerSelection",
                    Effect::Apply,
                );
            }
        }
    }
}
