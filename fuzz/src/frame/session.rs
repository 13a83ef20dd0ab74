//! What `session::pump` and `session::lane` do around an inspector, in memory.

use std::sync::Arc;

use kproxy::drain::SessionHandle;
use kproxy::model::{
    BootstrapSelection, DrainPolicy, DrainStrategy, HostPort, Network, ProxyProtocol, TargetCluster,
    VirtualCluster,
};
use kproxy::session::Output;
use kproxy::session::cause::Fault;
use kproxy::session::context::{ClusterContext, EndpointBinding, GatewayContext, NodeRole, ProcessContext};
use kproxy::session::inspect::{DrainMode, Inspect as _, InspectResult, KafkaInspector, Learning};
use kproxy::session::nodes::{AdvertisedNode, NodeDirectory, NodeTable};
use kproxy::session::permits::ConnectionLimit;
use kproxy::session::upstream::UpstreamTarget;
use kproxy::wire::frame::SIZE_LEN;
use kproxy::wire::probe::{METADATA_VERSIONS, metadata_request};

/// What every node of ours is called.
pub(crate) const HOST: &str = "kafka.proxy.example";

/// The correlation id of kproxy's own question.
const OWN: i32 = i32::MIN;

/// What happens to a session.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Bytes {
        from: Side,
        bytes: Vec<u8>,
        /// Length of the pieces they arrive in.
        piece: usize,
    },
    /// A drain begins.
    BeginThrottling,
    /// A drain's soft deadline.
    Acks0Only,
}

/// Where a session's client came in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// At the port of a node whose address is to be learned over this connection.
    learning: bool,
    /// At a gateway that can give endpoints to nodes it has not heard of.
    dynamic: bool,
    log_frames: bool,
    /// Brokers are known already, by names shorter than ours.
    known_brokers: bool,
}

impl Settings {
    pub(crate) fn from_bits(bits: u8) -> Self {
        Self {
            learning: bits & 1 != 0,
            dynamic: bits & 2 != 0,
            log_frames: bits & 4 != 0,
            known_brokers: bits & 8 != 0,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Broker,
}

/// One direction: everything that came in, everything that went out.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    pub(crate) input: Vec<u8>,
    pub(crate) output: Vec<u8>,
    /// Bytes at the end of the input that have not been dealt with.
    pub(crate) held: usize,
    /// Fewer of them decide nothing.
    wanted: usize,
}

impl Lane {
    /// The part of the input that has been dealt with.
    pub(crate) fn dealt(&self) -> &[u8] {
        &self.input[..self.input.len() - self.held]
    }
}

pub(crate) struct Session {
    pub(crate) settings: Settings,
    pub(crate) inspector: KafkaInspector,
    binding: EndpointBinding,
    handle: Arc<SessionHandle>,
    pub(crate) up: Lane,
    pub(crate) down: Lane,
    /// The client's bytes wait until the inspector takes them.
    pub(crate) paused: bool,
    /// How much of the requests had been dealt with when only the silent ones were forwarded any more.
    pub(crate) acks0_only_from: Option<usize>,
    pub(crate) throttling: bool,
    pub(crate) fault: Option<Fault>,
    out: Output,
}

impl Session {
    pub(crate) fn new(settings: Settings) -> Self {
        let binding = binding(settings);
        let learning = settings.learning.then(|| Learning::over(address(1)));
        let session = binding.tracker.register(1, ([127, 0, 0, 1], 1).into(), 1, None);
        Self {
            settings,
            inspector: KafkaInspector::new(Arc::clone(session.handle()), binding.clone(), learning),
            binding,
            handle: Arc::clone(session.handle()),
            up: Lane::default(),
            down: Lane::default(),
            paused: false,
            acks0_only_from: None,
            throttling: false,
            fault: None,
            out: Output::default(),
        }
    }

    pub(crate) fn handle(&self) -> &SessionHandle {
        &self.handle
    }

    pub(crate) fn is_over(&self) -> bool {
        self.fault.is_some() || self.inspector.wants_to_leave().is_some()
    }

    pub(crate) fn learns(&self) -> bool {
        self.settings.learning
    }

    /// Brokers that are known by now.
    pub(crate) fn known_brokers(&self) -> usize {
        self.binding.cluster.target.topology.snapshot().len()
    }

