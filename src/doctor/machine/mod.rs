//! The process and its machine: what could stand in kproxy's way. [`observe`] looks, [`judge`] tells the findings.

mod files;
mod judge;
mod kernel;
mod stop;

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

pub use judge::judge;
pub use stop::StopSource;

use super::client::StepLimits;
use crate::control::ProxyStatus;
use crate::model::{HostPort, ProxyModel};
use crate::names::names;

/// Names that are looked up; further ones are left out.
const MAX_NAMES: usize = 256;

/// Look-ups at the same time.
const PARALLEL_LOOKUPS: usize = 16;

/// What is examined.
#[derive(Debug, Clone)]
pub struct MachinePlan {
    /// Status of the running process, or why there is none.
    pub status: Result<Box<ProxyStatus>, String>,
    /// The configuration; `None` where none is known.
    pub model: Option<Arc<ProxyModel>>,
    /// Files that the configuration refers to.
    pub files: Vec<PathBuf>,
    /// Path of the control socket.
    pub socket: PathBuf,
    /// Where the time is written that a supervisor gives a stop.
    pub stop: StopSource,
}

names! {
    /// What is looked at.
    pub enum MachineCheck {
        /// The running process.
        Process = "process",
        /// Limit of open files.
        Descriptors = "descriptors",
        /// File events.
        Inotify = "inotify",
        /// Ports that the kernel gives to outgoing connections.
        Ports = "ports",
        /// Length of the queue of new connections.
        Backlog = "backlog",
        /// A file with a secret.
        SecretFile = "secret_file",
        /// The control socket.
        ControlSocket = "control_socket",
        /// The state directory.
        StateDirectory = "state_directory",
        /// Look-up of a name.
        Name = "name",
        /// The clock.
        Clock = "clock",
        /// Time that a supervisor gives a stop.
        StopTime = "stop_time",
        /// Time of a drain against the time of a stop.
        DrainTime = "drain_time",
    }
}

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MachineFact {
    /// The process runs.
    Running {
        /// Process id.
        pid: u32,
        /// Generation that runs.
        generation: u64,
        /// Whether its file says what runs.
        in_sync: bool,
    },
    /// The limit of open files.
    Descriptors {
        /// Most open files.
        most: u64,
        /// Open files now, where that is known.
        open: Option<usize>,
        /// Client connections that the limit allows.
        room: usize,
        /// `maxConnections`.
        configured: Option<usize>,
    },
    /// Limits of file events; one instance could be made and one directory watched.
    Inotify {
        /// Most instances of a user.
        instances: u64,
        /// Most watches of a user.
        watches: u64,
    },
    /// Ports of the configuration that the kernel may give to others.
    Ports {
        /// Range of ports for outgoing connections.
        range: (u16, u16),
        /// Ports of the configuration in that range that are not reserved, as spans.
        taken: Vec<(u16, u16)>,
    },
    /// Longest queue of new connections.
    Backlog {
        /// Limit of the kernel.
        most: u64,
        /// What kproxy asks for.
        wanted: u64,
    },
    /// Permission bits of a file or directory.
    Mode(u32),
    /// The state directory.
    State {
        /// Permission bits.
        mode: u32,
        /// Whether the user of the process can write there.
        is_writable: bool,
        /// Free space in bytes.
        free: u64,
    },
    /// Number of addresses of a name.
    Resolved(usize),
    /// Whether the clock is synchronised.
    Clock(bool),
    /// Time for a stop.
    Stop {
        /// What the supervisor gives; `None` is no limit.
        given: Option<Duration>,
        /// What kproxy may need.
        needed: Duration,
    },
    /// Soft deadline of a drain, and the time of a stop.
    Drain {
        /// `drain.timeout`.
        drain: Duration,
        /// `shutdownTimeout`.
        stop: Duration,
    },
}

/// One look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineStep {
    /// What was looked at.
    pub check: MachineCheck,
    /// Path, name or setting.
    pub object: String,
    /// Time that it took.
    pub took: Duration,
    /// What was seen, or why it could not be looked at.
    pub fact: Result<MachineFact, String>,
}

/// Looks so far.
#[derive(Debug, Default)]
struct MachineLog {
    steps: Vec<MachineStep>,
}

impl MachineLog {
    fn look(
        &mut self,
        check: MachineCheck,
        object: impl Into<String>,
        look: impl FnOnce() -> Result<MachineFact, String>,
    ) {
        let began = Instant::now();
        let fact = look();
        self.steps.push(MachineStep {
            check,
            object: object.into(),
            took: began.elapsed(),
            fact,
        });
    }
}

/// The beginning of a file, as text.
fn text(file: &Path) -> io::Result<String> {
    const MOST: u64 = 1 << 20;
    let mut content = Vec::new();
    File::open(file)?.take(MOST).read_to_end(&mut content)?;
    Ok(String::from_utf8_lossy(&content).into_owned())
}

