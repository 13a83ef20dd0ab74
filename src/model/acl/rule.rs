//! Rules as they are written.

use std::sync::Arc;

use super::{AclResource, OperationSet};
use crate::model::pattern::JavaPattern;
use crate::names::names;

names! {
    /// What a rule does with what it matches.
    pub enum RuleEffect {
        /// Denies it, whatever other rules allow.
        Deny = "deny",
        /// Allows it, unless a rule denies it.
        Allow = "allow",
    }
}

/// Names that a rule matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameMatch {
    /// All names.
    Any,
    /// These names. Nothing in them has a special meaning.
    OneOf(Vec<Arc<str>>),
    /// Names that begin with this.
    Prefix(Arc<str>),
    /// Names that match a regular expression as a whole.
    Pattern(JavaPattern),
}

impl NameMatch {
    /// Whether it matches the name of a user, which is never named by an expression.
    pub(super) fn has_user(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(names) => names.iter().any(|other| **other == *name),
            Self::Prefix(prefix) => name.starts_with(&**prefix),
            Self::Pattern(_) => false,
        }
    }
}

/// One `deny` or `allow` statement.
#[derive(Debug, Clone)]
pub struct AclRule {
    /// What it does.
    pub effect: RuleEffect,
    /// Names of users; never a pattern.
    pub users: NameMatch,
    /// Operations, without those that follow from them.
    pub operations: OperationSet,
    /// Kind of resource.
    pub resource: AclResource,
    /// Names of resources.
    pub names: NameMatch,
    /// Where it stands.
    pub place: RulePlace,
}

/// Where a rule stands, and how it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulePlace {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub col: u32,
    /// The statement on one line, shortened.
    pub text: Arc<str>,
}

impl PartialEq for AclRule {
    /// Whether both mean the same, wherever they stand.
    fn eq(&self, other: &Self) -> bool {
        let Self {
            effect,
            users,
            operations,
            resource,
            names,
            place: _,
        } = self;
        (effect, users, operations, resource, names)
            == (
                &other.effect,
                &other.users,
                &other.operations,
                &other.resource,
                &other.names,
            )
    }
}

impl Eq for AclRule {}

/// A complete set of rules, as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AclDocument {
    /// Kinds of resources that were imported. Others are not governed: everything is allowed.
    pub governed: Vec<AclResource>,
    /// The rules, denials first.
    pub rules: Vec<AclRule>,
    /// Warnings: what may not be meant.
    pub warnings: Vec<AclFault>,
}

/// An error or a warning, with its position in the text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AclFault {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub col: u32,
    /// What is wrong.
    pub message: String,
}
