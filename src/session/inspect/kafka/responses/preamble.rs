//! Answers to ApiVersions, SaslHandshake and SaslAuthenticate.

use super::answer::{BrokerAnswer, malformed};
use crate::session::cause::Fault;
use crate::session::inspect::kafka::KafkaInspector;
use crate::session::inspect::seam::{FrameAction, stage_frame};
use crate::session::output::Output;
use crate::wire::api::ApiKey;
use crate::wire::frame::RESPONSE_HEAD_LEN;
use crate::wire::{api_versions, header};

impl KafkaInspector {
    /// ApiVersions, whole: offers only what kproxy can forward.
    pub(super) fn api_versions_answered(
        &mut self,
        answer: &BrokerAnswer<'_>,
        out: &mut Output,
    ) -> Result<FrameAction, Fault> {
        let Some((head, body)) = answer.split_at_body()? else {
            return Ok(FrameAction::Hold);
        };
        let version = answer.asked.api_version;
        if let Some(learning) = &mut self.learning
            && let Some((_, newest)) = api_versions::version_range(body, version, ApiKey::METADATA)
        {
            learning.offers_metadata(newest);
        }
        let with = stage_frame(out, head, 0, |bytes| {
            api_versions::clamp(version, body, bytes).map(drop)
        })
        .map_err(malformed)?;
        Ok(FrameAction::Replace {
            taken: answer.frame.len(),
            with,
        })
    }

    /// SaslHandshake, whole: it may be followed by raw tokens.
    pub(super) fn handshake_answered(&mut self, answer: &BrokerAnswer<'_>) -> Result<FrameAction, Fault> {
        if let Some((_, body)) = answer.split_at_body()? {
            let succeeded = header::error_code_at_start(body) == Some(0);
            self.sasl.handshake_answered(answer.asked.api_version, succeeded);
        }
        Ok(FrameAction::Forward {
            taken: RESPONSE_HEAD_LEN,
        })
    }

    /// SaslAuthenticate: read to its end if it decides who the client is.
    pub(super) fn authenticate_answered(&mut self, answer: &BrokerAnswer<'_>) -> Result<FrameAction, Fault> {
        let frame = answer.frame;
        if !frame.is_complete() && self.sasl.reads_answer(frame.size()) {
            return Ok(FrameAction::Hold);
        }
        let body = answer.split_at_body().ok().flatten();
        let body = body.filter(|_| frame.is_complete()).map(|(_, body)| body);
        self.sasl
            .authenticate_answered(body, answer.asked.api_version, self.context.handle());
        Ok(FrameAction::Forward {
            taken: RESPONSE_HEAD_LEN,
        })
    }
}