/// Looks at the process and its machine.
pub async fn observe(plan: &MachinePlan, limits: StepLimits) -> Vec<MachineStep> {
    let mut log = MachineLog::default();
    let status = plan.status.as_deref().ok();
    log.look(MachineCheck::Process, plan.socket.display().to_string(), || {
        let status = plan.status.as_deref().map_err(Clone::clone)?;
        Ok(MachineFact::Running {
            pid: status.pid,
            generation: status.generation,
            in_sync: status.config.in_sync,
        })
    });
    let model = plan.model.as_deref();
    kernel::observe(&mut log, status.map(|status| status.pid), model);
    files::observe(&mut log, plan, status.map(|status| status.pid));
    if let Some(model) = model {
        log.steps.extend(look_up(hosts(model), limits).await);
    }
    stop::observe(&mut log, plan, limits).await;
    log.steps
}

/// Names that clients and kproxy look up.
fn hosts(model: &ProxyModel) -> BTreeSet<String> {
    let mut hosts = BTreeSet::new();
    for cluster in model.clusters.values() {
        let target = &cluster.target;
        match &target.via {
            // The names behind it are looked up there.
            Some(via) => drop(hosts.insert(via.address.host.clone())),
            None => hosts.extend(target.bootstrap_servers.iter().map(|server| server.host.clone())),
        }
        for gateway in &cluster.gateways {
            let first = gateway.nodes.first().map_or(0, |node| node.node_id);
            hosts.insert(gateway.bootstrap_host.clone());
            hosts.insert(gateway.node_host_pattern.host(first));
        }
    }
    hosts.retain(|host| host.parse::<std::net::IpAddr>().is_err());
    hosts
}

async fn look_up(hosts: BTreeSet<String>, limits: StepLimits) -> Vec<MachineStep> {
    let turns = Arc::new(Semaphore::new(PARALLEL_LOOKUPS));
    let mut tasks = JoinSet::new();
    for host in hosts.into_iter().take(MAX_NAMES) {
        let turns = Arc::clone(&turns);
        tasks.spawn(async move {
            let _turn = turns.acquire_owned().await;
            let began = Instant::now();
            let address = HostPort { host, port: 1 };
            let found = limits.run(super::client::resolve(&address)).await;
            MachineStep {
                check: MachineCheck::Name,
                object: address.host,
                took: began.elapsed(),
                fact: found
                    .map(|found| MachineFact::Resolved(found.len()))
                    .map_err(|error| error.to_string()),
            }
        });
    }
    let mut steps = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        steps.extend(ended);
    }
    steps.sort_by(|one, other| one.object.cmp(&other.object));
    steps
}

impl fmt::Display for MachineFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running { pid, generation, .. } => write!(f, "process {pid}, generation {generation}"),
            Self::Descriptors { most, open, room, .. } => {
                write!(
                    f,
                    "at most {most} open files, enough for {room} client connections"
                )?;
                open.map_or(Ok(()), |open| write!(f, "; {open} are open"))
            }
            Self::Inotify { instances, watches } => {
                write!(f, "at most {instances} instances, {watches} watches")
            }
            Self::Ports {
                range: (first, last),
                taken,
            } => match taken.is_empty() {
                true => write!(f, "none between {first} and {last}"),
                false => write!(f, "{} between {first} and {last}", spans(taken)),
            },
            Self::Backlog { most, wanted } => write!(f, "at most {most}, kproxy asks for {wanted}"),
            Self::Mode(mode) => write!(f, "mode {mode:04o}"),
            Self::State { mode, free, .. } => write!(f, "mode {mode:04o}, {} MiB free", free >> 20),
            Self::Resolved(1) => f.write_str("1 address"),
            Self::Resolved(count) => write!(f, "{count} addresses"),
            Self::Clock(is_synchronised) => f.write_str(match is_synchronised {
                true => "synchronised",
                false => "not synchronised",
            }),
            Self::Stop { given, needed } => match given {
                Some(given) => write!(f, "{given:?} are given, {needed:?} may be needed"),
                None => write!(f, "no limit, {needed:?} may be needed"),
            },
            Self::Drain { drain, stop } => write!(f, "drains take up to {drain:?}, a stop takes {stop:?}"),
        }
    }
}

/// The first spans of ports as text.
fn spans(all: &[(u16, u16)]) -> String {
    const SHOWN: usize = 5;
    let one = |(first, last): &(u16, u16)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    let more = if all.len() > SHOWN { ", …" } else { "" };
    let shown: Vec<String> = all.iter().take(SHOWN).map(one).collect();
    format!("{}{more}", shown.join(", "))
}
