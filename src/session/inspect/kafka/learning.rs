//! Learning the topology over an authenticated connection of a client's, for want of a better way.
//!
//! The cluster demands SASL, kproxy has no credentials, and the client came straight to the port of a node whose address
//! is not known. The session is connected to a bootstrap server; once the client has authenticated, kproxy asks for the
//! brokers before it lets the client's first request through. See docs/architecture.md.

use crate::model::HostPort;
use crate::session::cause::{CloseCause, Fault};
use crate::session::context::{EndpointBinding, NodeRole};
use crate::wire::probe::METADATA_VERSIONS;

/// A session that finds out where its broker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learning {
    /// The server this session is connected to.
    connected_to: HostPort,
    stage: Stage,
    /// The newest Metadata version that the server offers and kproxy can ask in.
    metadata_version: i16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The client has not sent a request beyond the preamble.
    Waiting,
    /// kproxy's question waits for its answer, and the client's request for that.
    Asked,
    /// The broker the client wants is elsewhere.
    Elsewhere,
    /// The cluster has no such broker.
    Nowhere,
}

impl Learning {
    /// Learning over a connection to `connected_to`.
    pub fn over(connected_to: HostPort) -> Self {
        Self {
            connected_to,
            stage: Stage::Waiting,
            metadata_version: *METADATA_VERSIONS.start(),
        }
    }

    /// Takes in the newest Metadata version that the server offers.
    pub(super) fn offers_metadata(&mut self, newest: i16) {
        self.metadata_version = newest.clamp(*METADATA_VERSIONS.start(), *METADATA_VERSIONS.end());
    }

    /// Whether requests wait for the answer to kproxy's question.
    pub(super) fn holds_requests(&self) -> bool {
        self.stage != Stage::Waiting
    }

    /// The Metadata version to ask in, the first time that the question is due.
    pub(super) fn take_question(&mut self) -> Option<i16> {
        if self.stage != Stage::Waiting {
            return None;
        }
        self.stage = Stage::Asked;
        Some(self.metadata_version)
    }

    /// Decides, with what the topology knows now, whether this connection leads to the right broker after all.
    /// True: it does, and learning is over.
    pub(super) fn conclude(&mut self, binding: &EndpointBinding) -> bool {
        let NodeRole::Node(node) = binding.node else {
            return false;
        };
        self.stage = match binding.cluster.target.topology.address(node) {
            Some(address) if address == self.connected_to => return true,
            Some(_) => Stage::Elsewhere,
            None => Stage::Nowhere,
        };
        false
    }

    /// Why the session should end, once that is clear. `node` is the one the client came for.
    pub(super) fn fault(&self, node: NodeRole) -> Option<Fault> {
        match self.stage {
            Stage::Waiting | Stage::Asked => None,
            Stage::Elsewhere => Some(Fault::new(
                CloseCause::TopologyLearned,
                "the client comes back to the right broker",
            )),
            Stage::Nowhere => Some(Fault::new(
                CloseCause::NodeUnknown,
                format!("no broker has node id {node}"),
            )),
        }
    }
}
