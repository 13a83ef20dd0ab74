//! What a session of a test begins with.

use std::sync::Arc;

use super::bench_events::EventLog;
use super::scripted_broker::{BrokerScript, ScriptedBroker};
use super::{Bench, BenchSite, BrokerCall, ReadCut, ScriptedAnswer, SessionDriver};
use crate::drain::SaslFacts;
use crate::filter::{Chain, Filter, FilterCounters, Subject};

/// A session of a test, before it begins.
pub struct BenchBuilder {
    filters: Vec<Arc<dyn Filter>>,
    site: BenchSite,
    client_id: Option<String>,
    subject: Option<Subject>,
    sasl: Option<SaslFacts>,
    broker: Option<BrokerScript>,
    cut: ReadCut,
}

impl std::fmt::Debug for BenchBuilder {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("BenchBuilder")
            .field("filters", &self.filters)
            .field("site", &self.site)
            .finish_non_exhaustive()
    }
}

impl BenchBuilder {
    pub(super) fn new(filters: Vec<Arc<dyn Filter>>) -> Self {
        Self {
            filters,
            site: BenchSite::default(),
            client_id: Some("bench".to_owned()),
            subject: None,
            sasl: None,
            broker: Some(Box::new(|_| ScriptedAnswer::Usual)),
            cut: ReadCut::None,
        }
    }

    /// The client id of the requests; without it, `bench`. `None` is a null one.
    #[must_use]
    pub fn client_id(mut self, client_id: Option<&str>) -> Self {
        self.client_id = client_id.map(str::to_owned);
        self
    }

    /// Who the client is; without it, nobody knows.
    #[must_use]
    pub fn subject(mut self, subject: Subject) -> Self {
        self.subject = Some(subject);
        self
    }

    /// The client is the user of this name.
    #[must_use]
    pub fn user(self, name: &str) -> Self {
        self.subject(Subject::user(name))
    }

    /// The broker has accepted the client as this user, by this mechanism of SASL.
    #[must_use]
    pub fn authenticated(mut self, mechanism: &str, user: &str) -> Self {
        self.sasl = Some(SaslFacts {
            mechanism: mechanism.into(),
            principal: Some(user.into()),
        });
        self
    }

    /// Where the session takes place, and the limits there.
    #[must_use]
    pub fn at(mut self, site: BenchSite) -> Self {
        self.site = site;
        self
    }

    /// The broker does with requests what `script` says; without it, it gives the usual answers.
    #[must_use]
    pub fn broker(mut self, script: impl FnMut(&BrokerCall) -> ScriptedAnswer + 'static) -> Self {
        self.broker = Some(Box::new(script));
        self
    }

    /// Nobody answers: [`Bench::broker_bytes`] does.
    #[must_use]
    pub fn without_broker(mut self) -> Self {
        self.broker = None;
        self
    }

    /// Where reads end.
    #[must_use]
    pub fn cut(mut self, cut: ReadCut) -> Self {
        self.cut = cut;
        self
    }

    /// Begins the session.
    pub fn start(self) -> Bench {
        let binding = self.site.build();
        let (chain, counters) = counted(self.filters);
        binding.cluster.set_chain(chain);
        let events = Arc::new(EventLog::default());
        let (subject, sasl, told) = (self.subject, self.sasl, Arc::clone(&events));
        let driver = SessionDriver::prepared(binding, None, move |mut session| {
            if let Some(sasl) = sasl {
                session.handle().facts.note_sasl(sasl);
                session.refresh_subject();
            }
            if let Some(subject) = subject {
                session.set_subject(Arc::new(subject));
            }
            session.add_recorder(&(told as Arc<dyn crate::filter::Recorder>));
            session
        });
        Bench::new(
            driver,
            counters,
            events,
            self.broker.map(ScriptedBroker::new),
            self.client_id,
            self.cut,
        )
    }
}

/// The counters of each filter by its name.
pub(super) type NamedCounters = Vec<(String, Arc<FilterCounters>)>;

/// A chain of these filters, with their counters.
pub(super) fn counted(filters: Vec<Arc<dyn Filter>>) -> (Option<Arc<Chain>>, NamedCounters) {
    let counters: NamedCounters = filters
        .iter()
        .map(|filter| (filter.name().to_owned(), Arc::default()))
        .collect();
    let of_each = counters.iter().map(|(_, counters)| Arc::clone(counters));
    (Chain::new(filters.into_iter().zip(of_each).collect()), counters)
}
