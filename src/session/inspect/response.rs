//! The way of the answers: match each with the oldest request, rewrite what names brokers, let the rest pass.
//!
//! Three shapes of rewriting keep big answers out of memory (the layouts are in `wire::rewrite`):
//! *whole* answers are small and are taken as one; of Metadata only the broker list at its beginning is held,
//! the topics stream through; Produce and Fetch name brokers at their end, behind the records, which stream
//! through too. There the size prefix is gone by the time the end is seen, so the end is rewritten to a length
//! that was settled in advance.

mod brake;
mod brokers;
mod frame;
mod tail;

use brake::Put;
use brokers::{metadata, own_answer, whole};
use frame::{Frame, hold, malformed, replace};
use tail::{StreamedTail, begin_tail, continue_tail};

use super::in_flight::Expects;
use super::kafka::KafkaInspector;
use super::sasl::Sasl;
use super::{DrainMode, Inspect as _, InspectResult, principal, wanted, wanted_of_frame};
use crate::session::cause::{CloseCause, Fault};
use crate::session::output::Output;
use crate::wire::api::{self, ApiKey};
use crate::wire::frame::{self as wire_frame, MIN_RESPONSE, RESPONSE_HEAD_LEN, SIZE_LEN};
use crate::wire::probe::METADATA_VERSIONS;
use crate::wire::rewrite::{self, Placement};
use crate::wire::{api_versions, header};

/// The most that is held of one answer in order to rewrite it. Metadata of a cluster with 10 000 brokers takes a
/// tenth of it before its topics begin.
const MAX_HELD: usize = 16 << 20;

/// Where the response direction stands.
#[derive(Debug, Default)]
pub(super) struct ResponseState {
    /// Bytes of the current answer that have not been dealt with.
    left: u32,
    /// The current answer streams, and its end is to be rewritten.
    tail: Option<StreamedTail>,
}

impl ResponseState {
    pub(super) fn at_boundary(&self) -> bool {
        self.left == 0
    }
}

/// What becomes of the bytes at hand.
enum Fate {
    Next { taken: usize },
    Hold,
    NeedEndpoints { nodes: Vec<i32> },
}

pub(super) fn inspect(
    session: &mut KafkaInspector,
    bytes: &[u8],
    _now_us: u64,
    out: &mut Output,
) -> Result<InspectResult, Fault> {
    let mut at = 0;
    let mut brake = None;
    while at < bytes.len() {
        let fate = if session.response.left == 0 {
            let plain = plain_answers(session, &bytes[at..]);
            out.pass(at, at + plain);
            at += plain;
            if session.owes_answer() {
                session.write_own_answers(out);
            }
            if at == bytes.len() {
                break;
            }
            match brake::put_on(session, &bytes[at..]) {
                Put::Later => return Ok(held(session, bytes, at)),
                Put::No => {}
                Put::On(found) => brake = Some((out.mark(), at, found)),
            }
            answer(session, bytes, at, out)?
        } else if session.response.tail.is_some() {
            continue_tail(session, bytes, at, out)?
        } else {
            let taken = (session.response.left as usize).min(bytes.len() - at);
            session.response.left -= taken as u32;
            out.pass(at, at + taken);
            Fate::Next { taken }
        };
        match fate {
            Fate::Next { taken } => {
                at += taken;
                if let Some((mark, start, found)) = brake
                    && found.is_behind(at - start)
                {
                    found.apply(mark, out);
                    brake = None;
                }
            }
            Fate::Hold if bytes.len() - at > MAX_HELD => {
                return Err(Fault::new(
                    CloseCause::MalformedResponse,
                    "an answer too large to rewrite",
                ));
            }
            Fate::Hold => return Ok(held(session, bytes, at)),
            Fate::NeedEndpoints { nodes } => return Ok(InspectResult::NeedEndpoints { from: at, nodes }),
        }
    }
    Ok(InspectResult::Done)
}

