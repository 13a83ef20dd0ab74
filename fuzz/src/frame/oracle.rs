//! What must hold of a session, worked out from nothing but the bytes that went in and came out.

use kproxy::session::cause::CloseCause;
use kproxy::session::inspect::Inspect as _;
use kproxy::testing::is_complete;
use kproxy::wire::api::{self, ApiKey};
use kproxy::wire::api_versions;
use kproxy::wire::frame::SIZE_LEN;
use kproxy::wire::header::{self, RequestHead};
use kproxy::wire::max_wait::max_wait;
use kproxy::wire::rewrite::{Placement, placement};
use kproxy::wire::sasl::MAX_PRINCIPAL;
use kproxy::wire::throttle::{self, Throttle};

use super::session::{Lane, Session, frames, own_version};

/// How an answer to a request comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Broker,
    /// kproxy answers the client.
    Local,
    /// The broker answers kproxy.
    Own,
    /// `acks=0`, or no longer forwarded.
    Nobody,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    head: RequestHead,
    source: Source,
}

/// Holds of a session at any time.
pub(crate) fn check(session: &Session) {
    if session.fault.is_none() {
        if !session.is_paused() {
            assert_incomplete(&session.up);
        }
        assert_incomplete(&session.down);
    }
    let asked = requests_in_order(session);
    assert_bounded(session, &asked);
    if let Some(sasl) = session.handle().facts.sasl() {
        assert!(sasl.mechanism.len() <= 64);
        sasl.principal.as_deref().into_iter().for_each(assert_principal);
    }
    if speaks_tokens(session) {
        assert_tokens_are_tokens(session);
        // Which frames are requests is what the inspector finds out; a second one would only repeat it.
        return;
    }
    let (answered, own_answered) = answers_in_order(session, &asked);
    if session.fault.is_some() {
        return;
    }
    let expecting = asked
        .iter()
        .filter(|asked| asked.source != Source::Nobody)
        .count();
    assert_eq!(
        session.inspector.in_flight(),
        expecting - answered - usize::from(own_answered),
        "in flight"
    );
}

/// Holds of two sessions that got the same bytes in different pieces.
pub(crate) fn compare(one: &Session, other: &Session) {
    let has_tail = frames(&one.up.output).into_iter().any(|frame| {
        head(frame).is_some_and(|head| placement(head.api_key, head.api_version) == Placement::Tail)
    });
    let causes = [one, other].map(|session| session.fault.as_ref().map(|fault| fault.cause));
    if has_tail && causes.contains(&Some(CloseCause::MalformedResponse)) {
        // An end that names nobody passes unread where it is whole, and is read where it is to be padded.
        return;
    }
    assert_eq!(causes[0], causes[1]);
    if one.fault.is_some() {
        // How much went out before the end is a matter of timing.
        return;
    }
    assert_eq!(one.up.output, other.up.output);
    assert_eq!(one.up.held, other.up.held);
    assert_eq!(one.inspector.in_flight(), other.inspector.in_flight());
    assert_eq!(one.inspector.at_boundary(), other.inspector.at_boundary());
    assert_eq!(one.inspector.is_settled(), other.inspector.is_settled());
    assert_eq!(
        one.inspector.requests_completed(),
        other.inspector.requests_completed()
    );
    assert_eq!(one.known_brokers(), other.known_brokers());
    if !has_tail {
        // The end of an answer that streams may be padded.
        assert_eq!(one.down.output, other.down.output);
    }
}

/// What is held is the beginning of a frame, or of the end of one, that has not arrived.
fn assert_incomplete(lane: &Lane) {
    if lane.held == 0 {
        return;
    }
    let dealt = lane.dealt().len();
    let mut start = 0;
    for frame in frames(&lane.input) {
        if start + frame.len() > dealt {
            assert!(!is_complete(frame), "a complete frame is held");
        }
        start += frame.len();
    }
}

fn head(request: &[u8]) -> Option<RequestHead> {
    header::request_head(request.get(SIZE_LEN..)?)
}

/// ApiVersions in a version that kproxy does not know.
fn is_answered_here(request: &[u8]) -> bool {
    head(request).is_some_and(|head| {
        head.api_key == ApiKey::API_VERSIONS
            && api::api(head.api_key).is_some_and(|api| !api.supports(head.api_version))
    })
}