    /// Version and correlation id of kproxy's own question, if that waits for its answer.
    pub(crate) fn own_question(&self) -> Option<(i16, i32)> {
        if !self.settings.learning || self.is_over() || self.inspector.accepts_requests() {
            return None;
        }
        let version = frames(&self.up.output).into_iter().find_map(own_version)?;
        Some((version, OWN))
    }

    pub(crate) fn apply(&mut self, event: &Event) {
        match event {
            Event::BeginThrottling => {
                self.throttling = true;
                self.inspector.set_drain_mode(DrainMode::Throttling);
            }
            Event::Acks0Only => {
                self.acks0_only_from.get_or_insert_with(|| self.up.dealt().len());
                self.inspector.set_drain_mode(DrainMode::Acks0Only);
            }
            Event::Bytes { from, bytes, piece } => {
                for piece in bytes.chunks(*piece) {
                    if self.fault.is_some() {
                        return;
                    }
                    match from {
                        Side::Client => self.take_request_bytes(piece),
                        Side::Broker => self.take_response_bytes(piece),
                    }
                    self.settle();
                }
            }
        }
    }

    /// Has what is held looked at although less has arrived than was wanted: how much that is depends on the pieces.
    pub(crate) fn look_once_more(&mut self) {
        (self.up.wanted, self.down.wanted) = (0, 0);
        if self.fault.is_none() && self.up.held > 0 {
            self.take_request_bytes(&[]);
            self.settle();
        }
        if self.fault.is_none() && self.down.held > 0 {
            self.take_response_bytes(&[]);
            self.settle();
        }
    }

    /// What the pump does between two reads.
    fn settle(&mut self) {
        if self.fault.is_none() && self.inspector.owes_answer() {
            self.out.clear();
            self.inspector.write_own_answers(&mut self.out);
            assert!(!self.out.is_empty(), "an answer was owed");
            self.down.output.extend(self.out.to_vec(&[]));
        }
        if self.fault.is_none() && self.paused && self.inspector.accepts_requests() {
            self.take_request_bytes(&[]);
            self.settle();
        }
    }

    fn take_request_bytes(&mut self, piece: &[u8]) {
        self.up.input.extend_from_slice(piece);
        self.up.held += piece.len();
        if !self.inspector.accepts_requests() {
            self.paused = true;
            return;
        }
        if self.up.held < self.up.wanted {
            return;
        }
        let bytes = &self.up.input[self.up.input.len() - self.up.held..];
        self.out.clear();
        let verdict = self.inspector.requests(bytes, 0, &mut self.out);
        self.up.output.extend(self.out.to_vec(bytes));
        self.paused = matches!(verdict, Ok(InspectResult::Pause { .. }));
        assert!(
            !self.paused || !self.inspector.accepts_requests(),
            "paused for nothing"
        );
        match verdict {
            Err(fault) => self.end(fault),
            Ok(verdict) => {
                self.up.held -= dealt_with(&verdict, self.up.held);
                self.up.wanted = wanted(&verdict, self.up.held);
            }
        }
    }

    fn take_response_bytes(&mut self, piece: &[u8]) {
        self.down.input.extend_from_slice(piece);
        self.down.held += piece.len();
        if self.down.held < self.down.wanted {
            return;
        }
        loop {
            let bytes = &self.down.input[self.down.input.len() - self.down.held..];
            self.out.clear();
            let verdict = self.inspector.responses(bytes, 0, &mut self.out);
            self.down.output.extend(self.out.to_vec(bytes));
            match verdict {
                Err(fault) => self.end(fault),
                Ok(verdict) => {
                    self.down.held -= dealt_with(&verdict, self.down.held);
                    self.down.wanted = wanted(&verdict, self.down.held);
                    if let InspectResult::NeedEndpoints { nodes, .. } = verdict {
                        self.refuse(&nodes);
                        continue;
                    }
                }
            }
            return;
        }
    }

    /// Where in the input a fault lies is not told, so all of it counts as dealt with.
    fn end(&mut self, fault: Fault) {
        self.fault = Some(fault);
        (self.up.held, self.down.held) = (0, 0);
    }

