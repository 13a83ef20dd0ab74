//! The filters of a virtual cluster, in their order.

use std::any::Any;
use std::sync::Arc;

use super::sasl_termination::SaslTermination;
use super::topic_name_reader::TopicNameReader;
use super::{Filter, FilterCounters, FilterHealth, Interest};
use crate::model::FailurePolicy;
use crate::wire::api::{self, Api, HIGHEST_KEY};

/// The filters of a virtual cluster, client-most first. Immutable: a reload replaces it.
#[derive(Debug)]
pub struct Chain {
    filters: Vec<ChainedFilter>,
    interest: Interest,
    /// Versions that all filters offer, by API; an empty range hides the API.
    offers: Box<[(i16, i16); HIGHEST_KEY + 1]>,
}

/// A filter in its chain, or on its way into one.
#[derive(Debug, Clone)]
pub struct ChainedFilter {
    /// The filter.
    pub filter: Arc<dyn Filter>,
    /// What it reads.
    pub interest: Interest,
    /// Its counters.
    pub counters: Arc<FilterCounters>,
    /// What becomes of frames about which it cannot decide.
    pub on_error: FailurePolicy,
    /// Whether it can do its work.
    pub health: Arc<FilterHealth>,
}

impl ChainedFilter {
    /// A filter whose failure ends the session.
    pub fn new(filter: Arc<dyn Filter>) -> Self {
        let mut interest = Interest::default();
        filter.interest(&mut interest);
        Self {
            filter,
            interest,
            counters: Arc::default(),
            on_error: FailurePolicy::Fail,
            health: Arc::default(),
        }
    }
}

/// Filters of a chain that can be shown an answer.
const MOST_READERS: usize = 64;

const HIDDEN: (i16, i16) = (0, -1);

impl Chain {
    /// The chain of these filters, client-most first; `None` if there are none. A failure of one of them ends the session.
    pub fn new(filters: Vec<(Arc<dyn Filter>, Arc<FilterCounters>)>) -> Option<Arc<Self>> {
        let filters = filters.into_iter().map(|(filter, counters)| ChainedFilter {
            counters,
            ..ChainedFilter::new(filter)
        });
        Self::of(filters)
    }

    /// The chain of these filters, client-most first; `None` if there are none.
    pub fn of(filters: impl IntoIterator<Item = ChainedFilter>) -> Option<Arc<Self>> {
        let mut filters: Vec<ChainedFilter> = filters.into_iter().collect();
        if filters.is_empty() {
            return None;
        }
        add_reader_of_names(&mut filters);
        let mut all = Interest::default();
        for chained in &filters {
            all.join(&chained.interest);
        }
        let mut offers = Box::new([HIDDEN; HIGHEST_KEY + 1]);
        for api in api::apis() {
            offers[api.key as usize] = offered_by_all(&filters, api);
        }
        Some(Arc::new(Self {
            filters,
            interest: all,
            offers,
        }))
    }

    /// The filters, client-most first, with the readers that kproxy adds.
    pub fn filters(&self) -> &[ChainedFilter] {
        &self.filters
    }

    /// The filter by which clients authenticate at kproxy. It is the first where there is one.
    pub fn sasl_termination(&self) -> Option<&SaslTermination> {
        let first: &dyn Any = &*self.filters.first()?.filter;
        first.downcast_ref()
    }

    /// What any of the filters reads.
    #[inline]
    pub fn interest(&self) -> &Interest {
        &self.interest
    }

    /// Lowest and highest version of an API that clients may use; `None` if they may use none.
    pub fn offers(&self, api: &Api) -> Option<(i16, i16)> {
        let range = self.offers.get(api.key as u16 as usize).copied()?;
        (range.0 <= range.1).then_some(range)
    }

    /// Whether clients may use this version of an API.
    #[inline]
    pub fn allows(&self, api_key: i16, version: i16) -> bool {
        let range = self.offers.get(api_key as u16 as usize);
        range.is_some_and(|(lowest, highest)| *lowest <= version && version <= *highest)
    }
}

/// Adds the reader of the names of topics, next to the broker, if a filter needs them.
fn add_reader_of_names(filters: &mut Vec<ChainedFilter>) {
    let names = filters
        .iter()
        .find_map(|chained| chained.filter.topic_names().cloned());
    if let Some(names) = names
        && filters.len() < MOST_READERS
    {
        filters.push(ChainedFilter {
            // What it cannot read teaches nothing.
            on_error: FailurePolicy::Pass,
            ..ChainedFilter::new(Arc::new(TopicNameReader(names)))
        });
    }
}

fn offered_by_all(filters: &[ChainedFilter], api: &Api) -> (i16, i16) {
    let mut range = (api.min, api.max);
    for chained in filters {
        let Some(offered) = chained.filter.offers(api) else {
            return HIDDEN;
        };
        range = (range.0.max(*offered.start()), range.1.min(*offered.end()));
    }
    if range.0 > range.1 { HIDDEN } else { range }
}
