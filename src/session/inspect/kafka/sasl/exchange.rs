//! How far a SASL exchange has come, and where its raw tokens end.
//!
//! SaslHandshake v0 starts raw tokens in place of Kafka frames (KIP-43); v1 wraps them into SaslAuthenticate (KIP-152).
//!
//! Of PLAIN, OAUTHBEARER and SCRAM it is known how many tokens there are, and that a broker answers each. Of GSSAPI and
//! of mechanisms with other names it is not: there a frame is a token only if no broker would read a request in it, and a
//! request only if kproxy forwards it. Everything else is refused, so that broker and kproxy never read a frame in two
//! ways. A request that follows a token says that the exchange is over and that this token has no answer: a broker sends
//! one only where its side of the mechanism has something to say (`SaslServerAuthenticator.handleSaslToken`), which GSSAPI
//! has not at its end (RFC 4752 §3.1).

use crate::session::cause::{CloseCause, Fault};
use crate::session::inspect::kafka::offer;
use crate::session::inspect::seam::Frame;
use crate::wire::api::Api;
use crate::wire::frame::MIN_REQUEST;
use crate::wire::{Malformed, header};

/// The exchange on one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Exchange {
    /// None is under way.
    #[default]
    Idle,
    /// A handshake, or an exchange of SaslAuthenticate frames, is under way.
    Frames,
    /// A handshake v0 awaits its answer; if it succeeds, raw tokens follow.
    HandshakeV0 { mechanism: Mechanism },
    /// Raw tokens are exchanged, of which the client has `left` to send.
    Tokens { left: Rounds },
}

impl Exchange {
    /// The state behind one more raw token.
    pub(super) fn after_token(self) -> Self {
        match self {
            Self::Tokens {
                left: Rounds::Known(0 | 1),
            } => Self::Frames,
            Self::Tokens {
                left: Rounds::Known(n),
            } => Self::Tokens {
                left: Rounds::Known(n - 1),
            },
            Self::Tokens { left: Rounds::Open } | Self::Idle | Self::Frames | Self::HandshakeV0 { .. } => {
                self
            }
        }
    }
}

/// SASL mechanisms by the number of tokens a client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mechanism {
    /// One message: PLAIN (RFC 4616), OAUTHBEARER (RFC 7628) when it succeeds.
    OneRound,
    /// client-first and client-final: SCRAM (RFC 5802).
    TwoRounds,
    /// GSSAPI and any other: the end is seen by what follows it.
    Open,
}

/// Number of tokens that a client has yet to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounds {
    /// Exactly this number.
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

/// The mechanism that a whole SaslHandshake request asks for; empty if it ends early.
///
/// # Errors
/// The request is not what its version says it is.
pub(super) fn requested_mechanism<'a>(
    api: &Api,
    version: i16,
    content: &'a [u8],
) -> Result<&'a [u8], Malformed> {
    let body = header::request_body(content, api, version)?.unwrap_or(content.len());
    Ok(header::sasl_handshake_mechanism(&content[body..])?.unwrap_or_default())
}

/// Kinds of frames that follow SaslHandshake v0 with a mechanism whose number of tokens is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// The bytes that decide have not arrived.
    Incomplete,
    /// No broker reads a request in it.
    Token,
    /// A request that kproxy forwards or answers.
    Request,
    /// A token, or a request that kproxy does not forward.
    Either,
}

/// Largest API key that is taken for one: Kafka counts from 0, and vendors have theirs around 10 000.
const LAST_API_KEY: i16 = 0x3fff;

/// The first two bytes of a wrapped GSSAPI message (RFC 4121 §4.2.6.2). Other GSSAPI tokens begin with 0x60 (RFC 2743
/// §3.1).
const GSSAPI_WRAPPED: i16 = 0x0504;

/// Judges a frame of `size` bytes by those behind its size prefix that have arrived.
pub(super) fn judge(content: &[u8], size: usize) -> TokenKind {
    if size < MIN_REQUEST as usize {
        // GSSAPI has an empty one. Brokers close at a request of this size.
        return TokenKind::Token;
    }
    let Some(key) = content.first_chunk().map(|bytes| i16::from_be_bytes(*bytes)) else {
        return TokenKind::Incomplete;
    };
    if !(0..=LAST_API_KEY).contains(&key) || key == GSSAPI_WRAPPED {
        return TokenKind::Token;
    }
    match header::request_head(content) {
        None => TokenKind::Incomplete,
        Some(head) if offer::is_offered(head) => TokenKind::Request,
        Some(_) => TokenKind::Either,
    }
}

/// The fault of a frame that is [`TokenKind::Either`].
#[cold]
pub(super) fn unclear(frame: Frame<'_>) -> Fault {
    let what = match header::request_head(frame.content()) {
        Some(head) => format!("API key {} version {}", head.api_key, head.api_version),
        None => "no request".to_owned(),
    };
    Fault::new(
        CloseCause::SaslExchangeUnclear,
        format!(
            "a frame of {} bytes after SaslHandshake v0 may be a token and may be a request that kproxy does not \
             forward ({what}); SaslHandshake v1 tells them apart",
            frame.size()
        ),
    )
}

/// The fault of a second token where the first is unanswered: of the two, one may have no answer, and nothing says which.
#[cold]
pub(super) fn pipelined() -> Fault {
    Fault::new(
        CloseCause::SaslExchangeUnclear,
        "the client sends a token before the broker has answered the one before; SaslHandshake v1 allows for it",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::api::ApiKey;

    #[test]
    fn a_frame_is_a_token_where_no_broker_reads_a_request() {
        let judged = |frame: &[u8]| judge(frame, frame.len());
        for token in [
            &b""[..],
            b"\x01",
            b"\x60\x82\x02\x10\x06\x09\x2a\x86\x48",
            b"\x05\x04\x04\xff\0\0\0\0\0\0",
            b"{\"version\":1}",
            b"NTLMSSP\0\x01\0",
            b"\xa1\x81\xb6\x30\x81\xb3\xa0\x03",
        ] {
            assert_eq!(judged(token), TokenKind::Token, "{}", token.escape_ascii());
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
            assert_eq!(judged(&request(key, version)), TokenKind::Request);
        }
        // APIs between brokers, versions that do not exist, a vendor's own, and tokens that begin like them.
        for (key, version) in [(58, 0), (7, 3), (ApiKey::METADATA, 99), (10_004, 0), (0, 0x616c)] {
            assert_eq!(judged(&request(key, version)), TokenKind::Either);
        }
    }

    #[test]
    fn what_has_not_arrived_decides_nothing() {
        let request = [0, 3, 0, 1, 0, 0, 0, 9, 0xff, 0xff, 0, 0, 0, 0];
        for cut in 0..8 {
            assert_eq!(judge(&request[..cut], 14), TokenKind::Incomplete);
        }
        assert_eq!(judge(b"\x60", 14), TokenKind::Incomplete);
        assert_eq!(judge(b"\x60\x0c", 14), TokenKind::Token);
    }
}
