//! The one kind of change that releases before it binds: an address that conflicts with another on the same port.
//!
//! It happens between *prepare* and *commit*, when nothing else can fail any more. If a bind fails all the same,
//! what was released is bound again; a cluster for which that fails is `failed`, and all others serve.

use std::collections::HashSet;
use std::sync::Arc;

use super::Reloader;
use super::{Prepared, address, advance};
use crate::cluster::{ClusterState, ManagedCluster};
use crate::endpoint::{BindError, EndpointSpec, ListenerKey, Reserved, RouteUpdates};
use crate::model::Gateway;
use crate::reload::Outcome;
use crate::session::context::EndpointBinding;

/// Addresses that could not be bound after conflicting ones were released.
#[derive(Debug)]
pub struct RebindFailure {
    /// What could not be bound.
    pub errors: Vec<BindError>,
    /// Clusters that could not be restored, with the reason. Empty: everything is as it was.
    pub failed: Vec<(String, String)>,
}

impl RebindFailure {
    /// The outcome of the reload.
    pub fn outcome(&self) -> Outcome {
        match self.failed.is_empty() {
            true => Outcome::RolledBack,
            false => Outcome::Failed,
        }
    }

    /// The reasons for reports.
    pub fn reasons(&self) -> Vec<String> {
        let bound = self.errors.iter().map(ToString::to_string);
        let lost = self
            .failed
            .iter()
            .map(|(cluster, cause)| format!("virtual cluster `{cluster}` could not be restored: {cause}"));
        bound.chain(lost).collect()
    }
}

/// What has been done of a change that may still fail, to be undone in reverse order: what was bound stands in the way
/// of what was released before it.
#[derive(Default)]
struct RollbackTracker(Vec<Done>);

enum Done {
    /// These clusters, one or all that shared it, have released an address.
    Released(Vec<String>),
    /// This one of the new addresses is bound.
    Bound(ListenerKey),
}

impl Reloader {
    /// Releases addresses and binds those that conflict with them.
    ///
    /// # Errors
    /// When one cannot be bound. What could be restored has been.
    pub async fn rebind_conflicting(&mut self, prepared: &mut Prepared) -> Result<(), RebindFailure> {
        let mut done = RollbackTracker::default();
        for conflict in std::mem::take(&mut prepared.conflicts) {
            let key = ListenerKey::Address(address(conflict.release));
            // Several new addresses may conflict with the same old one: it is released once.
            if self.close_unconditionally(&key).await {
                done.0.push(Done::Released(self.owners_of(&key)));
            }
        }
        let mut errors = Vec::new();
        let mut tried = HashSet::new();
        for spec in std::mem::take(&mut prepared.conflicting) {
            // Several gateways may share it.
            if !tried.insert(spec.key.clone()) {
                continue;
            }
            match self.registry.reserve(std::slice::from_ref(&spec)).await {
                Ok(reserved) => {
                    prepared.reserved.absorb(reserved);
                    done.0.push(Done::Bound(spec.key));
                }
                Err(mut failed) => errors.append(&mut failed),
            }
        }
        if errors.is_empty() {
            return Ok(());
        }
        let failed = self.undo(done, prepared).await;
        Err(RebindFailure { errors, failed })
    }

    /// Restores what was released. Returns the clusters for which that failed, and why.
    async fn undo(&mut self, done: RollbackTracker, prepared: &mut Prepared) -> Vec<(String, String)> {
        let mut restored = HashSet::new();
        let mut failed = Vec::new();
        for done in done.0.into_iter().rev() {
            match done {
                Done::Bound(key) => prepared.reserved.remove(&key),
                Done::Released(clusters) => {
                    for cluster in clusters {
                        // All that it has released is restored at once.
                        if restored.insert(cluster.clone())
                            && let Err(cause) = self.restore(&cluster).await
                        {
                            failed.push((cluster, cause));
                        }
                    }
                }
            }
        }
        failed
    }

    /// Binds what a cluster should listen on and does not, and has its host names lead to it again.
    ///
    /// # Errors
    /// Why not. The cluster is `failed` then; what it still listens on, and what could be bound, goes on.
    pub async fn restore(&mut self, name: &str) -> Result<(), String> {
        let Some(cluster) = self.clusters.get(name) else {
            return Ok(());
        };
        let mut reserved = Reserved::default();
        let (mut updates, mut causes) = (RouteUpdates::default(), Vec::new());
        let mut tried = HashSet::new();
        for (gateway, wanted, binding) in self.missing(cluster) {
            // Gateways of one cluster may share an address, too.
            if tried.insert(wanted.key.clone()) {
                match self.registry.reserve(std::slice::from_ref(&wanted)).await {
                    Ok(one) => reserved.absorb(one),
                    Err(errors) => causes.extend(errors.iter().map(ToString::to_string)),
                }
            }
            if self.registry.has(&wanted.key) || reserved.has(&wanted.key) {
                updates.add(gateway, &wanted.key, binding);
            }
        }
        let activation = self.registry.plan_activation(updates, &self.services.process);
        self.registry.activate(reserved, activation);
        let Some(cluster) = self.clusters.get_mut(name) else {
            return Ok(());
        };
        let lifecycle = &mut cluster.lifecycle;
        if matches!(lifecycle.state(), ClusterState::Failed { .. }) {
            advance(lifecycle, ClusterState::Initializing);
        }
        if causes.is_empty() {
            if *lifecycle.state() == ClusterState::Initializing {
                advance(lifecycle, ClusterState::Serving);
            }
            return Ok(());
        }
        let cause = causes.join("; ");
        advance(lifecycle, ClusterState::Failed { cause: cause.clone() });
        Err(cause)
    }

    /// Names of the clusters that are `failed`.
    pub fn failed(&self) -> Vec<String> {
        let failed =
            |cluster: &&ManagedCluster| matches!(cluster.lifecycle.state(), ClusterState::Failed { .. });
        let clusters = self.clusters.iter().filter(failed);
        clusters.map(|cluster| cluster.model.name.clone()).collect()
    }

    /// The endpoints of a cluster at which its clients do not arrive, with their targets.
    fn missing<'c>(&self, cluster: &'c ManagedCluster) -> Vec<(&'c Gateway, EndpointSpec, EndpointBinding)> {
        let mut missing = Vec::new();
        for gateway in &cluster.gateways {
            for (&node, endpoint) in &gateway.endpoints {
                let EndpointSpec { key, .. } = &endpoint.wanted;
                if self.registry.routes_to(key, &gateway.model, &endpoint.tracker) {
                    continue;
                }
                let binding = EndpointBinding {
                    cluster: Arc::clone(&cluster.context),
                    gateway: Arc::clone(&gateway.context),
                    node,
                    tracker: Arc::clone(&endpoint.tracker),
                };
                missing.push((&gateway.model, endpoint.wanted.clone(), binding));
            }
        }
        missing
    }

    /// The names of all clusters that should listen there.
    fn owners_of(&self, key: &ListenerKey) -> Vec<String> {
        let has = |cluster: &&ManagedCluster| cluster.listeners().any(|listener| listener == key);
        let owners = self.clusters.iter().filter(has);
        owners.map(|cluster| cluster.model.name.clone()).collect()
    }

    /// Closes one listener, having served who was waiting there. False if there is none.
    async fn close_unconditionally(&mut self, key: &ListenerKey) -> bool {
        let Some(ending) = self.registry.close_unconditionally(key) else {
            return false;
        };
        if ending.await.is_err() {
            tracing::error!("an accept loop panicked");
        }
        true
    }
}
