//! The inspector of a Kafka session: frame positions, requests in flight, and what must be rewritten.

use std::sync::Arc;
use std::time::Duration;

use super::in_flight::{Expects, InFlight, InFlightQueue};
use super::principal::Claim;
use super::response::ResponseState;
use super::sasl::Sasl;
use super::{DrainMode, Inspect, InspectResult, request, response};
use crate::drain::SessionHandle;
use crate::model::HostPort;
use crate::session::broker_moves;
use crate::session::cause::{CloseCause, Fault};
use crate::session::context::{EndpointBinding, NodeRole};
use crate::session::counters::WorkerCounters;
use crate::session::output::Output;
use crate::session::pump::Limits;
use crate::session::topology::MOST_NODES;
use crate::wire::rewrite::Listing;
use crate::wire::{api, api_versions};

/// State of one Kafka session. See [`Inspect`] for its place.
#[derive(Debug)]
pub struct KafkaInspector {
    pub(super) session_id: u64,
    pub(super) generation: u64,
    pub(super) binding: EndpointBinding,
    pub(super) max_frame: u32,
    pub(super) log_frames: bool,
    pub(super) in_flight: InFlightQueue,
    /// Requests wait because too many before them are unanswered.
    pub(super) full: bool,
    /// Bytes of the current request that have not arrived.
    pub(super) request_left: u32,
    /// The current request is dropped instead of forwarded.
    pub(super) dropping: bool,
    pub(super) response: ResponseState,
    pub(super) sasl: Sasl,
    /// Who the client says it is, until the broker has accepted it.
    pub(super) claim: Option<Box<Claim>>,
    /// The current request has no answer.
    pub(super) silent: bool,
    /// A response that was not part of getting to know each other has been passed on, or a request that has none.
    pub(super) served: bool,
    pub(super) requests: u64,
    /// While it is not off, nothing takes a short way.
    pub(super) drain: DrainMode,
    pub(super) learning: Option<Learning>,
    /// The newest Metadata version this broker offered, for a question of kproxy's own.
    pub(super) metadata_version: i16,
    /// Where it is written down who the client is.
    pub(super) handle: Arc<SessionHandle>,
    /// The client has said who it is.
    pub(super) introduced: bool,
    pub(super) tally: Arc<WorkerCounters>,
}

/// Learning the topology over an authenticated connection of a client's, for want of a better way: the cluster
/// demands SASL, kproxy has no credentials, and the client came straight to the port of a node whose address is
/// not known. The session is connected to a bootstrap server; see docs/architecture.md.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learning {
    /// The server this session is connected to.
    pub connected_to: HostPort,
    pub(super) stage: LearningStage,
}

impl Learning {
    pub fn over(connected_to: HostPort) -> Self {
        Self {
            connected_to,
            stage: LearningStage::Waiting,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LearningStage {
    /// For the client to authenticate and ask its first question.
    Waiting,
    /// For the answer to kproxy's question; the client's waits meanwhile.
    Asked,
    /// The broker the client wants is elsewhere.
    Elsewhere,
    /// The cluster has no such broker.
    Nowhere,
}

impl KafkaInspector {
    /// The inspector of `session`, whose client came in at `binding`. `learning` is set if the broker behind `binding`
    /// is to be found over this connection.
    pub fn new(session: Arc<SessionHandle>, binding: EndpointBinding, learning: Option<Learning>) -> Self {
        let cluster = &binding.cluster;
        Self {
            session_id: session.id,
            generation: session.generation,
            max_frame: cluster.process.network().max_frame_size,
            log_frames: cluster.model().log_frames,
            tally: binding.cluster.counters.tally(),
            handle: session,
            introduced: false,
            binding,
            in_flight: InFlightQueue::default(),
            full: false,
            request_left: 0,
            dropping: false,
            response: ResponseState::default(),
            sasl: Sasl::default(),
            claim: None,
            silent: false,
            served: false,
            requests: 0,
            drain: DrainMode::Off,
            learning,
            metadata_version: 1,
        }
    }

    /// Takes in what an answer said about brokers.
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
                session = self.session_id,
                nodes = nodes.len(),
                "topology changed"
            );
        }
        if topology.forgets() != forgets {
            cluster.forget_nodes();
        }
        broker_moves::drain_moved_sessions(cluster);
    }

