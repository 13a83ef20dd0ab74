//! Collecting a frame that filters read: its size is judged, and its memory reserved, before it is held.

use super::requests::Decided;
use super::{FilterTrack, bit, failing, filters_of};
use crate::filter::{Chain, Level};
use crate::session::cause::{CloseCause, Fault};
use crate::session::frame_memory::{FramePlace, FrameShare, Reservation};
use crate::session::inspect::kafka::context::SessionContext;
use crate::session::inspect::seam::{Frame, FrameAction};
use crate::wire::api::Api;
use crate::wire::header::RequestHead;

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

/// Why a frame cannot be collected.
#[derive(Debug)]
pub(super) struct Unheld {
    /// The end of the session, where no filter can do without the frame.
    pub(super) cause: CloseCause,
    /// The reason.
    pub(super) what: String,
}

impl Unheld {
    /// The end of the session.
    pub(super) fn into_fault(self) -> Fault {
        Fault::new(self.cause, self.what)
    }
}

impl FrameWay {
    /// A frame above the limit of `most` bytes.
    fn too_large(self, size: usize, most: usize) -> Unheld {
        let (cause, frame) = match self {
            Self::Requests => (CloseCause::FrameTooLarge, "a request"),
            Self::Answers => (CloseCause::MalformedResponse, "an answer"),
        };
        let what = format!("{frame} of {size} bytes, which a filter reads, is above the limit of {most}");
        Unheld { cause, what }
    }

    /// A frame for which no memory has become free in time.
    fn out_of_memory(self, size: usize) -> Unheld {
        let frame = match self {
            Self::Requests => "a request",
            Self::Answers => "an answer",
        };
        Unheld {
            cause: CloseCause::FilterFailed,
            what: format!("{frame} of {size} bytes, which a filter reads, has got no memory within 10 s"),
        }
    }
}

impl FilterTrack {
    /// Has a frame be presented again with more of it, once its memory is reserved.
    ///
    /// # Errors
    /// It is larger than what filters may hold, or its memory has not become free within the limit of a wait.
    pub(super) fn collect(
        &mut self,
        direction: FrameWay,
        frame: Frame<'_>,
        context: &SessionContext,
    ) -> Result<FrameAction, Unheld> {
        let (size, most) = (frame.size(), context.max_filtered());
        if size > most {
            return Err(direction.too_large(size, most));
        }
        let hold = match direction {
            FrameWay::Requests => &mut self.request_hold,
            FrameWay::Answers => &mut self.answer_hold,
        };
        let mut has_waited = false;
        if let FrameHold::Waits(place) = hold {
            match place.take() {
                Some(share) => *hold = FrameHold::Has { _share: share },
                None => has_waited = true,
            }
        }
        if let FrameHold::Has { .. } = hold {
            return Ok(FrameAction::Hold);
        }
        match context.frame_memory().reserve(size) {
            Reservation::Now(share) => {
                *hold = FrameHold::Has { _share: share };
                Ok(FrameAction::Hold)
            }
            Reservation::Later(..) if has_waited => {
                *hold = FrameHold::None;
                Err(direction.out_of_memory(size))
            }
            Reservation::Later(place, wait) => {
                *hold = FrameHold::Waits(place);
                self.wait = Some(wait);
                Ok(FrameAction::Pause)
            }
        }
    }

    /// Asks the filters about a request as soon as so much of it is held as they read.
    pub(super) fn decide_held_request(
        &mut self,
        chain: &Chain,
        api: &'static Api,
        head: RequestHead,
        (frame, body_at): (Frame<'_>, usize),
        context: &SessionContext,
    ) -> Result<Decided, Fault> {
        loop {
            let whole = match frame.is_complete() {
                true => 0,
                false => self.readers_of_whole(chain, head),
            };
            if whole == 0 {
                let decided = self.decide_request(chain, api, head, (frame, body_at))?;
                if !matches!(decided, Decided::Wait(FrameAction::Hold)) {
                    return Ok(decided);
                }
            }
            let unheld = match self.collect(FrameWay::Requests, frame, context) {
                Ok(action) => return Ok(Decided::Wait(action)),
                Err(unheld) => unheld,
            };
            let progress = self.request.get_or_insert_default();
            let bits = if whole == 0 { bit(progress.decided) } else { whole };
            progress.passed_by |= bits;
            let readers = filters_of(chain, bits).map(|(_, chained)| chained);
            failing::of_unheld(readers, &self.session, unheld)?;
        }
    }

    /// Bits of the filters that have not decided about the request and read all of it.
    #[inline]
    fn readers_of_whole(&self, chain: &Chain, head: RequestHead) -> u64 {
        if chain.interest().of(head.api_key).request(head.api_version) != Level::Whole {
            return 0;
        }
        let (decided, passed_by) = match &self.request {
            Some(progress) => (progress.decided, progress.passed_by),
            None => (0, 0),
        };
        let filters = chain.filters().iter().enumerate().skip(decided);
        filters
            .filter(|(_, chained)| {
                chained.interest.of(head.api_key).request(head.api_version) == Level::Whole
            })
            .fold(0, |readers, (position, _)| readers | bit(position))
            & !passed_by
    }

    /// Frees the memory of the frame that was collected.
    pub(super) fn collected(&mut self, direction: FrameWay) {
        match direction {
            FrameWay::Requests => self.request_hold = FrameHold::None,
            FrameWay::Answers => self.answer_hold = FrameHold::None,
        }
    }
}
