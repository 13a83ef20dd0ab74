//! The control thread, the only writer: it prepares and commits changes one at a time, and releases what they replace.
//!
//! Its rooms: `reload` (reloads that wait, what was read, whether it may run), `runtime` (what runs, and what a commit
//! replaces), `watch` (whether files have changed), `observe` (answers to questions, on the thread that asks), `events` (what
//! happens, for those who want to know). The engine is the loop that joins them.

mod audit;
mod engine;
mod events;
pub mod handle;
mod log_level;
pub mod metrics;
mod notify;
mod observe;
mod overview;
mod rehearsal;
mod reload;
mod requester;
mod runtime;
mod service_report;
mod shutdown;
mod shutdown_times;
mod signals;
mod status;
mod steering;
mod timings;
pub mod watch;

pub use audit::{AuditRecord, AuditedChanges, users};
pub use engine::{Applied, Engine, Parts};
pub use events::{
    CertificateEvent, ClosedSessions, ClusterStateEvent, ConfirmEvent, DrainEvent, Event, EventReader,
    LimitEvent, LogLevelEvent, ProbationEvent, RollbackEvent, ShutdownEvent, SlowReloadEvent, StagedEvent,
    SteeringEvent, TimedEvent, WatchingEvent,
};
pub use handle::{
    ApprovalRequest, ConfirmReport, ControlHandle, Gone, PlanRequest, ReloadRequest, ReloadSource,
};
pub use log_level::{LogLevel, LogLevelRequest, LogLevelStatus, MAX_LOG_CHANGE, SetLogLevel};
pub use observe::Observe;
pub use overview::{
    CertificateStatus, ClusterLine, ClusterRow, HistoryLine, Observation, Overview, OverviewTotals,
    OverviewView, Rates, ReloadCounts, Shortened, ShownDifference, TrafficTotals,
};
pub use rehearsal::{Rehearsal, RehearsalStep};
pub use reload::checks::{CheckVerdict, check_targets};
pub use reload::earlier_start::{EarlierConfiguration, EarlierStart, confirmed_instead_of, last_good};
pub use reload::journal::{
    ChangeCounts, GenerationView, HistoryEntry, HistoryReader, Journal, KeptConfiguration, KeptFile,
    KeptReference, NotKept, ProcessRun, Retention,
};
pub use reload::preview::report::{
    CertificateExchange, CertificateSummary, PlanReport, PlanSummary, PlanVerdict, PlannedAction,
    PlannedClient, PlannedCluster, PlannedConnections, PlannedDrain, PlannedHandover, PlannedKey,
};
pub use reload::probation::{DegradationReason, ProbationVerdict};
pub use reload::report::{ErrorExcerpt, ReloadPhases, ReloadReport};
pub use reload::staged::{MAX_STAGED_WAIT, StagedReport, StagedStatus};
pub use reload::trial::try_start;
pub use requester::Requester;
pub use runtime::brokers::unreachable_servers;
pub use runtime::connections::{ClientDetails, ConnectionFilter, ConnectionInfo, ProxiedDetails, TlsDetails};
pub use runtime::names::unresolved_servers;
pub use runtime::reloader::{PrepareError, Reloader};
pub use runtime::state::StateDirectory;
pub use shutdown::{Exit, ShutdownOutcome, run};
pub use shutdown_times::ShutdownPhase;
pub use signals::{Signal, Signals};
pub use status::{
    ClusterStatus, ConfigStatus, ConfirmStatus, DrainStatus, DrainedStatus, FenceStatus, FilterStatus,
    GatewayStatus, LimitStatus, NodeStatus, ProbationClusterStatus, ProbationStatus, ProxyStatus,
    ReportedAddress, RetryStatus, RuleStatus, UpstreamStatus, Word,
};
pub use steering::{ChosenSessions, SessionChoice, SteeringCommand, SteeringReport, SteeringRequest};
pub use timings::{DrainStats, DurationPercentiles, ProxyStats, ReloadStats};
