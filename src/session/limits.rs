//! Limits that have been reached. Marks count where a limit holds something up; the control thread looks at them,
//! tells once when a limit is reached and once when that is over, and shows what is reached in status and metrics.
//!
//! A mark costs two atomic additions each time its limit is met, and nothing as long as there is room.

use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use rustix::io::Errno;

/// Descriptors of the process: for accepting, and for connections to brokers.
pub static DESCRIPTORS: LimitCounter = LimitCounter::new();

/// Memory that holds what slow peers have not taken.
pub static BUFFERS: LimitCounter = LimitCounter::new();

/// Log lines that wait to be written.
pub static LOG_QUEUE: LimitCounter = LimitCounter::new();

/// Grows whenever any mark does, so that nobody has to look at all of them to see that nothing has happened.
static ALL_HITS: AtomicU64 = AtomicU64::new(0);

/// Whether any limit was met since an earlier call returned this number.
pub fn total_hits() -> u64 {
    ALL_HITS.load(Ordering::Acquire)
}

macro_rules! limits {
    ($($(#[$doc:meta])* $variant:ident => $name:literal, $met:literal, $affected:literal, $advice:literal;)*) => {
        /// A limit that can be reached. The names are stable: dashboards and alerts are built on them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Limit { $($(#[$doc])* $variant,)* }

        impl Limit {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The metric label, and the name in the log and in status.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What happens at it.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $met,)* }
            }

            /// What is counted as affected.
            pub fn unit(self) -> &'static str {
                match self { $(Self::$variant => $affected,)* }
            }

            /// What can be done about it.
            pub fn advice(self) -> &'static str {
                match self { $(Self::$variant => $advice,)* }
            }
        }
    };
}

limits! {
    /// `network.proxy.maxConnections`.
    Connections => "connections",
        "the process has all client connections it may have; further clients wait",
        "connections that waited",
        "raise `network.proxy.maxConnections`, or find the clients that hold so many";
    /// `maxConnections` of a virtual cluster.
    ClusterConnections => "cluster_connections",
        "the virtual cluster has all client connections it may have; further clients wait",
        "connections that waited",
        "raise `maxConnections` of the virtual cluster, or find the clients that hold so many";
    /// `maxConnectionsPerClient`.
    ConnectionsPerClient => "connections_per_client",
        "a client address has all connections it may have; further ones are closed",
        "connections closed",
        "raise `maxConnectionsPerClient`, or find the client that holds so many";
    /// What `ulimit -n` allows.
    Descriptors => "descriptors",
        "the process has as many connections as its file descriptors allow; further clients wait",
        "connections that waited or failed",
        "raise the limit of open files (`ulimit -n`, `LimitNOFILE=` of systemd)";
    /// Memory for what slow peers have not taken.
    Buffers => "buffers",
        "slow clients or brokers hold all buffer memory; the sessions that hold it longest are closed",
        "reads that waited",
        "find the sessions that do not read (`kproxy connections`)";
    /// Lines that wait to be written to standard error.
    LogQueue => "log_queue",
        "standard error is not read fast enough; log lines are dropped",
        "lines dropped",
        "see what reads standard error, or lower `logging.level`";
    /// `dynamicNodePorts`.
    DynamicPorts => "dynamic_ports",
        "no port of `dynamicNodePorts` is left; the brokers without one are withheld from clients",
        "brokers withheld",
        "widen `dynamicNodePorts`, or `nodeIdRanges`";
}

/// How often one limit was met, and how many wait at it now.
#[derive(Debug, Default)]
pub struct LimitCounter {
    hits: AtomicU64,
    waiting: AtomicUsize,
}

/// Somebody who waits for a limit to make room. Dropping it ends the wait.
#[derive(Debug)]
pub struct LimitWait<'m>(&'m LimitCounter);

impl LimitCounter {
    pub const fn new() -> Self {
        Self {
            hits: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Counts that the limit was met once: somebody waits, is turned away, or loses something.
    pub fn record_hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
        ALL_HITS.fetch_add(1, Ordering::Release);
    }

    /// Counts as [`LimitCounter::record_hit`] does, and keeps the limit reached until the guard is dropped.
    pub fn wait(&self) -> LimitWait<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.record_hit();
        LimitWait(self)
    }

    /// How often it was met so far.
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// Whether somebody waits at it.
    pub fn has_waiters(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }
}

impl Drop for LimitWait<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether an error says that descriptors ran out; counted as such if it does.
pub fn ran_out_of_descriptors(error: &io::Error) -> bool {
    let out = [Errno::MFILE, Errno::NFILE]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()));
    if out {
        DESCRIPTORS.record_hit();
    }
    out
}
