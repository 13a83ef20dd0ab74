//! Why a token is not accepted: in full for the operator, and in general for the client.

use crate::names::names;

/// Longest text of a stranger's in an error, in characters.
const MAX_SHOWN: usize = 64;

/// Reason why a token is not accepted. Its text is for the log: it may name values that the issuer has signed, and the
/// key and algorithm that the token asks for, but never the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// The message is not that of a client which begins OAUTHBEARER (RFC 7628 §3.1).
    #[error("the message is not one of OAUTHBEARER: {0}")]
    Message(&'static str),
    /// The token is too large.
    #[error("the token has {len} bytes, which is too much")]
    TooLarge {
        /// Its length in bytes.
        len: usize,
    },
    /// The token does not have the three parts of a signed one (RFC 7515 §7.1).
    #[error("the token is not a signed JSON Web Token: it does not have three parts")]
    NotSigned,
    /// A part is not base64url without padding.
    #[error("the {part} of the token is not base64url")]
    NotBase64 {
        /// Which part.
        part: &'static str,
    },
    /// A part is not the JSON that it should be.
    #[error("the {part} of the token is not readable: {why}")]
    Unreadable {
        /// Which part.
        part: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The algorithm is not one that proves anything with a public key.
    #[error("the algorithm `{0}` (`alg`) is not accepted")]
    Algorithm(Box<str>),
    /// The set has several keys, and the token does not say which one signed it.
    #[error("the token does not say which key signed it (`kid`), and the issuer has {keys}")]
    NoKeyId {
        /// Number of keys in the set.
        keys: usize,
    },
    /// No key of that name is in the set.
    #[error("no key of the issuer is called `{0}` (`kid`)")]
    UnknownKey(Box<str>),
    /// The key of that name is for something else.
    #[error("the key of the issuer does not work with the algorithm `{0}` (`alg`) of the token")]
    KeyForOther(Box<str>),
    /// The signature is not that of the key.
    #[error("the signature is not that of the issuer's key")]
    WrongSignature,
    /// A claim that is needed is not there.
    #[error("the claim `{0}` is missing")]
    ClaimMissing(Box<str>),
    /// A claim is not of its type, or is empty.
    #[error("the claim `{0}` has a value that it must not have")]
    ClaimUnsound(Box<str>),
    /// The life of the token is over.
    #[error("the token expired {ago} s ago (`exp`)")]
    Expired {
        /// How long ago, in seconds.
        ago: u64,
    },
    /// The life of the token has not begun.
    #[error("the token is valid only in {ahead} s (`nbf`)")]
    NotYetValid {
        /// How far ahead, in seconds.
        ahead: u64,
    },
    /// The token is meant for others.
    #[error("the token is for the audience `{found}` (`aud`), which is not one of `expectedAudience`")]
    Audience {
        /// For whom it is.
        found: Box<str>,
    },
    /// The token is meant for somebody, and nothing says who kproxy is.
    #[error("the token is for the audience `{found}` (`aud`), and `expectedAudience` is not set")]
    AudienceNotExpected {
        /// For whom it is.
        found: Box<str>,
    },
    /// Somebody else has issued the token.
    #[error("the token was issued by `{found}` (`iss`), not by `expectedIssuer`")]
    Issuer {
        /// Who has issued it.
        found: Box<str>,
    },
    /// The client wants to act as somebody whom the token does not name.
    #[error("the client asks to act as `{asked}`, but the token names `{named}`")]
    OtherName {
        /// Whom the client wants to be.
        asked: Box<str>,
        /// Whom the token names.
        named: Box<str>,
    },
    /// No key has come from the issuer yet.
    #[error("the keys of the issuer are not known yet")]
    NoKeys,
}

impl TokenFault {
    pub(super) fn algorithm(name: &str) -> Self {
        Self::Algorithm(shown(name))
    }

    /// The fault of a client that wants to be somebody else than its token names.
    pub(crate) fn other_name(asked: &str, named: &str) -> Self {
        Self::OtherName {
            asked: shown(asked),
            named: shown(named),
        }
    }

    /// Text for the client. It tells apart what its owner can mend, and shows neither settings nor claims.
    pub fn for_client(&self) -> &'static str {
        match self {
            Self::Message(_) => "the message is not one of OAUTHBEARER",
            Self::TooLarge { .. } => "the token is too large",
            Self::NotSigned | Self::NotBase64 { .. } | Self::Unreadable { .. } => {
                "the token is not a signed JSON Web Token"
            }
            Self::Algorithm(_) => "the algorithm of the token is not accepted",
            Self::NoKeyId { .. } | Self::UnknownKey(_) | Self::KeyForOther(_) | Self::WrongSignature => {
                "the signature of the token is not valid"
            }
            Self::ClaimMissing(_) | Self::ClaimUnsound(_) => "the token lacks a claim",
            Self::Expired { .. } => "the token has expired",
            Self::NotYetValid { .. } => "the token is not valid yet",
            Self::Audience { .. } | Self::AudienceNotExpected { .. } => "the token is for another audience",
            Self::Issuer { .. } => "the token is from another issuer",
            Self::OtherName { .. } => "the token names somebody else",
            Self::NoKeys => "tokens cannot be checked at the moment",
        }
    }

    /// What it counts as.
    pub fn outcome(&self) -> TokenOutcome {
        match self {
            Self::Message(_) | Self::NotSigned | Self::NotBase64 { .. } | Self::Unreadable { .. } => {
                TokenOutcome::Malformed
            }
            Self::TooLarge { .. } => TokenOutcome::TooLarge,
            Self::Algorithm(_) | Self::KeyForOther(_) => TokenOutcome::Algorithm,
            Self::NoKeyId { .. } | Self::UnknownKey(_) => TokenOutcome::UnknownKey,
            Self::WrongSignature => TokenOutcome::Signature,
            Self::ClaimMissing(_) | Self::ClaimUnsound(_) => TokenOutcome::Claim,
            Self::Expired { .. } => TokenOutcome::Expired,
            Self::NotYetValid { .. } => TokenOutcome::NotYetValid,
            Self::Audience { .. } | Self::AudienceNotExpected { .. } => TokenOutcome::Audience,
            Self::Issuer { .. } => TokenOutcome::Issuer,
            Self::OtherName { .. } => TokenOutcome::OtherName,
            Self::NoKeys => TokenOutcome::NoKeys,
        }
    }
}

names! {
    /// What became of a token, in metrics.
    pub enum TokenOutcome {
        /// It keeps the rules.
        Accepted = "accepted",
        /// It is no signed token.
        Malformed = "malformed",
        /// It is too large.
        TooLarge = "too_large",
        /// Its algorithm is not accepted, or not that of the key.
        Algorithm = "algorithm",
        /// No key of its name is known, or it names none.
        UnknownKey = "unknown_key",
        /// Its signature is not that of the key.
        Signature = "signature",
        /// A claim is missing or unsound.
        Claim = "claim",
        /// Its life is over.
        Expired = "expired",
        /// Its life has not begun.
        NotYetValid = "not_yet_valid",
        /// It is for others.
        Audience = "audience",
        /// It is from another issuer.
        Issuer = "issuer",
        /// It names somebody else than the client.
        OtherName = "other_name",
        /// No keys have come from the issuer yet.
        NoKeys = "no_keys",
    }
}

/// The beginning of a stranger's text, without characters that a terminal would act on.
pub(super) fn shown(text: &str) -> Box<str> {
    let mut shown: String = text
        .chars()
        .take(MAX_SHOWN)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(MAX_SHOWN).is_some() {
        shown.push('…');
    }
    shown.into()
}
