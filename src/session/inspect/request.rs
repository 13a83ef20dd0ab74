//! The way of the requests: judge the header, note what will be answered, let the bytes pass.

use super::in_flight::{Expects, InFlight, MOST};
use super::kafka::{KafkaInspector, LearningStage};
use super::sasl::{Mechanism, Open, Rounds, Sasl, asked_mechanism, judge_open};
use super::{DrainMode, InspectResult, introduction, principal, wanted_of_frame};
use crate::session::cause::{CloseCause, Fault};
use crate::session::counters::Run;
use crate::session::output::Output;
use crate::wire::api::{self, AddressLayout, Api, ApiKey};
use crate::wire::frame::{self, MIN_REQUEST, REQUEST_HEAD_LEN, SIZE_LEN};
use crate::wire::header::{self, RequestHead};
use crate::wire::max_wait::max_wait;
use crate::wire::probe;
use crate::wire::rewrite::Placement;

/// Largest SaslHandshake request: it holds the name of a mechanism.
const MAX_HANDSHAKE: u32 = 64 * 1024;

/// Largest raw token: the broker's own limit before authentication (`sasl.server.max.receive.size`).
const MAX_TOKEN: u32 = 512 * 1024;

/// Bytes of a Produce request in which its `acks` must be found: client id and transactional id have at most
/// 32 767 bytes each, and the rest is for tagged fields. The same goes for how long a Fetch may be kept. Nothing else
/// is held for longer than a header's head.
const MAX_HELD: usize = 128 * 1024;

/// How long a broker may keep a Fetch that a session forwards although it is to leave, in milliseconds.
const SHORT_WAIT_MS: i32 = 100;

/// What becomes of one request.
enum Fate {
    /// Its first `taken` bytes (size prefix included) are judged; the rest of the frame follows them.
    Forward { taken: usize },
    /// The same, but for the bytes behind the first `taken`, which `instead` replaces.
    Change { taken: usize, instead: [u8; 4] },
    /// It is answered here, or not at all.
    Drop { taken: usize },
    /// More bytes are needed to judge it.
    Hold,
    /// It waits until kproxy's own question is answered, or until there is room for it.
    Pause,
}

pub(super) fn inspect(
    session: &mut KafkaInspector,
    bytes: &[u8],
    now_us: u64,
    out: &mut Output,
) -> Result<InspectResult, Fault> {
    let mut at = 0;
    session.full = false;
    while at < bytes.len() {
        let plain = plain_requests(session, &bytes[at..], now_us);
        out.pass(at, at + plain);
        at += plain;
        if at == bytes.len() {
            break;
        }
        if session.request_left > 0 {
            let taken = (session.request_left as usize).min(bytes.len() - at);
            session.request_left -= taken as u32;
            if !session.dropping {
                out.pass(at, at + taken);
            }
            at += taken;
            continue;
        }
        let rest = &bytes[at..];
        if session.drain != DrainMode::Acks0Only && session.in_flight.is_full() {
            session.full = true;
            return Ok(InspectResult::Pause { from: at });
        }
        let Some(prefix) = rest.first_chunk::<SIZE_LEN>() else {
            let wanted = SIZE_LEN;
            return Ok(InspectResult::Hold { from: at, wanted });
        };
        let fate = match session.sasl {
            Sasl::Tokens { left } => match token(session, left, rest, *prefix, now_us)? {
                Some(fate) => fate,
                None => request(session, rest, *prefix, now_us, out)?,
            },
            _ => request(session, rest, *prefix, now_us, out)?,
        };
        match fate {
            Fate::Forward { taken } => {
                session.dropping = false;
                out.pass(at, at + taken);
                at += taken;
            }
            Fate::Change { taken, instead } => {
                session.dropping = false;
                out.pass(at, at + taken);
                out.emit(|bytes| bytes.extend_from_slice(&instead));
                at += taken + instead.len();
            }
            Fate::Drop { taken } => {
                session.dropping = true;
                at += taken;
            }
            Fate::Hold => {
                let wanted = wanted_of_frame(rest);
                return Ok(InspectResult::Hold { from: at, wanted });
            }
            Fate::Pause => return Ok(InspectResult::Pause { from: at }),
        }
    }
    Ok(InspectResult::Done)
}

