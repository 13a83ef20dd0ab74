//! A control thread that answers with made-up data, with the administration in front of it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use kproxy::admin::{Admin, AdminError, ManagementSettings, SocketPath};
use kproxy::config::Secret;
use kproxy::control::handle::{ControlCommand, ControlInbox, channel};
use kproxy::control::metrics::{
    ClusterMetrics, DrainCounters, MetricsSnapshot, ReloadCounters, UpstreamMetrics,
};
use kproxy::control::{
    ClientDetails, ClusterStatus, ConfigStatus, ConnectionFilter, ConnectionInfo, ControlHandle,
    GatewayStatus, NodeStatus, Observe, ProxyStatus, ReloadPhases, ReloadReport, ReloadRequest, ReloadSource,
    ShutdownPhase,
};
use kproxy::filter::FilterChain;
use kproxy::reload::{Outcome, Trigger};
use kproxy::session::context::NodeRole;
use kproxy::session::counters::ClusterCounters;
use testkit::wait::eventually;
use tokio::sync::mpsc;

pub(crate) const HOSTILE: &str = "a\"b\\c\n<i>";

/// What the fake says, to be changed by a test at any time.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) clusters: Vec<(String, Arc<ClusterCounters>)>,
    pub(crate) connections: Vec<ConnectionInfo>,
    /// Where the first cluster says it is bound.
    pub(crate) bound: SocketAddr,
    pub(crate) outcome: Outcome,
    /// Reloads it was asked for: by what, whether forced, which file.
    pub(crate) reloads: Vec<(Trigger, bool, Option<PathBuf>)>,
    pub(crate) filters: Vec<ConnectionFilter>,
    /// Client id and generation are heeded.
    pub(crate) filtering: bool,
}

pub(crate) struct Fake {
    pub(crate) facts: Arc<Mutex<Facts>>,
    pub(crate) handle: ControlHandle,
    pub(crate) inbox: ControlInbox,
}

impl Fake {
    pub(crate) fn start() -> Self {
        let (handle, mut inbox) = channel();
        inbox.set_ready(true);
        let facts = Arc::new(Mutex::new(Facts {
            clusters: vec![(HOSTILE.into(), Arc::default())],
            connections: Vec::new(),
            bound: (Ipv4Addr::LOCALHOST, 9192).into(),
            outcome: Outcome::Applied,
            reloads: Vec::new(),
            filters: Vec::new(),
            filtering: false,
        }));
        inbox.publish(Arc::new(Told(Arc::clone(&facts))));
        let mut commands = std::mem::replace(&mut inbox.commands, mpsc::channel(1).1);
        // Ends with the last handle.
        std::thread::spawn({
            let facts = Arc::clone(&facts);
            move || {
                while let Some(command) = commands.blocking_recv() {
                    match command {
                        ControlCommand::Shutdown => return,
                        // Those of a process that runs: see `tests/process/plan` and `tests/process/approval`.
                        ControlCommand::Plan(..)
                        | ControlCommand::ReloadUnconfirmed(..)
                        | ControlCommand::Confirm(..)
                        | ControlCommand::Stage(..)
                        | ControlCommand::Approve(..)
                        | ControlCommand::Staged(_) => {}
                        // The asker may have gone away.
                        ControlCommand::Reload(request, reply) => {
                            drop(reply.send(reload(request, &mut facts.lock().unwrap())));
                        }
                        // Nobody is steered here.
                        ControlCommand::Steer(..)
                        | ControlCommand::Log(..)
                        | ControlCommand::Rehearse(..) => {}
                        // Nothing happens here.
                        ControlCommand::Watch(reply) => drop(reply),
                    }
                }
            }
        });
        Self { facts, handle, inbox }
    }

    /// The administration in front of it: HTTP on a port of the operating system's choice.
    pub(crate) fn admin(&self, token: Option<&str>, socket: SocketPath) -> Result<Admin, AdminError> {
        let settings = ManagementSettings {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            token: token.map(Secret::new),
        };
        Admin::start(Some(settings), socket, self.handle.clone())
    }

    /// Changes what it says.
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut Facts) -> T) -> T {
        change(&mut self.facts.lock().unwrap())
    }

    /// The end of the control thread.
    pub(crate) fn end(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(self.handle.shut_down());
        eventually("the control thread has ended", || {
            runtime.block_on(self.handle.observed()).is_err()
        });
    }
}

/// Answers questions with what a test says.
#[derive(Debug)]
struct Told(Arc<Mutex<Facts>>);

impl Observe for Told {
    fn status(&self) -> ProxyStatus {
        status(&self.0.lock().unwrap())
    }

    fn metrics(&self) -> MetricsSnapshot {
        metrics(&self.0.lock().unwrap())
    }

    fn listeners(&self) -> Vec<SocketAddr> {
        vec![self.0.lock().unwrap().bound]
    }