    /// Answers a request for endpoints as an owner of the listeners without a free port would. Every node is new,
    /// so there is an end to asking.
    fn refuse(&self, nodes: &[i32]) {
        let directory = &self.binding.gateway.directory;
        assert!(self.settings.dynamic && !nodes.is_empty());
        let mut table = NodeTable::clone(&directory.table());
        for &node in nodes {
            assert!(table.is_new(node), "node {node} was asked for before");
            table.refuse(node);
        }
        directory.store(table);
    }
}

/// Bytes of `presented` that a verdict is done with.
fn dealt_with(verdict: &InspectResult, presented: usize) -> usize {
    match verdict {
        InspectResult::Done => presented,
        InspectResult::Hold { from, .. }
        | InspectResult::Pause { from }
        | InspectResult::NeedEndpoints { from, .. } => {
            assert!(*from <= presented);
            *from
        }
    }
}

/// How much there must be before it is worth another look, where `held` bytes were not enough.
fn wanted(verdict: &InspectResult, held: usize) -> usize {
    let wanted = verdict.rest().map_or(0, |(_, wanted)| wanted);
    let waits = matches!(verdict, InspectResult::Hold { .. });
    assert!(
        !waits || wanted > held,
        "{wanted} bytes are wanted where {held} were not enough"
    );
    wanted
}

/// The version of Metadata in which kproxy asks in this frame, if it is its own question.
pub(crate) fn own_version(frame: &[u8]) -> Option<i16> {
    METADATA_VERSIONS.into_iter().find(|&version| {
        let mut own = Vec::new();
        metadata_request(version, OWN, &mut own);
        own == frame
    })
}

/// Where a broker is.
pub(crate) fn address(node: i32) -> HostPort {
    HostPort {
        host: "b".into(),
        port: 9092_u16.wrapping_add(node as u16),
    }
}

fn binding(settings: Settings) -> EndpointBinding {
    let mut table = NodeTable::new(settings.dynamic);
    for node in 0..8 {
        let endpoint = AdvertisedNode {
            host: HOST.into(),
            port: 9000 + node as u16,
        };
        table.insert(node, endpoint);
    }
    // Nobody receives: the session's own side answers for the owner of the listeners.
    let requests = tokio::sync::mpsc::channel(1).0;
    let gateway = GatewayContext {
        name: "gateway".into(),
        directory: Arc::new(NodeDirectory::new("cluster", "gateway", table, requests)),
        withheld_logged: false.into(),
        tls: None,
        proxy_protocol: ProxyProtocol::default(),
    };
    EndpointBinding {
        cluster: Arc::new(cluster(settings)),
        gateway: Arc::new(gateway),
        node: if settings.learning {
            NodeRole::Node(1)
        } else {
            NodeRole::Bootstrap
        },
        tracker: Arc::default(),
    }
}

fn cluster(settings: Settings) -> ClusterContext {
    let target = TargetCluster {
        bootstrap_servers: vec![address(1)],
        selection: BootstrapSelection::RoundRobin,
        allowed_brokers: kproxy::model::AllowedBrokers::default(),
        tls: None,
        login: None,
    };
    let known = if settings.known_brokers { 0..8 } else { 0..0 };
    let remembered = known.map(|node| (node, address(node))).collect();
    let model = VirtualCluster {
        name: "cluster".into(),
        target: target.clone(),
        drain: DrainPolicy {
            strategy: DrainStrategy::Graceful,
            timeout: std::time::Duration::ZERO,
            hard_timeout: std::time::Duration::ZERO,
            rate: 1,
        },
        max_connections: None,
        max_connections_per_client: None,
        log_network: false,
        log_frames: settings.log_frames,
        filters: Vec::new(),
        subject_builder: None,
        gateways: Vec::new(),
    };
    ClusterContext::new(
        Arc::new(ProcessContext::new(Network::default())),
        Arc::new(model),
        Arc::new(UpstreamTarget::new(target, remembered, Arc::default(), Arc::default()).expect("plaintext")),
        Arc::default(),
        Arc::new(ConnectionLimit::new(None)),
        Arc::default(),
        Arc::default(),
    )
}

/// Size prefix and content of each frame; the last may be incomplete.
pub(crate) fn frames(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let length = bytes.first_chunk::<SIZE_LEN>().map_or(bytes.len(), |size| {
            let size = usize::try_from(i32::from_be_bytes(*size));
            size.map_or(bytes.len(), |size| SIZE_LEN + size)
        });
        let (frame, rest) = bytes.split_at(length.min(bytes.len()));
        frames.push(frame);
        bytes = rest;
    }
    frames
}
