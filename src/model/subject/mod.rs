//! Names of clients, and how they are made from what a client has proved.

mod builder;
mod kafka_rules;
mod mapping;
pub(in crate::model) mod resolve;
mod template;

#[cfg(test)]
mod tests;

pub use builder::{
    CertificateField, PrincipalAdder, SaslAuthorizedId, SaslSubjectBuilder, TransportSubjectBuilder,
    is_user_factory,
};
pub use kafka_rules::principal_mapping_rules;
pub use mapping::{LetterCase, MappingRule, NameMapping, ReplaceMatch, replace_match};

use std::fmt;
use std::sync::Arc;

/// Kind of the names that rules of access are about.
const USER: &str = "User";

/// One name of a client.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Principal {
    /// Kind of the name, such as `User`.
    pub kind: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl Principal {
    /// The user of this name.
    pub fn user(name: &str) -> Self {
        Self {
            kind: USER.into(),
            name: name.into(),
        }
    }

    /// Whether it is of kind `User`.
    pub fn is_user(&self) -> bool {
        &*self.kind == USER
    }
}

/// Writes `User:NAME`, as Kafka does.
impl fmt::Display for Principal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.kind, self.name)
    }
}
