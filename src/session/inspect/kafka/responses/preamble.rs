//! Answers to ApiVersions, SaslHandshake and SaslAuthenticate.

use super::answer::{BrokerAnswer, malformed};
use crate::session::cause::Fault;
use crate::session::counters::add;
use crate::session::inspect::kafka::KafkaInspector;
use crate::session::inspect::seam::{FrameAction, stage_frame};
use crate::session::output::Output;
use crate::wire::api::{Api, ApiKey};
use crate::wire::frame::RESPONSE_HEAD_LEN;
use crate::wire::{api_versions, header};

/// The error with which a broker answers a version of ApiVersions that it does not know (`UNSUPPORTED_VERSION`): the client
/// then asks by an older one.
const UNSUPPORTED_VERSION: i16 = 35;

fn is_refusal(code: i16) -> bool {
    code != 0 && code != UNSUPPORTED_VERSION
}

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
        if header::error_code_at_start(body).is_some_and(is_refusal) {
            add(&self.context.cluster_counters().error_answers, 1);
        }
        let succeeded = header::error_code_at_start(body) == Some(0);
        let target = &self.context.binding().cluster.target;
        let mut promise = None;
        let with = stage_frame(out, head, 0, |bytes| {
            let start = bytes.len();
            let chain = self.filters.as_ref().and_then(|filters| filters.chain());
            let offers = |api: &Api| chain.map_or(Some((api.min, api.max)), |chain| chain.offers(api));
            api_versions::clamp_to(version, body, &offers, bytes)?;
            let given = bytes.get(start..).filter(|_| succeeded);
            promise = given.map(|given| target.offers.promise(version, given));
            Ok(())
        })
        .map_err(malformed)?;
        if let Some(promise) = promise {
            self.promise = Some(promise);
        }
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
            if !succeeded {
                add(&self.context.cluster_counters().refused_credentials, 1);
            }
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
        let version = answer.asked.api_version;
        let is_refused = self
            .sasl
            .authenticate_answered(body, version, self.context.handle());
        self.refresh_subject();
        if is_refused {
            add(&self.context.cluster_counters().refused_credentials, 1);
        }
        Ok(FrameAction::Forward {
            taken: RESPONSE_HEAD_LEN,
        })
    }
}
