//! The virtual clusters that run, and where each is in its life.

mod build;
mod lifecycle;
mod manager;

pub use build::{ClusterPlan, GatewayPlan, TargetSource};
pub use lifecycle::{ClusterLifecycle, ClusterState, IllegalMove};
pub use manager::{ManagedCluster, ManagedGateway, VirtualClusterManager};
