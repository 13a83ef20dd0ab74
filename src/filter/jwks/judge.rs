//! Tokens judged by the newest keys of their issuer.

use std::sync::Arc;
use std::time::Duration;

use super::{KeySource, TokenFigures, TokenTally};
use crate::sasl::jwt::{self, TokenFault, TokenOutcome, TokenRules, ValidToken};
use crate::sasl::{TokenFacts, TokenJudge, TokenVerdict};

/// A judge of the tokens of one issuer.
#[derive(Debug)]
pub struct IssuerJudge {
    keys: Arc<KeySource>,
    rules: TokenRules,
    tally: Arc<TokenTally>,
}

impl IssuerJudge {
    /// A judge by these keys and rules, who counts in `tally`.
    pub fn new(keys: Arc<KeySource>, rules: TokenRules, tally: Arc<TokenTally>) -> Self {
        Self { keys, rules, tally }
    }

    /// The keys, for a judge that takes this one's place.
    pub fn keys(&self) -> &Arc<KeySource> {
        &self.keys
    }

    /// Whether this judge judges by these keys and rules.
    pub fn is_by(&self, keys: &Arc<KeySource>, rules: &TokenRules) -> bool {
        Arc::ptr_eq(&self.keys, keys) && self.rules == *rules
    }

    /// The counters, for a judge that takes this one's place.
    pub fn tally(&self) -> &Arc<TokenTally> {
        &self.tally
    }

    /// Figures for metrics.
    pub fn figures(&self) -> TokenFigures {
        TokenFigures::new(self.keys.figures(), &self.tally)
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
            Ok(valid) => {
                self.tally.count(TokenOutcome::Accepted);
                TokenVerdict::Accepted(TokenFacts {
                    subject: valid.subject.into(),
                    scopes: valid.scopes.into_iter().map(Into::into).collect(),
                    expires: Some(valid.expires_at.as_secs()),
                })
            }
            Err(fault) => match self.wait(&fault) {
                Some(wait) => TokenVerdict::Wait(wait),
                None => {
                    self.tally.count(fault.outcome());
                    TokenVerdict::Refused(fault.to_string())
                }
            },
        }
    }
}
