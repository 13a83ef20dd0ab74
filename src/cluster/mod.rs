//! The virtual clusters that run, and where each is in its life.

mod build;
mod endpoints;
mod lifecycle;
mod manager;
mod node_table;

pub use build::{
    Listeners, PreparedCluster, SharedServices, TlsUpdate, build_cluster, new_tracker, remove_routes,
};
pub use endpoints::{GatewayEndpoints, PlannedSpec, first_endpoints, planned_endpoints};
pub use lifecycle::{ClusterLifecycle, ClusterState, InvalidTransition, ReportedState};
pub use manager::{ClusterSnapshot, ManagedCluster, ManagedEndpoint, ManagedGateway, VirtualClusterManager};
