//! SASL as a bystander sees it: kproxy passes authentication through and watches.
//!
//! It has to know when a connection speaks raw tokens instead of Kafka frames ([`exchange`]), must not close in the
//! middle of an exchange, and notes who the client authenticates as ([`attempt`]).

mod attempt;
mod exchange;

use attempt::SaslAttempt;
use exchange::{Exchange, Mechanism, Rounds, TokenKind};

use crate::drain::SessionHandle;
use crate::session::cause::{CloseCause, Fault};
use crate::session::inspect::in_flight::{Expects, InFlightTracker};
use crate::session::inspect::seam::Frame;
use crate::wire::api::{Api, ApiKey};

/// Largest SaslHandshake request in bytes: it holds the name of a mechanism.
const MAX_HANDSHAKE: usize = 64 * 1024;

/// The authentication of one session.
#[derive(Debug, Default)]
pub(super) struct SaslWatch {
    exchange: Exchange,
    /// Who the client says it is, until the broker has decided.
    attempt: Option<Box<SaslAttempt>>,
}

/// Kinds of frames that arrive while raw tokens are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    /// The bytes that decide have not arrived.
    Incomplete,
    /// A token.
    Token,
    /// A request: the exchange is over. The last token may have been left unanswered by then.
    Request { last_token_unanswered: bool },
}

