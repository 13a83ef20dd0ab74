//! Rules in the form in which they are asked.

use super::index::{AclGrant, NameIndex, ResourceIndex};
use super::{AclDocument, AclOperation, AclResource, AclRule, NameMatch, OperationSet, RuleEffect};
use crate::model::Principal;
use std::collections::HashMap;
use std::sync::Arc;

const RESOURCES: usize = AclResource::ALL.len();
const OPERATIONS: usize = AclOperation::ALL.len();

/// Compiled rules. Immutable; a changed text is compiled anew. Compares by what the rules say.
#[derive(Debug)]
pub struct AclRules {
    document: AclDocument,
    governed: [bool; RESOURCES],
    /// Numbers of entries of `of_users`.
    users: NameIndex<u32>,
    of_users: Vec<[ResourceIndex; RESOURCES]>,
}

impl PartialEq for AclRules {
    fn eq(&self, other: &Self) -> bool {
        (&self.document.governed, &self.document.rules) == (&other.document.governed, &other.document.rules)
    }
}

impl Eq for AclRules {}

/// The answer to the question whether a client may do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether it may.
    pub allowed: bool,
    /// What decided.
    pub by: DecidedBy,
}

/// What decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DecidedBy {
    /// The rule of this number, see [`AclRules::rule`].
    Rule(u32),
    /// No rule matched: `otherwise deny`.
    Otherwise,
    /// The kind of resource is not governed: everything is allowed.
    NotGoverned,
}

/// Everything that a client may do with one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    allowed: OperationSet,
    by: [DecidedBy; OPERATIONS],
}

impl Rights {
    /// Operations that are allowed.
    pub fn allowed(&self) -> OperationSet {
        self.allowed
    }

    /// The decision about one operation.
    #[inline]
    pub fn decision(&self, operation: AclOperation) -> Decision {
        Decision {
            allowed: self.allowed.contains(operation),
            by: self.by[operation as usize],
        }
    }

    fn of_grants(denied: &[u32; OPERATIONS], allowed: &[u32; OPERATIONS]) -> Self {
        let mut rights = Self {
            allowed: OperationSet::NONE,
            by: [DecidedBy::Otherwise; OPERATIONS],
        };
        for operation in AclOperation::ALL {
            let at = operation as usize;
            if denied[at] != NO_RULE {
                rights.by[at] = DecidedBy::Rule(denied[at]);
            } else if allowed[at] != NO_RULE {
                rights.by[at] = DecidedBy::Rule(allowed[at]);
                rights.allowed = rights.allowed.union(OperationSet::of(&[operation]));
            }
        }
        rights
    }
}

/// In place of the number of a rule: none.
const NO_RULE: u32 = u32::MAX;

impl AclRules {
    /// Compiles rules.
    ///
    /// # Errors
    /// The reason why their regular expressions cannot be compiled together.
    pub fn new(document: AclDocument) -> Result<Self, String> {
        let mut governed = [false; RESOURCES];
        for resource in &document.governed {
            governed[*resource as usize] = true;
        }
        let mut building = UserIndexes::default();
        for (number, rule) in (0..NO_RULE).zip(&document.rules) {
            building.add(rule, number);
        }
        for index in building.of_users.iter_mut().flatten() {
            index.compile()?;
        }
        Ok(Self {
            document,
            governed,
            users: building.users,
            of_users: building.of_users,
        })
    }

    /// The rules as they are written.
    pub fn document(&self) -> &AclDocument {
        &self.document
    }

    /// The rule of a number.
    pub fn rule(&self, number: u32) -> Option<&AclRule> {
        self.document.rules.get(number as usize)
    }

    /// Whether rules govern a kind of resource. If not, everything is allowed.
    #[inline]
    pub fn governs(&self, resource: AclResource) -> bool {
        self.governed[resource as usize]
    }