/// SaslHandshake v0: frames may be anything behind it.
fn speaks_tokens(session: &Session) -> bool {
    frames(&session.up.output).into_iter().any(|frame| {
        head(frame).is_some_and(|head| head.api_key == ApiKey::SASL_HANDSHAKE && head.api_version == 0)
    })
}

/// What is forwarded behind a SaslHandshake v0 is a request that kproxy offers, or a token that no broker takes for one;
/// only of mechanisms whose tokens are counted it may be anything.
fn assert_tokens_are_tokens(session: &Session) {
    let mut counted = false;
    for frame in frames(&session.up.output) {
        let (Some(head), true) = (head(frame), is_complete(frame)) else {
            continue;
        };
        let offered = api::api(head.api_key).is_some_and(|api| api.supports(head.api_version));
        if offered && (head.api_key, head.api_version) == (ApiKey::SASL_HANDSHAKE, 0) {
            counted |= [&b"PLAIN"[..], b"OAUTHBEARER", b"SCRAM-"]
                .iter()
                .any(|name| contains(frame, name));
        }
        let unmistakable = !(0..0x4000).contains(&head.api_key) || head.api_key == 0x0504;
        assert!(offered || unmistakable || counted, "a request went by as a token");
    }
}

fn contains(frame: &[u8], name: &[u8]) -> bool {
    frame.windows(name.len()).any(|window| window == name)
}

/// What the broker got is what the client sent, in order, but for what is answered here, what nobody sends twice
/// any more, and kproxy's own question.
fn requests_in_order(session: &Session) -> Vec<Asked> {
    let mut sent = Sent {
        frames: frames(session.up.dealt()).into(),
        at: 0,
        acks0_only_from: session.acks0_only_from.unwrap_or(usize::MAX),
        asked: Vec::new(),
    };
    let mut own = session.learns();
    for forwarded in frames(&session.up.output) {
        if own && own_version(forwarded).is_some() {
            own = false;
            sent.skip_until(|frame| !is_answered_here(frame));
            sent.push(forwarded, Source::Own);
            continue;
        }
        let found = sent.skip_until(|frame| {
            let shorter = session.throttling.then(|| with_shorter_wait(frame)).flatten();
            std::iter::once(frame)
                .chain(shorter.as_deref())
                .any(|frame| frame == forwarded || (session.fault.is_some() && frame.starts_with(forwarded)))
        });
        assert!(found, "forwarded what was not sent");
        sent.pass();
    }
    sent.skip_until(|_| false);
    assert!(
        sent.frames.is_empty() || session.fault.is_some(),
        "{} requests have vanished",
        sent.frames.len()
    );
    sent.asked
}

/// The same request, asking the broker to answer sooner.
fn with_shorter_wait(frame: &[u8]) -> Option<Vec<u8>> {
    const LONGEST: i32 = 100;
    let head = head(frame)?;
    let content = frame.get(SIZE_LEN..)?;
    let (at, wait) = max_wait(content, api::api(head.api_key)?, head.api_version).ok()??;
    let shorter = wait.min(LONGEST).to_be_bytes();
    Some([&frame[..SIZE_LEN + at], &shorter, &content[at + shorter.len()..]].concat())
}

/// The same answer, asking the client for a pause.
fn with_pause(frame: &[u8], head: RequestHead) -> Option<Vec<u8>> {
    const SHORTEST: i32 = 250;
    let content = frame.get(SIZE_LEN..)?;
    let found = throttle::find(head.api_key, head.api_version, content, content.len());
    let Ok(Throttle::At(at)) = found else { return None };
    let (before, rest) = content.split_at(at);
    let (field, behind) = rest.split_first_chunk()?;
    let pause = i32::from_be_bytes(*field).max(SHORTEST).to_be_bytes();
    Some([&frame[..SIZE_LEN], before, &pause, behind].concat())
}

/// What the client sent and has not been accounted for.
struct Sent<'a> {
    frames: std::collections::VecDeque<&'a [u8]>,
    /// Where the first of them begins.
    at: usize,
    acks0_only_from: usize,
    asked: Vec<Asked>,
}

