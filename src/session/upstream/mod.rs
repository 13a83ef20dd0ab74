//! Connections to the brokers of one target cluster.

mod dial;
mod error;
mod forward_proxy;
mod greeting;
pub mod health;
pub mod login;
mod moves;
mod offers;
mod order;
mod race;
mod racks;
mod silent;

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use super::cause::CloseCause;
use super::own::OwnListeners;
use super::probe::{self, Discovery, ListedCluster, ProbeError};
use super::topology::{ClusterId, NodeAddresses, Topology};
use super::transport::{Detached, Stream};
use crate::model::{AllowedBrokers, BootstrapSelection, BrokerLogin, ForwardProxy, HostPort, TargetCluster};
use crate::tls::{TlsError, UpstreamContext};

pub use dial::prepare;
pub use error::ConnectError;
pub use forward_proxy::open_tunnel;
use greeting::Greeting;
pub use greeting::ProxyPreamble;
use health::{Health, Record, Success};
use login::{LoggedIn, LoginAs, LoginContext};
pub use moves::MoveTurns;
pub use offers::{BrokerOffers, OfferBody, Promise};
pub use race::EXTRA_ATTEMPTS;
use race::{ConnectTime, DialAttempt, Race};
pub use racks::RackReader;
use racks::Racks;
use silent::SilentPeers;

/// Time for which an answer's broker addresses count as confirmed.
const TOPOLOGY_TTL: Duration = Duration::from_secs(10);

/// One target cluster: its bootstrap servers, and what has been learned about its brokers.
#[derive(Debug)]
pub struct UpstreamTarget {
    bootstrap_servers: Vec<HostPort>,
    /// Forward proxy on the way to its brokers.
    via: Option<ArcSwap<ForwardProxy>>,
    tls: Option<ArcSwap<UpstreamContext>>,
    login: Option<ArcSwap<LoginContext>>,
    /// How bootstrap servers are picked.
    selection: ArcSwap<BootstrapSelection>,
    racks: Racks,
    /// Learned addresses of its brokers.
    pub topology: Arc<Topology>,
    /// What its brokers offer.
    pub offers: BrokerOffers,
    /// The turns of sessions that move to it.
    pub moves: MoveTurns,
    health: Health,
    discovery: Discovery,
    /// Position of the next connection in the list of bootstrap servers.
    next: AtomicUsize,
    hasher: RandomState,
    /// The rules of `allowedBrokers`.
    allowed: ArcSwap<AllowedBrokers>,
    own: Arc<OwnListeners>,
    silent_servers: SilentPeers<HostPort>,
    connect_time: ConnectTime,
    silent_addresses: SilentPeers<SocketAddr>,
}

/// A connection to a broker.
pub struct Upstream {
    /// The connection, TLS included.
    pub stream: Stream,
    /// Address as configured or as the broker advertises it.
    pub address: HostPort,
    /// The login of kproxy; `None` without one.
    pub logged_in: Option<LoggedIn>,
    /// The whole answer, without its size prefix, to [`ProxyPreamble::first_request`]; empty without one.
    pub first_answer: Vec<u8>,
}

/// A [`Upstream`] without a runtime, on its way from one thread to another.
pub struct DetachedUpstream {
    stream: Detached,
    address: HostPort,
    logged_in: Option<LoggedIn>,
    first_answer: Vec<u8>,
}

impl Upstream {
    /// Removes the socket from this thread's runtime.
    ///
    /// # Errors
    /// The error of the operating system.
    pub fn detach(self) -> io::Result<DetachedUpstream> {
        Ok(DetachedUpstream {
            stream: self.stream.detach()?,
            address: self.address,
            logged_in: self.logged_in,
            first_answer: self.first_answer,
        })
    }
}

impl DetachedUpstream {
    /// Adds the socket to this thread's runtime.
    ///
    /// # Errors
    /// The error of the operating system.
    pub fn attach(self) -> io::Result<Upstream> {
        Ok(Upstream {
            stream: self.stream.attach()?,
            address: self.address,
            logged_in: self.logged_in,
            first_answer: self.first_answer,
        })
    }
}

