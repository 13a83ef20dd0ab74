//! The one task that changes anything: it prepares, commits and retires, one change at a time.

mod connections;
mod dynamic;
pub mod handle;
pub mod metrics;
mod reloader;
mod report;
mod shutdown;
mod state;
mod status;
mod timestamp;
pub mod watcher;

pub use connections::{ConnectionFilter, ConnectionInfo};
pub use handle::{ControlHandle, Gone, ReloadRequest, ReloadSource};
pub use reloader::{PrepareError, Reloader};
pub use report::ReloadReport;
pub use shutdown::{ShutdownOutcome, Signals, drain_all};
pub use state::StateDirectory;
pub use status::{ClusterStatus, GatewayStatus, NodeStatus, ProxyStatus};
pub use timestamp::rfc3339;
