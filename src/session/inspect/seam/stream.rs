//! Where a direction stands within its stream of frames.

use super::FrameAction;
use crate::session::inspect::in_flight::InFlightTracker;
use crate::session::inspect::{InspectResult, wanted};
use crate::session::output::Output;

/// One direction's position between and within frames. It alone puts out the bytes of frames.
#[derive(Debug, Default)]
pub(in crate::session::inspect) struct FrameStream {
    /// Bytes of the current frame that have been neither put out nor discarded.
    left: u32,
    /// The current frame goes no further.
    discarding: bool,
}

/// The bytes that an action is about.
#[derive(Debug, Clone, Copy)]
pub(in crate::session::inspect) struct Place {
    /// Position of the first of them among the bytes of the read.
    pub(in crate::session::inspect) at: usize,
    /// How many have arrived, the frame's and later ones.
    pub(in crate::session::inspect) available: usize,
    /// How many bytes the frame has from there on, arrived or not.
    pub(in crate::session::inspect) frame_left: usize,
}

/// Outcome of carrying out an action.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::session::inspect) enum StreamStep {
    /// This number of bytes is dealt with; the next decision is about those behind them.
    Taken(usize),
    /// Nothing goes on in this direction before this is done.
    Wait(InspectResult),
}

impl FrameStream {
    /// Whether the next byte begins a frame.
    #[inline]
    pub(in crate::session::inspect) fn is_at_boundary(&self) -> bool {
        self.left == 0
    }

    /// Bytes of the current frame still to come or to be decided on.
    #[inline]
    pub(in crate::session::inspect) fn left(&self) -> usize {
        self.left as usize
    }

    /// Whether nothing of the current frame, if there is one, is put out.
    #[inline]
    pub(in crate::session::inspect) fn is_discarding(&self) -> bool {
        self.discarding
    }

    /// Notes that whole frames passed by without an action.
    #[inline]
    pub(in crate::session::inspect) fn passed_whole_frames(&mut self) {
        self.discarding = false;
    }

    /// Goes on with the current frame as was decided: forwards or discards what of it is among the bytes from `at` to
    /// `end` of the read. Returns how many bytes that were.
    #[inline]
    pub(in crate::session::inspect) fn carry_on(&mut self, at: usize, end: usize, out: &mut Output) -> usize {
        let taken = self.left().min(end - at);
        self.left -= taken as u32;
        if !self.discarding {
            out.pass(at, at + taken);
        }
        taken
    }

