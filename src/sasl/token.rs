//! Who judges the token of OAUTHBEARER.

use std::fmt::Debug;
use std::pin::Pin;

/// A judge of bearer tokens.
pub trait TokenJudge: Debug + Send + Sync {
    /// Judges a token at `now`, in seconds since 1970. Never blocks.
    fn judge(&self, token: &str, now: u64) -> TokenVerdict;
}

/// Outcome of [`TokenJudge::judge`].
pub enum TokenVerdict {
    /// The token is good.
    Accepted(TokenFacts),
    /// The token is not good, with the reason for the log. The client learns no more than that.
    Refused(String),
    /// Something has to arrive first, such as the keys of the issuer: the caller waits for this, then asks again. It
    /// ends by itself, also if nothing arrives; asked again after that, the judge does not answer so a second time for
    /// the same reason.
    Wait(Pin<Box<dyn Future<Output = ()> + Send>>),
}

/// What a good token says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenFacts {
    /// Name of the client: the claim that `subClaimName` chooses.
    pub subject: String,
    /// Scopes.
    pub scopes: Vec<String>,
    /// End of the token in seconds since 1970.
    pub expires: Option<u64>,
}