/// Takes in the requests at the beginning of `bytes` that are there from end to end and need no second look: nearly
/// all of them, in a few nanoseconds each. Returns how many bytes they are. Whatever is out of the ordinary, or wrong,
/// is left to [`request`], which knows the same things and more.
#[inline]
fn plain_requests(session: &mut KafkaInspector, bytes: &[u8], now_us: u64) -> usize {
    let ordinary = session.request_left == 0
        && session.introduced
        && session.learning.is_none()
        && session.drain == DrainMode::Off
        && !session.log_frames
        && !matches!(session.sasl, Sasl::Tokens { .. });
    let mut run = Run::default();
    let mut at = 0;
    while ordinary
        && session.in_flight.len() < MOST
        && let Some((prefix, rest)) = bytes[at..].split_first_chunk::<SIZE_LEN>()
    {
        let Ok(size) = frame::size(*prefix, MIN_REQUEST, session.max_frame) else {
            break;
        };
        let Some(here) = rest.get(..size as usize) else {
            break;
        };
        let Some(head) = header::request_head(here) else {
            break;
        };
        let Some(api) = api::api(head.api_key) else { break };
        if !api.supports(head.api_version) || api.is_preamble {
            break;
        }
        if head.api_key == ApiKey::PRODUCE {
            match header::usual_produce_acks(here, head.api_version) {
                None => break,
                Some(0) => session.served = true,
                Some(_) => session
                    .in_flight
                    .push(entry(head, now_us, expected(api, head.api_version))),
            }
        } else {
            session
                .in_flight
                .push(entry(head, now_us, expected(api, head.api_version)));
        }
        session.sasl = Sasl::Idle;
        session.dropping = false;
        session.requests += 1;
        run.add(head, &session.tally);
        at += SIZE_LEN + size as usize;
    }
    run.close(&session.tally);
    at
}

/// How closely the answer to this request will be looked at.
#[inline]
fn expected(api: &Api, version: i16) -> Expects {
    match api.address_layout(version).map(AddressLayout::placement) {
        None if !api.is_preamble => Expects::Opaque,
        Some(Placement::Tail) => Expects::Tailed,
        _ => Expects::Answer,
    }
}

/// Judges the request at the beginning of `rest`.
#[inline]
fn request(
    session: &mut KafkaInspector,
    rest: &[u8],
    prefix: [u8; SIZE_LEN],
    now_us: u64,
    out: &mut Output,
) -> Result<Fate, Fault> {
    let size = frame::size(prefix, MIN_REQUEST, session.max_frame).map_err(Fault::request_size)?;
    let here = &rest[SIZE_LEN..rest.len().min(SIZE_LEN + size as usize)];
    let Some(head) = header::request_head(here) else {
        return Ok(Fate::Hold);
    };
    let Some(api) = api::api(head.api_key) else {
        return Err(unsupported(head));
    };
    if session.learning.is_some() && asks_after_authentication(session, api, out, now_us) {
        return Ok(Fate::Pause);
    }
    if !api.supports(head.api_version) {
        return unknown_version(session, head, size, now_us);
    }
    let Some(Judged { expects, shorter_at }) = judge_body(session, api, head, here, size)? else {
        return Ok(Fate::Hold);
    };
    if !api.is_preamble {
        // No client asks for anything while it authenticates; what it asked before may still be answered.
        session.sasl = Sasl::Idle;
    }
    if !session.introduced || head.api_key == ApiKey::API_VERSIONS {
        introduction::take(session, api, head.api_version, here);
    }
    session.tally.count(head.api_key, head.api_version, 1);
    if session.log_frames {
        log_frame(session, head, api, size, here);
    }
    session.requests += 1;
    session.request_left = size + SIZE_LEN as u32 - REQUEST_HEAD_LEN as u32;
    session.silent = !expects;
    session.served |= !expects;
    if session.drain == DrainMode::Acks0Only && expects {
        return Ok(Fate::Drop {
            taken: REQUEST_HEAD_LEN,
        });
    }
    if expects {
        session
            .in_flight
            .push(entry(head, now_us, expected(api, head.api_version)));
    }
    if let Some(at) = shorter_at {
        let (taken, instead) = (SIZE_LEN + at, SHORT_WAIT_MS.to_be_bytes());
        session.request_left = size + SIZE_LEN as u32 - (taken + instead.len()) as u32;
        return Ok(Fate::Change { taken, instead });
    }
    Ok(Fate::Forward {
        taken: REQUEST_HEAD_LEN,
    })
}

