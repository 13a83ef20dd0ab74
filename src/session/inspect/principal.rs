//! Who the client authenticates as, for whoever looks at the sessions: noted when it is claimed, told when the broker
//! has accepted it.
//!
//! A claim and its answers are matched by their order, so it takes an exchange in which each request waits for the
//! answer to the one before, as every client's does. Of a client that pipelines them nothing is told: it could have
//! the answer to one name taken for the answer to another.

use super::kafka::KafkaInspector;
use super::sasl::{Mechanism, Rounds};
use crate::drain::SaslFacts;
use crate::wire::api::{Api, ApiKey};
use crate::wire::{header, sasl};

/// Requests and answers beyond this size are not looked into. A bearer token has a few kilobytes.
const MAX_LOOKED_AT: u32 = 64 * 1024;

/// Longest name of a mechanism; RFC 4422 §3.1 has 20.
const MAX_MECHANISM: usize = 64;

const OAUTHBEARER: &str = "OAUTHBEARER";

/// What a client claims, from its SaslHandshake to the broker's last word. A session that has authenticated has none.
#[derive(Debug)]
pub(super) struct Claim {
    mechanism: Box<str>,
    principal: Option<Box<str>>,
    /// The token that would name the principal is still to come.
    awaits_token: bool,
    /// Answers without an error that it takes to be accepted.
    answers_left: u8,
}

/// A SaslHandshake asks for `mechanism`.
pub(super) fn begin(session: &mut KafkaInspector, mechanism: &[u8]) {
    session.claim = None;
    if is_authenticating(session) {
        return;
    }
    let rounds = Mechanism::of(mechanism).rounds();
    let Some(mechanism) = sound(mechanism) else { return };
    session.claim = Some(Box::new(Claim {
        awaits_token: sasl::names_principal(mechanism),
        mechanism: mechanism.into(),
        principal: None,
        answers_left: match rounds {
            Rounds::Known(rounds) => rounds,
            Rounds::Open => 1,
        },
    }));
}

fn sound(mechanism: &[u8]) -> Option<&str> {
    let sound = (1..=MAX_MECHANISM).contains(&mechanism.len())
        && mechanism
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte));
    std::str::from_utf8(mechanism).ok().filter(|_| sound)
}

/// Whether an earlier request of an exchange is unanswered. The newest come first: where there is one it is near, for
/// no later one was let in without this question.
fn is_authenticating(session: &KafkaInspector) -> bool {
    let of_exchange = |key| matches!(key, ApiKey::SASL_HANDSHAKE | ApiKey::SASL_AUTHENTICATE);
    session
        .in_flight
        .iter()
        .rev()
        .any(|asked| of_exchange(asked.api_key))
}

/// A SaslAuthenticate request, as far as it is here (without its size). False: the rest of it is waited for.
pub(super) fn take_request(
    session: &mut KafkaInspector,
    api: &Api,
    version: i16,
    here: &[u8],
    size: u32,
) -> bool {
    take(session, here, size, |whole| {
        let body = header::request_body(whole, api, version).ok().flatten()?;
        sasl::authenticate_token(whole.get(body..)?, version)
            .ok()
            .flatten()
    })
}

/// The same of a raw token, which has no header.
pub(super) fn take_token(session: &mut KafkaInspector, here: &[u8], size: u32) -> bool {
    fn itself(token: &[u8]) -> Option<&[u8]> {
        Some(token)
    }
    take(session, here, size, itself)
}

fn take(
    session: &mut KafkaInspector,
    here: &[u8],
    size: u32,
    token: impl FnOnce(&[u8]) -> Option<&[u8]>,
) -> bool {
    if session.claim.is_some() && is_authenticating(session) {
        session.claim = None;
    }
    let Some(claim) = session.claim.as_mut().filter(|claim| claim.awaits_token) else {
        return true;
    };
    if size > MAX_LOOKED_AT {
        claim.awaits_token = false;
        return true;
    }
    let Some(whole) = here.get(..size as usize) else {
        return false;
    };
    claim.awaits_token = false;
    claim.principal = token(whole).and_then(|token| sasl::principal(&claim.mechanism, token));
    true
}

/// The broker refuses the mechanism.
pub(super) fn refuse(session: &mut KafkaInspector) {
    session.claim = None;
}

/// Whether the rest of an answer to SaslAuthenticate is to be waited for.
pub(super) fn wants_answer(session: &KafkaInspector, size: u32) -> bool {
    session.claim.is_some() && size <= MAX_LOOKED_AT
}

/// An answer to SaslAuthenticate, from its body on.
pub(super) fn answered(session: &mut KafkaInspector, body: Option<&[u8]>, version: i16) {
    if session.claim.is_none() {
        return;
    }
    let verdict = body.and_then(|body| sasl::authenticate_verdict(body, version).ok().flatten());
    match verdict {
        Some(verdict) if verdict.error_code == 0 => accepted(session, verdict.token.is_empty()),
        _ => session.claim = None,
    }
}

/// An answer without an error; `is_empty`: it brings no token. A broker that does not like a bearer token says so in
/// one (RFC 7628 §3.2.3), and refuses only then.
pub(super) fn accepted(session: &mut KafkaInspector, is_empty: bool) {
    let Some(claim) = &mut session.claim else { return };
    claim.answers_left = claim.answers_left.saturating_sub(1);
    let refused = &*claim.mechanism == OAUTHBEARER && !is_empty;
    if claim.answers_left > 0 && !refused {
        return;
    }
    let claim = session.claim.take().filter(|_| !refused);
    if let Some(claim) = claim {
        session.handle.facts.note_sasl(SaslFacts {
            mechanism: claim.mechanism,
            principal: claim.principal,
        });
    }
}
