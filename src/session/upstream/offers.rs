//! What the brokers of a cluster offer (ApiVersions), for clients that ask before there is a broker connection.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::login::LoginAs;
use super::{ConnectError, Greeting, ProxyPreamble, Upstream, UpstreamTarget};
use crate::session::context::NodeRole;
use crate::session::probe;

/// Number of brokers that are asked at the same time.
const MOST_ASKING: usize = 4;

/// Age up to which a failure also serves later callers.
const FAILURE_TTL: Duration = Duration::from_millis(500);

/// Most failures that are kept.
const MOST_FAILURES: usize = 256;

/// Body of an answer to ApiVersions, as the broker gave it.
pub type OfferBody = Arc<[u8]>;

/// What a client was answered to ApiVersions, cut to what kproxy can forward.
#[derive(Debug, PartialEq, Eq)]
pub struct Promise {
    /// Version of its request.
    pub version: i16,
    /// Body of the answer.
    pub body: Box<[u8]>,
}

/// Most promises that sessions share.
const MOST_SHARED: usize = 32;

/// The newest answers of the brokers, by node and by the version of the request.
#[derive(Debug)]
pub struct BrokerOffers {
    state: Mutex<OfferState>,
    turn: Semaphore,
}

#[derive(Debug, Default)]
struct OfferState {
    bodies: HashMap<(NodeRole, i16), OfferBody>,
    failures: HashMap<NodeRole, (Instant, String)>,
    /// The cluster id that a broker has accepted, and one that a broker has refused (KIP-1242).
    accepted_cluster: Option<Box<[u8]>>,
    refused_cluster: Option<Box<[u8]>>,
    /// What clients were answered, so that sessions share it.
    promises: VecDeque<Arc<Promise>>,
}

impl Default for BrokerOffers {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            turn: Semaphore::new(MOST_ASKING),
        }
    }
}

impl BrokerOffers {
    fn state(&self) -> MutexGuard<'_, OfferState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores what a broker answers to a request of this version.
    pub fn learn(&self, node: NodeRole, version: i16, body: OfferBody) {
        let mut state = self.state();
        state.failures.remove(&node);
        state.bodies.insert((node, version), body);
    }

    /// What a client is answered to a request of this version, shared with the sessions that were answered the same.
    pub fn promise(&self, version: i16, body: &[u8]) -> Arc<Promise> {
        let mut state = self.state();
        let is_same = |known: &&Arc<Promise>| known.version == version && *known.body == *body;
        if let Some(known) = state.promises.iter().find(is_same) {
            return Arc::clone(known);
        }
        if state.promises.len() >= MOST_SHARED {
            state.promises.pop_front();
        }
        let new = Arc::new(Promise {
            version,
            body: body.into(),
        });
        state.promises.push_back(Arc::clone(&new));
        new
    }

    /// Stores whether a broker accepts this cluster id.
    pub fn learn_cluster(&self, cluster: &[u8], is_accepted: bool) {
        let mut state = self.state();
        match is_accepted {
            true => state.accepted_cluster = Some(cluster.into()),
            false => state.refused_cluster = Some(cluster.into()),
        }
    }

    /// Whether a client that expects this cluster has come to the wrong one, as far as is known.
    pub fn is_other_cluster(&self, cluster: &[u8]) -> bool {
        let state = self.state();
        match state.accepted_cluster.as_deref() {
            Some(accepted) => accepted != cluster,
            None => state.refused_cluster.as_deref() == Some(cluster),
        }
    }

    /// Removes what is known of nodes that the cluster no longer has.
    pub fn retain(&self, has: impl Fn(i32) -> bool) {
        let is_known = |node: &NodeRole| node.id().is_none_or(&has);
        let mut state = self.state();
        state.bodies.retain(|(node, _), _| is_known(node));
        state.failures.retain(|node, _| is_known(node));
    }

    fn known(&self, node: NodeRole, version: i16) -> Option<OfferBody> {
        self.state().bodies.get(&(node, version)).cloned()
    }

