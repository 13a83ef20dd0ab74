//! The one kind of change that releases before it binds: an address that overlaps another on the same port.
//!
//! It happens between *prepare* and *commit*, when nothing else can fail any more. If a bind fails all the same,
//! what was released is bound again; a cluster for which that fails is `failed`, and everything else serves.

use std::sync::Arc;

use super::Reloader;
use super::reloader::{Prepared, address, advance};
use crate::cluster::{ClusterState, ManagedCluster};
use crate::endpoint::{BindError, ListenerKey, Wanted};
use crate::reload::{RollbackTracker, Undo};
use crate::session::context::EndpointBinding;

/// A hand-over that did not succeed.
#[derive(Debug)]
pub struct HandoverFailure {
    /// What could not be bound.
    pub errors: Vec<BindError>,
    /// Clusters that could not be restored, with the reason. Empty: everything is as it was.
    pub failed: Vec<(String, String)>,
}

/// Something a hand-over has done.
enum Done {
    /// This one of the new addresses is bound.
    Bound(ListenerKey),
    /// This cluster has let go of an address.
    Released(String),
}

impl Reloader {
    /// Lets go of addresses and binds those that take their place.
    ///
    /// # Errors
    /// When one cannot be bound. What could be restored has been.
    pub async fn hand_over(&mut self, prepared: &mut Prepared) -> Result<(), HandoverFailure> {
        let mut done = RollbackTracker::default();
        for handover in std::mem::take(&mut prepared.handovers) {
            let key = ListenerKey::Address(address(handover.release));
            // Several new addresses may overlap the same old one: it is released once.
            if let Some(owner) = self.owner_of(&key)
                && self.let_go(key).await
            {
                done.record(Undo::Removed, Done::Released(owner));
            }
        }
        let mut errors = Vec::new();
        for wanted in std::mem::take(&mut prepared.after_handover) {
            match self.registry.reserve(std::slice::from_ref(&wanted)).await {
                Ok(reserved) => {
                    prepared.reserved.absorb(reserved);
                    done.record(Undo::Added, Done::Bound(wanted.key));
                }
                Err(mut failed) => errors.append(&mut failed),
            }
        }
        if errors.is_empty() {
            return Ok(());
        }
        let failed = self.undo(done, prepared).await;
        Err(HandoverFailure { errors, failed })
    }

    /// Restores what a hand-over changed. Returns the clusters for which that failed, and why.
    async fn undo(&mut self, done: RollbackTracker<Done>, prepared: &mut Prepared) -> Vec<(String, String)> {
        let mut failed = Vec::new();
        for (_, what) in done.undo() {
            match what {
                Done::Bound(key) => prepared.reserved.remove(&key),
                Done::Released(cluster) => {
                    if let Err(cause) = self.restore(&cluster).await {
                        failed.push((cluster, cause));
                    }
                }
            }
        }
        failed
    }

    /// Binds what a cluster should listen on and does not.
    ///
    /// # Errors
    /// Why not. The cluster is `failed` then; what it still listens on goes on.
    pub async fn restore(&mut self, name: &str) -> Result<(), String> {
        let Some(cluster) = self.clusters.get(name) else {
            return Ok(());
        };
        let (wanted, bindings) = self.missing(cluster);
        let outcome = self.registry.reserve(&wanted).await;
        let Some(cluster) = self.clusters.get_mut(name) else {
            return Ok(());
        };
        match outcome {
            Ok(reserved) => {
                self.registry.activate(reserved, bindings);
                if matches!(cluster.lifecycle.state(), ClusterState::Failed { .. }) {
                    advance(&mut cluster.lifecycle, ClusterState::Initializing);
                    advance(&mut cluster.lifecycle, ClusterState::Serving);
                }
                Ok(())
            }
            Err(errors) => {
                let causes: Vec<String> = errors.iter().map(ToString::to_string).collect();
                let cause = causes.join("; ");
                let state = ClusterState::Failed { cause: cause.clone() };
                if *cluster.lifecycle.state() == ClusterState::Serving {
                    advance(&mut cluster.lifecycle, state);
                }
                Err(cause)
            }
        }
    }

    /// Names of the clusters that are `failed`.
    pub fn failed(&self) -> Vec<String> {
        let failed =
            |cluster: &&ManagedCluster| matches!(cluster.lifecycle.state(), ClusterState::Failed { .. });
        let clusters = self.clusters.iter().filter(failed);
        clusters.map(|cluster| cluster.model.name.clone()).collect()
    }

    /// The endpoints of a cluster nobody listens on, with what they mean.
    fn missing(&self, cluster: &ManagedCluster) -> (Vec<Wanted>, Vec<(ListenerKey, Arc<EndpointBinding>)>) {
        let mut missing = (Vec::new(), Vec::new());
        for gateway in &cluster.gateways {
            for (&node, endpoint) in &gateway.endpoints {
                if self.registry.has(&endpoint.wanted.key) {
                    continue;
                }
                let binding = EndpointBinding {
                    cluster: Arc::clone(&cluster.context),
                    gateway: Arc::clone(&gateway.context),
                    node,
                    tracker: Arc::clone(&endpoint.tracker),
                };
                missing.0.push(endpoint.wanted.clone());
                missing.1.push((endpoint.wanted.key.clone(), Arc::new(binding)));
            }
        }
        missing
    }

    fn owner_of(&self, key: &ListenerKey) -> Option<String> {
        let has = |cluster: &&ManagedCluster| cluster.listeners().any(|listener| listener == key);
        Some(self.clusters.iter().find(has)?.model.name.clone())
    }

    /// Closes one listener, having served who was waiting there. False if there is none.
    async fn let_go(&mut self, key: ListenerKey) -> bool {
        let ending = self.registry.release([key]);
        let any = !ending.is_empty();
        for listener in ending {
            if listener.await.is_err() {
                tracing::error!("an accept loop panicked");
            }
        }
        any
    }
}