/// Brokers of a cluster, as one of them lists them.
type AskedBrokers = Result<ListedCluster, ProbeError>;

/// The connection for a client that came to the port of a node.
pub enum NodeUpstream {
    /// A connection to the node itself.
    Broker(Upstream),
    /// A connection to a bootstrap server: the cluster requires authentication before it lists its brokers, so the
    /// client's own authenticated connection has to ask.
    LearnFrom(Upstream),
}

impl UpstreamTarget {
    /// A target. `remembered` is what an earlier run learned; `changed` is notified when more is learned; addresses
    /// in `own` are never connected to.
    ///
    /// # Errors
    /// [`TlsError`] if the TLS settings of the model cannot be used.
    pub fn new(
        model: TargetCluster,
        remembered: NodeAddresses,
        changed: Arc<Notify>,
        own: Arc<OwnListeners>,
    ) -> Result<Self, TlsError> {
        Ok(Self {
            via: model.via.map(ArcSwap::new),
            tls: match &model.tls {
                Some(tls) => Some(ArcSwap::from_pointee(UpstreamContext::new(tls)?)),
                None => None,
            },
            login: model
                .login
                .map(|login| ArcSwap::from_pointee(LoginContext::new(login, None))),
            selection: ArcSwap::from_pointee(model.selection),
            racks: Racks::of(model.bootstrap_servers.len()),
            bootstrap_servers: model.bootstrap_servers,
            topology: Arc::new(Topology::new(remembered, changed)),
            offers: BrokerOffers::default(),
            moves: MoveTurns::default(),
            health: Health::default(),
            discovery: Discovery::default(),
            next: AtomicUsize::new(0),
            hasher: RandomState::new(),
            allowed: ArcSwap::from_pointee(model.allowed_brokers),
            own,
            silent_servers: SilentPeers::default(),
            connect_time: ConnectTime::default(),
            silent_addresses: SilentPeers::default(),
        })
    }

    /// Whether its brokers are connected to with TLS.
    pub fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Replaces the TLS settings for new connections; existing connections stay. Without effect on a plaintext
    /// target.
    pub fn switch_tls(&self, context: Arc<UpstreamContext>) {
        if let Some(tls) = &self.tls {
            tls.store(context);
        }
    }

    /// Replaces the credentials for the forward proxy, for new connections. Without effect on a target without one.
    pub fn renew_via(&self, model: Option<&Arc<ForwardProxy>>) {
        if let (Some(via), Some(model)) = (&self.via, model)
            && **via.load() != **model
        {
            via.store(Arc::clone(model));
        }
    }

    /// The credentials of kproxy; `None` if clients authenticate themselves.
    pub fn login(&self) -> Option<Arc<LoginContext>> {
        self.login.as_ref().map(ArcSwap::load_full)
    }

    /// Replaces the credentials for new logins; existing connections stay. Without effect on a target without credentials.
    pub fn renew_login(&self, model: Option<&Arc<BrokerLogin>>) {
        if let (Some(login), Some(model)) = (&self.login, model) {
            let current = login.load();
            if *current.model() != *model {
                login.store(Arc::new(LoginContext::new(Arc::clone(model), Some(&current))));
            }
        }
    }

    /// Health records of those brokers that were tried and are bootstrap servers or nodes, by address.
    pub fn records(&self, is_node: impl Fn(&HostPort) -> bool) -> Vec<(HostPort, Record)> {
        self.health
            .of(|address| self.bootstrap_servers.contains(address) || is_node(address))
    }

    /// Whether the newest attempt to reach any broker failed; includes brokers that are no longer known.
    pub fn is_any_failing(&self) -> bool {
        self.health.is_any_failing()
    }

    /// Addresses of all known brokers: bootstrap servers and learned ones.
    pub fn known(&self) -> HashSet<HostPort> {
        let learned = self.topology.snapshot();
        self.bootstrap_servers
            .iter()
            .chain(learned.values())
            .cloned()
            .collect()
    }

