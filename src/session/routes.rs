//! What a listener means; and which gateway a host name means, on an address that several share.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use super::context::{ClusterContext, EndpointBinding, GatewayContext, NodeRole, ProcessContext};
use crate::drain::ConnectionTracker;
use crate::model::ProxyProtocol;

/// What stands for the node id in a pattern.
const NODE_ID: &str = "$(nodeId)";

/// What a listener means just now.
#[derive(Debug, Clone)]
pub enum ListenerTarget {
    /// All that arrives is for one endpoint.
    Endpoint(EndpointBinding),
    /// The host name in the TLS hello says what it is for.
    Hosts {
        router: Arc<HostRouter>,
        process: Arc<ProcessContext>,
    },
}

/// Names that are compared to find the nearest, and those that are looked at to find names of about the right length. A
/// stranger who asks for a name that does not exist must not cost much.
const MAX_COMPARED_NAMES: usize = 64;
const MAX_SCANNED_NAMES: usize = 4096;

/// How much longer or shorter the nearest may be, beside a quarter: a pattern has `$(nodeId)` for a digit.
const LENGTH_TOLERANCE: usize = 16;

/// Where a host name, or all that a pattern of them matches, leads.
#[derive(Debug, Clone)]
pub struct HostRoute {
    pub cluster: Arc<ClusterContext>,
    pub gateway: Arc<GatewayContext>,
    /// The sessions of the whole gateway, for as long as it means the same.
    pub tracker: Arc<ConnectionTracker>,
}

impl HostRoute {
    /// The gateway that an endpoint belongs to.
    pub fn of(binding: &EndpointBinding) -> Self {
        Self {
            cluster: Arc::clone(&binding.cluster),
            gateway: Arc::clone(&binding.gateway),
            tracker: Arc::clone(&binding.tracker),
        }
    }

    /// Whether both lead to the same, so that one may be taken for the other.
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

/// A change of one name.
#[derive(Debug, Clone)]
pub enum RouteChange {
    /// From now on `host`, a name or a pattern in lower case, leads there.
    Set { host: String, route: HostRoute },
    /// It leads nowhere any more, unless it already leads elsewhere than to `tracker`'s gateway.
    Remove {
        host: String,
        tracker: Arc<ConnectionTracker>,
    },
}

impl RouteChange {
    pub fn is_removal(&self) -> bool {
        matches!(self, Self::Remove { .. })
    }
}

/// How long a name that is gone is remembered: for whoever was connected before it went and says only now for whom.
const ROUTE_GRACE: Duration = Duration::from_secs(15);

#[derive(Debug, Default)]
struct Routes {
    known: HashMap<String, HostRoute>,
    /// Since when they lead nowhere.
    gone: HashMap<String, (HostRoute, Instant)>,
}

/// The names of one address. Locked for each handshake and for each change, never per frame; a change costs what it
/// changes, however many names there are.
#[derive(Debug, Default)]
pub struct HostRouter {
    routes: RwLock<Routes>,
    /// The same for all gateways of an address: the header comes before the name.
    proxy_protocol: ArcSwap<ProxyProtocol>,
}

impl HostRouter {
    /// Makes all changes at once; removals first, because a name may move from one gateway to another.
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

    /// How connections to this address begin.
    pub fn proxy_protocol(&self) -> Arc<ProxyProtocol> {
        self.proxy_protocol.load_full()
    }

    /// Whether no name leads anywhere.
    pub fn is_empty(&self) -> bool {
        self.read().known.is_empty()
    }

    /// What `host`, in lower case, means. A name that is given as such comes before patterns; of those, the one whose
    /// id stands furthest left.
    pub fn lookup(&self, host: &str) -> Option<EndpointBinding> {
        let routes = self.read();
        find(host, |name| routes.known.get(name))
    }

    /// What `host` meant when a connection `arrived`. Whoever came then is taken in and asked to leave, as those who were
    /// quicker are: an alert would tell its client never to come back.
    pub fn lookup_gone(&self, host: &str, arrived: Instant) -> Option<EndpointBinding> {
        let routes = self.read();
        let then = |name: &str| routes.gone.get(name).filter(|(_, since)| *since >= arrived);
        find(host, |name| then(name).map(|(route, _)| route))
    }

    /// A known name or pattern that is nearest to one that is not known, among those of about its length. The names are
    /// compared when nothing is locked any more: a reload does not wait for it.
    pub fn nearest(&self, host: &str) -> Option<String> {
        let names = candidates(host, self.read().known.keys());
        let distance = |known: &String| strsim::osa_distance(known, host);
        names.into_iter().min_by_key(distance)
    }

    fn read(&self) -> RwLockReadGuard<'_, Routes> {
        self.routes.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The names that are worth comparing with `host`, out of the first `MAX_SCANNED_NAMES`.
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
    ids(host).find_map(|(id, pattern)| Some(known(&pattern)?.binding(NodeRole::Node(id))))
}

/// Every way to take a number in `host` for a node id, with the pattern that would have to be there.
fn ids(host: &str) -> impl Iterator<Item = (i32, String)> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let start = at + host[at..].find(|c: char| c.is_ascii_digit())?;
            let rest = &host[start..];
            let len = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            at = start + len;
            let digits = &rest[..len];
            // As we write them: 007 is nobody's id.
            let id = digits.parse::<i32>().ok().filter(|id| id.to_string() == digits);
            if let Some(id) = id {
                return Some((id, format!("{}{NODE_ID}{}", &host[..start], &host[at..])));
            }
        }
    })
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

    #[test]
    fn every_number_may_be_an_id_if_it_is_written_as_one() {
        let found: Vec<(i32, String)> = ids("b-12.rack3.k007.x99999999999").collect();
        assert_eq!(
            found,
            [
                (12, "b-$(nodeId).rack3.k007.x99999999999".to_owned()),
                (3, "b-12.rack$(nodeId).k007.x99999999999".to_owned()),
            ]
        );
        assert_eq!(ids("no.digits").count(), 0);
        assert_eq!(ids("0").next(), Some((0, "$(nodeId)".to_owned())));
    }
}