    /// Carries out `action` on the bytes at `place`: the beginning of a frame, or the rest of the current one.
    #[inline]
    pub(in crate::session::inspect) fn apply(
        &mut self,
        action: FrameAction,
        place: Place,
        in_flight: &mut InFlightTracker,
        out: &mut Output,
    ) -> StreamStep {
        let Place { at, .. } = place;
        let mut discarding = false;
        let taken = match action {
            FrameAction::Forward { taken } => {
                out.pass(at, at + taken);
                taken
            }
            FrameAction::Patch { at: field_at, field } => {
                out.pass(at, at + field_at);
                out.emit(|bytes| bytes.extend_from_slice(&field));
                field_at + field.len()
            }
            FrameAction::Replace { taken, with } => {
                out.place(with);
                taken
            }
            FrameAction::Discard { taken } => {
                discarding = true;
                taken
            }
            FrameAction::Answer {
                taken,
                request,
                response,
            } => {
                in_flight.push_own_answer(request, response);
                discarding = true;
                taken
            }
            FrameAction::Hold => {
                let wanted = wanted(place.frame_left, place.available);
                return StreamStep::Wait(InspectResult::Hold { from: at, wanted });
            }
            FrameAction::Pause => return StreamStep::Wait(InspectResult::Pause { from: at }),
            FrameAction::NeedEndpoints { nodes } => {
                return StreamStep::Wait(InspectResult::NeedEndpoints { from: at, nodes });
            }
        };
        self.discarding = discarding;
        self.left = (place.frame_left - taken) as u32;
        StreamStep::Taken(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Frame, stage_frame};
    use super::*;
    use crate::session::inspect::in_flight::{Expects, InFlight};
    use crate::wire::Malformed;
    use crate::wire::frame::SIZE_LEN;

    /// A direction that is shown bytes read by read, and what it puts out.
    #[derive(Default)]
    struct StreamUnderTest {
        stream: FrameStream,
        in_flight: InFlightTracker,
        put_out: Vec<u8>,
    }

    impl StreamUnderTest {
        /// Has `handle` decide about each frame that begins in `bytes`; what it holds is dropped.
        fn read(
            &mut self,
            bytes: &[u8],
            mut handle: impl FnMut(Frame<'_>, &mut Output) -> FrameAction,
        ) -> Option<InspectResult> {
            let mut out = Output::default();
            let mut at = 0;
            let mut result = None;
            while at < bytes.len() && result.is_none() {
                if !self.stream.is_at_boundary() {
                    at += self.stream.carry_on(at, bytes.len(), &mut out);
                    continue;
                }
                let size = u32::from_be_bytes(*bytes[at..].first_chunk().unwrap());
                let frame = Frame::new(&bytes[at..], size);
                let action = handle(frame, &mut out);
                let place = Place {
                    at,
                    available: bytes.len() - at,
                    frame_left: frame.len(),
                };
                match self.stream.apply(action, place, &mut self.in_flight, &mut out) {
                    StreamStep::Taken(taken) => at += taken,
                    StreamStep::Wait(wait) => result = Some(wait),
                }
            }
            self.put_out.extend(out.to_vec(bytes));
            result
        }
    }

    fn framed(content: &[u8]) -> Vec<u8> {
        [&(content.len() as u32).to_be_bytes(), content].concat()
    }

    fn request(correlation_id: i32) -> InFlight {
        InFlight {
            at_us: 0,
            correlation_id,
            api_key: 0,
            api_version: 0,
            expects: Expects::Broker(super::super::Lift::None),
        }
    }

    /// Replaces the first three bytes of a frame's content.
    fn replace_prefix(frame: Frame<'_>, out: &mut Output, by: &[u8]) -> FrameAction {
        let taken = SIZE_LEN + 3;
        let with = stage_frame(out, b"", frame.len() - taken, |bytes| {
            bytes.extend_from_slice(by);
            Ok(())
        });
        FrameAction::Replace {
            taken,
            with: with.unwrap(),
        }
    }

    #[test]
    fn a_frame_is_replaced_by_a_longer_or_shorter_one_while_its_rest_streams() {
        for by in [&b"much longer"[..], b"", b"abc"] {
            let bytes = [framed(b"oldrest of the frame"), framed(b"oldnext")].concat();
            let expected = [
                framed(&[by, b"rest of the frame"].concat()),
                framed(&[by, b"next"].concat()),
            ]
            .concat();
            for cut in SIZE_LEN + 3..SIZE_LEN + 20 {
                let mut direction = StreamUnderTest::default();
                for part in [&bytes[..cut], &bytes[cut..]] {
                    assert_eq!(
                        direction.read(part, |frame, out| replace_prefix(frame, out, by)),
                        None
                    );
                }
                assert_eq!(direction.put_out, expected, "cut at {cut}");
                assert!(direction.stream.is_at_boundary());
            }
        }
    }

    #[test]
    fn a_replacement_that_fails_leaves_nothing_behind() {
        let mut out = Output::default();
        let failed = stage_frame(&mut out, b"head", 0, |bytes| {
            bytes.extend_from_slice(b"half");
            Err(Malformed::new("it"))
        });
        assert!(failed.is_err() && out.is_empty());
        let staged = stage_frame(&mut out, b"", 0, |_| Ok(())).unwrap();
        assert!(out.is_empty(), "what is staged has no place yet");
        out.place(staged);
        assert_eq!(out.to_vec(&[]), [0; 4]);
        assert!(stage_frame(&mut out, b"", i32::MAX as usize + 1, |_| Ok(())).is_err());
    }

    #[test]
    fn a_field_is_patched_where_it_is() {
        let mut direction = StreamUnderTest::default();
        let bytes = framed(b"before....after");
        let patch = |_: Frame<'_>, _: &mut Output| FrameAction::Patch {
            at: SIZE_LEN + 6,
            field: *b"1234",
        };
        assert_eq!(direction.read(&bytes[..16], patch), None);
        assert_eq!(direction.read(&bytes[16..], patch), None);
        assert_eq!(direction.put_out, framed(b"before1234after"));
    }

    #[test]
    fn a_frame_is_discarded_to_its_end_and_no_further() {
        let mut direction = StreamUnderTest::default();
        let bytes = [framed(b"secret"), framed(b"public")].concat();
        let mut first = true;
        for part in [&bytes[..8], &bytes[8..]] {
            let result = direction.read(part, |frame, _| match std::mem::take(&mut first) {
                true => FrameAction::Discard { taken: SIZE_LEN },
                false => FrameAction::Forward { taken: frame.len() },
            });
            assert_eq!(result, None);
        }
        assert_eq!(direction.put_out, framed(b"public"));
    }

    #[test]
    fn an_answer_of_kproxys_own_keeps_the_order_of_requests() {
        let mut direction = StreamUnderTest::default();
        direction.in_flight.push(request(1));
        let answer = |_: Frame<'_>, _: &mut Output| FrameAction::Answer {
            taken: SIZE_LEN,
            request: request(2),
            response: b"mine".to_vec(),
        };
        assert_eq!(direction.read(&framed(b"asked"), answer), None);
        direction.in_flight.push(request(3));
        assert!(direction.put_out.is_empty(), "the request goes no further");
        let queue = &mut direction.in_flight;
        assert!(!queue.is_own_answer_next() && queue.pop_own_answer().is_none());
        queue.pop();
        assert!(queue.is_own_answer_next());
        assert_eq!(queue.pop_own_answer(), Some(b"mine".to_vec()));
        assert_eq!(queue.oldest(), Some(&request(3)));
        assert!(queue.pop_own_answer().is_none());
    }

    #[test]
    fn what_is_held_is_presented_again_with_no_more_than_the_frame() {
        let mut direction = StreamUnderTest::default();
        let bytes = framed(&[7; 1000]);
        for have in [SIZE_LEN, 100, 1000, 1003] {
            let Some(InspectResult::Hold { from: 0, wanted }) =
                direction.read(&bytes[..have], |_, _| FrameAction::Hold)
            else {
                panic!("not held");
            };
            assert!(wanted > have && wanted <= bytes.len(), "{wanted} after {have}");
        }
        assert!(direction.put_out.is_empty() && direction.stream.is_at_boundary());
    }
}