/// What the body of a request decides.
struct Judged {
    /// The broker will answer.
    expects: bool,
    /// Where, behind the size prefix, it says how long the broker may keep it, if that is too long.
    shorter_at: Option<usize>,
}

/// Looks into those bodies that decide anything. `None`: what decides has not arrived.
#[inline]
fn judge_body(
    session: &mut KafkaInspector,
    api: &Api,
    head: RequestHead,
    here: &[u8],
    size: u32,
) -> Result<Option<Judged>, Fault> {
    let mut judged = Judged {
        expects: true,
        shorter_at: None,
    };
    match head.api_key {
        _ if session.drain == DrainMode::Throttling && api.max_wait.is_some() => {
            match shorter_wait(api, head.api_version, here, size) {
                MaxWait::Later => return Ok(None),
                MaxWait::Fine => {}
                MaxWait::TooLong { at } => judged.shorter_at = Some(at),
            }
        }
        ApiKey::PRODUCE => {
            let within = &here[..here.len().min(MAX_HELD)];
            match header::produce_acks(within, head.api_version).map_err(Fault::malformed_request)? {
                None => return incomplete(here, size).map(|()| None),
                Some(acks) => judged.expects = acks != 0,
            }
        }
        // What goes no further begins no exchange.
        ApiKey::SASL_HANDSHAKE | ApiKey::SASL_AUTHENTICATE if session.drain == DrainMode::Acks0Only => {}
        ApiKey::SASL_HANDSHAKE => {
            return Ok(handshake(session, api, head, here, size)?.map(|()| judged));
        }
        ApiKey::SASL_AUTHENTICATE => {
            session.sasl = Sasl::Exchanging;
            if !principal::take_request(session, api, head.api_version, here, size) {
                return Ok(None);
            }
        }
        _ => {}
    }
    Ok(Some(judged))
}

/// What a request says about how long the broker may keep it.
enum MaxWait {
    /// Nothing yet.
    Later,
    /// No longer than a leaving session waits for, or nothing that can be understood: that is the broker's business.
    Fine,
    /// Too long; the field begins so many bytes behind the size.
    TooLong { at: usize },
}

fn shorter_wait(api: &Api, version: i16, here: &[u8], size: u32) -> MaxWait {
    match max_wait(&here[..here.len().min(MAX_HELD)], api, version) {
        Ok(Some((at, wait))) if wait > SHORT_WAIT_MS => MaxWait::TooLong { at },
        Ok(None) if here.len() < MAX_HELD.min(size as usize) => MaxWait::Later,
        Ok(_) | Err(_) => MaxWait::Fine,
    }
}

#[inline]
fn entry(head: RequestHead, at_us: u64, expects: Expects) -> InFlight {
    InFlight {
        at_us,
        correlation_id: head.correlation_id,
        api_key: head.api_key,
        api_version: head.api_version,
        expects,
    }
}

