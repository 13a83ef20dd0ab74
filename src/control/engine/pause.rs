//! Pauses of virtual clusters. They end by a command, by themselves, and with the process.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::Engine;
use super::apply::refresh_all;
use crate::control::requester::Requester;
use crate::control::steering::SteeringReport;
use crate::session::pause::Pause;

/// Time for which requests may wait before Java clients give up by default (`request.timeout.ms` is 30 s).
const COMFORTABLE: Duration = Duration::from_secs(25);

impl Engine {
    /// Has the requests of a virtual cluster wait. When it returns, every session has been told; what is unanswered is answered.
    pub(super) async fn pause_cluster(
        &mut self,
        name: &str,
        lasting: Duration,
        passes_heartbeats: bool,
        by: Requester,
    ) -> Result<SteeringReport, String> {
        let cluster = self.running_cluster(name)?;
        let until = Instant::now() + lasting;
        cluster.context.pause.begin(Pause {
            since: SystemTime::now(),
            until,
            by: by.to_string(),
            passes_heartbeats,
        });
        self.pause_ends.set(name, Some(until));
        self.tell_sessions(name).await;
        let mut report = self.report_of("pause", name, true, 0);
        report.detail = (lasting > COMFORTABLE).then(|| {
            let comfortable = COMFORTABLE.as_secs();
            format!("clients may give up on requests that wait for longer than {comfortable} s, see request.timeout.ms")
        });
        Ok(report)
    }

    /// Has the requests of a virtual cluster go on. Returns whether they waited.
    pub(super) async fn end_pause(&mut self, name: &str) -> Result<bool, String> {
        let was_paused = self.running_cluster(name)?.context.pause.end();
        self.pause_ends.set(name, None);
        if was_paused {
            self.tell_sessions(name).await;
        }
        Ok(was_paused)
    }

    /// Says that pauses have ended by themselves. Sessions have seen that on their own.
    pub(super) async fn end_due_pauses(&mut self) {
        for name in self.pause_ends.take_due(Instant::now()) {
            // The virtual cluster may be gone; so is its pause then.
            let Ok(cluster) = self.running_cluster(&name) else {
                continue;
            };
            if !cluster.context.pause.end() {
                continue;
            }
            self.tell_sessions(&name).await;
            let mut report = self.report_of("resume", &name, true, 0);
            report.detail = Some("the time of its pause is over".into());
            self.publish();
            self.tell_steering("resume", name, Requester::Process, &Ok(report));
        }
    }

    /// Has the sessions of a virtual cluster look at its settings, those that leave too.
    async fn tell_sessions(&mut self, name: &str) {
        let own = self
            .running_cluster(name)
            .map(|cluster| cluster.trackers().cloned().collect::<Vec<_>>());
        let mut trackers = own.unwrap_or_default();
        let drains = self.drains.snapshot();
        let leaving = drains.iter().filter(|drain| drain.cluster == name);
        trackers.extend(leaving.flat_map(|drain| drain.trackers()).map(Arc::clone));
        refresh_all(trackers).await;
    }
}
