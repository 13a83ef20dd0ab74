//! Fences that a command sets and lifts. They end with the process; those of the configuration are in force again after a start.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::Engine;
use super::apply::refresh_all;
use crate::control::requester::Requester;
use crate::control::runtime::fences::EndedFence;
use crate::control::steering::SteeringReport;
use crate::filter::FenceFacts;
use crate::model::FenceModel;

impl Engine {
    /// Puts a fence in force, in place of the one before. When it returns, every session has been told; what it has sent before
    /// may still be unanswered.
    pub(super) async fn fence_cluster(
        &mut self,
        name: &str,
        settings: FenceModel,
        lasting: Option<Duration>,
        by: Requester,
    ) -> Result<SteeringReport, String> {
        let before = self.running_cluster(name)?.filters.fence().cloned();
        let is_same = before.is_some_and(|fence| {
            **fence.settings() == settings && fence.facts().by.is_some() && fence.facts().until.is_none()
        });
        let detail = settings.to_string();
        if !is_same || lasting.is_some() {
            let since = SystemTime::now();
            let facts = FenceFacts {
                since,
                by: Some(by.to_string()),
                until: lasting.map(|lasting| since + lasting),
            };
            self.fence_ends
                .set(name, lasting.map(|lasting| Instant::now() + lasting));
            self.put_fence(name, Some((Arc::new(settings), facts))).await;
        }
        Ok(SteeringReport {
            detail: Some(detail),
            ..self.report_of("fence", name, !is_same || lasting.is_some(), 0)
        })
    }

    /// Lifts the fence that a command has set. That of the configuration, if there is one, is in force again.
    pub(super) async fn unfence_cluster(&mut self, name: &str) -> Result<SteeringReport, String> {
        let cluster = self.running_cluster(name)?;
        let fence = cluster.filters.fence();
        let is_commanded = fence.is_some_and(|fence| fence.facts().by.is_some());
        if fence.is_some() && !is_commanded {
            return Err(format!(
                "the fence of virtual cluster `{name}` is in the configuration: remove `fence` there and reload"
            ));
        }
        if is_commanded {
            let configured = cluster.model.fence.clone();
            let facts = FenceFacts {
                since: SystemTime::now(),
                by: None,
                until: None,
            };
            self.fence_ends.set(name, None);
            self.put_fence(name, configured.map(|settings| (settings, facts)))
                .await;
        }
        Ok(self.report_of("unfence", name, is_commanded, 0))
    }

    /// Lifts the fences whose time is over.
    pub(super) async fn end_due_fences(&mut self) {
        for name in self.fence_ends.take_due(Instant::now()) {
            // The virtual cluster may be gone; so is its fence then.
            let mut outcome = self.unfence_cluster(&name).await;
            if let Ok(report) = &mut outcome {
                report.detail = Some("its time is over".into());
            }
            self.publish();
            self.tell_steering("unfence", name, Requester::Process, &outcome);
        }
    }

    /// Exchanges the fence of a virtual cluster, and has its sessions take that in, those that leave too.
    async fn put_fence(&mut self, name: &str, fence: Option<(Arc<FenceModel>, FenceFacts)>) {
        let (mut trackers, ended) = self.reloader.exchange_fence(name, fence);
        let drains = self.drains.snapshot();
        let leaving = drains.iter().filter(|drain| drain.cluster == name);
        trackers.extend(leaving.flat_map(|drain| drain.trackers()).cloned());
        refresh_all(trackers).await;
        ended.into_iter().for_each(EndedFence::release);
    }
}
