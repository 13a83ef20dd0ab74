//! The way to the brokers of one target cluster.

mod dial;
pub mod health;
mod race;
mod silent;

use std::borrow::Cow;
use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashSet};
use std::hash::BuildHasher;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use super::cause::{CloseCause, Fault};
use super::own::OwnListeners;
use super::probe::{self, Discovery, ProbeError};
use super::topology::{NodeAddresses, Topology};
use super::transport::Stream;
use crate::model::{AllowedBrokers, BootstrapSelection, HostPort, TargetCluster};
use crate::tls::{Failure, TlsError, UpstreamContext};

pub use dial::prepare;
use health::{Health, Record, Success};
pub use race::EXTRA_ATTEMPTS;
use race::{DialAttempt, Race};
use silent::SilentPeers;

/// How long it is believed that brokers are where an answer that passed by said they are.
const TOPOLOGY_TTL: Duration = Duration::from_secs(10);

/// One target cluster: where to begin, and what has been learned of it.
#[derive(Debug)]
pub struct UpstreamTarget {
    bootstrap_servers: Vec<HostPort>,
    tls: Option<ArcSwap<UpstreamContext>>,
    /// As in the model, until it is changed.
    random: AtomicBool,
    pub topology: Arc<Topology>,
    health: Health,
    discovery: Discovery,
    /// Where the next connection begins in the list of bootstrap servers.
    next: AtomicUsize,
    hasher: RandomState,
    /// `allowedBrokers`, until it is changed.
    allowed: ArcSwap<AllowedBrokers>,
    own: Arc<OwnListeners>,
    silent_servers: SilentPeers<HostPort>,
    silent_addresses: SilentPeers<SocketAddr>,
}

/// A connected broker.
pub struct Upstream {
    pub stream: Stream,
    /// As configured or as the broker said of itself.
    pub address: HostPort,
}

/// Why there is no connection to the broker that a client wants.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("{address}: {source}")]
    Unreachable { address: HostPort, source: io::Error },
    #[error("{address}: {failure}")]
    Tls { address: HostPort, failure: Failure },
    /// An address that is never connected to.
    #[error("{address} leads to {dialled}: {why}")]
    Refused {
        address: HostPort,
        dialled: SocketAddr,
        cause: CloseCause,
        why: Cow<'static, str>,
    },
    #[error("no broker has node id {node}; the target cluster has {known:?}")]
    UnknownNode { node: i32, known: Vec<i32> },
    #[error("the topology could not be learned: {0}")]
    Topology(#[from] ProbeError),
    #[error("the session cannot be set up here: {0}")]
    Local(io::Error),
}

impl ConnectError {
    /// What went wrong, without the address.
    fn reason(&self) -> String {
        match self {
            Self::Unreachable { source, .. } => source.to_string(),
            Self::Tls { failure, .. } => failure.to_string(),
            Self::Refused { dialled, why, .. } => format!("it leads to {dialled}: {why}"),
            Self::Topology(_) | Self::UnknownNode { .. } | Self::Local(_) => self.to_string(),
        }
    }

    /// Why a session ends that cannot do without.
    pub fn cause(&self) -> CloseCause {
        match self {
            Self::Topology(ProbeError::Named { cause, .. }) | Self::Refused { cause, .. } => *cause,
            Self::Unreachable { .. } | Self::Topology(_) => CloseCause::UpstreamUnreachable,
            Self::Tls { failure, .. } => Fault::tls(failure).cause,
            Self::UnknownNode { .. } => CloseCause::NodeUnknown,
            Self::Local(_) => CloseCause::Local,
        }
    }
}

/// What a connection to a broker begins with, before TLS.
#[derive(Debug, Clone, Default)]
pub struct ProxyPreamble {
    /// For whom kproxy connects, as a PROXY protocol header; empty: nothing.
    pub session: Vec<u8>,
    /// The same for connections of kproxy's own.
    pub own: Vec<u8>,
}

/// The brokers of a cluster, as one of them tells them.
type AskedBrokers = Result<Vec<(i32, HostPort)>, ProbeError>;

/// The broker for a client that came to the port of a node.
pub enum NodeUpstream {
    /// The broker itself.
    Broker(Upstream),
    /// A bootstrap server: the cluster demands authentication before it tells where the node is, so the client's
    /// own authenticated connection has to ask.
    LearnFrom(Upstream),
}