    /// Decides, once the topology is known, whether this connection leads to the right broker after all.
    pub(super) fn conclude_learning(&mut self) {
        let Some(learning) = &mut self.learning else {
            return;
        };
        let NodeRole::Node(node) = self.binding.node else {
            return;
        };
        match self.binding.cluster.target.topology.address(node) {
            Some(address) if address == learning.connected_to => self.learning = None,
            Some(_) => learning.stage = LearningStage::Elsewhere,
            None => learning.stage = LearningStage::Nowhere,
        }
    }

    fn learning_stage(&self) -> Option<LearningStage> {
        self.learning.as_ref().map(|learning| learning.stage)
    }
}

impl Inspect for KafkaInspector {
    #[inline]
    fn requests(&mut self, bytes: &[u8], now_us: u64, out: &mut Output) -> Result<InspectResult, Fault> {
        request::inspect(self, bytes, now_us, out)
    }

    #[inline]
    fn responses(&mut self, bytes: &[u8], now_us: u64, out: &mut Output) -> Result<InspectResult, Fault> {
        let asked = self.in_flight.oldest().copied();
        let waiting = self.in_flight.len();
        let verdict = response::inspect(self, bytes, now_us, out);
        if let Some(asked) = asked
            && self.in_flight.len() < waiting
            && is_timed(&asked)
        {
            self.tally
                .upstream_response
                .observe_us(now_us.saturating_sub(asked.at_us));
        }
        verdict
    }

    fn record_added_latency(&self, kept: Duration) {
        self.tally.added_latency.observe(kept);
    }

    #[inline]
    fn owes_answer(&self) -> bool {
        self.in_flight.is_local_next() && self.response.at_boundary()
    }

    fn write_own_answers(&mut self, out: &mut Output) {
        while let Some(asked) = self.in_flight.pop_local() {
            out.emit(|bytes| api_versions::local_unsupported(asked.correlation_id, bytes));
        }
    }

    fn accepts_requests(&self) -> bool {
        let room = match self.full {
            true => self.in_flight.has_room_again(),
            false => !self.in_flight.is_full(),
        };
        room && !matches!(
            self.learning_stage(),
            Some(LearningStage::Asked | LearningStage::Elsewhere | LearningStage::Nowhere)
        )
    }

    fn held(&self) -> usize {
        self.in_flight.held()
    }

    fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    fn at_boundary(&self) -> bool {
        self.at_request_boundary() && self.response.at_boundary()
    }

    fn at_request_boundary(&self) -> bool {
        self.request_left == 0 || self.dropping
    }

    fn can_forward_acks0(&self) -> bool {
        self.at_request_boundary() || self.silent
    }

    fn is_settled(&self) -> bool {
        self.requests == 0 || (self.served && self.sasl == Sasl::Idle)
    }

    fn requests_completed(&self) -> u64 {
        // The current request counts once it is whole.
        self.requests - u64::from(self.request_left > 0)
    }

    fn is_repeatable(&self) -> bool {
        self.in_flight
            .iter()
            .all(|asked| api::api(asked.api_key).is_some_and(|api| api.is_safe_to_repeat(asked.api_version)))
    }

    fn set_drain_mode(&mut self, mode: DrainMode) {
        self.drain = self.drain.max(mode);
    }

    fn refresh(&mut self) -> Option<Limits> {
        let network = self.binding.cluster.process.network();
        self.max_frame = network.max_frame_size;
        self.log_frames = self.binding.cluster.model().log_frames;
        Some(Limits::of(&network))
    }

    fn wants_to_leave(&self) -> Option<Fault> {
        match self.learning_stage()? {
            LearningStage::Waiting | LearningStage::Asked => None,
            LearningStage::Elsewhere => Some(Fault::new(
                CloseCause::TopologyLearned,
                "the client comes back to the right broker",
            )),
            LearningStage::Nowhere => Some(Fault::new(
                CloseCause::NodeUnknown,
                format!("no broker has node id {}", self.binding.node),
            )),
        }
    }
}

/// Whether the time to the answer says something about the broker: it holds some answers back until there is something
/// to say, and others are kproxy's own.
#[inline]
fn is_timed(asked: &InFlight) -> bool {
    let parked = api::api(asked.api_key).is_some_and(|api| api.is_parked);
    !parked && asked.expects != Expects::Local
}

impl KafkaInspector {
    pub(super) fn directory(&self) -> Arc<crate::session::nodes::NodeTable> {
        self.binding.gateway.directory.table()
    }
}
