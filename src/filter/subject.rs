//! Who a client is.

use std::sync::Arc;
use std::time::SystemTime;

pub use crate::model::Principal;

/// Who a client is: its names, and how it proved them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// Its names; empty while it is anonymous.
    pub principals: Vec<Principal>,
    /// SASL mechanism from the IANA registry; `None` without SASL.
    pub mechanism: Option<Arc<str>>,
    /// Scopes of its token.
    pub scopes: Vec<Arc<str>>,
    /// When its credentials expire.
    pub expires: Option<SystemTime>,
}

impl Subject {
    /// A client of this name (`User:NAME`).
    pub fn user(name: &str) -> Self {
        Self {
            principals: vec![Principal::user(name)],
            ..Self::default()
        }
    }

    /// Whether nothing is known of who it is.
    pub fn is_anonymous(&self) -> bool {
        self.principals.is_empty()
    }

    /// Its first name of kind `User`.
    pub fn user_name(&self) -> Option<&str> {
        let user = self.principals.iter().find(|principal| principal.is_user());
        user.map(|principal| &*principal.name)
    }
}
