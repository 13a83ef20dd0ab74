//! What this filter keeps of a session.

use std::collections::HashMap;
use std::sync::Arc;

use super::access::{Access, AccessDecision, TopicUuid};
use super::assignment::GroupMembers;
use super::fetch_session::FetchSession;
use super::share::ShareSession;
use crate::filter::{ClientSession, Subject, TopicNameMap};
use crate::model::acl::{AccessView, AclRules};

/// What the filters of one session keep in it. Each finds its own by its name.
#[derive(Debug, Default)]
pub(super) struct AllRights(Vec<(Arc<str>, Option<Box<SessionRights>>)>);

/// What one filter keeps of a session. It survives a change of the filter.
#[derive(Debug, Default)]
pub(super) struct SessionRights {
    view: Option<AccessView>,
    /// Names of ids that it has used.
    names: HashMap<TopicUuid, Arc<str>>,
    /// The fetch session, if there is one whose partitions are known.
    pub(super) fetch: Option<FetchSession>,
    pub(super) share: ShareSession,
    members: GroupMembers,
    /// What kproxy has asked the broker about the request that waits.
    pub(super) asked: Option<AskedFor>,
    /// Names of the request that waits, or all names, of topics that exist.
    pub(super) existing: Option<Vec<String>>,
    /// Whether the broker was asked for the names of ids of the request that waits.
    pub(super) asked_for_names: bool,
    pub(super) passed: PassedDecisions,
}

/// Decisions about requests that passed at once, until they are counted.
#[derive(Debug, Default)]
pub(super) struct PassedDecisions {
    /// Decisions about the request that was looked at last.
    looked_at: Vec<AccessDecision>,
    /// Decisions about those before.
    counts: Vec<AccessDecision>,
}

/// Different decisions that are kept; with more of them, of one request or together, requests are decided one by one.
const MOST_COUNTS: usize = 32;

/// The rights of a session, and what a decision may change of it.
pub(super) struct RightsParts<'s> {
    pub(super) access: Access<'s>,
    pub(super) fetch: &'s mut Option<FetchSession>,
    pub(super) share: &'s mut ShareSession,
}

/// What kproxy has asked the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AskedFor {
    /// The names of ids.
    Names,
    /// Which topics exist.
    Existing,
}

impl SessionRights {
    /// Takes what the filter of this name keeps out of the session.
    pub(super) fn take(session: &mut ClientSession, filter: &str) -> Box<Self> {
        let all = &mut session.state::<AllRights>().0;
        let found = all.iter_mut().find(|(name, _)| **name == *filter);
        found.and_then(|(_, rights)| rights.take()).unwrap_or_default()
    }

    /// Puts it back.
    pub(super) fn put(self: Box<Self>, session: &mut ClientSession, filter: &Arc<str>) {
        let all = &mut session.state::<AllRights>().0;
        match all.iter_mut().find(|(name, _)| name == filter) {
            Some((_, rights)) => *rights = Some(self),
            None => all.push((Arc::clone(filter), Some(self))),
        }
    }

    /// What the filter of this name keeps in the session, if there is anything, in its place; and who the client is.
    pub(super) fn kept<'s>(
        session: &'s mut ClientSession,
        filter: &Arc<str>,
    ) -> Option<(&'s mut Self, &'s Subject)> {
        let (all, subject) = session.existing_state::<AllRights>();
        let is_own = |name: &Arc<str>| Arc::ptr_eq(name, filter) || name == filter;
        let (_, rights) = all?.0.iter_mut().find(|(name, _)| is_own(name))?;
        Some((rights.as_deref_mut()?, subject))
    }

    /// Whether it is of this client on these rules, and nothing was asked of the broker.
    pub(super) fn is_settled(&self, rules: &Arc<AclRules>, subject: &Subject) -> bool {
        let view = self.view.as_ref();
        view.is_some_and(|view| view.is_of(rules, &subject.principals))
            && self.asked.is_none()
            && self.existing.is_none()
            && !self.asked_for_names
    }

    /// Looks at a request: the decisions that it takes are kept until it has passed.
    pub(super) fn look<'s>(
        &'s mut self,
        topics: &'s TopicNameMap,
        judge: impl FnOnce(&mut RightsParts<'_>) -> bool,
    ) -> bool {
        if self.passed.counts.len() >= MOST_COUNTS {
            return false;
        }
        let mut decided = std::mem::take(&mut self.passed.looked_at);
        decided.clear();
        let Some(mut parts) = self.parts(topics) else {
            return false;
        };
        parts.access.decided = decided;
        let passes = judge(&mut parts);
        let decided = parts.access.decided;
        if decided.len() > MOST_COUNTS {
            return false;
        }
        self.passed.looked_at = decided;
        passes
    }

    /// Makes the view one of this client on these rules.
    pub(super) fn renew(&mut self, rules: &Arc<AclRules>, subject: &Subject) {
        let principals = &subject.principals;
        if self
            .view
            .as_ref()
            .is_none_or(|view| !view.is_of(rules, principals))
        {
            self.view = Some(AccessView::new(Arc::clone(rules), principals));
            if let Some(fetch) = &mut self.fetch {
                fetch.all_readable = false;
            }
        }
    }

    /// Notes the names of ids that the broker has told about a request of the session: they are known for that request
    /// whatever the limits of the cluster are.
    pub(super) fn know(&mut self, told: impl IntoIterator<Item = (TopicUuid, Arc<str>)>) {
        self.names.extend(told);
    }

    /// The view, and what else a decision may change.
    pub(super) fn parts<'s>(&'s mut self, topics: &'s TopicNameMap) -> Option<RightsParts<'s>> {
        Some(RightsParts {
            access: Access::new(self.view.as_mut()?, topics, &mut self.names, &mut self.members),
            fetch: &mut self.fetch,
            share: &mut self.share,
        })
    }
}

impl PassedDecisions {
    /// Adds up the decisions about the request that was looked at last.
    pub(super) fn add_up(&mut self) {
        for decided in self.looked_at.drain(..) {
            let mut latest = self.counts.iter_mut().rev();
            match latest.find(|known| known.allows_alike(&decided)) {
                Some(known) => known.times += decided.times,
                None => self.counts.push(decided),
            }
        }
    }

    /// Removes the decisions.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = AccessDecision> {
        self.counts.drain(..)
    }
}
