//! The virtual clusters that run, and where each is in its life.

mod build;
mod lifecycle;
mod manager;

pub use build::{
    Arrival, Listeners, Surroundings, TlsChange, arrive, farewell, host_of, new_tracker, wanted,
};
pub use lifecycle::{ClusterLifecycle, ClusterState, IllegalMove, ReportedState};
pub use manager::{ClusterSnapshot, ManagedCluster, ManagedEndpoint, ManagedGateway, VirtualClusterManager};