/// More bytes decide, unless the frame is already complete: then it does not parse.
fn incomplete(here: &[u8], size: u32) -> Result<(), Fault> {
    if here.len() >= MAX_HELD {
        return Err(Fault::new(
            CloseCause::MalformedRequest,
            "what precedes acks is larger than any client writes",
        ));
    }
    if here.len() == size as usize {
        return Err(Fault::new(
            CloseCause::MalformedRequest,
            "the request ends within its header",
        ));
    }
    Ok(())
}

/// Whether a first request that begins so can be forwarded or answered at all: asked before a broker is connected
/// to. Its size has been judged already.
///
/// # Errors
/// The API or its version is not one that kproxy offers.
pub fn judge_head(bytes: &[u8; REQUEST_HEAD_LEN]) -> Result<(), Fault> {
    let Some(head) = header::request_head(&bytes[SIZE_LEN..]) else {
        return Ok(());
    };
    if is_taken(head) {
        Ok(())
    } else {
        Err(unsupported(head))
    }
}

/// Whether a request is forwarded or answered here, as far as its API and version say.
pub(super) fn is_taken(head: RequestHead) -> bool {
    api::api(head.api_key).is_some_and(|api| api.supports(head.api_version)) || is_answered_here(head)
}

/// An ApiVersions request of whatever version gets an answer.
fn is_answered_here(head: RequestHead) -> bool {
    head.api_key == ApiKey::API_VERSIONS && head.api_version >= 0
}

fn unsupported(head: RequestHead) -> Fault {
    let name = api::name_of(head.api_key).unwrap_or("an unknown API");
    Fault::new(
        CloseCause::UnsupportedApi,
        format!(
            "request for {name} (key {}) version {}",
            head.api_key, head.api_version
        ),
    )
}

/// An ApiVersions request newer than kproxy knows is answered here, as a broker would (KIP-511): error 35 and
/// the versions that are known, in the layout of version 0. Anything else was not on offer.
fn unknown_version(
    session: &mut KafkaInspector,
    head: RequestHead,
    size: u32,
    now_us: u64,
) -> Result<Fate, Fault> {
    if !is_answered_here(head) {
        return Err(unsupported(head));
    }
    if session.drain != DrainMode::Acks0Only {
        let asked = entry(head, now_us, Expects::Local);
        session.in_flight.push_local(asked);
    }
    session.requests += 1;
    session.request_left = size + SIZE_LEN as u32 - REQUEST_HEAD_LEN as u32;
    Ok(Fate::Drop {
        taken: REQUEST_HEAD_LEN,
    })
}

/// Notes that an exchange begins. `None`: the mechanism's name has not arrived yet.
fn handshake(
    session: &mut KafkaInspector,
    api: &Api,
    head: RequestHead,
    here: &[u8],
    size: u32,
) -> Result<Option<()>, Fault> {
    if size > MAX_HANDSHAKE {
        let detail = format!("SaslHandshake of {size} bytes");
        return Err(Fault::new(CloseCause::FrameTooLarge, detail));
    }
    if here.len() < size as usize {
        return Ok(None);
    }
    session.sasl = Sasl::Exchanging;
    let mechanism = asked_mechanism(api, head.api_version, here);
    principal::begin(session, mechanism.unwrap_or_default());
    if head.api_version == 0 {
        session.sasl = Sasl::HandshakeV0 {
            mechanism: Mechanism::of(mechanism.map_err(Fault::malformed_request)?),
        };
    }
    Ok(Some(()))
}