/// What begins at `at` waits for more of the answer.
fn held(session: &KafkaInspector, bytes: &[u8], at: usize) -> InspectResult {
    let rest = &bytes[at..];
    let wanted = match session.response.left {
        0 => wanted_of_frame(rest),
        left => wanted(left as usize, rest.len()),
    };
    InspectResult::Hold { from: at, wanted }
}

/// Takes in the answers at the beginning of `bytes` that are there from end to end and visibly name nobody. Returns how
/// many bytes they are. Whatever is out of the ordinary, or wrong, is left to [`answer`].
#[inline]
fn plain_answers(session: &mut KafkaInspector, bytes: &[u8]) -> usize {
    let mut at = 0;
    while session.drain == DrainMode::Off
        && let Some((prefix, rest)) = bytes[at..].split_first_chunk::<SIZE_LEN>()
    {
        let Ok(size) = wire_frame::size(*prefix, MIN_RESPONSE, session.max_frame) else {
            break;
        };
        let (Some(asked), Some(here)) = (session.in_flight.oldest(), rest.get(..size as usize)) else {
            break;
        };
        let plain = match asked.expects {
            Expects::Opaque => true,
            Expects::Tailed => rewrite::plainly_names_nobody(asked.api_key, asked.api_version, here),
            Expects::Answer | Expects::Token | Expects::Local | Expects::Internal => false,
        };
        if !plain || header::response_correlation_id(here) != Some(asked.correlation_id) {
            break;
        }
        session.in_flight.pop();
        session.served = true;
        at += SIZE_LEN + size as usize;
    }
    at
}

/// The beginning of an answer: find its request, decide what is done with it.
#[inline]
fn answer(session: &mut KafkaInspector, bytes: &[u8], at: usize, out: &mut Output) -> Result<Fate, Fault> {
    let rest = &bytes[at..];
    let Some(prefix) = rest.first_chunk::<SIZE_LEN>() else {
        return Ok(Fate::Hold);
    };
    let token = session
        .in_flight
        .oldest()
        .is_some_and(|asked| asked.expects == Expects::Token);
    let least = if token { 0 } else { MIN_RESPONSE };
    let size = wire_frame::size(*prefix, least, session.max_frame).map_err(Fault::response_size)?;
    let Some(&asked) = session.in_flight.oldest() else {
        return Err(Fault::new(
            CloseCause::UnsolicitedResponse,
            format!("a response of {size} bytes"),
        ));
    };
    if token {
        match answers_request(session, rest, size) {
            None => return Ok(Fate::Hold),
            Some(true) => {
                session.in_flight.pop();
                return Ok(Fate::Next { taken: 0 });
            }
            Some(false) => {}
        }
        session.in_flight.pop();
        principal::accepted(session, size == 0);
        return Ok(pass(session, at, SIZE_LEN, size, out));
    }
    if rest.len() < RESPONSE_HEAD_LEN {
        return Ok(Fate::Hold);
    }
    let frame = Frame {
        bytes,
        at,
        size,
        asked,
    };
    check_correlation(&frame)?;
    if asked.expects == Expects::Internal {
        return own_answer(session, &frame);
    }
    match rewrite::placement(asked.api_key, asked.api_version) {
        Placement::None => opaque(session, &frame, out),
        Placement::Tail => begin_tail(session, &frame, out),
        Placement::Prefix => metadata(session, &frame, out),
        Placement::Whole => whole(session, &frame, out),
    }
}

/// Whether what should answer a token answers the request behind it, which no broker that follows the mechanism does: it
/// must not pass unread. `None`: its first bytes have not arrived.
fn answers_request(session: &KafkaInspector, rest: &[u8], size: u32) -> Option<bool> {
    let Some(next) = session.in_flight.next_of_broker() else {
        return Some(false);
    };
    if size < MIN_RESPONSE || next.expects == Expects::Token {
        return Some(false);
    }
    let here = rest.get(SIZE_LEN..RESPONSE_HEAD_LEN)?;
    Some(header::response_correlation_id(here) == Some(next.correlation_id))
}

