//! One answer, as far as it has arrived, with the request it answers.

use super::MAX_HELD;
use crate::session::cause::{CloseCause, Fault};
use crate::session::inspect::in_flight::InFlight;
use crate::session::inspect::seam::{Frame, FrameAction};
use crate::wire::api::{self, Api};
use crate::wire::{Malformed, header};

/// Header and body of an answer, without its size prefix.
type HeadAndBody<'a> = (&'a [u8], &'a [u8]);

/// The answer to `asked`.
pub(in super::super) struct BrokerAnswer<'a> {
    pub(in super::super) frame: Frame<'a>,
    pub(in super::super) asked: InFlight,
}

impl<'a> BrokerAnswer<'a> {
    /// The answer to the oldest request, whose correlation id has arrived.
    ///
    /// # Errors
    /// [`CloseCause::CorrelationMismatch`]: it answers another.
    #[inline]
    pub(in super::super) fn of(asked: InFlight, frame: Frame<'a>) -> Result<Self, Fault> {
        if header::response_correlation_id(frame.content()) == Some(asked.correlation_id) {
            Ok(Self { frame, asked })
        } else {
            Err(mismatch(asked, frame))
        }
    }

    /// The bytes behind the size prefix that have arrived, split where the body begins. `None`: the body has not begun.
    ///
    /// # Errors
    /// [`CloseCause::MalformedResponse`]: its header is none, or it ends within that.
    #[inline]
    pub(in super::super) fn split_at_body(&self) -> Result<Option<HeadAndBody<'a>>, Fault> {
        let content = self.frame.content();
        let body = header::response_body(content, self.api()?, self.asked.api_version).map_err(malformed)?;
        if body.is_none() && self.frame.is_complete() {
            return Err(malformed(Malformed::new("answer: it ends within its header")));
        }
        Ok(body.map(|start| content.split_at(start)))
    }

    /// Waits for the rest of the answer.
    ///
    /// # Errors
    /// [`CloseCause::MalformedResponse`]: that is more than kproxy is willing to hold.
    pub(in super::super) fn hold_whole(&self) -> Result<FrameAction, Fault> {
        let size = self.frame.size();
        if size > MAX_HELD {
            let detail = format!("an answer of {size} bytes is too large to rewrite");
            return Err(Fault::new(CloseCause::MalformedResponse, detail));
        }
        Ok(FrameAction::Hold)
    }

    fn api(&self) -> Result<&'static Api, Fault> {
        // Only known APIs are forwarded, so their answers are known.
        api::api(self.asked.api_key).ok_or_else(|| malformed(Malformed::new("answer: unknown API")))
    }
}

/// The fault of an answer that is not what its version says it is.
pub(in super::super) fn malformed(bad: Malformed) -> Fault {
    Fault::malformed_response(bad)
}

#[cold]
fn mismatch(asked: InFlight, frame: Frame<'_>) -> Fault {
    let api = api::name_of(asked.api_key).unwrap_or("unknown");
    let detail = format!(
        "correlation id {} where {} answers the oldest request ({api})",
        header::response_correlation_id(frame.content()).unwrap_or_default(),
        asked.correlation_id,
    );
    Fault::new(CloseCause::CorrelationMismatch, detail)
}
