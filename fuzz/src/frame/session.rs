//! A session of the fuzzer: the library's driver, with a drain and a search for the broker.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use kproxy::filter::Chain;
use kproxy::session::context::NodeRole;
use kproxy::session::inspect::{DrainMode, Inspect as _, KafkaInspector, Learning};
use kproxy::testing::{BenchSite, SessionDriver};
use kproxy::wire::probe::{METADATA_VERSIONS, metadata_request};

pub(crate) use kproxy::testing::{
    ADVERTISED_HOST as HOST, BenchLane as Lane, BenchSide as Side, broker_address as address, frames,
};

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

pub(crate) struct Session {
    driver: SessionDriver,
    pub(crate) settings: Settings,
    /// How much of the requests had been dealt with when only the silent ones were forwarded any more.
    pub(crate) acks0_only_from: Option<usize>,
    pub(crate) throttling: bool,
}

impl Deref for Session {
    type Target = SessionDriver;

    fn deref(&self) -> &SessionDriver {
        &self.driver
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut SessionDriver {
        &mut self.driver
    }
}

impl Session {
    pub(crate) fn new(settings: Settings) -> Self {
        Self::filtered(settings, None)
    }

    /// A session with these filters.
    pub(crate) fn filtered(settings: Settings, chain: Option<Arc<Chain>>) -> Self {
        let site = BenchSite {
            node: match settings.learning {
                true => NodeRole::Node(1),
                false => NodeRole::Bootstrap,
            },
            dynamic_nodes: settings.dynamic,
            known_brokers: settings.known_brokers,
            log_frames: settings.log_frames,
            ..BenchSite::default()
        };
        let binding = site.build();
        binding.cluster.set_chain(chain);
        let learning = settings.learning.then(|| Learning::over(address(1)));
        Self {
            driver: SessionDriver::new(binding, learning),
            settings,
            acks0_only_from: None,
            throttling: false,
        }
    }

    /// The client's bytes wait until the inspector takes them.
    pub(crate) fn is_paused(&self) -> bool {
        self.up.paused || !self.inspector.accepts_requests()
    }

    /// The inspector, without the rest.
    pub(crate) fn into_inspector(self) -> KafkaInspector {
        self.driver.inspector
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
                let dealt = self.up.dealt().len();
                self.acks0_only_from.get_or_insert(dealt);
                self.inspector.set_drain_mode(DrainMode::Acks0Only);
            }
            Event::Bytes { from, bytes, piece } => {
                for piece in bytes.chunks(*piece) {
                    if self.fault.is_some() {
                        return;
                    }
                    match from {
                        Side::Client => self.client(piece),
                        Side::Broker => self.broker(piece),
                    }
                }
            }
        }
    }
}

/// The version of Metadata in which kproxy asks in this frame, if it is its own question.
pub(crate) fn own_version(frame: &[u8]) -> Option<i16> {
    METADATA_VERSIONS.into_iter().find(|&version| {
        let mut own = Vec::new();
        metadata_request(version, OWN, &mut own);
        own == frame
    })
}
