//! Connections that a change drains, and why. Changes nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::report::{PlannedClient, PlannedConnections, PlannedDrain};
use crate::cluster::ManagedCluster;
use crate::control::runtime::recheck::{self, RecheckRules};
use crate::control::runtime::reloader::PrepareError;
use crate::control::status::Word;
use crate::drain::{BrokerTie, ConnectionTracker, SessionHandle};
use crate::model::VirtualCluster;
use crate::reload::{ClusterPlan, Departure, DrainReason, GatewayAction, RunningEndpoint};
use crate::tls::DownstreamContext;

/// Clients of one virtual cluster that are listed; more are only counted.
const MAX_CLIENTS: usize = 50;

/// Name of the reason for clients that new rules refuse.
const CLIENT_REFUSED: &str = "client_refused";

/// What happens to the connections of one virtual cluster.
#[derive(Debug, Default)]
pub(super) struct Disturbance {
    /// Counts; `None` without a process.
    pub(super) connections: Option<PlannedConnections>,
    pub(super) drains: Vec<PlannedDrain>,
    pub(super) clients: Vec<PlannedClient>,
    pub(super) more_clients: usize,
}

/// Counts connections that leave, by reason and by client.
#[derive(Default)]
struct Census {
    connections: PlannedConnections,
    reasons: BTreeMap<(DrainReason, Option<BrokerTie>), usize>,
    refusals: BTreeMap<Arc<str>, usize>,
    clients: HashMap<(Option<String>, Option<String>), usize>,
}

impl Disturbance {
    /// The connections of a cluster that is removed.
    pub(super) fn by_removal(cluster: &ManagedCluster) -> Self {
        let mut census = Census::of(cluster);
        for tracker in cluster.trackers() {
            census.leave(DrainReason::ClusterRemoved, tracker);
        }
        census.finish()
    }

    /// The connections of a cluster that goes on as `plan` says.
    ///
    /// # Errors
    /// Why new rules about clients cannot be used, as a reload would say it.
    pub(super) fn by_change(cluster: &ManagedCluster, plan: &ClusterPlan) -> Result<Self, String> {
        let mut census = Census::of(cluster);
        for (reason, tracker) in cluster.leaving(plan) {
            census.leave(reason, &tracker);
        }
        // Nobody moves where it cannot be told whether the new target is the same Kafka cluster.
        let is_known = cluster.context.target.topology.cluster_id().is_some();
        for tracker in cluster.moving(plan) {
            if is_known {
                census.move_or_leave(&tracker);
            } else {
                census.leave(DrainReason::TargetReplaced, &tracker);
            }
        }
        for (gateway, planned) in plan.gateways_after() {
            let is_rechecked = matches!(planned.action, GatewayAction::Keep(kept) if kept.recheck);
            let running = cluster.gateway(&gateway.name).filter(|_| is_rechecked);
            if let (Some(tls), Some(running)) = (&gateway.tls, running) {
                let unusable = |error| {
                    let cluster = plan.cluster.name.clone();
                    PrepareError::Tls { cluster, error }.to_string()
                };
                let context = DownstreamContext::new(tls, None).map_err(unusable)?;
                let rules = RecheckRules::Tls(Arc::new(context));
                census.verify_again(&rules, &running.rechecked(plan));
            }
        }
        if let Some(settings) = plan.rechecked_logins() {
            let rules = RecheckRules::Logins(Arc::new(settings.clone()));
            census.verify_again(&rules, &cluster.staying(plan));
        }
        Ok(census.finish())
    }

    /// What may happen to the connections of `old` without a process: it is not known whether there are any.
    pub(super) fn possible(old: &VirtualCluster, plan: Option<&ClusterPlan>) -> Self {
        let Some(plan) = plan else {
            let drains = vec![drain(DrainReason::ClusterRemoved, None)];
            return Self {
                drains,
                ..Self::default()
            };
        };
        let mut departures: Vec<Departure> =
            endpoints(old).map(|endpoint| plan.departure(&endpoint)).collect();
        departures.sort_unstable();
        departures.dedup();
        let mut may_refuse = plan.rechecked_logins().is_some();
        let mut drains = Vec::new();
        for departure in departures {
            match departure {
                Departure::Stay => {}
                Departure::Recheck => may_refuse = true,
                Departure::Leave(reason) => drains.push(drain(reason, None)),
                Departure::Move => drains.push(drain(DrainReason::TargetReplaced, None)),
            }
        }
        if may_refuse {
            drains.push(refusal("the new rules may not accept the client".into(), None));
        }
        Self {
            drains,
            ..Self::default()
        }
    }
}

