//! Settings for reloads and for earlier configurations.

use std::time::Duration;

/// Settings for following changed files (`reload`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReloadSettings {
    /// Whether events of the file system about the file and its references cause reloads.
    pub watch: bool,
    /// Time without further changes before the file is read.
    pub debounce: Duration,
    /// Interval of comparisons by content, for file systems without events; `None` is off.
    pub poll_interval: Option<Duration>,
    /// A reload that would remove a larger share of the virtual clusters than this, in percent, needs to be forced.
    pub max_removed_percent: u8,
    /// Tests of changed targets before a reload is applied.
    pub checks: ReloadChecks,
    /// Whether edits of the files wait for `kproxy approve`.
    pub require_approval: bool,
    /// Duration from which a reload counts as slow.
    pub target: Duration,
}

/// Tests of changed targets before a reload is applied (`reload.checks`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReloadChecks {
    /// Whether the bootstrap servers of changed targets are connected to.
    pub connect: bool,
    /// Whether kproxy's own credentials are tried with them. Implies `connect`.
    pub authenticate: bool,
    /// Part of the bootstrap servers of each changed target that must pass, in percent.
    pub minimum_healthy: u8,
    /// Time limit of all tests together.
    pub timeout: Duration,
}

/// Settings for earlier configurations (`rollback`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollbackSettings {
    /// Number of journal entries that are kept.
    pub entries: usize,
    /// Age from which journal entries are removed.
    pub age: Duration,
    /// Whether kproxy goes back by itself when a reload made a virtual cluster worse.
    pub auto: bool,
    /// Time for which changed virtual clusters are compared with themselves.
    pub window: Duration,
    /// Tolerated rise of the part of sessions that end in an error, in percentage points.
    pub error_rate: u8,
    /// Number of unreachable brokers of a changed target that is not tolerated.
    pub connect_failures: usize,
    /// Tolerated rise of the 99th percentile of response times, in percent.
    pub latency_increase: u32,
}

impl Default for ReloadSettings {
    /// The defaults of the configuration file.
    fn default() -> Self {
        Self {
            watch: true,
            debounce: Duration::from_millis(150),
            poll_interval: Some(Duration::from_secs(10)),
            max_removed_percent: 50,
            checks: ReloadChecks {
                connect: false,
                authenticate: false,
                minimum_healthy: 50,
                timeout: Duration::from_secs(5),
            },
            require_approval: false,
            target: Duration::from_millis(100),
        }
    }
}

impl Default for RollbackSettings {
    /// The defaults of the configuration file.
    fn default() -> Self {
        Self {
            entries: 50,
            age: Duration::from_secs(90 * 24 * 60 * 60),
            auto: false,
            window: Duration::from_secs(60),
            error_rate: 5,
            connect_failures: 2,
            latency_increase: 50,
        }
    }
}