impl UpstreamTarget {
    /// `remembered` is what an earlier run learned; `changed` is told when more is learned; nobody of `own` is ever
    /// connected to.
    ///
    /// # Errors
    /// When the model's TLS settings cannot be used.
    pub fn new(
        model: TargetCluster,
        remembered: NodeAddresses,
        changed: Arc<Notify>,
        own: Arc<OwnListeners>,
    ) -> Result<Self, TlsError> {
        Ok(Self {
            tls: match &model.tls {
                Some(tls) => Some(ArcSwap::from_pointee(UpstreamContext::new(tls)?)),
                None => None,
            },
            random: AtomicBool::new(model.selection == BootstrapSelection::Random),
            bootstrap_servers: model.bootstrap_servers,
            topology: Arc::new(Topology::new(remembered, changed)),
            health: Health::default(),
            discovery: Discovery::default(),
            next: AtomicUsize::new(0),
            hasher: RandomState::new(),
            allowed: ArcSwap::from_pointee(model.allowed_brokers),
            own,
            silent_servers: SilentPeers::default(),
            silent_addresses: SilentPeers::default(),
        })
    }

    /// Whether its brokers speak TLS.
    pub fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// From now on handshakes with brokers go by `context`, where they speak TLS. Connections that are there stay.
    pub fn switch_tls(&self, context: Arc<UpstreamContext>) {
        if let Some(tls) = &self.tls {
            tls.store(context);
        }
    }

