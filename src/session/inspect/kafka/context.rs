//! What the parts of an inspector share: whose session it is, and the settings that apply to it.

use std::sync::Arc;
use std::time::Duration;

use crate::drain::SessionHandle;
use crate::filter::{ClientSession as FilterSession, DrainPolicySource, SessionFacts};
use crate::model::HostPort;
use crate::session::broker_moves;
use crate::session::context::EndpointBinding;
use crate::session::counters::{ClusterCounters, WorkerCounters};
use crate::session::frame_memory::FrameMemory;
use crate::session::nodes::NodeTable;
use crate::session::pump::Limits;
use crate::session::topology::MOST_NODES;
use crate::wire::api::Api;
use crate::wire::header::{self, RequestHead};
use crate::wire::rewrite::Listing;

/// The session an inspector belongs to, and its settings.
#[derive(Debug)]
pub(super) struct SessionContext {
    handle: Arc<SessionHandle>,
    binding: EndpointBinding,
    counters: Arc<WorkerCounters>,
    /// `network.maxFrameSize`, in bytes without the size prefix.
    max_frame: u32,
    /// `network.filters.maxFrameSize`, in bytes without the size prefix.
    max_filtered: usize,
    /// `logFrames` of the virtual cluster.
    log_frames: bool,
}

/// Where a session belongs, as filters see it.
pub fn session_facts(binding: &EndpointBinding) -> SessionFacts {
    let cluster = Arc::clone(&binding.cluster);
    SessionFacts {
        drain_policy: DrainPolicySource::new(move || cluster.model().drain.clone()),
        cluster: binding.cluster.name.as_str().into(),
        gateway: Arc::clone(&binding.gateway.name),
        node: binding.node.id(),
    }
}

impl SessionContext {
    pub(super) fn new(handle: Arc<SessionHandle>, binding: EndpointBinding) -> Self {
        let cluster = &binding.cluster;
        Self {
            max_frame: cluster.process.network().max_frame_size,
            max_filtered: cluster.process.network().filters.max_frame_size as usize,
            log_frames: cluster.model().log_frames,
            counters: cluster.counters.tally(),
            handle,
            binding,
        }
    }

    pub(super) fn handle(&self) -> &SessionHandle {
        &self.handle
    }

    pub(super) fn shared_handle(&self) -> Arc<SessionHandle> {
        Arc::clone(&self.handle)
    }

    /// The session as filters see it, of which they keep nothing yet.
    pub(super) fn new_filter_session(&self) -> FilterSession {
        FilterSession::new(Arc::clone(&self.handle), session_facts(&self.binding))
    }

    #[inline]
    pub(super) fn binding(&self) -> &EndpointBinding {
        &self.binding
    }

    #[inline]
    pub(super) fn counters(&self) -> &WorkerCounters {
        &self.counters
    }

    /// The counters of the virtual cluster.
    pub(super) fn cluster_counters(&self) -> &ClusterCounters {
        &self.binding.cluster.counters
    }

    #[inline]
    pub(super) fn max_frame(&self) -> u32 {
        self.max_frame
    }

    /// Largest frame that is collected for a filter, in bytes without the size prefix.
    pub(super) fn max_filtered(&self) -> usize {
        self.max_filtered
    }

    /// Memory for frames that are collected for filters.
    pub(super) fn frame_memory(&self) -> &FrameMemory {
        &self.binding.cluster.process.frame_memory
    }

    #[inline]
    pub(super) fn logs_frames(&self) -> bool {
        self.log_frames
    }

    /// The endpoints that clients of this gateway are given for nodes.
    pub(super) fn endpoints(&self) -> Arc<NodeTable> {
        self.binding.gateway.directory.table()
    }

    /// Reads the settings again; returns the time limits among them.
    pub(super) fn refresh(&mut self) -> Limits {
        let network = self.binding.cluster.process.network();
        self.max_frame = network.max_frame_size;
        self.max_filtered = network.filters.max_frame_size as usize;
        self.log_frames = self.binding.cluster.model().log_frames;
        Limits::of(&network)
    }

    /// Records the time from a request to its answer, in microseconds.
    #[inline]
    pub(super) fn record_response_time(&self, us: u64) {
        self.counters.upstream_response.observe_us(us);
    }

    pub(super) fn record_added_latency(&self, kept: Duration) {
        self.counters.added_latency.observe(kept);
    }

    /// Tells the topology which brokers an answer named.
    pub(super) fn learn(&self, nodes: &[(i32, HostPort)], listing: Listing) {
        let cluster = &self.binding.cluster;
        let topology = &cluster.target.topology;
        let forgets = topology.forgets();
        let changed = match listing {
            Listing::Partial => topology.learn(nodes),
            Listing::Full => {
                let listed = topology.list(nodes, |node| cluster.counters.is_in_use(node));
                if listed.too_many {
                    tracing::warn!(
                        cluster = %cluster.name,
                        most = MOST_NODES,
                        "a broker names more nodes than a cluster can have here; the others are withheld from clients"
                    );
                }
                listed.changed
            }
        };
        if changed {
            tracing::debug!(
                cluster = %cluster.name,
                session = self.handle.id,
                nodes = nodes.len(),
                "topology changed"
            );
        }
        if topology.forgets() != forgets {
            cluster.forget_nodes();
        }
        broker_moves::drain_moved_sessions(cluster);
    }

    /// Logs a request for `logFrames`: header fields only, never a byte of a body. `size` is without the size prefix.
    #[cold]
    pub(super) fn log_request(&self, api: &Api, head: RequestHead, content: &[u8], size: usize) {
        let client_id = header::client_id(content)
            .ok()
            .flatten()
            .flatten()
            .map(String::from_utf8_lossy);
        tracing::info!(
            cluster = %self.binding.cluster.name,
            session = self.handle.id,
            generation = self.handle.generation(),
            node = %self.binding.node,
            api = api.name,
            version = head.api_version,
            correlation_id = head.correlation_id,
            client_id = client_id.as_deref().unwrap_or_default(),
            size,
            "request"
        );
    }
}
