//! What a reload would do, told before it is done: from the plan that the reload would execute, beside what runs. Changes
//! nothing, and works on threads that may wait.

mod certificates;
mod compose;
mod listeners;
mod reading;
pub(in crate::control) mod report;
mod sessions;

use std::path::Path;
use std::sync::Arc;

pub(in crate::control) use reading::PlanReadings;
use report::{PlanReport, PlanVerdict};

use super::candidate::Candidate;
use super::proposal::{NoProposal, Proposal};
use super::queue::Origin;
use super::rejection::Rejection;
use super::safeguards::policy_violations;
use crate::cluster::ManagedCluster;
use crate::config::{Diagnostic, Sources};
use crate::endpoint::ListenerAddresses;
use crate::model::{Loaded, ProxyModel};
use crate::reload::Plan;

/// What runs at one moment.
#[derive(Debug, Clone, Copy)]
pub(in crate::control) struct Running<'r> {
    /// By name.
    pub(in crate::control) clusters: &'r [Arc<ManagedCluster>],
    pub(in crate::control) listeners: &'r ListenerAddresses,
    pub(in crate::control) model: &'r ProxyModel,
    pub(in crate::control) generation: u64,
}

impl<'r> Running<'r> {
    fn cluster(&self, name: &str) -> Option<&'r ManagedCluster> {
        let by_name = |cluster: &Arc<ManagedCluster>| cluster.model.name.as_str().cmp(name);
        let place = self.clusters.binary_search_by(by_name).ok()?;
        Some(&self.clusters[place])
    }

    /// Number of live connections.
    fn live(&self) -> usize {
        let trackers = self.clusters.iter().flat_map(|cluster| cluster.trackers());
        trackers.map(|tracker| tracker.len()).sum()
    }
}

impl PlanReport {
    /// What a reload of `candidate` would do to what is `running`.
    pub(in crate::control) fn of_candidate(
        candidate: Candidate,
        origin: Origin,
        force: bool,
        running: Running<'_>,
    ) -> Self {
        let file = candidate.path().map(ToOwned::to_owned);
        let report = match Proposal::of(candidate, origin, force, running.model) {
            Ok(proposal) => {
                let plan = Plan::between(running.model, &proposal.model);
                Self::of_plan(&plan, &proposal.model, force, running).with_hash(&proposal)
            }
            Err(NoProposal::Rejected(rejection)) => Self::of_rejection(&rejection),
            Err(NoProposal::SameBytes) => Self::of_plan(&Plan::default(), running.model, force, running),
        };
        Self {
            generation: Some(running.generation),
            file: file.map(|file| file.display().to_string()),
            ..report
        }
    }

    /// What `plan`, which leads to `new`, would do.
    fn of_plan(plan: &Plan, new: &ProxyModel, force: bool, running: Running<'_>) -> Self {
        let report = compose::report(plan, running.model, new, Some(running));
        report.guarded(plan, running.model, new, force)
    }

    /// What the change from one configuration to another would do, without a process.
    ///
    /// # Errors
    /// The violations of `old`, which would not run.
    pub fn between(old: Loaded, new: Loaded, file: &Path, force: bool) -> Result<Self, Vec<Diagnostic>> {
        let (old, _) = old.for_start()?;
        let candidate = Candidate::of(new, Vec::new());
        let report = match Proposal::of(candidate, Origin::File, force, &old) {
            Ok(proposal) => {
                let plan = Plan::between(&old, &proposal.model);
                compose::report(&plan, &old, &proposal.model, None)
                    .guarded(&plan, &old, &proposal.model, force)
                    .with_hash(&proposal)
            }
            Err(NoProposal::Rejected(rejection)) => Self::of_rejection(&rejection),
            Err(NoProposal::SameBytes) => Self::default(),
        };
        Ok(Self {
            file: Some(file.display().to_string()),
            ..report
        })
    }

    /// With the reasons for which the plan is not applied although the configuration is valid.
    fn guarded(mut self, plan: &Plan, old: &ProxyModel, new: &ProxyModel, force: bool) -> Self {
        if !plan.is_empty() {
            let violations = policy_violations(old, new, plan, force);
            let violations = violations.iter().map(ToString::to_string);
            self.errors.splice(0..0, violations);
        }
        if !self.errors.is_empty() {
            self.verdict = PlanVerdict::Rejected;
        }
        self
    }

    fn with_hash(mut self, proposal: &Proposal) -> Self {
        let read = proposal.read.as_ref();
        self.hash = read.map(|(_, digest)| digest.to_string()).unwrap_or_default();
        self
    }

    fn of_rejection(rejection: &Rejection) -> Self {
        Self {
            verdict: PlanVerdict::Rejected,
            errors: rejection.reasons(),
            ..Self::default()
        }
    }
}

impl Candidate {
    /// The main file that it was read from.
    fn path(&self) -> Option<&Path> {
        match self {
            Self::Read { sources, .. } => Sources::files(sources).next(),
            Self::SameBytes | Self::Missing | Self::Broken(_) | Self::InMemory(_) | Self::Staged(_) => None,
        }
    }
}
