//! Who the client authenticates as, for the list of sessions: noted when it is claimed, kept when the broker has accepted
//! it.

use crate::drain::SaslFacts;
use crate::session::inspect::seam::Frame;
use crate::wire::api::Api;
use crate::wire::{header, sasl};

use super::exchange::{Mechanism, Rounds};

/// Largest request or answer that is read, in bytes; in a larger one nothing is noted. A bearer token has a few
/// kilobytes.
pub(super) const MAX_READ: usize = 64 * 1024;

/// Longest name of a mechanism, in bytes; RFC 4422 §3.1 allows 20.
const MAX_MECHANISM: usize = 64;

const OAUTHBEARER: &str = "OAUTHBEARER";

/// A client's claim, from its SaslHandshake to the broker's decision.
#[derive(Debug)]
pub(super) struct SaslAttempt {
    mechanism: Box<str>,
    principal: Option<Box<str>>,
    /// The token that would name the principal is still to come.
    awaits_token: bool,
    /// Answers without an error that it takes to be accepted.
    answers_left: u8,
}

/// State of an attempt after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SaslProgress {
    /// More answers decide.
    GoesOn,
    /// The client is who it says it is.
    Accepted,
    /// The broker has refused it.
    Refused,
}

impl SaslAttempt {
    /// An attempt by this mechanism; `None` if no mechanism has such a name.
    pub(super) fn begin(mechanism: &[u8]) -> Option<Box<Self>> {
        let rounds = Mechanism::of(mechanism).rounds();
        let mechanism = mechanism_name(mechanism)?;
        Some(Box::new(Self {
            awaits_token: sasl::names_principal(mechanism),
            mechanism: mechanism.into(),
            principal: None,
            answers_left: match rounds {
                Rounds::Known(rounds) => rounds,
                Rounds::Open => 1,
            },
        }))
    }

    /// Takes in a SaslAuthenticate request. False: the rest of it is waited for.
    pub(super) fn authenticate_requested(&mut self, api: &Api, version: i16, frame: Frame<'_>) -> bool {
        self.read_token(frame, |content| {
            let body = header::request_body(content, api, version).ok().flatten()?;
            sasl::authenticate_token(content.get(body..)?, version)
                .ok()
                .flatten()
        })
    }

    /// Takes in a raw token, which has no header. False: the rest of it is waited for.
    pub(super) fn token_sent(&mut self, frame: Frame<'_>) -> bool {
        fn itself(content: &[u8]) -> Option<&[u8]> {
            Some(content)
        }
        self.read_token(frame, itself)
    }

    fn read_token(&mut self, frame: Frame<'_>, token: impl FnOnce(&[u8]) -> Option<&[u8]>) -> bool {
        if !self.awaits_token {
            return true;
        }
        if frame.size() <= MAX_READ {
            if !frame.is_complete() {
                return false;
            }
            self.principal = token(frame.content()).and_then(|token| sasl::principal(&self.mechanism, token));
        }
        self.awaits_token = false;
        true
    }

    /// Takes in the answer to a SaslAuthenticate, from its body on; `None`: it was not read.
    pub(super) fn authenticate_answered(&mut self, body: Option<&[u8]>, version: i16) -> SaslProgress {
        let outcome = body.and_then(|body| sasl::authenticate_outcome(body, version).ok().flatten());
        match outcome {
            Some(outcome) if outcome.error_code == 0 => self.answered(outcome.token.is_empty()),
            _ => SaslProgress::Refused,
        }
    }

    /// Takes in an answer without an error. `is_empty`: it brings no token back. A broker that does not accept a bearer
    /// token says so in a token (RFC 7628 §3.2.3), and reports the error only after the next.
    pub(super) fn answered(&mut self, is_empty: bool) -> SaslProgress {
        self.answers_left = self.answers_left.saturating_sub(1);
        if &*self.mechanism == OAUTHBEARER && !is_empty {
            SaslProgress::Refused
        } else if self.answers_left > 0 {
            SaslProgress::GoesOn
        } else {
            SaslProgress::Accepted
        }
    }

    /// The facts to note of an attempt that was accepted.
    pub(super) fn into_facts(self) -> SaslFacts {
        SaslFacts {
            mechanism: self.mechanism,
            principal: self.principal,
        }
    }
}

/// The name, if a mechanism may be called so.
fn mechanism_name(name: &[u8]) -> Option<&str> {
    let is_sound = (1..=MAX_MECHANISM).contains(&name.len())
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte));
    std::str::from_utf8(name).ok().filter(|_| is_sound)
}
