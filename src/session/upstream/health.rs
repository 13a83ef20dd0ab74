//! Health of a target's brokers: when each last answered, since when it fails, and why. Recorded once per connection
//! attempt, never per frame.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::model::HostPort;
use crate::session::cause::CloseCause;

/// Number of records kept in addition to those of known brokers.
const SPARE: usize = 64;

/// Longest stored reason, in characters.
const DETAIL: usize = 300;

/// Number of failures of all targets, so that one load shows whether any occurred.
static MOVED: AtomicU64 = AtomicU64::new(0);

/// Number of failures so far; a changed number means that one occurred since.
pub fn moved() -> u64 {
    MOVED.load(Ordering::Acquire)
}

/// Counts a failure, or a server that was too slow to be waited for.
pub(super) fn note_move() {
    MOVED.fetch_add(1, Ordering::Release);
}

/// Records of one target, by configured or advertised broker address.
#[derive(Debug, Default)]
pub struct Health {
    records: Mutex<BTreeMap<HostPort, Record>>,
}

/// Record of one broker.
#[derive(Debug, Clone)]
pub struct Record {
    /// End of the newest attempt.
    pub tried: Instant,
    /// Time of the newest success, if there was one.
    pub last_success: Option<SystemTime>,
    /// The current failure; `None` if the newest attempt succeeded.
    pub failing: Option<Failing>,
}

/// Consecutive failed attempts.
#[derive(Debug, Clone)]
pub struct Failing {
    /// Time of the first failure.
    pub since: SystemTime,
    /// Number of failed attempts.
    pub failures: u64,
    /// Close cause of the newest failure.
    pub cause: CloseCause,
    /// Reason of the newest failure, for logs and status.
    pub detail: String,
    /// End of the newest failed attempt.
    newest: Instant,
    /// Whether TCP and TLS succeed and a later step failed; only an answer ends such a failure.
    connects: bool,
}

/// Success of an attempt to reach a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Success {
    /// A connection was made, TLS included.
    Connected,
    /// The broker has answered a request.
    Answered,
}

impl Health {
    /// Records a successful attempt.
    pub fn succeeded(&self, address: &HostPort, how: Success, known: impl FnOnce() -> HashSet<HostPort>) {
        let (now, at) = (Instant::now(), SystemTime::now());
        let mut records = self.room_for(address, known);
        let record = records.entry(address.clone()).or_insert_with(|| Record::new(now));
        record.tried = now;
        let ends = |failing: &Failing| how == Success::Answered || !failing.connects;
        if record.failing.as_ref().is_none_or(ends) {
            record.failing = None;
            record.last_success = Some(at);
        }
    }

    /// Records that a connection made after `since` has brought answers at some time. It does not end a failure that
    /// came later.
    pub fn answered_after(&self, address: &HostPort, since: Instant) {
        let mut records = self.lock();
        let Some(record) = records.get_mut(address) else {
            return;
        };
        let is_over = |failing: &mut Failing| failing.connects && failing.newest < since;
        if record.failing.take_if(is_over).is_some() {
            record.last_success = Some(SystemTime::now());
        }
    }

    /// Records a failure. `connects` says that the broker can be connected to and a later step failed.
    pub fn failed(
        &self,
        address: &HostPort,
        (cause, detail): (CloseCause, &str),
        connects: bool,
        known: impl FnOnce() -> HashSet<HostPort>,
    ) {
        let (now, at) = (Instant::now(), SystemTime::now());
        let mut records = self.room_for(address, known);
        let record = records.entry(address.clone()).or_insert_with(|| Record::new(now));
        record.tried = now;
        let before = record.failing.take();
        record.failing = Some(Failing {
            since: before.as_ref().map_or(at, |before| before.since),
            failures: before.map_or(0, |before| before.failures) + 1,
            cause,
            detail: detail.chars().take(DETAIL).collect(),
            newest: now,
            connects,
        });
        drop(records);
        note_move();
    }

