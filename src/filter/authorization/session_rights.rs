//! What this filter keeps of a session.

use std::collections::HashMap;
use std::sync::Arc;

use super::access::{Access, TopicUuid};
use super::fetch_session::FetchSession;
use super::share::ShareSession;
use super::topic_names::TopicNameMap;
use crate::filter::{ClientSession, Subject};
use crate::model::acl::{AccessView, AclRules};

/// What the filters of one session keep in it. Each finds its own by its name.
#[derive(Debug, Default)]
pub(super) struct AllRights(Vec<(Arc<str>, SessionRights)>);

/// What one filter keeps of a session. It survives a change of the filter.
#[derive(Debug, Default)]
pub(super) struct SessionRights {
    view: Option<AccessView>,
    /// Names of ids that it has used.
    names: HashMap<TopicUuid, Arc<str>>,
    /// The fetch session, if there is one whose partitions are known.
    pub(super) fetch: Option<FetchSession>,
    pub(super) share: ShareSession,
    /// What kproxy has asked the broker about the request that waits.
    pub(super) asked: Option<AskedFor>,
    /// Names of the request that waits, or all names, of topics that exist.
    pub(super) existing: Option<Vec<String>>,
    /// Whether the broker was asked for the names of ids of the request that waits.
    pub(super) asked_for_names: bool,
}

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
    pub(super) fn take(session: &mut ClientSession, filter: &str) -> Self {
        let all = &mut session.state::<AllRights>().0;
        let found = all.iter_mut().find(|(name, _)| **name == *filter);
        found
            .map(|(_, rights)| std::mem::take(rights))
            .unwrap_or_default()
    }

    /// Puts it back.
    pub(super) fn put(self, session: &mut ClientSession, filter: &Arc<str>) {
        let all = &mut session.state::<AllRights>().0;
        match all.iter_mut().find(|(name, _)| name == filter) {
            Some((_, rights)) => *rights = self,
            None => all.push((Arc::clone(filter), self)),
        }
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

    /// The view, and what else a decision may change.
    pub(super) fn parts<'s>(&'s mut self, topics: &'s TopicNameMap) -> Option<RightsParts<'s>> {
        Some(RightsParts {
            access: Access::new(self.view.as_mut()?, topics, &mut self.names),
            fetch: &mut self.fetch,
            share: &mut self.share,
        })
    }
}
