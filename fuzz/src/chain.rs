//! Chains of filters that change nothing, beside a session without filters.
//!
//! The second byte of an input says how much two filters read, the third when they wait and when a reload replaces them; the
//! rest is as for `frame`, without drains and without questions of kproxy's own.

use std::sync::Arc;

use kproxy::filter::{
    Chain, ClientSession, Filter, FilterStep, Interest, Level, Note, OnRequest, OnResponse, Request, Response,
};
use kproxy::session::cause::CloseCause;
use kproxy::session::inspect::Inspect as _;
use kproxy::testing::{chain_of, is_complete};
use kproxy::wire::api::{self, HIGHEST_KEY};
use kproxy::wire::frame::SIZE_LEN;
use kproxy::wire::header::{self, RequestHead};
use kproxy::wire::rewrite::{Placement, TailFinder, placement};

use super::frame::events_of;
use super::frame::session::{Session, Settings, frames};

/// Reads frames at these levels, and changes nothing.
#[derive(Debug)]
struct Idle {
    requests: Level,
    responses: Level,
    /// Waits once at each frame, for something that is there.
    waits: bool,
}

/// Whether a filter has waited at the frame that it is asked about.
#[derive(Default)]
struct HasWaited(bool);

impl Filter for Idle {
    fn name(&self) -> &str {
        "idle"
    }

    fn interest(&self, interest: &mut Interest) {
        for key in 0..=HIGHEST_KEY as i16 {
            interest.requests(key, 0..=i16::MAX, self.requests);
            interest.responses(key, 0..=i16::MAX, self.responses);
        }
    }

    fn request(&self, session: &mut ClientSession, request: &mut Request<'_>) -> FilterStep<OnRequest> {
        if self.waits {
            let waited = session.state::<HasWaited>();
            waited.0 = !waited.0;
            if waited.0 {
                return FilterStep::Again(Box::pin(std::future::ready(())));
            }
        }
        // A note, so that answers are held to their requests.
        let note = Box::new(request.correlation_id());
        step(
            self.requests,
            request.is_complete(),
            request.body(),
            OnRequest::ForwardNoting(note),
        )
    }

    fn response(
        &self,
        _session: &mut ClientSession,
        response: &mut Response<'_>,
        note: &mut Option<Note>,
    ) -> FilterStep<OnResponse> {
        if let Some(asked) = note.as_ref().and_then(|note| note.downcast_ref::<i32>()) {
            let answered = response.content().first_chunk().map(|id| i32::from_be_bytes(*id));
            assert_eq!(answered, Some(*asked), "the note of another request");
        }
        step(
            self.responses,
            response.is_complete(),
            response.body(),
            OnResponse::Forward,
        )
    }
}

/// A part is as much as an even number of bytes, so that some frames are waited for.
fn step<T>(level: Level, is_complete: bool, body: &[u8], forward: T) -> FilterStep<T> {
    match level {
        Level::Part if !is_complete && body.len() % 2 == 1 => FilterStep::More,
        _ => FilterStep::Now(forward),
    }
}

fn idle_chain(levels: u8, waits: bool) -> Option<Arc<Chain>> {
    let level = |bits: u8| [Level::None, Level::Head, Level::Part, Level::Whole][usize::from(bits & 3)];
    let filter = |bits: u8| -> Arc<dyn Filter> {
        Arc::new(Idle {
            requests: level(bits),
            responses: level(bits >> 2),
            waits,
        })
    };
    chain_of([filter(levels), filter(levels >> 4)])
}

