//! Tokens judged by the newest keys of their issuer.

use std::sync::Arc;
use std::time::Duration;

use super::KeySource;
use crate::sasl::jwt::{self, TokenFault, TokenRules, ValidToken};
use crate::sasl::{TokenFacts, TokenJudge, TokenVerdict};

/// A judge of the tokens of one issuer.
#[derive(Debug)]
pub struct IssuerJudge {
    keys: Arc<KeySource>,
    rules: TokenRules,
}

impl IssuerJudge {
    /// A judge by these keys and rules.
    pub fn new(keys: Arc<KeySource>, rules: TokenRules) -> Self {
        Self { keys, rules }
    }

    /// The keys, for a judge that takes this one's place.
    pub fn keys(&self) -> &Arc<KeySource> {
        &self.keys
    }

    /// Validates `token` by the keys that are known at the time `now`, since the Unix epoch.
    ///
    /// # Errors
    /// [`TokenFault`]
    pub fn validate(&self, token: &str, now: Duration) -> Result<ValidToken, TokenFault> {
        jwt::validate(token, &self.keys.keys(), &self.rules, now)
    }

    /// What to wait for before a token with this fault is judged again: keys that would make it good. `None`: nothing.
    pub fn wait(&self, fault: &TokenFault) -> Option<std::pin::Pin<Box<dyn Future<Output = ()> + Send>>> {
        match fault {
            TokenFault::UnknownKey(_) | TokenFault::NoKeys => self.keys.ask(),
            _ => None,
        }
    }
}

impl TokenJudge for IssuerJudge {
    fn judge(&self, token: &str, now: u64) -> TokenVerdict {
        match self.validate(token, Duration::from_secs(now)) {
            Ok(valid) => TokenVerdict::Accepted(TokenFacts {
                subject: valid.subject.into(),
                scopes: valid.scopes.into_iter().map(Into::into).collect(),
                expires: Some(valid.expires_at.as_secs()),
            }),
            Err(fault) => match self.wait(&fault) {
                Some(wait) => TokenVerdict::Wait(wait),
                None => TokenVerdict::Refused(fault.to_string()),
            },
        }
    }
}
