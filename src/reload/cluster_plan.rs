//! The plan for one virtual cluster, its target, its gateways and their sessions. Building and committing carry it out
//! and decide nothing again.

use std::sync::Arc;

use super::change::{ChangedKey, Modification};
use super::effect::{DrainReason, Effect, ReloadClass};
use crate::model::{BindIp, FilterKind, Gateway, SaslTerminationModel, VirtualCluster};

/// A cluster that is added or modified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterPlan {
    /// The cluster after the change.
    pub cluster: Arc<VirtualCluster>,
    /// Keys that changed; empty if the cluster is added.
    pub changed: Vec<ChangedKey>,
    /// Action on the target.
    pub target: TargetAction,
    /// Action on the filters.
    pub filters: FiltersAction,
    /// The gateways of [`ClusterPlan::cluster`] in its order, then removed ones.
    pub gateways: Vec<GatewayPlan>,
}

/// Action on the target of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetAction {
    /// The target stays, with everything learned about it.
    Keep,
    /// The target stays; new handshakes with its brokers use new TLS material.
    Renew,
    /// A new target replaces it, or is the first one.
    Replace,
}

/// Action on the filters of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FiltersAction {
    /// They stay.
    Keep,
    /// Sessions go on with new ones from their next request on.
    Renew,
    /// Sessions go on with new ones from their next request on; those leave whose clients would not be authenticated by them.
    Recheck,
    /// All sessions get new ones, and leave, so that clients learn what is offered.
    Offer,
    /// New sessions get new ones; all sessions that are there leave with those that they have.
    Replace,
}

/// Plan for one gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayPlan {
    /// Name of the gateway.
    pub name: String,
    /// Action on the gateway.
    pub action: GatewayAction,
    /// Whether its sessions may go on with a new target, although the gateway is replaced: nothing else of it changes.
    pub moves: bool,
    /// The configured endpoints after the change: bootstrap, then the nodes by id.
    pub endpoints: Vec<PlannedEndpoint>,
}

/// Action on a gateway of a cluster that stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GatewayAction {
    /// The gateway stays, and so do the sessions of endpoints that stay.
    Keep(KeptGateway),
    /// A new gateway replaces it under its name. All its sessions leave.
    Replace(DrainReason),
    /// The gateway is new.
    Add,
    /// The gateway is removed. All its sessions leave.
    Remove,
}

/// Changes of a gateway that stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeptGateway {
    /// Whether its advertised endpoints change.
    pub table: bool,
    /// Whether the TLS settings of new handshakes change.
    pub tls: bool,
    /// Whether the rules about clients change, so that connected clients are verified again.
    pub recheck: bool,
}

/// One configured endpoint of a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedEndpoint {
    /// Node id; `None` for bootstrap.
    pub node: Option<i32>,
    /// Port number; 0 lets the operating system choose.
    pub port: u16,
}

/// A running endpoint, before the change.
#[derive(Debug, Clone, Copy)]
pub struct RunningEndpoint<'e> {
    /// Name of the gateway.
    pub gateway: &'e str,
    /// Node id; `None` for bootstrap.
    pub node: Option<i32>,
    /// Configured address; port 0 lets the operating system choose.
    pub address: (BindIp, u16),
    /// Whether it was bound on demand, for a node outside the configured ranges.
    pub is_dynamic: bool,
}

/// Effect of a change on the sessions of one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Departure {
    /// The sessions stay.
    Stay,
    /// Sessions whose clients the new rules reject leave.
    Recheck,
    /// The sessions go on with the new target where they can; the others leave.
    Move,
    /// All sessions leave.
    Leave(DrainReason),
}

impl ClusterPlan {
    /// The plan for a cluster that was not there before.
    pub(super) fn adding(cluster: &Arc<VirtualCluster>) -> Self {
        let add = |gateway: &Gateway| GatewayPlan::of(gateway, GatewayAction::Add);
        Self {
            cluster: Arc::clone(cluster),
            changed: Vec::new(),
            target: TargetAction::Replace,
            filters: FiltersAction::Replace,
            gateways: cluster.gateways.iter().map(add).collect(),
        }
    }

    /// The plan for a cluster that differs from `old` in this.
    pub(super) fn modifying(
        old: &VirtualCluster,
        cluster: &Arc<VirtualCluster>,
        change: &Modification,
    ) -> Self {
        let has = |effect| change.changed.iter().any(|key| key.effect == effect);
        let target = if has(Effect::ReplaceTarget) {
            TargetAction::Replace
        } else if has(Effect::RenewBrokerTls) {
            TargetAction::Renew
        } else {
            TargetAction::Keep
        };
        let filters = if has(Effect::ReplaceIdentity) {
            FiltersAction::Replace
        } else if has(Effect::RenewOffer) {
            FiltersAction::Offer
        } else if has(Effect::RecheckLogins) {
            FiltersAction::Recheck
        } else if has(Effect::RenewFilters) {
            FiltersAction::Renew
        } else {
            FiltersAction::Keep
        };
        let is_in =
            |gateway: &Gateway, of: &VirtualCluster| of.gateways.iter().any(|g| g.name == gateway.name);
        let same_filters = !matches!(filters, FiltersAction::Offer | FiltersAction::Replace);
        let after = cluster.gateways.iter().map(|gateway| {
            let alone = || {
                let effects = change.gateways.get(&gateway.name);
                GatewayAction::of(effects.map_or(&[], Vec::as_slice))
            };
            let action = if !is_in(gateway, old) {
                GatewayAction::Add
            } else if target == TargetAction::Replace {
                GatewayAction::Replace(DrainReason::TargetReplaced)
            } else if !same_filters {
                GatewayAction::Replace(DrainReason::FiltersReplaced)
            } else {
                alone()
            };
            let is_only_target = action == GatewayAction::Replace(DrainReason::TargetReplaced);
            // Sessions whose clients are checked again cannot move meanwhile.
            let same_clients = filters != FiltersAction::Recheck && alone().keeps_all_clients();
            let moves = is_only_target && same_filters && same_clients;
            GatewayPlan {
                moves,
                ..GatewayPlan::of(gateway, action)
            }
        });
        let removed = old.gateways.iter().filter(|gateway| !is_in(gateway, cluster));
        let removed = removed.map(|gateway| GatewayPlan {
            name: gateway.name.clone(),
            action: GatewayAction::Remove,
            moves: false,
            endpoints: Vec::new(),
        });
        Self {
            cluster: Arc::clone(cluster),
            changed: change.changed.clone(),
            target,
            filters,
            gateways: after.chain(removed).collect(),
        }
    }

