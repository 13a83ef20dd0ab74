//! The one task that changes anything: it prepares, commits and retires, one change at a time.

mod brokers;
mod candidate;
mod connections;
mod drains;
mod dynamic;
mod engine;
mod gate;
pub mod handle;
mod handover;
mod history;
mod judgement;
mod limits;
pub mod metrics;
mod names;
mod reloader;
mod report;
mod shutdown;
mod signals;
mod state;
mod status;
mod timestamp;
mod trial;
mod warnings;
pub mod watcher;

pub use brokers::unanswered;
pub use connections::{ConnectionFilter, ConnectionInfo, Known, ProxiedKnown, TlsKnown};
pub use engine::{Applied, Engine, Parts};
pub use handle::{ControlHandle, Gone, ReloadRequest, ReloadSource};
pub use names::unresolved;
pub use reloader::{PrepareError, Reloader};
pub use report::ReloadReport;
pub use shutdown::{Exit, ShutdownOutcome, run};
pub use signals::Signals;
pub use state::StateDirectory;
pub use status::{
    ClusterStatus, ConfigStatus, DrainStatus, GatewayStatus, LimitStatus, NodeStatus, ProxyStatus,
    RetryStatus, UpstreamStatus,
};
pub use timestamp::{rfc3339, unix_seconds};
pub use trial::trial;
