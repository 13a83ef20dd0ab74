//! One look at the process, and the overviews that are made of it.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use super::view::{ClusterOrder, PAGE, ViewQuery};
use crate::control::{
    CertificateStatus, ClusterLine, ClusterRow, ClusterStatus, ConfigStatus, HistoryLine, Observation,
    Observe, Overview, OverviewTotals, OverviewView, Rates, ReloadCounts, ReloadReport, Shortened, Word,
};
use crate::time::{from_unix_seconds, rfc3339, unix_seconds};

/// Entries of a list that are shown.
const SHOWN: usize = 50;

/// Entries of the history that are shown.
const HISTORY: usize = 20;

/// Looks that are further apart tell nothing about what is moved now.
const STALE: Duration = Duration::from_secs(60);

/// The process at one moment.
#[derive(Debug)]
pub(in crate::admin) struct Look {
    pub(super) at: Instant,
    observation: Observation,
    history: Vec<HistoryLine>,
    /// When the process began.
    started: SystemTime,
    /// What each virtual cluster moves per second, in their order; empty at the first look.
    rates: Vec<Option<Rates>>,
}

impl Look {
    pub(super) fn take(observed: &dyn Observe, now: Instant, before: Option<&Self>) -> Self {
        let observation = observed.observation();
        let up = Duration::try_from_secs_f64(observation.status.uptime_seconds).unwrap_or_default();
        let started = before.map(|before| before.started);
        let rates = before.map_or_else(Vec::new, |before| {
            let apart = now.saturating_duration_since(before.at);
            rates(&before.observation.clusters, &observation.clusters, apart)
        });
        Self {
            at: now,
            // Said once, so that a page on which nothing changes stays the same.
            started: started.unwrap_or_else(|| SystemTime::now() - up),
            rates,
            history: observed
                .history()
                .map(|history| HistoryLine::of(&history.entries(HISTORY)))
                .unwrap_or_default(),
            observation,
        }
    }

    /// Makes the overview that is asked for.
    pub(in crate::admin) fn overview(&self, observed: &dyn Observe, query: &ViewQuery) -> Overview {
        let status = &self.observation.status;
        let (view, chosen) = self.choose(query);
        let config = status.config.clone();
        let config = ConfigStatus {
            last_reload: config.last_reload.map(ReloadReport::shortened),
            last_renewal: config.last_renewal.map(ReloadReport::shortened),
            ..config
        };
        let last_reload = status.config.last_reload.as_ref();
        let mut probation = status.probation.clone();
        if let Some(probation) = &mut probation {
            probation.clusters.truncate(SHOWN);
        }
        let mut drains = status.drains.clone();
        drains.sort_by_key(|drain| Reverse(drain.remaining));
        Overview {
            version: status.version.clone(),
            pid: status.pid,
            started: rfc3339(self.started),
            generation: status.generation,
            config,
            last_reload_counts: last_reload.map(ReloadCounts::from).unwrap_or_default(),
            totals: self.totals(),
            view,
            clusters: self.rows(observed, &chosen),
            probation,
            drains: Shortened::of(drains, SHOWN),
            certificates: self.certificates(),
            history: Shortened::of(self.history.clone(), HISTORY),
            difference: None,
            limits: Shortened::of(status.limits.clone(), SHOWN),
            warnings: Shortened::of(status.warnings.clone(), SHOWN),
        }
    }

    fn totals(&self) -> OverviewTotals {
        let mut totals = OverviewTotals {
            clusters: self.observation.clusters.len(),
            rates: self.rates.iter().flatten().copied().reduce(Rates::plus),
            ..OverviewTotals::default()
        };
        let mut states: BTreeMap<&str, usize> = BTreeMap::new();
        for cluster in &self.observation.clusters {
            *states.entry(&cluster.state).or_default() += 1;
            totals.connections += cluster.connections;
            totals.in_flight += cluster.in_flight;
        }
        let word = |state: &str| Word::Owned(state.to_owned());
        totals.states = states
            .iter()
            .map(|(state, count)| (word(state), *count))
            .collect();
        totals
    }