/// Every endpoint that a cluster has, and those that it may have bound on demand at the ends of its range.
fn endpoints(cluster: &VirtualCluster) -> impl Iterator<Item = RunningEndpoint<'_>> {
    cluster.gateways.iter().flat_map(|gateway| {
        let at = |node, port, is_dynamic| RunningEndpoint {
            gateway: &gateway.name,
            node,
            address: (gateway.bind, port),
            is_dynamic,
        };
        let nodes = gateway.nodes.iter();
        let nodes = nodes.map(move |node| at(Some(node.node_id), node.port, false));
        let range = gateway.dynamic_ports;
        let dynamic = range.into_iter().flat_map(|range| [range.start, range.end]);
        std::iter::once(at(None, gateway.bootstrap_port, false))
            .chain(nodes)
            .chain(dynamic.map(move |port| at(Some(i32::MIN), port, true)))
    })
}

impl Census {
    fn of(cluster: &ManagedCluster) -> Self {
        let live = cluster.trackers().map(|tracker| tracker.len()).sum();
        Self {
            connections: PlannedConnections {
                live,
                ..PlannedConnections::default()
            },
            ..Self::default()
        }
    }

    fn leave(&mut self, reason: DrainReason, tracker: &ConnectionTracker) {
        let sessions = tracker.sessions();
        *self.reasons.entry((reason, None)).or_default() += sessions.len();
        sessions.iter().for_each(|session| self.note(session));
    }

    /// Counts connections that go on with another target where nothing ties them to their broker connection.
    fn move_or_leave(&mut self, tracker: &ConnectionTracker) {
        for session in tracker.sessions() {
            match session.tied_by() {
                None => self.connections.moved += 1,
                Some(tie) => {
                    let reason = (DrainReason::TargetReplaced, Some(tie));
                    *self.reasons.entry(reason).or_default() += 1;
                    self.note(&session);
                }
            }
        }
    }

    fn verify_again(&mut self, rules: &RecheckRules, trackers: &[Arc<ConnectionTracker>]) {
        let refused = recheck::refused(rules, trackers);
        for session in trackers.iter().flat_map(|tracker| tracker.sessions()) {
            self.connections.verified_again += 1;
            if let Some(reason) = refused.get(&session.id) {
                self.connections.refused += 1;
                *self.refusals.entry(Arc::clone(reason)).or_default() += 1;
                self.note(&session);
            }
        }
    }

    fn note(&mut self, session: &SessionHandle) {
        self.connections.drained += 1;
        let tls = session.facts.tls();
        let name = session.facts.user_name();
        let subject = || tls.as_deref().and_then(|tls| tls.client_subject.as_deref());
        let principal = name.as_deref().or_else(subject).map(str::to_owned);
        let client_id = session.activity.client_id().map(str::to_owned);
        *self.clients.entry((client_id, principal)).or_default() += 1;
    }

    fn finish(self) -> Disturbance {
        let of = |((client_id, principal), connections)| PlannedClient {
            client_id,
            principal,
            connections,
        };
        let mut clients: Vec<PlannedClient> = self.clients.into_iter().map(of).collect();
        clients.sort_by(|one, other| (other.connections, one).cmp(&(one.connections, other)));
        let more_clients = clients.len().saturating_sub(MAX_CLIENTS);
        clients.truncate(MAX_CLIENTS);
        let reasons = self
            .reasons
            .into_iter()
            .filter(|(_, connections)| *connections > 0);
        let reasons = reasons.map(|((reason, tie), connections)| PlannedDrain {
            detail: detail(reason, tie),
            ..drain(reason, Some(connections))
        });
        let refusals = self.refusals.into_iter();
        let refusals = refusals.map(|(why, connections)| refusal(why.to_string(), Some(connections)));
        Disturbance {
            connections: Some(self.connections),
            drains: reasons.chain(refusals).collect(),
            clients,
            more_clients,
        }
    }
}

fn drain(reason: DrainReason, connections: Option<usize>) -> PlannedDrain {
    PlannedDrain {
        reason: reason.name().into(),
        detail: reason.description().into(),
        connections,
    }
}

/// Why connections leave, in words.
fn detail(reason: DrainReason, tie: Option<BrokerTie>) -> String {
    let reason = reason.description();
    match tie {
        Some(tie) => format!("{reason}, and {}", tie.description()),
        None => reason.into(),
    }
}

fn refusal(detail: String, connections: Option<usize>) -> PlannedDrain {
    PlannedDrain {
        reason: Word::from(CLIENT_REFUSED),
        detail,
        connections,
    }
}
