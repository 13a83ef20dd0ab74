//! How far a SASL exchange has come, as far as a bystander must know it.
//!
//! kproxy passes SASL through. It must know when a connection speaks raw tokens instead of Kafka frames, which
//! SaslHandshake v0 starts (KIP-43; v1 wraps them into SaslAuthenticate, KIP-152), and it must not close in the
//! middle of an exchange.

use crate::wire::api::{self, Api};
use crate::wire::{Malformed, header};

/// The exchange on one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Sasl {
    /// None is under way.
    #[default]
    Idle,
    /// A handshake or an exchange of SaslAuthenticate frames is under way.
    Exchanging,
    /// A handshake v0 awaits its answer; if it succeeds, tokens follow.
    HandshakeV0 { mechanism: Mechanism },
    /// Raw tokens, of which the client has yet to send so many.
    Tokens { left: Rounds },
}

/// The mechanisms whose number of client tokens is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mechanism {
    /// One message: PLAIN (RFC 4616), OAUTHBEARER (RFC 7628) when it succeeds.
    OneRound,
    /// client-first and client-final: SCRAM (RFC 5802).
    TwoRounds,
    /// GSSAPI and whatever else: the end is seen by what follows it.
    Open,
}

/// Client tokens to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounds {
    Known(u8),
    /// Until a frame looks like a request.
    Open,
}

impl Mechanism {
    pub(super) fn of(name: &[u8]) -> Self {
        match name {
            b"PLAIN" | b"OAUTHBEARER" => Self::OneRound,
            _ if name.starts_with(b"SCRAM-") => Self::TwoRounds,
            _ => Self::Open,
        }
    }

    pub(super) fn rounds(self) -> Rounds {
        match self {
            Self::OneRound => Rounds::Known(1),
            Self::TwoRounds => Rounds::Known(2),
            Self::Open => Rounds::Open,
        }
    }
}

impl Rounds {
    /// One token went by.
    pub(super) fn after_one(self) -> Sasl {
        match self {
            Self::Known(0 | 1) => Sasl::Exchanging,
            Self::Known(n) => Sasl::Tokens {
                left: Self::Known(n - 1),
            },
            Self::Open => Sasl::Tokens { left: Self::Open },
        }
    }
}

/// What a SaslHandshake request, which is all there, asks for; empty if it ends early.
pub(super) fn asked_mechanism<'a>(api: &Api, version: i16, here: &'a [u8]) -> Result<&'a [u8], Malformed> {
    let body = header::request_body(here, api, version)?.unwrap_or(here.len());
    Ok(header::sasl_handshake_mechanism(&here[body..])?.unwrap_or_default())
}

/// Whether the bytes behind a size prefix are a Kafka request rather than a token of an open-ended exchange: an
/// API that is known, in a version that exists, and a client id that fits into the frame.
///
/// A GSSAPI token begins with 0x60 (RFC 2743 §3.1), which as an API key is out of any range.
pub(super) fn looks_like_request(frame: &[u8], size: usize) -> bool {
    let Some(head) = header::request_head(frame) else {
        return false;
    };
    let known = api::api(head.api_key).is_some_and(|api| api.supports(head.api_version));
    let Some(&[high, low]) = frame.get(8..10).and_then(|bytes| bytes.first_chunk()) else {
        return false;
    };
    let client_id = i16::from_be_bytes([high, low]);
    known && client_id >= -1 && 10 + usize::try_from(client_id).unwrap_or(0) <= size
}
