//! Targets of listeners, and the host names of a listener that several gateways share.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use super::context::{ClusterContext, EndpointBinding, GatewayContext, NodeRole, ProcessContext};
use crate::drain::ConnectionTracker;
use crate::model::{NodeHostPattern, ProxyProtocol};

/// Target of a listener.
#[derive(Debug, Clone)]
pub enum ListenerTarget {
    /// Every connection belongs to one endpoint.
    Endpoint(EndpointBinding),
    /// The host name in the TLS ClientHello selects the gateway.
    Hosts {
        /// Host names of the listener.
        router: Arc<HostRouter>,
        /// Context of the process, for connections that no gateway takes.
        process: Arc<ProcessContext>,
    },
}

/// Number of host names compared to find the nearest one, and number of names searched for candidates of similar
/// length. An unknown name sent by a stranger must not cost much.
const MAX_COMPARED_NAMES: usize = 64;
const MAX_SCANNED_NAMES: usize = 4096;

/// Difference in length of a candidate, in addition to a quarter: a pattern has `$(nodeId)` in place of a digit.
const LENGTH_TOLERANCE: usize = 16;

/// Gateway that a host name, or every host name of a pattern, routes to.
#[derive(Debug, Clone)]
pub struct HostRoute {
    /// Virtual cluster of the gateway.
    pub cluster: Arc<ClusterContext>,
    /// The gateway.
    pub gateway: Arc<GatewayContext>,
    /// Sessions of the whole gateway while its target stays the same.
    pub tracker: Arc<ConnectionTracker>,
}

impl HostRoute {
    /// The route to the gateway of `binding`.
    pub fn of(binding: &EndpointBinding) -> Self {
        Self {
            cluster: Arc::clone(&binding.cluster),
            gateway: Arc::clone(&binding.gateway),
            tracker: Arc::clone(&binding.tracker),
        }
    }

    /// Whether the route leads to the gateway of this tracker.
    fn is(&self, other: &Arc<ConnectionTracker>) -> bool {
        Arc::ptr_eq(&self.tracker, other)
    }

    fn binding(&self, node: NodeRole) -> EndpointBinding {
        EndpointBinding {
            cluster: Arc::clone(&self.cluster),
            gateway: Arc::clone(&self.gateway),
            node,
            tracker: Arc::clone(&self.tracker),
        }
    }
}

/// Change of one host name.
#[derive(Debug, Clone)]
pub enum RouteChange {
    /// Routes `host`, a name or pattern in lower case, to the gateway from now on.
    Set {
        /// Host name, or pattern with `$(nodeId)`.
        host: String,
        /// Gateway that it routes to.
        route: HostRoute,
    },
    /// Removes `host`, unless it already routes to another gateway than `tracker`'s.
    Remove {
        /// Host name, or pattern with `$(nodeId)`.
        host: String,
        /// Tracker of the gateway that it routed to.
        tracker: Arc<ConnectionTracker>,
    },
}

impl RouteChange {
    /// Whether the change removes a host name.
    pub fn is_removal(&self) -> bool {
        matches!(self, Self::Remove { .. })
    }
}

/// Time for which a removed host name still routes: for clients that connected before the removal and send their
/// ClientHello after it.
const ROUTE_GRACE: Duration = Duration::from_secs(15);

#[derive(Debug, Default)]
struct Routes {
    known: HashMap<String, HostRoute>,
    /// Removed routes, with the time of the removal.
    gone: HashMap<String, (HostRoute, Instant)>,
}

/// Host names of one listener. Locked for each handshake and each change, never per frame; the cost of a change does
/// not depend on the number of names.
#[derive(Debug, Default)]
pub struct HostRouter {
    routes: RwLock<Routes>,
    /// PROXY protocol settings, the same for all gateways of a listener: the header comes before the host name.
    proxy_protocol: ArcSwap<ProxyProtocol>,
}