    /// Chooses the virtual clusters of a page, by their places.
    fn choose(&self, query: &ViewQuery) -> (OverviewView, Vec<usize>) {
        let clusters = &self.observation.clusters;
        let mut places: Vec<usize> = (0..clusters.len())
            .filter(|&place| query.matches(&clusters[place]))
            .collect();
        let rate = |place: usize, of: fn(Rates) -> f64| self.rate(place).map_or(0.0, of);
        let highest = |rate: f64| Reverse(rate.to_bits());
        // Stable, so that equal ones stay in the order of their names. The bits of numbers from 0 on are in their order.
        match query.order {
            ClusterOrder::Name => {}
            ClusterOrder::Problems => places.sort_by_key(|&place| urgency(&clusters[place])),
            ClusterOrder::Connections => places.sort_by_key(|&place| Reverse(clusters[place].connections)),
            ClusterOrder::InFlight => places.sort_by_key(|&place| Reverse(clusters[place].in_flight)),
            ClusterOrder::Requests => {
                places.sort_by_key(|&place| highest(rate(place, |rates| rates.requests)))
            }
            ClusterOrder::Bytes => places.sort_by_key(|&place| highest(rate(place, Rates::bytes))),
        }
        let (matching, pages) = (places.len(), places.len().div_ceil(PAGE).max(1));
        let page = query.page.clamp(1, pages);
        let chosen = places.into_iter().skip((page - 1) * PAGE).take(PAGE).collect();
        let view = OverviewView {
            search: query.search.clone(),
            state: query.state.clone(),
            sort: query.order.name().into(),
            generation: query.generation,
            page,
            pages,
            size: PAGE,
            matching,
        };
        (view, chosen)
    }

    /// Returns the generation before this one, if both can be shown.
    pub(in crate::admin) fn before(&self, generation: u64) -> Option<u64> {
        let mut lines = self.history.iter();
        lines
            .find(|line| line.generation == generation && line.before.is_some())?
            .before
    }

    fn rate(&self, place: usize) -> Option<Rates> {
        self.rates.get(place).copied().flatten()
    }

    fn rows(&self, observed: &dyn Observe, chosen: &[usize]) -> Vec<ClusterRow> {
        let clusters = &self.observation.clusters;
        let names: Vec<&str> = chosen
            .iter()
            .map(|&place| clusters[place].name.as_str())
            .collect();
        let mut rates: BTreeMap<&str, Option<Rates>> = names
            .iter()
            .copied()
            .zip(chosen.iter().map(|&place| self.rate(place)))
            .collect();
        let row = |status: ClusterStatus| ClusterRow {
            rates: rates.remove(status.name.as_str()).flatten(),
            status,
        };
        observed.clusters_named(&names).into_iter().map(row).collect()
    }

    fn certificates(&self) -> Shortened<CertificateStatus> {
        let mut certificates: Vec<&(String, i64)> = self.observation.certificates.iter().collect();
        certificates.sort_by_key(|(_, expires)| *expires);
        let now = unix_seconds(SystemTime::now());
        let status = |(file, expires): &&(String, i64)| CertificateStatus {
            file: file.clone(),
            expires: rfc3339(from_unix_seconds(*expires)),
            days_left: (expires - now).div_euclid(86_400),
        };
        Shortened {
            total: certificates.len(),
            first: certificates.iter().take(SHOWN).map(status).collect(),
        }
    }
}

/// Place in the order in which an operator wants to see states.
fn urgency(cluster: &ClusterLine) -> usize {
    let states = ["failed", "degraded", "initializing", "draining", "stopped"];
    let place = states.iter().position(|state| *state == cluster.state);
    place.unwrap_or(states.len())
}

/// What each cluster of `now` has moved per second since `before`; both are by name.
fn rates(before: &[ClusterLine], now: &[ClusterLine], apart: Duration) -> Vec<Option<Rates>> {
    if apart.is_zero() || apart > STALE {
        return Vec::new();
    }
    let mut before = before.iter().peekable();
    let rates = |cluster: &ClusterLine| {
        while before.next_if(|before| before.name < cluster.name).is_some() {}
        let before = before.next_if(|before| before.name == cluster.name)?;
        Some(cluster.moved.rates_since(before.moved, apart.as_secs_f64()))
    };
    now.iter().map(rates).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::TrafficTotals;

    fn line(name: &str, requests: u64) -> ClusterLine {
        let moved = TrafficTotals {
            requests,
            ..TrafficTotals::default()
        };
        ClusterLine {
            name: name.into(),
            moved,
            ..ClusterLine::default()
        }
    }

    #[test]
    fn rates_are_those_of_the_same_cluster_and_of_no_other() {
        let before = [line("a", 5), line("b", 10), line("d", 0)];
        let now = [line("b", 14), line("c", 7), line("d", 3)];
        let found = rates(&before, &now, Duration::from_secs(2));
        let requests: Vec<Option<f64>> = found.iter().map(|rates| Some((*rates)?.requests)).collect();
        assert_eq!(requests, [Some(2.0), None, Some(1.5)]);
        assert!(rates(&before, &now, STALE * 2).is_empty());
        assert!(rates(&before, &now, Duration::ZERO).is_empty());
    }
}
