//! Promise 11: what is looked at again, and how often.

use kproxy::session::Output;
use kproxy::session::inspect::{Inspect as _, InspectResult};

use super::{KNOWN_BROKERS, give};
use crate::fuzz_targets::frame::session::{Session, Settings, Side};

/// Looks at `bytes` that arrive one by one, as the pump has it done: never before there are as many as were wanted.
/// Returns how often, and how many bytes in all.
fn looks(bytes: &[u8], mut look: impl FnMut(&[u8], &mut Output) -> InspectResult) -> (usize, usize) {
    let (mut from, mut wanted, mut times, mut seen) = (0, 0, 0, 0);
    for end in 1..=bytes.len() {
        if end - from < wanted {
            continue;
        }
        let presented = &bytes[from..end];
        (times, seen) = (times + 1, seen + presented.len());
        let mut out = Output::default();
        match look(presented, &mut out).rest() {
            Some((at, more)) => (from, wanted) = (from + at, more),
            None => (from, wanted) = (end, 0),
        }
    }
    (times, seen)
}

fn framed(content: &[u8]) -> Vec<u8> {
    let size = (content.len() as i32).to_be_bytes();
    [size.as_slice(), content].concat()
}

/// Metadata of version 1 for all topics, and an answer that names so many brokers and no topic.
fn metadata(brokers: i32) -> (Vec<u8>, Vec<u8>) {
    let request = [0, 3, 0, 1, 0, 0, 0, 9, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    let mut answer = [9_i32.to_be_bytes(), brokers.to_be_bytes()].concat();
    for node in 0..brokers {
        answer.extend(node.to_be_bytes());
        answer.extend(*b"\0\x10broker.test.host");
        answer.extend(9092_i32.to_be_bytes());
        answer.extend([0xff, 0xff]);
    }
    answer.extend([0, 0, 0, 0, 0, 0, 0, 0]);
    (framed(&request), framed(&answer))
}

#[test]
fn what_is_held_is_looked_at_so_seldom_that_the_work_is_linear() {
    const LENGTH: usize = 100_000;
    let mut session = Session::new(Settings::from_bits(KNOWN_BROKERS));
    // A Produce whose header has more tagged fields than arrive.
    let mut request = vec![0, 1, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, 0xff, 0xff];
    request.extend([0xff, 0xff, 0xff, 0xff, 0x0f]);
    request.extend([1, 1, 0].iter().cycle().take(LENGTH));
    request[..4].copy_from_slice(&(1_i32 << 20).to_be_bytes());
    let (times, seen) = looks(&request, |bytes, out| {
        session.inspector.requests(bytes, 0, out).unwrap()
    });
    assert!(
        times < 140 && seen < 8 * request.len(),
        "{times} looks at {seen} bytes"
    );

    let (request, answer) = metadata(2_000);
    let mut session = Session::new(Settings::from_bits(KNOWN_BROKERS));
    give(&mut session, Side::Client, &request, usize::MAX);
    let (times, seen) = looks(&answer, |bytes, out| {
        session.inspector.responses(bytes, 0, out).unwrap()
    });
    // Behind the brokers every byte passes at once.
    let streamed = times.saturating_sub(140);
    assert!(
        seen < 8 * answer.len() + streamed,
        "{times} looks at {seen} bytes of {}",
        answer.len()
    );
    assert_eq!(session.inspector.in_flight(), 0);
}
