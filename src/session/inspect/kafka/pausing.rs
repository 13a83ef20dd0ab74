//! Requests that wait because somebody has paused the virtual cluster.

use super::KafkaInspector;
use super::renewal::Renewal;
use crate::session::inspect::{DrainMode, Wait};
use crate::wire::api::ApiKey;
use crate::wire::frame::{REQUEST_HEAD_LEN, SIZE_LEN};

/// Which requests wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeldRequests {
    /// None.
    None,
    /// All.
    All,
    /// All but heartbeats of members of groups.
    AllButHeartbeats,
}

impl KafkaInspector {
    /// Takes in whether the virtual cluster is paused.
    pub(super) fn refresh_pause(&mut self) {
        self.paused = match self.context.binding().cluster.pause.passes_heartbeats() {
            None => HeldRequests::None,
            Some(false) => HeldRequests::All,
            Some(true) => HeldRequests::AllButHeartbeats,
        };
    }

    /// Whether requests that begin may have to wait. A login that is being repeated goes on, and so does what a session that leaves
    /// still forwards.
    #[inline]
    pub(super) fn may_be_paused(&self) -> bool {
        self.paused != HeldRequests::None
            && self.drain != DrainMode::Acks0Only
            && !matches!(self.renewal, Renewal::Runs(_))
    }

    /// Whether the pause that the session has taken in is in force.
    #[cold]
    pub(super) fn pause_is_in_force(&self) -> bool {
        self.context.binding().cluster.pause.passes_heartbeats().is_some()
    }

    /// Whether the request at the beginning of `rest`, between two requests, has to wait. `None`: more bytes decide.
    #[cold]
    pub(super) fn pause_holds(&mut self, rest: &[u8]) -> Option<bool> {
        // It may be over by time.
        self.refresh_pause();
        match self.paused {
            HeldRequests::None => Some(false),
            HeldRequests::All => Some(true),
            // A token has no head.
            HeldRequests::AllButHeartbeats if self.sasl.speaks_tokens() => Some(true),
            HeldRequests::AllButHeartbeats => {
                let head = rest.first_chunk::<REQUEST_HEAD_LEN>()?;
                Some(!is_heartbeat(i16::from_be_bytes([
                    head[SIZE_LEN],
                    head[SIZE_LEN + 1],
                ])))
            }
        }
    }

    /// What the requests wait for while the virtual cluster is paused.
    pub(super) fn pause_wait(&self) -> Option<Wait> {
        if self.paused == HeldRequests::None {
            return None;
        }
        let cluster = std::sync::Arc::clone(&self.context.binding().cluster);
        Some(Wait(Box::pin(async move { cluster.pause.ended().await })))
    }
}

/// Whether a member of a group shows by a request of this API that it is alive.
fn is_heartbeat(api_key: i16) -> bool {
    matches!(
        api_key,
        ApiKey::HEARTBEAT
            | ApiKey::CONSUMER_GROUP_HEARTBEAT
            | ApiKey::SHARE_GROUP_HEARTBEAT
            | ApiKey::STREAMS_GROUP_HEARTBEAT
    )
}
