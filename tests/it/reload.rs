//! What a reload promises to those who are connected, and to those who connect meanwhile.
//!
//! 1. N requests in flight get N answers, in order, then a FIN, whether their cluster is modified or removed; also
//!    3 and 100 of them, also at one answer a second, also 2 MiB each to a slow reader.
//! 2. What does not change keeps its sessions: other clusters, and of a cluster what goes on meaning the same.
//! 3. Keys of class `live` apply to sessions that are there: at the next frame, at the next answer, to who waits.
//! 4. Nobody is refused and nobody is reset on an address that exists before and after: a changed target, clusters that
//!    swap ports, a port that moves, a cluster renamed, a gateway added, a node range widened or narrowed.
//! 5. A request that arrives at the instant of a drain is answered or was never forwarded.
//! 6. A removed address refuses connections; clients that were waiting there are served first. It can come back at once.
//! 7. Sessions carry the generation they began with; the sessions of an old one are counted as a drain until they left.
//! 8. Orders only tighten: a second drain joins the first, a shutdown puts an end to both.
//! 9. A thousand reloads leave neither descriptors nor sessions behind.
//! 10. Questions about what runs are answered while a reload of many clusters goes on.
//! 11. Filters come, go and change under live sessions; one that cannot be built rejects the reload.

mod answers;
mod connecting;
mod endpoints;
mod filters;
mod generations;
mod live;
mod questions;

use kproxy::model::VirtualCluster;
use std::net::SocketAddr;
use testkit::proxy::servers;

/// Leads the cluster elsewhere.
fn retarget(cluster: &mut VirtualCluster, target: SocketAddr) {
    cluster.target.bootstrap_servers = servers(&[target]);
}