    /// Records that a broker has answered a request.
    fn answered(&self, address: &HostPort) {
        self.health.succeeded(address, Success::Answered, || self.known());
    }

    /// Records that a connection made after `since` has brought answers.
    pub fn answered_after(&self, address: &HostPort, since: Instant) {
        self.health.answered_after(address, since);
    }

    /// Records that a broker can be connected to, but then breaks the protocol.
    pub fn misbehaved(&self, address: &HostPort, cause: CloseCause, detail: &str) {
        self.health
            .failed(address, (cause, detail), true, || self.known());
    }

    /// Asks the broker at `address` for its API versions, to see whether it answers, and records the outcome.
    ///
    /// # Errors
    /// The reason why it does not answer, for the log.
    pub async fn try_out(
        &self,
        address: &HostPort,
        timeout: Duration,
        preamble: &[u8],
    ) -> Result<(), String> {
        let greeting = Greeting::own(preamble, LoginAs::Proxy);
        let upstream = match self.dial(address, timeout, greeting).await {
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

    /// Connects to the broker at `address`, TLS included, and closes the connection.
    ///
    /// # Errors
    /// The reason why it cannot be connected to, for the log.
    pub async fn try_connect(
        &self,
        address: &HostPort,
        timeout: Duration,
        preamble: &[u8],
    ) -> Result<(), String> {
        let greeting = Greeting::own(preamble, LoginAs::Nobody);
        let connected = self.dial(address, timeout, greeting).await;
        connected.map(drop).map_err(|error| error.reason())
    }

    /// The configured bootstrap servers.
    pub fn bootstrap_servers(&self) -> &[HostPort] {
        &self.bootstrap_servers
    }

    /// Replaces the rules of `allowedBrokers` for new connections; existing connections stay.
    pub fn allow(&self, allowed: &AllowedBrokers) {
        if **self.allowed.load() != *allowed {
            self.allowed.store(Arc::new(allowed.clone()));
        }
    }

    /// Connects to a bootstrap server: the first that answers, with staggered attempts (RFC 8305).
    ///
    /// # Errors
    /// The error of the last attempt if none succeeds.
    pub async fn connect_bootstrap(
        &self,
        timeout: Duration,
        preamble: &ProxyPreamble,
    ) -> Result<Upstream, ConnectError> {
        self.connect_any(timeout, preamble.of_session()).await
    }

    async fn connect_any(&self, timeout: Duration, greeting: Greeting<'_>) -> Result<Upstream, ConnectError> {
        let servers = self.servers();
        let attempt = |server| Box::pin(self.reach(server, timeout)) as DialAttempt<'_, _>;
        let race = Race::of(servers.iter().map(attempt).collect());
        let mut race = race.with_head_start(self.connect_time.head_start());
        let mut failed = ConnectError::Local(io::Error::other("no bootstrap servers"));
        while let Some(reached) = race.next().await {
            match self.finish(reached, timeout, greeting).await {
                Ok(upstream) => return Ok(upstream),
                // Another server would say the same, and count one more failed login.
                Err(error) if error.is_about_credentials() => return Err(error),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// Connects to node `node` and no other.
    ///
    /// An address that is unknown, or refuses connections, is looked up once. The call takes at most `timeout` for
    /// each address that is tried.
    ///
    /// # Errors
    /// [`ConnectError`] if the node does not exist or cannot be reached.
    pub async fn connect_node(
        &self,
        node: i32,
        timeout: Duration,
        preamble: &ProxyPreamble,
    ) -> Result<NodeUpstream, ConnectError> {
        let known = self.topology.address(node);
        let mut failed = None;
        if let Some(address) = &known {
            match self.dial(address, timeout, preamble.of_session()).await {
                Ok(upstream) => return Ok(NodeUpstream::Broker(upstream)),
                Err(error) if matches!(error, ConnectError::Local(_)) || error.is_about_credentials() => {
                    return Err(error);
                }
                Err(error) => failed = Some(error),
            }
        }
        match self.discover(timeout, failed.is_none(), &preamble.own).await {
            Ok(()) => {}
            // The client's own connection has to ask, unless the cluster has just confirmed the address that cannot
            // be reached: then there is nothing to learn, and the client should not authenticate for it.
            Err(ProbeError::AuthenticationRequired)
                if known.is_none() || !self.topology.confirmed_within(TOPOLOGY_TTL) =>
            {
                return Ok(NodeUpstream::LearnFrom(
                    self.connect_bootstrap(timeout, preamble).await?,
                ));
            }
            // The known broker is down: that is the more useful error.
            Err(error) => return Err(failed.unwrap_or(ConnectError::Topology(error))),
        }
        match self.topology.address(node) {
            None => {
                let mut known: Vec<i32> = self.topology.snapshot().keys().copied().collect();
                known.sort_unstable();
                Err(ConnectError::UnknownNode { node, known })
            }
            // The address is unchanged, and could not be reached a moment ago.
            address if address == known => {
                Err(failed.unwrap_or(ConnectError::UnknownNode { node, known: vec![] }))
            }
            Some(address) => self
                .dial(&address, timeout, preamble.of_session())
                .await
                .map(NodeUpstream::Broker),
        }
    }

    /// Learns the topology over a connection of kproxy's own. Concurrent callers share one attempt.
    async fn discover(
        &self,
        timeout: Duration,
        recent_will_do: bool,
        preamble: &[u8],
    ) -> Result<(), ProbeError> {
        self.discovery
            .run(recent_will_do, || async {
                let servers = self.servers();
                let connected: Vec<AtomicBool> = servers.iter().map(|_| AtomicBool::new(false)).collect();
                let attempt = |(server, connected)| {
                    Box::pin(self.ask(server, connected, timeout, preamble)) as DialAttempt<'_, AskedBrokers>
                };
                let attempts = servers.iter().zip(&connected).map(attempt).collect();
                let race = Race::of_questions(attempts, &connected);
                let mut race = race.with_head_start(self.connect_time.head_start());
                let mut failed = ProbeError::NoServers;
                while let Some(asked) = race.next().await {
                    match asked {
                        Ok(listed) => {
                            self.topology.learn(&listed.brokers);
                            if let Some(id) = &listed.id {
                                self.topology.note_cluster_id(id);
                            }
                            self.topology.confirm();
                            return Ok(());
                        }
                        Err(error @ ProbeError::AuthenticationRequired) => return Err(error),
                        Err(error) if error.is_about_credentials() => return Err(error),
                        Err(error) => failed = error,
                    }
                }
                Err(failed)
            })
            .await
    }

    /// Id of the Kafka cluster; a bootstrap server is asked if it is not known. `None`: it is not told.
    ///
    /// # Errors
    /// Why no server could be asked.
    pub async fn cluster_id(
        &self,
        timeout: Duration,
        preamble: &[u8],
    ) -> Result<Option<Arc<ClusterId>>, ProbeError> {
        if self.topology.cluster_id().is_none() {
            match self.discover(timeout, true, preamble).await {
                Ok(()) | Err(ProbeError::AuthenticationRequired) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.topology.cluster_id())
    }

    /// Asks one server for the brokers of its cluster, and sets `connected` once there is a connection to it.
    async fn ask(
        &self,
        server: &HostPort,
        connected: &AtomicBool,
        timeout: Duration,
        preamble: &[u8],
    ) -> AskedBrokers {
        let greeting = Greeting::own(preamble, LoginAs::Proxy);
        let reached = self.reach(server, timeout).await;
        connected.store(true, Ordering::Relaxed);
        let upstream = self.finish(reached, timeout, greeting).await.map_err(Box::new)?;
        let asked = self.silent_servers.ask(server.clone());
        let told = tokio::time::timeout(timeout, probe::brokers(upstream.stream, self.rack_reader())).await;
        let told = told.unwrap_or(Err(ProbeError::TimedOut));
        match &told {
            Ok(_) => asked.answered(),
            Err(ProbeError::TimedOut) => asked.failed(),
            Err(_) => asked.said_nothing(),
        }
        told
    }
}
