//! The probation that runs or not, the generation that comes back if it must, and what is not tried again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::baseline::Baseline;
use super::judge::{DegradationReason, ProbationVerdict};
use super::running::{EndedProbation, Looked, ProbationCase, RunningProbation};
use crate::cluster::ClusterSnapshot;
use crate::control::status::{ProbationClusterStatus, ProbationStatus};
use crate::model::{ProxyModel, RollbackSettings};
use crate::reload::{GatewayAction, Plan, TargetAction};

/// Configurations that were taken back and are not applied again unasked.
const MAX_CONDEMNED: usize = 8;

/// A virtual cluster that a reload adds or modifies.
#[derive(Debug, Clone)]
pub(in crate::control) struct ChangedCluster {
    name: String,
    is_new: bool,
    /// Whether the sessions of all its gateways have a place to come back to.
    keeps_gateways: bool,
    /// Whether its brokers stay and are connected to by other TLS material.
    renews_target: bool,
}

impl ChangedCluster {
    /// Its name, if its brokers stay and are connected to by other TLS material.
    pub(in crate::control) fn renewed_target(&self) -> Option<&str> {
        self.renews_target.then_some(&self.name)
    }
}

/// A reload that has just been committed.
pub(in crate::control) struct CommittedReload {
    /// Generation that runs.
    pub(in crate::control) generation: u64,
    /// What runs.
    pub(in crate::control) model: Arc<ProxyModel>,
    /// The clusters that it adds or modifies.
    pub(in crate::control) changed: Vec<ChangedCluster>,
    /// All clusters as they were before.
    pub(in crate::control) before: ClusterSnapshot,
    /// Whether it brings back what ran before.
    pub(in crate::control) is_return: bool,
}

/// A return to an earlier generation that a probation calls for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::control) struct RollbackCall {
    /// Generation that got worse.
    pub(in crate::control) from: u64,
    /// The last generation that was healthy.
    pub(in crate::control) to: u64,
    pub(in crate::control) reason: DegradationReason,
    /// Virtual clusters that got worse.
    pub(in crate::control) clusters: Vec<String>,
    /// Why, with the figures, in one line.
    pub(in crate::control) detail: String,
}

/// What a look at the clusters on probation came to.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::control) enum ProbationStep {
    Ended(EndedProbation),
    RollBack(RollbackCall),
}

/// Probation of changed clusters, and what is needed for the next. Owned by the control thread.
#[derive(Debug, Default)]
pub(in crate::control) struct ProbationWatch {
    baseline: Baseline,
    running: Option<RunningProbation>,
    healthy: Option<HealthyGeneration>,
    condemned: VecDeque<(Arc<ProxyModel>, String)>,
    status: Option<Arc<ProbationStatus>>,
}

/// The last configuration that nothing spoke against.
#[derive(Debug)]
struct HealthyGeneration {
    generation: u64,
    model: Arc<ProxyModel>,
}

impl CommittedReload {
    /// The clusters that `plan` adds or modifies.
    pub(in crate::control) fn changed_by(plan: &Plan) -> Vec<ChangedCluster> {
        let added = plan.added().map(|plan| (plan, true));
        let modified = plan.modified().map(|plan| (plan, false));
        let changed = added.chain(modified).map(|(plan, is_new)| ChangedCluster {
            name: plan.cluster.name.clone(),
            is_new,
            keeps_gateways: !plan
                .gateways
                .iter()
                .any(|gateway| gateway.action == GatewayAction::Remove),
            renews_target: plan.target == TargetAction::Renew,
        });
        changed.collect()
    }
}

/// Transitions.
impl ProbationWatch {
    /// The first configuration runs: nothing ran before that could be brought back.
    pub(in crate::control) fn started(&mut self, generation: u64, model: &Arc<ProxyModel>) {
        self.take_for_healthy(generation, model);
    }

    fn take_for_healthy(&mut self, generation: u64, model: &Arc<ProxyModel>) {
        let model = Arc::clone(model);
        self.healthy = Some(HealthyGeneration { generation, model });
    }

