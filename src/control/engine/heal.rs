//! Clusters that are `failed` because an address could not be bound again.

use super::Engine;
use crate::control::reload::retry::Retry;
use crate::control::reload::summary::{MAX_LOGGED, TARGET};

impl Engine {
    /// Tries to restore all failed clusters, as every reload does first.
    pub(super) async fn restore_failed(&mut self) {
        for (cluster, cause) in self.restore_all().await {
            tracing::error!(target: TARGET, cluster, cause, "the virtual cluster is still failed");
        }
    }

    /// Tries to restore all failed clusters. Returns those that still are, and why.
    async fn restore_all(&mut self) -> Vec<(String, String)> {
        let (mut restored, mut failed) = (Vec::new(), Vec::new());
        for cluster in self.reloader.failed() {
            match self.reloader.restore(&cluster).await {
                Ok(()) => restored.push(cluster),
                Err(cause) => failed.push((cluster, cause)),
            }
        }
        if !restored.is_empty() {
            self.publish();
        }
        for cluster in restored {
            tracing::info!(target: TARGET, cluster, "the virtual cluster serves again");
        }
        failed
    }

    /// Schedules attempts to restore failed clusters, as long as there are any.
    pub(super) fn schedule_healing(&mut self) {
        if self.reloader.failed().is_empty() {
            self.healing = None;
        } else if self.healing.is_none() {
            self.healing = Some(Retry::after(Vec::new()));
        }
    }

    /// Tries to restore failed clusters, and schedules the next attempt if that fails.
    pub(super) async fn heal(&mut self) {
        let failed = self.restore_all().await;
        let reasons: Vec<String> = failed
            .into_iter()
            .map(|(cluster, cause)| format!("`{cluster}`: {cause}"))
            .collect();
        let Some(healing) = self.healing.as_mut().filter(|_| !reasons.is_empty()) else {
            self.healing = None;
            return;
        };
        if healing.failed(&reasons) {
            for reason in reasons.iter().take(MAX_LOGGED) {
                tracing::error!(target: TARGET, reason, "the virtual cluster is still failed; kproxy keeps trying");
            }
        }
    }
}