    fn connections(&self, filter: &ConnectionFilter) -> Vec<ConnectionInfo> {
        let mut facts = self.0.lock().unwrap();
        facts.filters.push(filter.clone());
        let passes = |session: &&ConnectionInfo| {
            let of = |wanted: &Option<String>, id: &Option<String>| wanted.is_none() || wanted == id;
            let generation = filter.generation.unwrap_or(session.generation);
            !facts.filtering
                || (of(&filter.client_id, &session.client_id) && generation == session.generation)
        };
        facts.connections.iter().filter(passes).cloned().collect()
    }
}

fn status(facts: &Facts) -> ProxyStatus {
    let gateway = GatewayStatus {
        name: "main".into(),
        bootstrap: "localhost:9192".into(),
        bound: facts.bound.into(),
        nodes: vec![NodeStatus {
            id: 1,
            bound: facts.bound.into(),
            advertised: "localhost:9194".into(),
            upstream: None,
        }],
    };
    ProxyStatus {
        version: "9.9.9".into(),
        pid: 42,
        uptime_seconds: 61.5,
        generation: 3,
        management: None,
        log: None,
        config: ConfigStatus {
            path: Some("proxy.yaml".into()),
            hash: "ab12".into(),
            in_sync: true,
            ..ConfigStatus::default()
        },
        drains: Vec::new(),
        limits: Vec::new(),
        warnings: Vec::new(),
        probation: None,
        clusters: facts
            .clusters
            .iter()
            .map(|(name, _)| ClusterStatus {
                name: name.clone(),
                state: "serving".into(),
                generation: 3,
                connections: 2,
                in_flight: 1,
                drained: None,
                fence: None,
                paused: None,
                cause: None,
                filters: Vec::new(),
                gateways: vec![gateway.clone()],
                upstream: Vec::new(),
            })
            .collect(),
    }
}

fn metrics(facts: &Facts) -> MetricsSnapshot {
    let mut reloads = ReloadCounters::default();
    reloads.count(Outcome::Applied, Trigger::Start, Duration::from_millis(3));
    reloads.count(Outcome::Rejected, Trigger::Watch, Duration::from_millis(30));
    let mut drains = DrainCounters::default();
    drains.durations.observe(Duration::from_secs(2));
    MetricsSnapshot {
        shutdown_phases: ShutdownPhase::ALL.map(|phase| (phase.name(), Duration::ZERO)),
        generation: 3,
        config_hash: "ab12".into(),
        in_sync: true,
        last_reload_successful: false,
        last_success: SystemTime::UNIX_EPOCH + Duration::from_millis(1_500_500),
        reloads,
        rollbacks: vec![("latency", 2)],
        clusters: facts
            .clusters
            .iter()
            .map(|(name, counters)| ClusterMetrics {
                name: name.clone(),
                state: "serving",
                counters: Arc::clone(counters),
                drains: drains.clone(),
                filters: FilterChain::default(),
                tried_last: 0,
                upstream: vec![
                    UpstreamMetrics {
                        node: NodeRole::Bootstrap,
                        up: Some(false),
                        last_success: None,
                    },
                    UpstreamMetrics {
                        node: NodeRole::Node(1),
                        up: Some(true),
                        last_success: Some(SystemTime::UNIX_EPOCH + Duration::from_millis(2_500)),
                    },
                ],
            })
            .collect(),
        drains_running: 1,
        accept_errors: vec![("EMFILE", 4)],
        warnings: 5,
        limits: vec![("connections", true), ("buffers", false)],
        buffers_in_use_bytes: 77,
        filter_bytes_held: 0,
        certificates: vec![("tls/orders.crt".into(), 1_900_000_000)],
        tls_errors: vec![("unknown_server_name", 3)],
        unrouted: vec![("unknown_server_name", 2)],
    }
}

fn reload(request: ReloadRequest, facts: &mut Facts) -> ReloadReport {
    let file = match request.source {
        ReloadSource::File(file) => Some(file),
        _ => None,
    };
    facts.reloads.push((request.trigger, request.force, file));
    let applied = facts.outcome == Outcome::Applied;
    ReloadReport {
        outcome: facts.outcome,
        trigger: request.trigger,
        at: SystemTime::UNIX_EPOCH,
        duration: Duration::from_micros(12_500),
        by: request.by,
        phases: ReloadPhases::default(),
        generation: 4,
        added: if applied { vec!["payments".into()] } else { vec![] },
        errors: match facts.outcome {
            Outcome::Applied | Outcome::Unchanged | Outcome::Staged => vec![],
            _ => vec!["proxy.yaml:3:5: error: no such thing".into()],
        },
        ..ReloadReport::default()
    }
}

/// A session as `connections` shows it.
pub(crate) fn connection(id: u64, client_id: &str) -> ConnectionInfo {
    ConnectionInfo {
        id,
        cluster: "orders".into(),
        gateway: "main".into(),
        node: "bootstrap".into(),
        client: SocketAddr::from((Ipv4Addr::LOCALHOST, 4711)).into(),
        client_id: Some(client_id.into()),
        software: Some("apache-kafka-java 4.1.0".into()),
        generation: 3,
        in_flight: 1,
        age_seconds: 61.0,
        client_bytes: 2048,
        broker_bytes: 3,
        requests: 5,
        known: ClientDetails::default(),
        state: "open".into(),
    }
}
