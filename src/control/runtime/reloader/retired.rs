//! What a commit replaced: to be released, drained and dropped behind it.

use std::sync::Arc;

use crate::cluster::{ClusterLifecycle, ManagedCluster, TlsUpdate};
use crate::control::runtime::fences::EndedFence;
use crate::control::runtime::recheck::RecheckRules;
use crate::drain::ConnectionTracker;
use crate::endpoint::ListenerKey;
use crate::model::{DrainPolicy, ProxyModel, SaslTerminationModel};
use crate::reload::DrainReason;
use crate::session::counters::ClusterCounters;
use crate::session::routes::ListenerTarget;

/// Everything that a commit leaves to be done.
#[derive(Default)]
pub struct Retired {
    /// Listeners that no cluster has any more.
    pub listeners: Vec<ListenerKey>,
    pub leaving: Vec<Leaving>,
    /// Sessions that stay and are to look at their settings again.
    pub refresh: Vec<Arc<ConnectionTracker>>,
    pub(in crate::control) recheck: Vec<Recheck>,
    /// Fences that are in force no more, to be released when the sessions know.
    pub(in crate::control) fences: Vec<EndedFence>,
    pub replaced: Replaced,
}

/// Sessions to check again, because the rules of their gateway or their cluster about clients have changed.
pub(in crate::control) struct Recheck {
    pub rules: RecheckRules,
    /// How those leave that are not accepted any more; with all sessions that are checked.
    pub leaving: Leaving,
}

/// What ran and does not any more; to be dropped where nothing waits for it.
#[derive(Default)]
pub struct Replaced {
    _clusters: Vec<Arc<ManagedCluster>>,
    _targets: Vec<Arc<ListenerTarget>>,
    _model: Option<Arc<ProxyModel>>,
}

/// Sessions of one cluster that have to leave.
pub struct Leaving {
    pub cluster: String,
    /// The generation that last changed what they belong to.
    pub generation: u64,
    pub policy: DrainPolicy,
    /// The first reason, in words; `None` where each session has its own.
    pub reason: Option<&'static str>,
    pub trackers: Vec<Arc<ConnectionTracker>>,
    pub counters: Arc<ClusterCounters>,
    /// The state of a cluster that is removed.
    pub removed: Option<ClusterLifecycle>,
    /// Whether sessions that can go on with the new target do, and need not leave.
    pub may_move: bool,
}

impl Leaving {
    /// All sessions of a cluster that is removed.
    pub(super) fn of(cluster: &ManagedCluster) -> Self {
        Self {
            cluster: cluster.model.name.clone(),
            generation: cluster.generation,
            policy: cluster.model.drain.clone(),
            reason: Some(DrainReason::ClusterRemoved.description()),
            trackers: cluster.trackers().cloned().collect(),
            counters: Arc::clone(&cluster.context.counters),
            removed: Some(cluster.lifecycle.clone()),
            may_move: false,
        }
    }
}

impl Recheck {
    /// Switches a gateway of `cluster` to new TLS settings. `None`: no session has to be verified again.
    pub(super) fn after(update: TlsUpdate, cluster: &ManagedCluster) -> Option<Self> {
        let TlsUpdate {
            gateway,
            context,
            recheck,
        } = update;
        if let Some(tls) = &gateway.tls {
            tls.store(Arc::clone(&context));
        }
        (!recheck.is_empty()).then(|| Self::of(RecheckRules::Tls(context), recheck, cluster))
    }

    /// The clients of `cluster` that have authenticated at kproxy, by its new `settings`.
    pub(super) fn of_logins(settings: Arc<SaslTerminationModel>, cluster: &ManagedCluster) -> Self {
        let all = cluster.trackers().cloned().collect();
        Self::of(RecheckRules::Logins(settings), all, cluster)
    }

    fn of(rules: RecheckRules, trackers: Vec<Arc<ConnectionTracker>>, cluster: &ManagedCluster) -> Self {
        Self {
            rules,
            leaving: Leaving {
                cluster: cluster.model.name.clone(),
                generation: cluster.generation,
                policy: cluster.model.drain.clone(),
                reason: None,
                trackers,
                counters: Arc::clone(&cluster.context.counters),
                removed: None,
                may_move: false,
            },
        }
    }
}

impl Replaced {
    pub(super) fn new(
        clusters: Vec<Arc<ManagedCluster>>,
        targets: Vec<Arc<ListenerTarget>>,
        model: Arc<ProxyModel>,
    ) -> Self {
        Self {
            _clusters: clusters,
            _targets: targets,
            _model: Some(model),
        }
    }
}