impl HostRouter {
    /// Applies all changes at once; removals first, because a name may move from one gateway to another.
    pub fn apply(&self, changes: Vec<RouteChange>) {
        let now = Instant::now();
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        let Routes { known, gone } = &mut *routes;
        gone.retain(|_, (_, since)| since.elapsed() < ROUTE_GRACE);
        for change in &changes {
            if let RouteChange::Remove { host, tracker } = change
                && known.get(host).is_some_and(|route| route.is(tracker))
                && let Some(route) = known.remove(host)
            {
                gone.insert(host.clone(), (route, now));
            }
        }
        for change in changes {
            if let RouteChange::Set { host, route } = change {
                self.adopt(&route.gateway.proxy_protocol);
                known.insert(host, route);
            }
        }
    }

    fn adopt(&self, proxy_protocol: &ProxyProtocol) {
        if **self.proxy_protocol.load() != *proxy_protocol {
            self.proxy_protocol.store(Arc::new(proxy_protocol.clone()));
        }
    }

    /// PROXY protocol settings of connections to this listener.
    pub fn proxy_protocol(&self) -> Arc<ProxyProtocol> {
        self.proxy_protocol.load_full()
    }

    /// Whether no host name routes anywhere.
    pub fn is_empty(&self) -> bool {
        self.read().known.is_empty()
    }

    /// The target of `host`, in lower case. An exact name has priority over patterns, and among patterns the one with
    /// the leftmost node id.
    pub fn lookup(&self, host: &str) -> Option<EndpointBinding> {
        let routes = self.read();
        find(host, |name| routes.known.get(name))
    }

    /// The target that a removed `host` had when the connection `arrived`. Such a client is accepted and drained, as
    /// if it had been quicker: after an alert it might never come back.
    pub fn lookup_gone(&self, host: &str, arrived: Instant) -> Option<EndpointBinding> {
        let routes = self.read();
        let then = |name: &str| routes.gone.get(name).filter(|(_, since)| *since >= arrived);
        find(host, |name| then(name).map(|(route, _)| route))
    }

    /// The known name or pattern nearest to an unknown one, among names of similar length. Names are compared without
    /// a lock, so a reload does not wait for it.
    pub fn nearest(&self, host: &str) -> Option<String> {
        let names = candidates(host, self.read().known.keys());
        let distance = |known: &String| strsim::osa_distance(known, host);
        names.into_iter().min_by_key(distance)
    }

    fn read(&self) -> RwLockReadGuard<'_, Routes> {
        self.routes.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names worth comparing with `host`, among the first [`MAX_SCANNED_NAMES`].
fn candidates<'n>(host: &str, known: impl Iterator<Item = &'n String>) -> Vec<String> {
    let band = LENGTH_TOLERANCE + host.len() / 4;
    known
        .take(MAX_SCANNED_NAMES)
        .filter(|name| name.len().abs_diff(host.len()) <= band)
        .take(MAX_COMPARED_NAMES)
        .cloned()
        .collect()
}

fn find<'r>(host: &str, known: impl Fn(&str) -> Option<&'r HostRoute>) -> Option<EndpointBinding> {
    let host = host.strip_suffix('.').unwrap_or(host);
    if let Some(route) = known(host) {
        return Some(route.binding(NodeRole::Bootstrap));
    }
    NodeHostPattern::matching(host)
        .find_map(|(id, pattern)| Some(known(pattern.as_str())?.binding(NodeRole::Node(id))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_compared_with_an_unknown_one_are_few_and_of_about_its_length() {
        let known: Vec<String> = (0..10_000)
            .map(|n| format!("cluster-{n}.{}", "x".repeat(n % 250)))
            .collect();
        for length in [1, 60, 250] {
            let host = "h".repeat(length);
            let found = candidates(&host, known.iter());
            assert!(!found.is_empty() && found.len() <= MAX_COMPARED_NAMES);
            let near = |name: &String| name.len().abs_diff(length) <= LENGTH_TOLERANCE + length / 4;
            assert!(found.iter().all(near), "{length}: {found:?}");
        }
        assert!(candidates("h", known.iter().skip(200).take(40)).is_empty());
    }
}
