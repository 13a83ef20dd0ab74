//! Sessions of a broker that moves to another address while both addresses answer.
//!
//! Sessions connected to the old address are drained at the pace of the cluster's drain policy, so that their clients
//! reconnect and reach the right broker.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::context::{ClusterContext, NodeRole};
use crate::drain::{DrainDeadlines, SessionHandle, drain_sessions};
use crate::model::HostPort;

/// Time from learning of a move to acting on it: brokers do not all learn of a move at the same time.
const MOVE_SETTLE_TIME: Duration = Duration::from_secs(1);

/// Drains sessions that are connected to the previous address of a broker, if an answer has shown a move. Cheap
/// without a move. Without a runtime there are no sessions, and nothing is done.
pub(super) fn drain_moved_sessions(cluster: &Arc<ClusterContext>) {
    let moved = cluster.target.topology.take_moved();
    if moved.is_empty() {
        return;
    }
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    let cluster = Arc::clone(cluster);
    runtime.spawn(async move {
        tokio::time::sleep(MOVE_SETTLE_TIME).await;
        for node in moved {
            drain_node(&cluster, node).await;
        }
    });
}

async fn drain_node(cluster: &ClusterContext, node: i32) {
    let counters = cluster.counters.existing(NodeRole::Node(node));
    let (Some(counters), Some(address)) = (counters, cluster.target.topology.address(node)) else {
        return;
    };
    let sessions = counters.led_elsewhere(&address);
    if sessions.is_empty() {
        return;
    }
    tracing::info!(
        target: "kproxy::drain",
        cluster = %cluster.name,
        node,
        address = %address,
        sessions = sessions.len(),
        "the broker of a node has another address; sessions connected to the old one are drained"
    );
    let policy = cluster.model().drain.clone();
    let deadlines = DrainDeadlines::of(&policy, Instant::now()).or_move();
    drain_sessions(sessions, &policy, deadlines).await;
}

/// Drains a session whose broker moved while the session was connecting to it.
pub(super) fn drain_if_moved(cluster: &ClusterContext, session: &SessionHandle, connected_to: &HostPort) {
    let moved = |node| cluster.target.topology.has_left(node, connected_to);
    if session.node.is_some_and(moved) {
        let policy = &cluster.model().drain;
        session.give_order(DrainDeadlines::of(policy, Instant::now()).or_move().order(policy));
    }
}