impl Sent<'_> {
    /// Passes over requests that need not be forwarded; whether the next is the one that is looked for.
    fn skip_until(&mut self, found: impl Fn(&[u8]) -> bool) -> bool {
        while let Some(&frame) = self.frames.front() {
            if found(frame) {
                return true;
            }
            let acks0_only = self.at >= self.acks0_only_from;
            if !acks0_only && !is_answered_here(frame) {
                return false;
            }
            self.push(frame, if acks0_only { Source::Nobody } else { Source::Local });
            self.at += frame.len();
            self.frames.pop_front();
        }
        false
    }

    /// Takes the next as forwarded.
    fn pass(&mut self) {
        let Some(frame) = self.frames.pop_front() else {
            return;
        };
        self.at += frame.len();
        let silent = head(frame).is_some_and(|head| {
            head.api_key == ApiKey::PRODUCE
                && header::produce_acks(&frame[SIZE_LEN..], head.api_version) == Ok(Some(0))
        });
        self.push(frame, if silent { Source::Nobody } else { Source::Broker });
    }

    fn push(&mut self, frame: &[u8], source: Source) {
        if let Some(head) = head(frame) {
            self.asked.push(Asked { head, source });
        }
    }
}

/// What the client got answers its requests one after the other; what names no broker is as the broker sent it.
/// Returns how many answers have begun, and whether kproxy's own question has been answered.
fn answers_in_order(session: &Session, asked: &[Asked]) -> (usize, bool) {
    let mut sent = frames(session.down.dealt()).into_iter();
    let mut asked = asked.iter().filter(|asked| asked.source != Source::Nobody);
    let mut own_answered = false;
    let got = frames(&session.down.output);
    for answer in &got {
        let mut next = asked.next().expect("an answer to nothing");
        if next.source == Source::Own {
            own_answered = true;
            sent.next().expect("an answer from nowhere");
            next = asked.next().expect("an answer to nothing");
        }
        if next.source == Source::Local {
            let mut local = Vec::new();
            api_versions::local_unsupported(next.head.correlation_id, &mut local);
            assert_eq!(local, *answer);
            continue;
        }
        let id = header::response_correlation_id(&answer[SIZE_LEN..]);
        assert_eq!(id, Some(next.head.correlation_id));
        let original = sent.next().expect("an answer from nowhere");
        let (key, version) = (next.head.api_key, next.head.api_version);
        if placement(key, version) == Placement::None && key != ApiKey::API_VERSIONS {
            let pausing = session
                .throttling
                .then(|| with_pause(original, next.head))
                .flatten();
            let same = std::iter::once(original)
                .chain(pausing.as_deref())
                .any(|original| {
                    *answer == original || (session.fault.is_some() && original.starts_with(answer))
                });
            assert!(same, "an answer is not as it was sent");
        } else if is_complete(original) && session.fault.is_none() {
            assert!(is_complete(answer), "a rewritten answer is not whole");
        }
    }
    if let Some(Asked {
        source: Source::Own, ..
    }) = asked.next()
    {
        own_answered = session.inspector.accepts_requests() || session.inspector.wants_to_leave().is_some();
    }
    (got.len(), own_answered)
}

/// What is shown of a client does no harm to whoever looks at it.
pub(crate) fn assert_principal(name: &str) {
    assert!((1..=MAX_PRINCIPAL).contains(&name.len()));
    assert!(!name.contains(char::is_control));
}

/// Nothing grows beyond what the addresses in it explain.
fn assert_bounded(session: &Session, asked: &[Asked]) {
    const OWN_QUESTION: usize = 64;
    const LOCAL_ANSWER: usize = 20;
    assert!(session.up.output.len() <= session.up.input.len() + OWN_QUESTION);
    let local = asked.iter().filter(|asked| asked.source == Source::Local).count();
    // An address of ours has 19 bytes, and a broker's entry in any list at least ten; an answer that streams is
    // padded for every broker that is known.
    let padding = 16 + 24 * session.known_brokers();
    let answers = frames(&session.down.input).len();
    assert!(
        session.down.output.len() <= 4 * session.down.input.len() + LOCAL_ANSWER * local + answers * padding
    );
}
