//! Counters for limits that can be reached. The control thread reads them, logs once when a limit is reached and once
//! when there is room again, and shows reached limits in status and metrics.
//!
//! A counter costs two atomic additions each time its limit is met, and nothing while there is room.

use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use rustix::io::Errno;

/// Descriptors of the process, for accepting and for connections to brokers.
pub static DESCRIPTORS: LimitCounter = LimitCounter::new();

/// Memory for bytes that slow peers have not taken.
pub static BUFFERS: LimitCounter = LimitCounter::new();

/// Log lines that wait to be written.
pub static LOG_QUEUE: LimitCounter = LimitCounter::new();

/// Memory for frames that filters read.
pub static FILTER_MEMORY: LimitCounter = LimitCounter::new();

/// Sum over all counters, so that one load shows whether any limit was met.
static ALL_HITS: AtomicU64 = AtomicU64::new(0);

/// Number of times that any limit was met; a changed number means that one was met since.
pub fn total_hits() -> u64 {
    ALL_HITS.load(Ordering::Acquire)
}

macro_rules! limits {
    ($($(#[$doc:meta])* $variant:ident => $name:literal, $met:literal, $affected:literal, $advice:literal;)*) => {
        /// A limit that can be reached. The names are stable: dashboards and alerts are built on them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Limit { $($(#[$doc])* $variant,)* }

        impl Limit {
            /// All limits.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The metric label, also used in the log and in status.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What happens when the limit is reached.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $met,)* }
            }

            /// Unit of the number of affected things.
            pub fn unit(self) -> &'static str {
                match self { $(Self::$variant => $affected,)* }
            }

            /// What the operator can do.
            pub fn advice(self) -> &'static str {
                match self { $(Self::$variant => $advice,)* }
            }
        }
    };
}

limits! {
    /// Client connections of the process: `network.proxy.maxConnections`.
    Connections => "connections",
        "the process has reached its limit of client connections; further clients wait",
        "connections that waited",
        "raise `network.proxy.maxConnections`, or find the clients that hold so many";
    /// Client connections of a virtual cluster: `maxConnections`.
    ClusterConnections => "cluster_connections",
        "the virtual cluster has reached its limit of client connections; further clients wait",
        "connections that waited",
        "raise `maxConnections` of the virtual cluster, or find the clients that hold so many";
    /// Client connections of one client address: `maxConnectionsPerClient`.
    ConnectionsPerClient => "connections_per_client",
        "a client address has reached its limit of connections; further ones are closed",
        "connections closed",
        "raise `maxConnectionsPerClient`, or find the client that holds so many";
    /// Open files of the process: `ulimit -n`.
    Descriptors => "descriptors",
        "the process has as many connections as its file descriptors allow; further clients wait",
        "connections that waited or failed",
        "raise the limit of open files (`ulimit -n`, `LimitNOFILE=` of systemd)";
    /// Memory for bytes that slow peers have not taken.
    Buffers => "buffers",
        "slow clients or brokers hold all buffer memory; the sessions that hold it longest are closed",
        "reads that waited",
        "find the sessions that do not read (`kproxy connections`)";
    /// Log lines that wait to be written to standard error.
    LogQueue => "log_queue",
        "standard error is not read fast enough; log lines are dropped",
        "lines dropped",
        "check the program that reads standard error, or log less (`logging.level`)";
    /// Memory for frames that filters read: `network.filters.memoryLimit`.
    FilterMemory => "filter_memory",
        "the filters of all sessions hold as many bytes as they may; further sessions wait",
        "frames that waited",
        "raise `network.filters.memoryLimit`, or lower `network.filters.maxFrameSize`";
    /// Ports for brokers outside every range: `dynamicNodePorts`.
    DynamicPorts => "dynamic_ports",
        "no port of `dynamicNodePorts` is left; the brokers without one are withheld from clients",
        "brokers withheld",
        "widen `dynamicNodePorts`, or `nodeIdRanges`";
}

/// Counts how often one limit was met, and how many tasks wait for it now.
#[derive(Debug, Default)]
pub struct LimitCounter {
    hits: AtomicU64,
    waiting: AtomicUsize,
}

/// One wait for a limit; dropping it ends the wait.
#[derive(Debug)]
pub struct LimitWait<'m>(&'m LimitCounter);

impl LimitCounter {
    /// A counter without hits.
    pub const fn new() -> Self {
        Self {
            hits: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Counts one hit of the limit: something waits, is refused or is lost.
    pub fn record_hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
        ALL_HITS.fetch_add(1, Ordering::Release);
    }

    /// Counts one hit as [`LimitCounter::record_hit`] does, and keeps the limit reached until the guard is dropped.
    pub fn wait(&self) -> LimitWait<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.record_hit();
        LimitWait(self)
    }

    /// Number of hits so far.
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// Whether something waits for the limit.
    pub fn has_waiters(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }
}

impl Drop for LimitWait<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether `error` means that descriptors ran out; if so, it is counted as a hit.
pub fn ran_out_of_descriptors(error: &io::Error) -> bool {
    let out = [Errno::MFILE, Errno::NFILE]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()));
    if out {
        DESCRIPTORS.record_hit();
    }
    out
}