#[inline]
fn check_correlation(frame: &Frame<'_>) -> Result<(), Fault> {
    let got = header::response_correlation_id(frame.here());
    if got == Some(frame.asked.correlation_id) {
        return Ok(());
    }
    let api = api::name_of(frame.asked.api_key).unwrap_or("unknown");
    let detail = format!(
        "correlation id {} where {} answers the oldest request ({api})",
        got.unwrap_or_default(),
        frame.asked.correlation_id,
    );
    Err(Fault::new(CloseCause::CorrelationMismatch, detail))
}

/// Lets the frame pass from `at` on, of which `head` bytes are looked at now.
#[inline]
fn pass(session: &mut KafkaInspector, at: usize, head: usize, size: u32, out: &mut Output) -> Fate {
    session.response.left = size + SIZE_LEN as u32 - head as u32;
    out.pass(at, at + head);
    Fate::Next { taken: head }
}

/// Answers that name no broker. Those about versions and authentication are looked into.
#[inline]
fn opaque(session: &mut KafkaInspector, frame: &Frame<'_>, out: &mut Output) -> Result<Fate, Fault> {
    match frame.asked.api_key {
        ApiKey::API_VERSIONS => return api_versions_answer(session, frame, out),
        ApiKey::SASL_HANDSHAKE => {
            if !frame.is_complete() {
                return hold(frame);
            }
            after_handshake(session, frame)?;
        }
        ApiKey::SASL_AUTHENTICATE => {
            if !frame.is_complete() && principal::wants_answer(session, frame.size) {
                return Ok(Fate::Hold);
            }
            let body = frame.body().ok().flatten();
            let body = body.filter(|_| frame.is_complete()).map(|at| &frame.here()[at..]);
            principal::answered(session, body, frame.asked.api_version);
        }
        _ => real_answer(session),
    }
    session.in_flight.pop();
    Ok(pass(session, frame.at, RESPONSE_HEAD_LEN, frame.size, out))
}

#[inline]
fn real_answer(session: &mut KafkaInspector) {
    session.served = true;
}

/// A handshake v0 that succeeded is followed by raw tokens.
fn after_handshake(session: &mut KafkaInspector, frame: &Frame<'_>) -> Result<(), Fault> {
    let Some(body) = frame.body()? else { return Ok(()) };
    let succeeded = header::error_code_at_start(&frame.here()[body..]) == Some(0);
    if !succeeded {
        principal::refuse(session);
    }
    if let Sasl::HandshakeV0 { mechanism } = session.sasl
        && frame.asked.api_version == 0
    {
        session.sasl = match succeeded {
            true => Sasl::Tokens {
                left: mechanism.rounds(),
            },
            false => Sasl::Exchanging,
        };
    }
    Ok(())
}

/// ApiVersions: offer only what kproxy can forward.
fn api_versions_answer(
    session: &mut KafkaInspector,
    frame: &Frame<'_>,
    out: &mut Output,
) -> Result<Fate, Fault> {
    if !frame.is_complete() {
        return hold(frame);
    }
    let Some(start) = frame.body()? else {
        return Ok(Fate::Hold);
    };
    let (head, body) = frame.here().split_at(start);
    let version = frame.asked.api_version;
    if let Some((_, newest)) = api_versions::version_range(body, version, ApiKey::METADATA) {
        session.metadata_version = newest.clamp(*METADATA_VERSIONS.start(), *METADATA_VERSIONS.end());
    }
    replace(out, head, 0, |bytes| {
        api_versions::clamp(version, body, bytes).map(drop)
    })
    .map_err(malformed)?;
    session.in_flight.pop();
    Ok(Fate::Next { taken: frame.len() })
}
