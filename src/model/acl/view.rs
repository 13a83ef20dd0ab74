//! Rules as one client sees them.

use std::collections::HashMap;
use std::sync::Arc;

use super::{AclOperation, AclResource, AclRules, Decision, Rights};
use crate::model::Principal;

/// Names of one kind of resource that are remembered; beyond that all are forgotten.
const MAX_NAMES: usize = 4096;

/// Longest name that is remembered, in bytes.
const MAX_NAME: usize = 255;

/// Rules as one client sees them. Remembers what it decided, until rules or client change: then a new view is made.
#[derive(Debug)]
pub struct AccessView {
    rules: Arc<AclRules>,
    principals: Vec<Principal>,
    users: Vec<u32>,
    known: [HashMap<Box<str>, Rights>; AclResource::ALL.len()],
    /// The name that was asked about last: most clients ask about the same again.
    last: [(String, Option<Rights>); AclResource::ALL.len()],
}

impl AccessView {
    /// The view of a client of these names.
    pub fn new(rules: Arc<AclRules>, principals: &[Principal]) -> Self {
        Self {
            users: rules.users(principals),
            rules,
            principals: principals.to_vec(),
            known: Default::default(),
            last: Default::default(),
        }
    }

    /// Whether it is the view of this client on these rules.
    #[inline]
    pub fn is_of(&self, rules: &Arc<AclRules>, principals: &[Principal]) -> bool {
        Arc::ptr_eq(&self.rules, rules) && self.principals == principals
    }

    /// The rules.
    pub fn rules(&self) -> &Arc<AclRules> {
        &self.rules
    }

    /// Whether the client may do something.
    #[inline]
    pub fn decide(&mut self, resource: AclResource, operation: AclOperation, name: &str) -> Decision {
        self.rights(resource, name).decision(operation)
    }

    /// Everything that the client may do with the resource `name`.
    #[inline]
    pub fn rights(&mut self, resource: AclResource, name: &str) -> Rights {
        if let (last, Some(rights)) = &self.last[resource as usize]
            && last == name
        {
            return *rights;
        }
        let known = self.known[resource as usize].get(name).copied();
        let rights = known.unwrap_or_else(|| self.look_up(resource, name));
        let (last, of_last) = &mut self.last[resource as usize];
        last.clear();
        *of_last = (name.len() <= MAX_NAME).then_some(rights);
        if of_last.is_some() {
            last.push_str(name);
        }
        rights
    }

    /// Number of names that it remembers.
    pub fn remembered(&self) -> usize {
        self.known.iter().map(HashMap::len).sum()
    }

    /// Whether the client may do this with some resource of the kind or other (KIP-679): a rule allows it, and no rule
    /// denies it for all of the same names.
    pub fn may_somewhere(&self, resource: AclResource, operation: AclOperation) -> bool {
        self.rules.may_somewhere(&self.principals, resource, operation)
    }

    fn look_up(&mut self, resource: AclResource, name: &str) -> Rights {
        // What is not text matches no rule: which one is meant cannot be told.
        let users = if name.contains(char::REPLACEMENT_CHARACTER) {
            &[]
        } else {
            &*self.users
        };
        let rights = self.rules.rights(users, resource, name);
        if name.len() <= MAX_NAME && self.rules.governs(resource) {
            let known = &mut self.known[resource as usize];
            if known.len() >= MAX_NAMES {
                known.clear();
            }
            known.insert(name.into(), rights);
        }
        rights
    }
}
