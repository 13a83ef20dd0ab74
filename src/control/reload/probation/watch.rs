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

    /// The generation that a degraded one goes back to.
    pub(in crate::control) fn healthy_generation(&self) -> Option<u64> {
        Some(self.healthy.as_ref()?.generation)
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
            // What was taken back is nothing to compare with.
            self.baseline = Baseline::default();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model;

    /// A model of clusters `a` and `b` with these targets.
    fn model(targets: [&str; 2]) -> Arc<ProxyModel> {
        let mut text = "rollback: {auto: true}\nvirtualClusters:\n".to_owned();
        for (name, port, target) in [("a", 9100, targets[0]), ("b", 9200, targets[1])] {
            text += &format!(
                "  - {{name: {name}, targetCluster: {{bootstrapServers: '{target}'}}, \
                 gateways: [{{name: g, portIdentifiesNode: {{bootstrapAddress: 'localhost:{port}'}}}}]}}\n"
            );
        }
        Arc::new(model::parse(text.as_bytes(), "test.yaml").unwrap())
    }

    /// Reloads from one model to the next, each with a generation.
    struct Reloads {
        watch: ProbationWatch,
        generation: u64,
        model: Arc<ProxyModel>,
    }

    impl Reloads {
        fn start(targets: [&str; 2]) -> Self {
            let (mut watch, model) = (ProbationWatch::default(), model(targets));
            watch.started(1, &model);
            Self {
                watch,
                generation: 1,
                model,
            }
        }

        fn reload(&mut self, targets: [&str; 2], is_return: bool) -> usize {
            let next = model(targets);
            let changed = CommittedReload::changed_by(&Plan::between(&self.model, &next));
            self.generation += 1;
            self.model = Arc::clone(&next);
            let committed = CommittedReload {
                generation: self.generation,
                model: next,
                changed,
                before: ClusterSnapshot::default(),
                is_return,
            };
            self.watch.committed(committed, Instant::now())
        }

        fn on_probation(&self) -> Vec<&str> {
            let running = self.watch.running.iter();
            running
                .flat_map(|running| running.cases.keys().map(String::as_str))
                .collect()
        }

        fn healthy(&self) -> u64 {
            self.watch.healthy.as_ref().unwrap().generation
        }
    }

    #[tokio::test]
    async fn what_is_not_known_to_be_healthy_is_not_gone_back_to() {
        let mut reloads = Reloads::start(["x:1", "x:1"]);
        assert_eq!(reloads.reload(["y:1", "x:1"], false), 1);
        assert_eq!((reloads.on_probation(), reloads.healthy()), (vec!["a"], 1));
        assert_eq!(reloads.reload(["y:1", "y:1"], false), 1);
        assert_eq!((reloads.on_probation(), reloads.healthy()), (vec!["a", "b"], 1));
        // One is put right, the other is still watched.
        assert_eq!(reloads.reload(["x:1", "y:1"], false), 0);
        assert_eq!((reloads.on_probation(), reloads.healthy()), (vec!["b"], 1));
        assert_eq!(reloads.reload(["x:1", "x:1"], false), 0);
        assert_eq!((reloads.on_probation(), reloads.healthy()), (vec![], 5));
    }

    #[tokio::test]
    async fn a_return_ends_the_probation_and_its_content_is_remembered() {
        let mut reloads = Reloads::start(["x:1", "x:1"]);
        reloads.reload(["y:1", "x:1"], false);
        let condemned = Arc::clone(&reloads.model);
        let call = RollbackCall {
            from: 2,
            to: 1,
            reason: DegradationReason::Latency,
            clusters: vec!["a".into()],
            detail: "slow".into(),
        };
        assert_eq!(reloads.reload(["x:1", "x:1"], true), 0);
        reloads.watch.rolled_back(&call, &condemned, true);
        assert_eq!((reloads.on_probation(), reloads.healthy()), (vec![], 3));
        assert_eq!(reloads.watch.condemnation(&model(["y:1", "x:1"])), Some("slow"));
        assert_eq!(reloads.watch.condemnation(&model(["z:1", "x:1"])), None);
        // Somebody tried it again.
        reloads.reload(["y:1", "x:1"], false);
        assert_eq!(reloads.watch.condemnation(&model(["y:1", "x:1"])), None);
    }
}
