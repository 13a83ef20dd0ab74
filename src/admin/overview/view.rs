//! The part of the virtual clusters that a viewer asks for, as the query of a request has it.

use std::borrow::Cow;

use crate::admin::query::{BadQuery, Query, RequestTarget};
use crate::cluster::ReportedState;
use crate::control::{ClusterLine, OverviewView, Word};
use crate::names::names;

/// Virtual clusters on a page.
pub(super) const PAGE: usize = 50;

/// Longest text that is searched for.
const MAX_SEARCH: usize = 256;

/// Every state, as `state` may name it.
pub(in crate::admin) const STATES: [ReportedState; ReportedState::ALL.len()] = ReportedState::ALL;

names! {
    /// ClusterOrder of virtual clusters.
    #[derive(Default)]
    pub(in crate::admin) enum ClusterOrder {
        /// By urgency of their states.
        #[default]
        Problems = "problems",
        /// By name.
        Name = "name",
        /// Most connections first.
        Connections = "connections",
        /// Most requests in flight first.
        InFlight = "in_flight",
        /// Most requests per second first.
        Requests = "requests",
        /// Most bytes per second first.
        Bytes = "bytes",
    }
}

/// What a viewer asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::admin) struct ViewQuery {
    /// Text that names have to contain, in lower case.
    pub(super) search: String,
    /// Name of the state that they have to be in; empty: any.
    pub(super) state: String,
    pub(super) order: ClusterOrder,
    pub(super) page: usize,
    /// Generation whose changes are shown.
    pub(super) generation: Option<u64>,
}

impl ViewQuery {
    /// Reads `search`, `state`, `sort`, `page` and `generation`. A form sends fields that are empty: they count as absent.
    ///
    /// # Errors
    /// [`BadQuery`] for what is not one of these, or has no such value.
    pub(super) fn parse(query: &str) -> Result<Self, BadQuery> {
        let mut query = Query::parse(query)?;
        let search = query.text("search")?.unwrap_or_default();
        let state = query.text("state")?.unwrap_or_default();
        let sort = query.text("sort")?.unwrap_or_default();
        let page = query.number("page")?.unwrap_or(1);
        let generation = query.number("generation")?;
        query.finish()?;
        if search.len() > MAX_SEARCH {
            let (name, expected) = ("search", "at most 256 bytes long");
            return Err(BadQuery::Value { name, expected });
        }
        if !state.is_empty() && ReportedState::from_name(&state).is_none() {
            let (name, expected) = ("state", "a state of a virtual cluster");
            return Err(BadQuery::Value { name, expected });
        }
        let order = ClusterOrder::from_name(&sort);
        if order.is_none() && !sort.is_empty() {
            let expected = "`problems`, `name`, `connections`, `in_flight`, `requests` or `bytes`";
            return Err(BadQuery::Value {
                name: "sort",
                expected,
            });
        }
        Ok(Self {
            search: search.trim().to_lowercase(),
            state,
            order: order.unwrap_or_default(),
            page: usize::try_from(page).unwrap_or(usize::MAX),
            generation,
        })
    }

    /// Returns the generation whose changes are asked for.
    pub(super) fn generation(&self) -> Option<u64> {
        self.generation
    }

    /// Whether a virtual cluster is asked for.
    pub(super) fn matches(&self, cluster: &ClusterLine) -> bool {
        let name = || match cluster.name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => Cow::Owned(cluster.name.to_lowercase()),
            false => Cow::Borrowed(cluster.name.as_str()),
        };
        (self.state.is_empty() || self.state == cluster.state)
            && (self.search.is_empty() || name().contains(&self.search))
    }
}

/// The address of the page with another view: what is as without a query is left out.
pub(in crate::admin) fn link(view: &OverviewView, change: impl FnOnce(&mut OverviewView)) -> String {
    let mut changed = view.clone();
    changed.page = 1;
    change(&mut changed);
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let sort: Word = changed.sort;
    RequestTarget::new("/")
        .with("search", given(&changed.search))
        .with("state", given(&changed.state))
        .with(
            "sort",
            given(&sort).filter(|sort| sort != ClusterOrder::default().name()),
        )
        .with("page", (changed.page > 1).then(|| changed.page.to_string()))
        .with("generation", changed.generation.map(|number| number.to_string()))
        .as_str()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_and_never_guessed() {
        let query = ViewQuery::parse("search=+Ord&state=degraded&sort=in_flight&page=3").unwrap();
        let expected = ViewQuery {
            search: "ord".into(),
            state: "degraded".into(),
            order: ClusterOrder::InFlight,
            page: 3,
            generation: None,
        };
        assert_eq!(query, expected);
        assert_eq!(
            ViewQuery::parse("search=&state=&sort=").unwrap().order,
            ClusterOrder::Problems
        );
        for wrong in ["state=x", "sort=x", "page=x", "other=1", "search=%"] {
            assert!(ViewQuery::parse(wrong).is_err(), "{wrong}");
        }
        assert!(ViewQuery::parse(&format!("search={}", "x".repeat(300))).is_err());
    }

    #[test]
    fn a_link_leads_to_the_view_that_it_was_made_for() {
        let view = OverviewView {
            search: "a&b=<\"'é".into(),
            state: "failed".into(),
            sort: "bytes".into(),
            page: 7,
            ..OverviewView::default()
        };
        let address = link(&view, |view| view.page = 2);
        let (path, query) = address.split_once('?').unwrap();
        let read = ViewQuery::parse(query).unwrap();
        assert_eq!((path, read.search.as_str(), read.page), ("/", "a&b=<\"'é", 2));
        assert_eq!((read.state.as_str(), read.order), ("failed", ClusterOrder::Bytes));
        assert_eq!(link(&OverviewView::default(), |_| {}), "/");
    }
}