/// What passes a chain of idle filters is what passes without filters, byte for byte: as far as it has passed, and all of it
/// where no frame is incomplete and nothing was wrong. No memory stays reserved.
pub(crate) fn run(input: &[u8]) {
    let [settings, levels, changes, script @ ..] = input else {
        return;
    };
    let settings = Settings::from_bits(settings & !1);
    let waits = changes & 1 != 0;
    let mut plain = Session::new(settings);
    let mut filtered = Session::filtered(settings, idle_chain(*levels, waits));
    let events = events_of(script, &mut plain);
    let reload_at = usize::from(changes >> 2);
    for (number, event) in events.iter().enumerate() {
        if changes & 2 != 0 && number == reload_at && !filtered.is_over() {
            filtered.reload(idle_chain(levels.rotate_left(3), waits));
        }
        filtered.apply(event);
    }
    plain.look_once_more();
    filtered.look_once_more();
    compare(&plain, &filtered);
}

fn compare(plain: &Session, filtered: &Session) {
    let has_tail = frames(&plain.up.output)
        .into_iter()
        .any(|frame| head(frame).is_some_and(|head| has_tail(&head)));
    let causes = [plain, filtered].map(|session| session.fault.as_ref().map(|fault| fault.cause));
    if has_tail && causes.contains(&Some(CloseCause::MalformedResponse)) {
        // An end that names nobody passes unread where it is whole, and is read where it is to be padded.
        return;
    }
    compare_requests(&plain.up.output, &filtered.up.output);
    compare_answers(plain, filtered);
    let is_whole = |session: &Session| {
        session.fault.is_none() && !session.is_over() && session.up.held == 0 && session.down.held == 0
    };
    if is_whole(plain) && is_whole(filtered) {
        assert_eq!(plain.up.output, filtered.up.output);
        assert_eq!(plain.inspector.in_flight(), filtered.inspector.in_flight());
        assert_eq!(
            frames(&plain.down.output).len(),
            frames(&filtered.down.output).len()
        );
        assert_eq!(filtered.binding.cluster.process.frame_memory.in_use(), 0);
    }
}

fn compare_requests(plain: &[u8], filtered: &[u8]) {
    assert!(plain.starts_with(filtered), "{plain:?}\n{filtered:?}");
}

/// The answers are the same in order; the end of one that streams may be padded, and is not where a filter holds it.
fn compare_answers(plain: &Session, filtered: &Session) {
    let requests = frames(&plain.up.output);
    let asked: Vec<_> = requests.iter().filter_map(|frame| head(frame)).collect();
    let pairs = frames(&plain.down.output)
        .into_iter()
        .zip(frames(&filtered.down.output));
    for (without, with) in pairs {
        if without == with || without.starts_with(with) {
            continue;
        }
        let id = header::response_correlation_id(&without[SIZE_LEN..]);
        assert_eq!(id, header::response_correlation_id(&with[SIZE_LEN..]));
        let streams = |head: &&RequestHead| Some(head.correlation_id) == id && has_tail(head);
        let head = asked.iter().find(streams);
        let head = head.unwrap_or_else(|| panic!("not as without filters:\n{without:?}\n{with:?}"));
        let [before, after] = [without, with].map(|frame| before_tail(frame, head));
        assert!(before.starts_with(after) || after.starts_with(before));
        if is_complete(without) && is_complete(with) {
            assert_eq!(before, after);
        }
    }
}

fn has_tail(head: &RequestHead) -> bool {
    placement(head.api_key, head.api_version) == Placement::Tail
}

fn head(request: &[u8]) -> Option<RequestHead> {
    header::request_head(request.get(SIZE_LEN..)?)
}

/// The body of an answer as far as its end, which names brokers.
fn before_tail<'a>(frame: &'a [u8], head: &RequestHead) -> &'a [u8] {
    let content = &frame[SIZE_LEN..];
    let body_at = api::api(head.api_key)
        .and_then(|api| {
            header::response_body(content, api, head.api_version)
                .ok()
                .flatten()
        })
        .unwrap_or(content.len());
    let body = &content[body_at..];
    let finder = TailFinder::new(head.api_key, head.api_version, body.len());
    let advance = finder.and_then(|mut finder| finder.advance(body).ok());
    &body[..advance.map_or(0, |advance| advance.consumed)]
}