    /// A reload has been committed. Returns how many clusters are on probation because of it.
    pub(in crate::control) fn committed(&mut self, reload: CommittedReload, now: Instant) -> usize {
        let CommittedReload {
            generation,
            model,
            mut changed,
            before,
            is_return,
        } = reload;
        if is_return || !model.rollback.auto {
            self.running = None;
            self.take_for_healthy(generation, &model);
            return 0;
        }
        self.condemned.retain(|(condemned, _)| **condemned != *model);
        let mut running = self.running.take().unwrap_or_default();
        let gone = running
            .cases
            .keys()
            .filter(|name| self.is_put_back(&model, name) != Some(false));
        let gone: Vec<String> = gone.cloned().collect();
        changed.retain(|changed| self.is_put_back(&model, &changed.name) == Some(false));
        for name in &gone {
            running.cases.remove(name);
        }
        running.resume();
        let begun = changed.len();
        if begun > 0 {
            let names = changed.iter().map(|changed| changed.name.clone()).collect();
            for ChangedCluster {
                name,
                is_new,
                keeps_gateways,
                ..
            } in changed
            {
                let known = running.cases.remove(&name);
                let case = ProbationCase::begin(known, is_new, keeps_gateways, now);
                running.cases.insert(name, case);
            }
            running.begin(generation, before, names);
        }
        match running.cases.is_empty() {
            true => self.take_for_healthy(generation, &model),
            false => self.running = Some(running),
        }
        begun
    }

    /// Whether `model` has a cluster as it was when it was healthy last; `None`: it has no such cluster.
    fn is_put_back(&self, model: &ProxyModel, name: &str) -> Option<bool> {
        let now = model.clusters.get(name)?;
        let healthy = self
            .healthy
            .as_ref()
            .and_then(|healthy| healthy.model.clusters.get(name));
        Some(healthy == Some(now))
    }

    /// A rollback that a probation called for has ended; `is_applied`: the earlier configuration runs. `condemned` is what
    /// was taken back. Whatever came of it, the probation is over: it does not repeat itself.
    pub(in crate::control) fn rolled_back(
        &mut self,
        rollback: &RollbackCall,
        condemned: &Arc<ProxyModel>,
        is_applied: bool,
    ) {
        self.running = None;
        if is_applied {
            self.condemned.truncate(MAX_CONDEMNED - 1);
            self.condemned
                .push_front((Arc::clone(condemned), rollback.detail.clone()));
        }
    }

    /// Looks at the clusters on probation, and keeps what all were like. Called once a second; reads nothing itself.
    pub(in crate::control) async fn tick(
        &mut self,
        clusters: ClusterSnapshot,
        (generation, model): (u64, &Arc<ProxyModel>),
        now: Instant,
    ) -> Option<ProbationStep> {
        let bounds = &model.rollback;
        if !bounds.auto {
            self.baseline = Baseline::default();
            self.running = None;
            return None;
        }
        self.baseline.tick(&clusters, bounds.window, now).await;
        let running = self.running.as_mut()?;
        running.take_starts(&self.baseline).await;
        let step = running.look(&clusters, bounds, now).await;
        self.status = Some(Arc::new(self.describe(bounds, now)?));
        match step {
            None => None,
            Some(Looked::Over(ended)) => {
                self.running = None;
                self.take_for_healthy(generation, model);
                Some(ProbationStep::Ended(ended))
            }
            Some(Looked::Worse(reason, clusters, detail)) => {
                let rollback = RollbackCall {
                    from: generation,
                    to: self.healthy.as_ref()?.generation,
                    reason,
                    clusters,
                    detail,
                };
                Some(ProbationStep::RollBack(rollback))
            }
        }
    }
}

/// Queries.
impl ProbationWatch {
    /// Why `model` was taken back, if it was.
    pub(in crate::control) fn condemnation(&self, model: &ProxyModel) -> Option<&str> {
        let mut condemned = self.condemned.iter();
        let found = condemned.find(|(condemned, _)| **condemned == *model)?;
        Some(&found.1)
    }

    /// The probation that runs, or that has ended last.
    pub(in crate::control) fn status(&self) -> Option<Arc<ProbationStatus>> {
        self.status.clone()
    }

    fn describe(&self, bounds: &RollbackSettings, now: Instant) -> Option<ProbationStatus> {
        let running = self.running.as_ref()?;
        let left = |case: &ProbationCase| {
            bounds
                .window
                .saturating_sub(now.saturating_duration_since(case.began))
        };
        let cases = running.cases.iter();
        Some(ProbationStatus {
            generation: running.generation,
            healthy_generation: self.healthy.as_ref().map_or(0, |healthy| healthy.generation),
            verdict: running.verdict().name().into(),
            seconds_left: match running.verdict() {
                ProbationVerdict::Watching => {
                    let longest = running.cases.values().map(left).max();
                    longest.unwrap_or_default().as_secs_f64()
                }
                _ => 0.0,
            },
            clusters: cases
                .map(|(name, case)| ProbationClusterStatus {
                    cluster: name.clone(),
                    verdict: case.verdict.name().into(),
                    figures: case.figures.clone(),
                })
                .collect(),
        })
    }
}
