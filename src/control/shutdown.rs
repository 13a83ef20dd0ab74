//! The end of the process: a change to the empty model, with the process's own deadline.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

use super::Reloader;
use super::reloader::{Retired, advance};
use crate::cluster::{ClusterState, ManagedCluster};
use crate::drain::{self, DrainDeadlines};
use crate::model::ProxyModel;
use crate::session::cause::CloseCause;

/// Kept free at the end of the deadline, for the last closes and the exit itself.
const MARGIN: Duration = Duration::from_millis(500);

/// SIGTERM and SIGINT end the process. SIGHUP and SIGUSR1 must not: their default would.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    user1: Signal,
}

impl Signals {
    /// # Errors
    /// When the handlers cannot be installed.
    pub fn install() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
        })
    }

    /// The name of the next signal that ends the process.
    pub async fn shutdown(&mut self) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hangup.recv() => {
                    tracing::warn!("SIGHUP: reloading is not supported yet; the running configuration stays");
                }
                _ = self.user1.recv() => {}
            }
        }
    }
}

/// How a shutdown went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShutdownOutcome {
    /// Sessions alive when it began.
    pub sessions: usize,
    /// Of them, those that were closed at the deadline with requests unanswered.
    pub forced: u64,
}

/// Stops accepting, drains every session, and returns when none is left or the deadline has passed.
pub async fn drain_all(reloader: &mut Reloader) -> ShutdownOutcome {
    let deadline = Instant::now() + reloader.network().shutdown_timeout.saturating_sub(MARGIN);
    let empty = ProxyModel {
        clusters: std::collections::BTreeMap::new(),
        ..ProxyModel::clone(reloader.current())
    };
    let prepared = match reloader.prepare(Arc::new(empty)).await {
        Ok(prepared) => prepared,
        Err(errors) => {
            // Nothing is bound on the way to the empty model, so nothing can fail.
            tracing::error!(?errors, "the shutdown could not be prepared");
            return ShutdownOutcome {
                sessions: 0,
                forced: 0,
            };
        }
    };
    let retired = reloader.commit(prepared);
    retire(reloader, retired, deadline).await
}

async fn retire(reloader: &mut Reloader, retired: Retired, deadline: Instant) -> ShutdownOutcome {
    let Retired { clusters, listeners } = retired;
    for listener in reloader.registry.release(listeners) {
        if listener.await.is_err() {
            tracing::error!("an accept loop panicked");
        }
    }
    let forced_before = forced(&clusters);
    let contexts: Vec<_> = clusters
        .iter()
        .map(|cluster| Arc::clone(&cluster.context))
        .collect();
    let alive = || {
        contexts
            .iter()
            .map(|context| context.tracker.len())
            .sum::<usize>()
    };
    let sessions = alive();
    let mut drains = JoinSet::new();
    for mut cluster in clusters {
        advance(&mut cluster, ClusterState::Draining);
        drains.spawn(async move {
            let policy = &cluster.context.model.drain;
            let deadlines = DrainDeadlines::within(policy, Instant::now(), deadline);
            drain::run(&cluster.context.tracker, policy, deadlines).await;
            advance(&mut cluster, ClusterState::Stopped);
        });
    }
    let all = async { while drains.join_next().await.is_some() {} };
    // Sessions keep the deadline themselves; this is for one that does not get to run.
    if tokio::time::timeout_at((deadline + MARGIN * 4 / 5).into(), all)
        .await
        .is_err()
    {
        tracing::warn!(sessions = alive(), "sessions are left at the deadline");
    }
    let timeouts = |context: &Arc<crate::session::context::ClusterContext>| {
        context.counters.closes(CloseCause::DrainTimeout)
    };
    ShutdownOutcome {
        sessions,
        forced: contexts.iter().map(timeouts).sum::<u64>() - forced_before,
    }
}

fn forced(clusters: &[ManagedCluster]) -> u64 {
    clusters
        .iter()
        .map(|cluster| cluster.context.counters.closes(CloseCause::DrainTimeout))
        .sum()
}