    fn recent_failure(&self, node: NodeRole) -> Option<String> {
        let state = self.state();
        let (at, why) = state.failures.get(&node)?;
        (at.elapsed() < FAILURE_TTL).then(|| why.clone())
    }

    fn note_failure(&self, node: NodeRole, why: String) {
        let mut state = self.state();
        if state.failures.len() >= MOST_FAILURES {
            state.failures.clear();
        }
        state.failures.insert(node, (Instant::now(), why));
    }
}

impl UpstreamTarget {
    /// What the broker of a node answers to an ApiVersions request of this version: the newest answer that is known, else
    /// that of a connection of kproxy's own. A crowd of clients of a broker that is down causes few attempts.
    ///
    /// # Errors
    /// [`ConnectError`] if there is no such connection.
    pub async fn offer(
        &self,
        node: NodeRole,
        version: i16,
        timeout: Duration,
        preamble: &ProxyPreamble,
    ) -> Result<OfferBody, ConnectError> {
        if let Some(known) = self.offers.known(node, version) {
            return Ok(known);
        }
        // The semaphore is never closed.
        let _turn = self.offers.turn.acquire().await;
        if let Some(known) = self.offers.known(node, version) {
            return Ok(known);
        }
        if let Some(why) = self.offers.recent_failure(node) {
            return Err(ConnectError::Local(io::Error::other(why)));
        }
        let asked = self.ask_for_offer(node, version, timeout, preamble).await;
        match &asked {
            Ok(body) => self.offers.learn(node, version, Arc::clone(body)),
            Err(error) => self.offers.note_failure(node, error.to_string()),
        }
        asked
    }

    async fn ask_for_offer(
        &self,
        node: NodeRole,
        version: i16,
        timeout: Duration,
        preamble: &ProxyPreamble,
    ) -> Result<OfferBody, ConnectError> {
        let upstream = self.reach_unauthenticated(node, timeout, &preamble.own).await?;
        let told = tokio::time::timeout(timeout, probe::offers(upstream.stream, version)).await;
        let told = told.unwrap_or(Err(probe::ProbeError::TimedOut));
        told.map(Into::into).map_err(ConnectError::Topology)
    }
}

impl UpstreamTarget {
    /// A connection to the broker of a node, or to any where that is not known: what one offers is a good guess at what
    /// another does. Nobody logs in.
    async fn reach_unauthenticated(
        &self,
        node: NodeRole,
        timeout: Duration,
        header: &[u8],
    ) -> Result<Upstream, ConnectError> {
        let known = match node {
            NodeRole::Bootstrap => None,
            NodeRole::Node(node) => {
                if self.topology.address(node).is_none() {
                    // Without an answer any broker has to do.
                    drop(self.discover(timeout, true, header).await);
                }
                self.topology.address(node)
            }
        };
        let greeting = Greeting::own(header, LoginAs::Nobody);
        if let Some(address) = &known {
            return self.dial(address, timeout, greeting).await;
        }
        self.connect_any(timeout, greeting).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_answer_of_a_node_and_version_is_kept() {
        let offers = BrokerOffers::default();
        offers.learn(NodeRole::Node(1), 3, [1].into());
        offers.learn(NodeRole::Node(1), 3, [2].into());
        assert_eq!(offers.known(NodeRole::Node(1), 3).as_deref(), Some(&[2][..]));
        assert!(offers.known(NodeRole::Node(1), 4).is_none());
        assert!(offers.known(NodeRole::Bootstrap, 3).is_none());
        offers.retain(|node| node == 2);
        assert!(offers.known(NodeRole::Node(1), 3).is_none());
    }

    #[test]
    fn another_cluster_is_one_that_no_broker_has_accepted() {
        let offers = BrokerOffers::default();
        assert!(!offers.is_other_cluster(b"a"), "nothing is known");
        offers.learn_cluster(b"b", false);
        assert!(offers.is_other_cluster(b"b") && !offers.is_other_cluster(b"a"));
        offers.learn_cluster(b"a", true);
        assert!(offers.is_other_cluster(b"c") && !offers.is_other_cluster(b"a"));
    }
}
