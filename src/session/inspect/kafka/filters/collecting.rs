//! Collecting a frame that filters read: its size is judged, and its memory reserved, before it is held.

use super::FilterTrack;
use crate::session::cause::{CloseCause, Fault};
use crate::session::frame_memory::{FramePlace, FrameShare, Reservation};
use crate::session::inspect::kafka::context::SessionContext;
use crate::session::inspect::seam::{Frame, FrameAction};

/// The memory of the frame that one direction collects.
#[derive(Debug, Default)]
pub(super) enum FrameHold {
    /// No frame is collected.
    #[default]
    None,
    /// Its memory will come.
    Waits(FramePlace),
    /// Its memory is reserved.
    Has { _share: FrameShare },
}

/// The two directions of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FrameWay {
    Requests,
    Answers,
}

impl FilterTrack {
    /// Has a frame be presented again with more of it, once its memory is reserved.
    ///
    /// # Errors
    /// It is larger than what filters may hold.
    pub(super) fn collect(
        &mut self,
        direction: FrameWay,
        frame: Frame<'_>,
        context: &SessionContext,
    ) -> Result<FrameAction, Fault> {
        let (size, most) = (frame.size(), context.max_filtered());
        if size > most {
            let (cause, what) = match direction {
                FrameWay::Requests => (CloseCause::FrameTooLarge, "a request"),
                FrameWay::Answers => (CloseCause::MalformedResponse, "an answer"),
            };
            let detail =
                format!("{what} of {size} bytes, which a filter reads, is above the limit of {most}");
            return Err(Fault::new(cause, detail));
        }
        let hold = match direction {
            FrameWay::Requests => &mut self.request_hold,
            FrameWay::Answers => &mut self.answer_hold,
        };
        if let FrameHold::Waits(place) = hold
            && let Some(share) = place.take()
        {
            *hold = FrameHold::Has { _share: share };
        }
        if let FrameHold::Has { .. } = hold {
            return Ok(FrameAction::Hold);
        }
        match context.frame_memory().reserve(size) {
            Reservation::Now(share) => {
                *hold = FrameHold::Has { _share: share };
                Ok(FrameAction::Hold)
            }
            Reservation::Later(place, wait) => {
                *hold = FrameHold::Waits(place);
                self.wait = Some(wait);
                Ok(FrameAction::Pause)
            }
        }
    }

    /// Frees the memory of the frame that was collected.
    pub(super) fn collected(&mut self, direction: FrameWay) {
        match direction {
            FrameWay::Requests => self.request_hold = FrameHold::None,
            FrameWay::Answers => self.answer_hold = FrameHold::None,
        }
    }
}