impl SaslWatch {
    /// Whether no authentication is under way.
    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        self.exchange == Exchange::Idle
    }

    /// Whether the next frame may be a raw token.
    #[inline]
    pub(super) fn speaks_tokens(&self) -> bool {
        matches!(self.exchange, Exchange::Tokens { .. })
    }

    /// Whether the next frame may be a raw token or the first request behind them.
    pub(super) fn may_end_tokens(&self) -> bool {
        self.exchange == Exchange::Tokens { left: Rounds::Open }
    }

    /// Notes that the client has gone on to other requests.
    #[inline]
    pub(super) fn end_exchange(&mut self) {
        self.exchange = Exchange::Idle;
    }

    /// Takes in a SaslHandshake request. False: the rest of it is waited for.
    ///
    /// # Errors
    /// [`CloseCause::FrameTooLarge`], or [`CloseCause::MalformedRequest`] if raw tokens of an unreadable mechanism would
    /// follow.
    pub(super) fn handshake_requested(
        &mut self,
        api: &Api,
        version: i16,
        frame: Frame<'_>,
        in_flight: &InFlightTracker,
    ) -> Result<bool, Fault> {
        if frame.size() > MAX_HANDSHAKE {
            let detail = format!("SaslHandshake of {} bytes", frame.size());
            return Err(Fault::new(CloseCause::FrameTooLarge, detail));
        }
        if !frame.is_complete() {
            return Ok(false);
        }
        self.exchange = Exchange::Frames;
        let mechanism = exchange::requested_mechanism(api, version, frame.content());
        self.attempt = match is_authenticating(in_flight) {
            true => None,
            false => SaslAttempt::begin(mechanism.unwrap_or_default()),
        };
        if version == 0 {
            self.exchange = Exchange::HandshakeV0 {
                mechanism: Mechanism::of(mechanism.map_err(Fault::malformed_request)?),
            };
        }
        Ok(true)
    }

    /// Takes in a SaslAuthenticate request. False: the rest of it is waited for.
    pub(super) fn authenticate_requested(
        &mut self,
        api: &Api,
        version: i16,
        frame: Frame<'_>,
        in_flight: &InFlightTracker,
    ) -> bool {
        self.exchange = Exchange::Frames;
        self.forget_if_pipelined(in_flight);
        self.attempt
            .as_mut()
            .is_none_or(|attempt| attempt.authenticate_requested(api, version, frame))
    }

    /// Judges a frame that arrives while raw tokens are spoken.
    ///
    /// # Errors
    /// [`CloseCause::SaslExchangeUnclear`]: broker and kproxy might read it in two ways.
    pub(super) fn judge_token(
        &mut self,
        frame: Frame<'_>,
        in_flight: &InFlightTracker,
    ) -> Result<Opening, Fault> {
        if !self.may_end_tokens() {
            return Ok(Opening::Token);
        }
        let awaits_answer = in_flight
            .newest()
            .is_some_and(|newest| newest.expects == Expects::Token);
        match exchange::judge(frame.content(), frame.size()) {
            TokenKind::Incomplete => Ok(Opening::Incomplete),
            TokenKind::Either => Err(exchange::unclear(frame)),
            TokenKind::Request => {
                self.exchange = Exchange::Frames;
                Ok(Opening::Request {
                    last_token_unanswered: awaits_answer,
                })
            }
            TokenKind::Token if awaits_answer => Err(exchange::pipelined()),
            TokenKind::Token => Ok(Opening::Token),
        }
    }

    /// Takes in a raw token. False: the rest of it is waited for.
    pub(super) fn token_sent(&mut self, frame: Frame<'_>, in_flight: &InFlightTracker) -> bool {
        self.forget_if_pipelined(in_flight);
        let arrived = self
            .attempt
            .as_mut()
            .is_none_or(|attempt| attempt.token_sent(frame));
        if arrived {
            self.exchange = self.exchange.after_token();
        }
        arrived
    }

    /// Takes in the answer to a SaslHandshake of `version`. A handshake v0 that succeeded is followed by raw tokens.
    pub(super) fn handshake_answered(&mut self, version: i16, succeeded: bool) {
        if !succeeded {
            self.attempt = None;
        }
        if let Exchange::HandshakeV0 { mechanism } = self.exchange
            && version == 0
        {
            self.exchange = match succeeded {
                true => Exchange::Tokens {
                    left: mechanism.rounds(),
                },
                false => Exchange::Frames,
            };
        }
    }

    /// Whether an answer to SaslAuthenticate of `size` bytes is read to its end.
    pub(super) fn reads_answer(&self, size: usize) -> bool {
        self.attempt.is_some() && size <= attempt::MAX_READ
    }

    /// Takes in the answer to a SaslAuthenticate, from its body on; `None`: it is not read. Returns whether the broker has
    /// refused the client.
    pub(super) fn authenticate_answered(
        &mut self,
        body: Option<&[u8]>,
        version: i16,
        handle: &SessionHandle,
    ) -> bool {
        let progress = self.attempt_answered(handle, |attempt| attempt.authenticate_answered(body, version));
        body.is_some() && progress == Some(attempt::SaslProgress::Refused)
    }

    /// Takes in the answer to a raw token. `is_empty`: it brings no token back.
    pub(super) fn token_answered(&mut self, is_empty: bool, handle: &SessionHandle) {
        self.attempt_answered(handle, |attempt| attempt.answered(is_empty));
    }

    fn attempt_answered(
        &mut self,
        handle: &SessionHandle,
        progress: impl FnOnce(&mut SaslAttempt) -> attempt::SaslProgress,
    ) -> Option<attempt::SaslProgress> {
        let mut attempt = self.attempt.take()?;
        let progress = progress(&mut attempt);
        match progress {
            attempt::SaslProgress::GoesOn => self.attempt = Some(attempt),
            attempt::SaslProgress::Refused => {}
            attempt::SaslProgress::Accepted => handle.facts.note_sasl(attempt.into_facts()),
        }
        Some(progress)
    }

    /// A claim and its answers are matched by their order, so nothing is noted of a client that sends the next request
    /// before the last is answered: it could have the answer to one name taken for the answer to another.
    fn forget_if_pipelined(&mut self, in_flight: &InFlightTracker) {
        if self.attempt.is_some() && is_authenticating(in_flight) {
            self.attempt = None;
        }
    }
}

/// Whether an earlier request of an exchange is unanswered. The newest come first: where there is one it is near, for
/// no later one was let in without this question.
fn is_authenticating(in_flight: &InFlightTracker) -> bool {
    let of_exchange = |key| matches!(key, ApiKey::SASL_HANDSHAKE | ApiKey::SASL_AUTHENTICATE);
    in_flight.iter().rev().any(|asked| of_exchange(asked.api_key))
}