    /// Records of the brokers that were tried and are known, by address.
    pub fn of(&self, is_known: impl Fn(&HostPort) -> bool) -> Vec<(HostPort, Record)> {
        let records = self.lock();
        let known = records.iter().filter(|(address, _)| is_known(address));
        known
            .map(|(address, record)| (address.clone(), record.clone()))
            .collect()
    }

    /// Whether the newest attempt to reach this broker failed.
    pub fn is_failing(&self, address: &HostPort) -> bool {
        let records = self.lock();
        records
            .get(address)
            .is_some_and(|record| record.failing.is_some())
    }

    /// Whether the newest attempt to reach any broker failed.
    pub fn is_any_failing(&self) -> bool {
        self.lock().values().any(|record| record.failing.is_some())
    }

    /// Removes records of unknown brokers when there are too many.
    fn room_for(
        &self,
        address: &HostPort,
        known: impl FnOnce() -> HashSet<HostPort>,
    ) -> MutexGuard<'_, BTreeMap<HostPort, Record>> {
        let mut records = self.lock();
        if !records.contains_key(address) && records.len() >= SPARE {
            let known = known();
            if records.len() >= known.len() + SPARE {
                records.retain(|address, _| known.contains(address));
            }
        }
        records
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<HostPort, Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    fn new(tried: Instant) -> Self {
        Self {
            tried,
            last_success: None,
            failing: None,
        }
    }

    /// Whether the broker answers: an outcome is valid for `period`, and longer while the broker is `in_use`; `None`
    /// if unknown.
    pub fn is_up(&self, in_use: bool, period: Duration) -> Option<bool> {
        let stands = in_use || self.tried.elapsed() < period;
        stands.then_some(self.failing.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> HostPort {
        HostPort {
            host: "b".into(),
            port,
        }
    }

    fn failing(health: &Health, port: u16) -> Option<Failing> {
        record(health, port).failing
    }

    fn record(health: &Health, port: u16) -> Record {
        let mut found = health.of(|address| *address == at(port));
        found.remove(0).1
    }

    const REFUSED: (CloseCause, &str) = (CloseCause::UpstreamUnreachable, "refused");

    #[test]
    fn failures_in_a_row_have_one_beginning_and_end_with_a_success() {
        let health = Health::default();
        health.failed(&at(1), REFUSED, false, HashSet::new);
        let first = failing(&health, 1).unwrap();
        health.failed(&at(1), REFUSED, false, HashSet::new);
        let second = failing(&health, 1).unwrap();
        assert_eq!((second.since, second.failures), (first.since, 2));
        health.succeeded(&at(1), Success::Connected, HashSet::new);
        assert!(failing(&health, 1).is_none() && !health.is_any_failing());
    }

    #[test]
    fn a_broker_that_connects_and_then_fails_is_not_well_because_it_connects_again() {
        let health = Health::default();
        health.failed(&at(1), (CloseCause::UpstreamSpeaksTls, "TLS"), true, HashSet::new);
        health.succeeded(&at(1), Success::Connected, HashSet::new);
        assert!(failing(&health, 1).is_some());
        health.succeeded(&at(1), Success::Answered, HashSet::new);
        assert!(failing(&health, 1).is_none());
    }

    #[test]
    fn a_connection_from_before_says_nothing_about_what_failed_since() {
        let health = Health::default();
        let before = Instant::now();
        health.failed(&at(1), (CloseCause::UpstreamNotKafka, "HTTP"), true, HashSet::new);
        health.answered_after(&at(1), before);
        assert!(failing(&health, 1).is_some());
        while Instant::now() <= record(&health, 1).tried {}
        health.answered_after(&at(1), Instant::now());
        assert!(failing(&health, 1).is_none());
        health.failed(&at(1), REFUSED, false, HashSet::new);
        health.answered_after(&at(1), Instant::now());
        assert!(failing(&health, 1).is_some(), "it cannot be connected to");
    }

    #[test]
    fn brokers_that_are_not_known_any_more_are_forgotten() {
        let health = Health::default();
        let known = || HashSet::from([at(1)]);
        for port in 1..1000 {
            health.failed(&at(port), REFUSED, false, known);
        }
        assert!(health.lock().len() <= SPARE + 1);
        assert!(health.lock().contains_key(&at(1)));
    }
}
