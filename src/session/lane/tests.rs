use std::task::Waker;

use super::*;

/// A source that always fills the buffer, and remembers how large it was.
#[derive(Default)]
struct Endless {
    asked: Vec<usize>,
}

impl AsyncRead for Endless {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.asked.push(into.remaining());
        into.put_slice(&vec![0; into.remaining()]);
        Poll::Ready(Ok(()))
    }
}

/// The sizes of `reads` reads of a stream of frames of `frame` bytes each.
fn read_sizes(frame: usize, reads: usize) -> Vec<usize> {
    let (mut lane, mut source) = (Lane::default(), Endless::default());
    // Large enough to take everything.
    let (mut sink, _peer) = tokio::io::duplex(1 << 30);
    let (account, mut context) = (Account::of(0), Context::from_waker(Waker::noop()));
    for _ in 0..reads {
        let step = lane.poll_step(&mut source, &mut sink, &account, &mut context, |bytes, out| {
            out.pass(0, bytes.len());
            Ok(InspectResult::Done)
        });
        assert!(matches!(step, Poll::Ready(Ok(LaneStep::Moved(_)))));
        let read = lane.bytes as usize;
        lane.note_frame_left(read.next_multiple_of(frame) - read);
    }
    source.asked
}

#[test]
fn small_frames_are_read_by_the_buffer() {
    for frame in [100, 16 << 10, 64 << 10, READ] {
        assert_eq!(read_sizes(frame, 40), vec![READ; 40], "frames of {frame}");
    }
}

#[test]
fn large_frames_are_read_in_pieces_that_stay_in_the_cache() {
    for frame in [1 << 20, 3_333_333] {
        let sizes = read_sizes(frame, 40);
        assert_eq!(sizes[0], READ, "nothing is known of the first frame");
        assert!(
            sizes[1..].iter().all(|&size| size == LARGE_FRAME_READ),
            "{sizes:?}"
        );
    }
}

#[test]
fn a_stream_of_small_frames_after_a_large_one_is_read_by_the_buffer_again() {
    let mut lane = Lane {
        bytes: 10,
        ..Lane::default()
    };
    lane.note_frame_left(1 << 20);
    assert_eq!(lane.read_size(), LARGE_FRAME_READ);
    lane.bytes += 1 << 20;
    lane.note_frame_left(0);
    assert_eq!(
        lane.read_size(),
        LARGE_FRAME_READ,
        "the next frame may be as large"
    );
    lane.bytes += 5_000;
    lane.note_frame_left(300);
    assert_eq!(lane.read_size(), READ);
}
