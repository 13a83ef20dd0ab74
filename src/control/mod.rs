//! The one task that changes anything: it prepares, commits and retires, one change at a time.

mod dynamic;
mod reloader;
mod shutdown;
mod state;
mod status;

pub use reloader::{PrepareError, Reloader};
pub use shutdown::{ShutdownOutcome, Signals, drain_all};
pub use state::StateDirectory;
pub use status::{ClusterStatus, GatewayStatus, NodeStatus, ProxyStatus};
