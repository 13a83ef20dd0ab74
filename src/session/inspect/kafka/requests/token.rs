//! Raw SASL tokens, which a client sends in place of requests after SaslHandshake v0 (KIP-43).

use super::entry;
use crate::session::cause::Fault;
use crate::session::inspect::in_flight::Expects;
use crate::session::inspect::kafka::KafkaInspector;
use crate::session::inspect::kafka::sasl::Opening;
use crate::session::inspect::seam::{Frame, FrameAction};
use crate::wire::api::ApiKey;
use crate::wire::frame::{self, SIZE_LEN};
use crate::wire::header::RequestHead;

/// Largest raw SASL token in bytes: the broker's own limit before authentication (`sasl.server.max.receive.size`).
pub(super) const MAX_TOKEN: u32 = 512 * 1024;

impl KafkaInspector {
    /// Decides about a raw SASL token. `None`: the exchange is over and this is a request.
    pub(super) fn token(
        &mut self,
        frame: Frame<'_>,
        prefix: [u8; SIZE_LEN],
        now_us: u64,
    ) -> Result<Option<FrameAction>, Fault> {
        match self.sasl.judge_token(frame, &self.in_flight)? {
            Opening::Incomplete => return Ok(Some(FrameAction::Hold)),
            Opening::Request {
                last_token_unanswered,
            } => {
                if last_token_unanswered {
                    self.in_flight.remove_newest();
                }
                return Ok(None);
            }
            Opening::Token => {}
        }
        frame::size(prefix, 0, MAX_TOKEN).map_err(Fault::request_size)?;
        if !self.sasl.token_sent(frame, &self.in_flight) {
            return Ok(Some(FrameAction::Hold));
        }
        self.requests.begin(true);
        let head = RequestHead {
            api_key: ApiKey::SASL_AUTHENTICATE,
            api_version: -1,
            correlation_id: 0,
        };
        self.in_flight.push(entry(head, now_us, Expects::Token));
        Ok(Some(FrameAction::Forward { taken: SIZE_LEN }))
    }
}
