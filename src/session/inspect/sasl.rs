//! How far a SASL exchange has come, as far as a bystander must know it.
//!
//! kproxy passes SASL through. It must know when a connection speaks raw tokens instead of Kafka frames, which
//! SaslHandshake v0 starts (KIP-43; v1 wraps them into SaslAuthenticate, KIP-152), and it must not close in the
//! middle of an exchange.
//!
//! Of PLAIN, OAUTHBEARER and SCRAM it is known how many tokens there are, and that a broker answers each. Of GSSAPI and
//! of mechanisms with other names it is not: there a frame is a token only if no broker would read a request in it, and a
//! request only if kproxy forwards it. Everything else is refused, so that broker and kproxy never read a frame in two
//! ways. A request that follows a token says that the exchange is over and that this token has no answer: a broker sends
//! one only where its side of the mechanism has something to say (`SaslServerAuthenticator.handleSaslToken`), which GSSAPI
//! has not at its end (RFC 4752 §3.1).

use super::request;
use crate::wire::api::Api;
use crate::wire::frame::MIN_REQUEST;
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
    /// GSSAPI and any other: the end is seen by what follows it.
    Open,
}

/// Client tokens to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounds {
    Known(u8),
    /// Until a request follows.
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

/// What a frame is that follows SaslHandshake v0 with a mechanism of which nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Open {
    /// The bytes that decide have not arrived.
    Unknown,
    /// No broker reads a request in it.
    Token,
    Request,
    /// It may be a token, and it may be a request that kproxy does not forward.
    Either,
}

/// API keys beyond it are nobody's: Kafka counts from 0 and vendors have theirs around 10 000.
const LAST_API_KEY: i16 = 0x3fff;

/// What GSSAPI has besides tokens that begin with 0x60 (RFC 2743 §3.1): a wrapped message (RFC 4121 §4.2.6.2).
const WRAPPED: i16 = 0x0504;

/// Judges the bytes behind a size prefix, as far as they are here.
pub(super) fn judge_open(here: &[u8], size: u32) -> Open {
    if size < MIN_REQUEST {
        // GSSAPI has an empty one. Brokers close at a request of this size.
        return Open::Token;
    }
    let Some(key) = here.first_chunk().map(|bytes| i16::from_be_bytes(*bytes)) else {
        return Open::Unknown;
    };
    if !(0..=LAST_API_KEY).contains(&key) || key == WRAPPED {
        return Open::Token;
    }
    match header::request_head(here) {
        None => Open::Unknown,
        Some(head) if request::is_taken(head) => Open::Request,
        Some(_) => Open::Either,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::api::ApiKey;

    #[test]
    fn a_frame_is_a_token_where_no_broker_reads_a_request() {
        let judged = |frame: &[u8]| judge_open(frame, frame.len() as u32);
        for token in [
            &b""[..],
            b"\x01",
            b"\x60\x82\x02\x10\x06\x09\x2a\x86\x48",
            b"\x05\x04\x04\xff\0\0\0\0\0\0",
            b"{\"version\":1}",
            b"NTLMSSP\0\x01\0",
            b"\xa1\x81\xb6\x30\x81\xb3\xa0\x03",
        ] {
            assert_eq!(judged(token), Open::Token, "{}", token.escape_ascii());
        }
        let request = |key: i16, version: i16| {
            let head = [key.to_be_bytes(), version.to_be_bytes()].concat();
            [head.as_slice(), &[0, 0, 0, 9, 0xff, 0xfe, 0, 0]].concat()
        };
        for (key, version) in [
            (ApiKey::METADATA, 12),
            (ApiKey::PRODUCE, 3),
            (ApiKey::API_VERSIONS, 99),
        ] {
            assert_eq!(judged(&request(key, version)), Open::Request);
        }
        // APIs between brokers, versions that do not exist, a vendor's own, and tokens that begin like them.
        for (key, version) in [(58, 0), (7, 3), (ApiKey::METADATA, 99), (10_004, 0), (0, 0x616c)] {
            assert_eq!(judged(&request(key, version)), Open::Either);
        }
    }

    #[test]
    fn what_has_not_arrived_decides_nothing() {
        let request = [0, 3, 0, 1, 0, 0, 0, 9, 0xff, 0xff, 0, 0, 0, 0];
        for cut in 0..8 {
            assert_eq!(judge_open(&request[..cut], 14), Open::Unknown);
        }
        assert_eq!(judge_open(b"\x60", 14), Open::Unknown);
        assert_eq!(judge_open(b"\x60\x0c", 14), Open::Token);
    }
}