    /// Whether a client of these names may do this with some resource of the kind or other.
    pub(super) fn may_somewhere(
        &self,
        principals: &[Principal],
        resource: AclResource,
        operation: AclOperation,
    ) -> bool {
        if !self.governs(resource) {
            return true;
        }
        let is_about = |rule: &&AclRule| {
            let mut users = principals.iter().filter(|principal| principal.is_user());
            rule.resource == resource
                && rule.operations.with_implied().contains(operation)
                && users.any(|user| rule.users.has_user(&user.name))
        };
        let rules = || self.document.rules.iter().filter(is_about);
        let denies = |names: &NameMatch| {
            let mut denials = rules().filter(|rule| rule.effect == RuleEffect::Deny);
            denials.any(|denial| denial.names == NameMatch::Any || denial.names == *names)
        };
        let mut grants = rules().filter(|rule| rule.effect == RuleEffect::Allow);
        grants.any(|grant| !denies(&grant.names))
    }

    /// Numbers of the entries for a client of these names.
    pub(super) fn users(&self, principals: &[Principal]) -> Vec<u32> {
        let mut found = Vec::new();
        for principal in principals.iter().filter(|principal| principal.is_user()) {
            self.users.each(&principal.name, |number| found.push(number));
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Everything that a client may do with the resource `name`, by the entries that [`Self::users`] has found.
    pub(super) fn rights(&self, users: &[u32], resource: AclResource, name: &str) -> Rights {
        if !self.governs(resource) {
            return Rights {
                allowed: resource.operations(),
                by: [DecidedBy::NotGoverned; OPERATIONS],
            };
        }
        let mut denied = [NO_RULE; OPERATIONS];
        let mut allowed = [NO_RULE; OPERATIONS];
        for user in users {
            self.of_users[*user as usize][resource as usize].each(name, |grant| {
                let decided = match grant.effect {
                    RuleEffect::Deny => &mut denied,
                    RuleEffect::Allow => &mut allowed,
                };
                for operation in grant.operations.iter() {
                    let first = &mut decided[operation as usize];
                    *first = grant.rule.min(*first);
                }
            });
        }
        Rights::of_grants(&denied, &allowed)
    }

    /// Whether a client of these names may do something. A session asks an [`AccessView`](super::AccessView), which
    /// remembers the answers.
    pub fn decide(
        &self,
        principals: &[Principal],
        resource: AclResource,
        operation: AclOperation,
        name: &str,
    ) -> Decision {
        self.rights(&self.users(principals), resource, name)
            .decision(operation)
    }
}

/// The indexes while they are built: rules for the same users share one.
#[derive(Debug, Default)]
struct UserIndexes {
    users: NameIndex<u32>,
    of_users: Vec<[ResourceIndex; RESOURCES]>,
    /// Numbers of the entries, by what the rules name.
    known: HashMap<UserKey, u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum UserKey {
    Any,
    Exact(Arc<str>),
    Prefix(Arc<str>),
}

impl UserIndexes {
    fn add(&mut self, rule: &AclRule, number: u32) {
        let grant = AclGrant {
            effect: rule.effect,
            operations: rule.operations.with_implied(),
            rule: number,
        };
        for key in keys(&rule.users) {
            let entry = self.entry(key);
            self.of_users[entry as usize][rule.resource as usize].add(&rule.names, grant);
        }
    }

    fn entry(&mut self, key: UserKey) -> u32 {
        if let Some(entry) = self.known.get(&key) {
            return *entry;
        }
        let entry = self.known.len() as u32;
        let names = match key.clone() {
            UserKey::Any => NameMatch::Any,
            UserKey::Exact(name) => NameMatch::OneOf(vec![name]),
            UserKey::Prefix(prefix) => NameMatch::Prefix(prefix),
        };
        // Users are never named by an expression.
        let _: Option<_> = self.users.add(&names, entry);
        self.of_users.push(Default::default());
        self.known.insert(key, entry);
        entry
    }
}

fn keys(users: &NameMatch) -> Vec<UserKey> {
    match users {
        NameMatch::Any => vec![UserKey::Any],
        NameMatch::OneOf(names) => names.iter().cloned().map(UserKey::Exact).collect(),
        NameMatch::Prefix(prefix) => vec![UserKey::Prefix(Arc::clone(prefix))],
        NameMatch::Pattern(_) => Vec::new(),
    }
}
