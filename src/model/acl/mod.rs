//! Access rules: who may do what with which topics, groups and transactional ids.
//!
//! ```text
//! text ──parse_rules──▶ AclDocument ──AclRules::new──▶ AclRules ──AccessView──▶ Decision
//! ```
//!
//! The text is that of Kroxylicious' ACL files. It is compiled once into maps; a session asks an [`AccessView`], which
//! remembers what was decided for the client's names.

mod compiled;
mod imports;
mod index;
mod lexer;
mod literal;
mod parser;
mod resource;
mod rule;
mod view;

#[cfg(test)]
mod tests;

pub use compiled::{AclRules, DecidedBy, Decision, Rights};
pub use parser::parse_rules;
pub use resource::{AclOperation, AclResource, OperationSet};
pub use rule::{AclDocument, AclFault, AclRule, NameMatch, RuleEffect, RulePlace};
pub use view::AccessView;