/// A raw SASL token. `None`: the exchange is over and this is a request.
fn token(
    session: &mut KafkaInspector,
    left: Rounds,
    rest: &[u8],
    prefix: [u8; SIZE_LEN],
    now_us: u64,
) -> Result<Option<Fate>, Fault> {
    if left == Rounds::Open {
        let size = frame::size(prefix, 0, session.max_frame).map_err(Fault::request_size)?;
        match judge_open(&rest[SIZE_LEN..rest.len().min(SIZE_LEN + size as usize)], size) {
            Open::Unknown => return Ok(Some(Fate::Hold)),
            Open::Either => return Err(unclear(rest, size)),
            Open::Request => {
                end_of_tokens(session);
                return Ok(None);
            }
            Open::Token if awaits_token(session) => return Err(hurried()),
            Open::Token => {}
        }
    }
    let size = frame::size(prefix, 0, MAX_TOKEN).map_err(Fault::request_size)?;
    let here = &rest[SIZE_LEN..rest.len().min(SIZE_LEN + size as usize)];
    if !principal::take_token(session, here, size) {
        return Ok(Some(Fate::Hold));
    }
    session.sasl = left.after_one();
    session.requests += 1;
    session.request_left = size;
    session.silent = false;
    let head = RequestHead {
        api_key: ApiKey::SASL_AUTHENTICATE,
        api_version: -1,
        correlation_id: 0,
    };
    session.in_flight.push(entry(head, now_us, Expects::Token));
    Ok(Some(Fate::Forward { taken: SIZE_LEN }))
}

/// Whether the answer to the newest token is still to come.
fn awaits_token(session: &KafkaInspector) -> bool {
    session
        .in_flight
        .newest()
        .is_some_and(|newest| newest.expects == Expects::Token)
}

/// A request follows the tokens: the last of them has no answer, if it has not had one.
fn end_of_tokens(session: &mut KafkaInspector) {
    if awaits_token(session) {
        session.in_flight.take_back();
    }
    session.sasl = Sasl::Exchanging;
}

#[cold]
fn unclear(rest: &[u8], size: u32) -> Fault {
    let what = match header::request_head(&rest[SIZE_LEN..]) {
        Some(head) => format!("API key {} version {}", head.api_key, head.api_version),
        None => "no request".to_owned(),
    };
    Fault::new(
        CloseCause::SaslExchangeUnclear,
        format!(
            "a frame of {size} bytes after SaslHandshake v0 may be a token and may be a request that kproxy does not \
             forward ({what}); SaslHandshake v1 tells them apart"
        ),
    )
}

/// Which of two tokens has no answer, nobody could tell.
#[cold]
fn hurried() -> Fault {
    Fault::new(
        CloseCause::SaslExchangeUnclear,
        "the client sends a token before the broker has answered the one before; SaslHandshake v1 allows for it",
    )
}

/// While the topology is to be learned over this connection: the first request that is not part of getting
/// acquainted makes kproxy ask its own question first.
fn asks_after_authentication(session: &mut KafkaInspector, api: &Api, out: &mut Output, now_us: u64) -> bool {
    let Some(learning) = &mut session.learning else {
        return false;
    };
    if api.is_preamble {
        return false;
    }
    if learning.stage == LearningStage::Waiting {
        learning.stage = LearningStage::Asked;
        let version = session.metadata_version;
        let head = RequestHead {
            api_key: ApiKey::METADATA,
            api_version: version,
            correlation_id: i32::MIN,
        };
        out.emit(|bytes| probe::metadata_request(version, head.correlation_id, bytes));
        session.in_flight.push(entry(head, now_us, Expects::Internal));
    }
    true
}

/// `logFrames`: header fields only, never a byte of a body.
#[cold]
fn log_frame(session: &KafkaInspector, head: RequestHead, api: &Api, size: u32, here: &[u8]) {
    let client_id = header::client_id(here)
        .ok()
        .flatten()
        .flatten()
        .map(String::from_utf8_lossy);
    tracing::info!(
        cluster = %session.binding.cluster.name,
        session = session.session_id,
        generation = session.generation,
        node = %session.binding.node,
        api = api.name,
        version = head.api_version,
        correlation_id = head.correlation_id,
        client_id = client_id.as_deref().unwrap_or_default(),
        size,
        "request"
    );
}
