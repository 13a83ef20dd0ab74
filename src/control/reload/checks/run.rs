//! The tests of targets, on a thread of their own: the control thread waits for nothing and computes no handshake.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::task::JoinSet;

use super::{CheckVerdict, CheckedTarget, FailedServers, gather, judge};
use crate::model::{HostPort, ProxyModel, ReloadChecks};
use crate::session::own::OwnListeners;
use crate::session::topology::NodeAddresses;
use crate::session::upstream::UpstreamTarget;

/// Maximum number of concurrent tests.
const MAX_CONCURRENT_CHECKS: usize = 64;

/// Name of the thread.
const THREAD: &str = "kproxy-checks";

/// Checks that run. They end within their time limit, and soon after this is dropped.
#[derive(Debug)]
pub(in crate::control) struct RunningChecks {
    verdict: oneshot::Receiver<CheckVerdict>,
}

impl RunningChecks {
    /// Waits for the verdict. Cancel safe.
    pub(in crate::control) async fn verdict(&mut self) -> CheckVerdict {
        let ended = (&mut self.verdict).await;
        ended.unwrap_or_else(|_| refused("the thread that runs them has ended".to_owned()))
    }
}

/// Begins to test `targets`. `step` limits each look-up, connection, handshake and answer.
pub(in crate::control) fn start(
    targets: Vec<CheckedTarget>,
    checks: ReloadChecks,
    step: Duration,
    own: Arc<OwnListeners>,
) -> RunningChecks {
    let (mut sender, verdict) = oneshot::channel();
    let run = move || {
        let found = with_runtime(|| async {
            tokio::select! {
                found = run(targets, &checks, step, &own) => Some(found),
                () = sender.closed() => None,
            }
        });
        let found = found.unwrap_or_else(|error| Some(refused(error.to_string())));
        if let Some(found) = found {
            // An error means that nobody waits any more.
            drop(sender.send(found));
        }
    };
    if let Err(error) = std::thread::Builder::new().name(THREAD.to_owned()).spawn(run) {
        // The receiver sees that the sender is gone.
        tracing::error!(%error, "the checks before a reload cannot be run");
    }
    RunningChecks { verdict }
}

/// Tests all targets of a configuration that does not run, as a reload with `checks` does, and waits for the verdict.
///
/// # Errors
/// [`io::Error`] if the operating system does not give what a runtime needs.
pub fn check_targets(model: &ProxyModel, checks: &ReloadChecks) -> io::Result<CheckVerdict> {
    let targets = gather(model.clusters.values().map(AsRef::as_ref));
    let own = Arc::<OwnListeners>::default();
    with_runtime(|| async { run(targets, checks, model.network.connect_timeout, &own).await })
}

fn with_runtime<T, F: Future<Output = T>>(work: impl FnOnce() -> F) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let done = runtime.block_on(work());
    // Look-ups that hang are not waited for.
    runtime.shutdown_background();
    Ok(done)
}

fn refused(why: String) -> CheckVerdict {
    CheckVerdict {
        rejected: vec![format!("the checks before the reload could not be run: {why}")],
        tolerated: Vec::new(),
    }
}

async fn run(
    targets: Vec<CheckedTarget>,
    checks: &ReloadChecks,
    step: Duration,
    own: &Arc<OwnListeners>,
) -> CheckVerdict {
    let mut failed: Vec<FailedServers> = vec![FailedServers::new(); targets.len()];
    let mut pending: BTreeSet<(usize, HostPort)> = BTreeSet::new();
    for (place, checked) in targets.iter().enumerate() {
        let servers = checked.target.bootstrap_servers.iter();
        pending.extend(servers.map(|server| (place, server.clone())));
    }
    let all = async {
        let mut tests = begin(&targets, checks, step, own, &mut failed, &mut pending).await;
        while let Some(ended) = tests.join_next().await {
            let Ok((place, server, outcome)) = ended else {
                continue;
            };
            if let Err(why) = outcome {
                failed[place].insert(server.clone(), why);
            }
            pending.remove(&(place, server));
        }
    };
    let is_late = tokio::time::timeout(checks.timeout, all).await.is_err();
    for (place, server) in pending {
        let why = match is_late {
            true => format!("no answer within `reload.checks.timeout` ({:?})", checks.timeout),
            false => "the check failed in itself".to_owned(),
        };
        failed[place].insert(server, why);
    }
    judge(&targets, &failed, checks.minimum_healthy)
}

/// A test that has ended: place of the target, server, and why it does not pass.
type ServerChecked = (usize, HostPort, Result<(), String>);

/// Begins the tests of all servers. Those of a target whose TLS settings cannot be used have failed.
async fn begin(
    targets: &[CheckedTarget],
    checks: &ReloadChecks,
    step: Duration,
    own: &Arc<OwnListeners>,
    failed: &mut [FailedServers],
    pending: &mut BTreeSet<(usize, HostPort)>,
) -> JoinSet<ServerChecked> {
    let permits = Arc::new(Semaphore::new(MAX_CONCURRENT_CHECKS));
    let step = step.min(checks.timeout);
    let mut tests = JoinSet::new();
    for (place, checked) in targets.iter().enumerate() {
        let servers = &checked.target.bootstrap_servers;
        let (changed, own) = (Arc::<Notify>::default(), Arc::clone(own));
        let target = match UpstreamTarget::new(checked.target.clone(), NodeAddresses::new(), changed, own) {
            Ok(target) => Arc::new(target),
            Err(error) => {
                for server in servers {
                    failed[place].insert(server.clone(), format!("TLS: {error}"));
                    pending.remove(&(place, server.clone()));
                }
                continue;
            }
        };
        for server in servers {
            let (target, server) = (Arc::clone(&target), server.clone());
            let (greeting, permits) = (checked.greeting.clone(), Arc::clone(&permits));
            let asks = checks.authenticate;
            tests.spawn(async move {
                // The semaphore is never closed.
                let _permit = permits.acquire_owned().await;
                let outcome = match asks {
                    true => target.try_out(&server, step, &greeting).await,
                    false => target.try_connect(&server, step, &greeting).await,
                };
                (place, server, outcome)
            });
        }
        // The time limit is looked at.
        tokio::task::yield_now().await;
    }
    tests
}