    /// What is known of how its brokers answer, of those that were tried: bootstrap servers, and those that answers
    /// have named.
    pub fn records<'k>(&self, known: &'k HashSet<HostPort>) -> BTreeMap<&'k HostPort, Record> {
        self.health.of(known)
    }

    /// Whether a broker failed at the newest attempt; also one that is not known any more.
    pub fn is_any_failing(&self) -> bool {
        self.health.is_any_failing()
    }

    /// The addresses of all brokers that are known: bootstrap servers, and those that answers have named.
    pub fn known(&self) -> HashSet<HostPort> {
        let learned = self.topology.snapshot();
        self.bootstrap_servers
            .iter()
            .chain(learned.values())
            .cloned()
            .collect()
    }

    /// Notes that a broker has answered a request.
    fn answered(&self, address: &HostPort) {
        self.health.succeeded(address, Success::Answered, || self.known());
    }

    /// Notes that a connection which was made after `since` has brought answers.
    pub fn answered_after(&self, address: &HostPort, since: Instant) {
        self.health.answered_after(address, since);
    }

    /// Notes that a broker can be connected to, and does behind that what no broker does.
    pub fn misbehaved(&self, address: &HostPort, cause: CloseCause, detail: &str) {
        self.health
            .failed(address, (cause, detail), true, || self.known());
    }

    /// Asks the broker at `address` for its API versions, to see whether it answers, and notes what came of it.
    ///
    /// # Errors
    /// Why it does not, in words.
    pub async fn try_out(
        &self,
        address: &HostPort,
        timeout: Duration,
        preamble: &[u8],
    ) -> Result<(), String> {
        let upstream = match self.dial(address, timeout, preamble).await {
            Ok(upstream) => upstream,
            Err(error) => return Err(error.reason()),
        };
        let asked = tokio::time::timeout(timeout, probe::answers(upstream.stream));
        match asked.await.unwrap_or(Err(ProbeError::TimedOut)) {
            Ok(()) => {
                self.answered(address);
                Ok(())
            }
            Err(error) => {
                let reason = format!("no answer to ApiVersions: {error}");
                self.misbehaved(address, error.cause(), &reason);
                Err(reason)
            }
        }
    }

    /// The servers it begins with.
    pub fn bootstrap_servers(&self) -> &[HostPort] {
        &self.bootstrap_servers
    }

    /// Which brokers are connected to from now on. Connections that are there stay.
    pub fn allow(&self, allowed: &AllowedBrokers) {
        if **self.allowed.load() != *allowed {
            self.allowed.store(Arc::new(allowed.clone()));
        }
    }

    /// How the next bootstrap servers are picked.
    pub fn select(&self, selection: BootstrapSelection) {
        let random = selection == BootstrapSelection::Random;
        self.random.store(random, Ordering::Relaxed);
    }

    /// The bootstrap servers, beginning with the one whose turn it is; those that did not answer lately come last.
    fn servers(&self) -> Vec<HostPort> {
        let servers = &self.bootstrap_servers;
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let first = if self.random.load(Ordering::Relaxed) {
            usize::try_from(self.hasher.hash_one(turn) >> 1).unwrap_or(turn)
        } else {
            turn
        } % servers.len().max(1);
        let mut servers = [&servers[first..], &servers[..first]].concat();
        self.silent_servers.last(&mut servers);
        servers
    }

    /// Connects to a bootstrap server: the first that answers, where each begins a moment after the one before it.
    ///
    /// # Errors
    /// That of the last to fail, when none answers.
    pub async fn connect_bootstrap(
        &self,
        timeout: Duration,
        preamble: &ProxyPreamble,
    ) -> Result<Upstream, ConnectError> {
        let servers = self.servers();
        let attempt = |server| Box::pin(self.reach(server, timeout)) as DialAttempt<'_, _>;
        let mut race = Race::of(servers.iter().map(attempt).collect());
        let mut failed = ConnectError::Local(io::Error::other("no bootstrap servers"));
        while let Some(reached) = race.next().await {
            match self.finish(reached, timeout, &preamble.session).await {
                Ok(upstream) => return Ok(upstream),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// Connects to node `node` and no other.
    ///
    /// An address that is not known, or at which nobody listens any more, is asked for once. All of it together
    /// takes no longer than `timeout` for each address that is tried.
    ///
    /// # Errors
    /// When the node does not exist, or cannot be reached.
    pub async fn connect_node(
        &self,
        node: i32,
        timeout: Duration,
        preamble: &ProxyPreamble,
    ) -> Result<NodeUpstream, ConnectError> {
        let known = self.topology.address(node);
        let mut failed = None;
        if let Some(address) = &known {
            match self.dial(address, timeout, &preamble.session).await {
                Ok(upstream) => return Ok(NodeUpstream::Broker(upstream)),
                Err(error @ ConnectError::Local(_)) => return Err(error),
                Err(error) => failed = Some(error),
            }
        }
        match self.discover(timeout, failed.is_none(), &preamble.own).await {
            Ok(()) => {}
            // Its own connection has to ask, unless the cluster has just said that the broker is where it is not
            // reached: then there is nothing to learn, and the client should not authenticate for it.
            Err(ProbeError::AuthenticationRequired)
                if known.is_none() || !self.topology.confirmed_within(TOPOLOGY_TTL) =>
            {
                return Ok(NodeUpstream::LearnFrom(
                    self.connect_bootstrap(timeout, preamble).await?,
                ));
            }
            // The broker was known and is down: that is the news, not that nobody could be asked.
            Err(error) => return Err(failed.unwrap_or(ConnectError::Topology(error))),
        }
        match self.topology.address(node) {
            None => {
                let mut known: Vec<i32> = self.topology.snapshot().keys().copied().collect();
                known.sort_unstable();
                Err(ConnectError::UnknownNode { node, known })
            }
            // It is where it was, and there it could not be reached a moment ago.
            address if address == known => {
                Err(failed.unwrap_or(ConnectError::UnknownNode { node, known: vec![] }))
            }
            Some(address) => self
                .dial(&address, timeout, &preamble.session)
                .await
                .map(NodeUpstream::Broker),
        }
    }

    /// Learns the topology over a connection of kproxy's own. Callers at the same time share one attempt.
    async fn discover(
        &self,
        timeout: Duration,
        recent_will_do: bool,
        preamble: &[u8],
    ) -> Result<(), ProbeError> {
        self.discovery
            .run(recent_will_do, || async {
                let servers = self.servers();
                let attempt =
                    |server| Box::pin(self.ask(server, timeout, preamble)) as DialAttempt<'_, AskedBrokers>;
                let mut race = Race::of(servers.iter().map(attempt).collect());
                let mut failed = ProbeError::NoServers;
                while let Some(asked) = race.next().await {
                    match asked {
                        Ok(brokers) => {
                            self.topology.learn(&brokers);
                            self.topology.confirm();
                            return Ok(());
                        }
                        Err(error @ ProbeError::AuthenticationRequired) => return Err(error),
                        Err(error) => failed = error,
                    }
                }
                Err(failed)
            })
            .await
    }

    /// Asks one server for the brokers of its cluster.
    async fn ask(&self, server: &HostPort, timeout: Duration, preamble: &[u8]) -> AskedBrokers {
        let upstream = self.dial(server, timeout, preamble).await.map_err(Box::new)?;
        let asked = self.silent_servers.ask(server.clone());
        let told = tokio::time::timeout(timeout, probe::brokers(upstream.stream)).await;
        let told = told.unwrap_or(Err(ProbeError::TimedOut));
        if told.is_ok() {
            asked.answered();
        }
        told
    }
}