    /// The settings by which the clients that have authenticated at kproxy are checked again; `None` if they are not.
    pub fn rechecked_logins(&self) -> Option<&SaslTerminationModel> {
        let mut filters = self
            .cluster
            .filters
            .iter()
            .filter(|_| self.filters == FiltersAction::Recheck);
        filters.find_map(|filter| match &filter.kind {
            FilterKind::SaslTermination(settings) => Some(settings),
            _ => None,
        })
    }

    /// The most disturbing class of its keys; `None` where the cluster is added.
    pub fn class(&self) -> Option<ReloadClass> {
        self.changed.iter().map(ChangedKey::class).max()
    }

    /// Its gateways with what happens to them, without those that are removed.
    pub fn gateways_after(&self) -> impl Iterator<Item = (&Gateway, &GatewayPlan)> {
        self.cluster.gateways.iter().zip(&self.gateways)
    }

    /// Whether the sessions of an endpoint that ran before leave, and why.
    pub fn departure(&self, endpoint: &RunningEndpoint<'_>) -> Departure {
        let by_name = |plan: &&GatewayPlan| plan.name == endpoint.gateway;
        let Some(plan) = self.gateways.iter().find(by_name) else {
            return Departure::Leave(DrainReason::GatewayRemoved);
        };
        match plan.action {
            // Added under a name that was there: it cannot be the gateway that ran.
            GatewayAction::Remove | GatewayAction::Add => Departure::Leave(DrainReason::GatewayRemoved),
            GatewayAction::Replace(_) if plan.moves && self.keeps(plan, endpoint) => Departure::Move,
            GatewayAction::Replace(reason) => Departure::Leave(reason),
            GatewayAction::Keep(_) if !self.keeps(plan, endpoint) => {
                Departure::Leave(DrainReason::EndpointEnded)
            }
            GatewayAction::Keep(kept) if kept.recheck => Departure::Recheck,
            GatewayAction::Keep(_) => Departure::Stay,
        }
    }

    /// Whether an endpoint of a gateway that is kept stays where it is.
    fn keeps(&self, plan: &GatewayPlan, endpoint: &RunningEndpoint<'_>) -> bool {
        let mut after = self.cluster.gateways.iter();
        let Some(gateway) = after.find(|gateway| gateway.name == plan.name) else {
            return false;
        };
        let (bind, port) = endpoint.address;
        let planned = plan
            .endpoints
            .iter()
            .find(|planned| planned.node == endpoint.node);
        let same_port = match planned {
            Some(planned) => planned.port == port,
            None => endpoint.is_dynamic && gateway.dynamic_ports.is_some_and(|range| range.contains(port)),
        };
        bind == gateway.bind && same_port
    }
}

impl GatewayPlan {
    fn of(gateway: &Gateway, action: GatewayAction) -> Self {
        let bootstrap = PlannedEndpoint {
            node: None,
            port: gateway.bootstrap_port,
        };
        let nodes = gateway.nodes.iter().map(|node| PlannedEndpoint {
            node: Some(node.node_id),
            port: node.port,
        });
        Self {
            name: gateway.name.clone(),
            action,
            moves: false,
            endpoints: std::iter::once(bootstrap).chain(nodes).collect(),
        }
    }
}

impl GatewayAction {
    /// Whether all clients of the gateway may stay.
    fn keeps_all_clients(self) -> bool {
        matches!(self, Self::Keep(kept) if !kept.recheck)
    }

    /// What these effects on a gateway that goes on under its name come to.
    fn of(effects: &[Effect]) -> Self {
        let mut kept = KeptGateway::default();
        for effect in effects {
            match effect {
                Effect::ReplaceGateway | Effect::ReplaceBrokerHeader => {
                    return Self::Replace(DrainReason::GatewayReplaced);
                }
                Effect::Advertise | Effect::AddEndpoints | Effect::EndEndpoints => kept.table = true,
                Effect::RenewClientTls => kept.tls = true,
                Effect::RecheckClients => (kept.tls, kept.recheck) = (true, true),
                // Effects on the cluster as a whole, or on the process.
                Effect::Apply
                | Effect::RenewBrokerTls
                | Effect::RenewFilters
                | Effect::RecheckLogins
                | Effect::RenewOffer
                | Effect::ReplaceIdentity
                | Effect::RenewBrokerLogin
                | Effect::AddGateway
                | Effect::AddCluster
                | Effect::ReplaceTarget
                | Effect::RemoveGateway
                | Effect::RemoveCluster
                | Effect::Restart => {}
            }
        }
        Self::Keep(kept)
    }
}
