//! Peers that did not answer lately. They are tried last, so that the next connection does not wait for them again.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::race::HEAD_START;

/// Time for which a silent peer is remembered.
const SILENCE_TTL: Duration = Duration::from_secs(30);

/// Number of silent peers that are remembered.
const MAX_SILENT_PEERS: usize = 256;

#[derive(Debug)]
pub(super) struct SilentPeers<K>(Mutex<HashMap<K, Instant>>);

/// An attempt to reach a peer. If it is dropped without an answer and lasted longer than the head start of the next
/// attempt, the peer counts as silent.
pub(super) struct SilenceCheck<'s, K: Eq + Hash + Clone> {
    silent: &'s SilentPeers<K>,
    who: K,
    since: Instant,
    answered: bool,
}

impl<K> Default for SilentPeers<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash + Clone> SilentPeers<K> {
    pub(super) fn ask(&self, who: K) -> SilenceCheck<'_, K> {
        SilenceCheck {
            silent: self,
            who,
            since: Instant::now(),
            answered: false,
        }
    }

    /// Moves silent peers to the end; apart from that the order stays.
    pub(super) fn last(&self, all: &mut [K]) {
        let silent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !silent.is_empty() {
            all.sort_by_key(|who| silent.get(who).is_some_and(|at| at.elapsed() < SILENCE_TTL));
        }
    }

    pub(super) fn note(&self, who: K) {
        let mut silent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if silent.len() >= MAX_SILENT_PEERS {
            silent.retain(|_, at| at.elapsed() < SILENCE_TTL);
        }
        if silent.len() < MAX_SILENT_PEERS {
            silent.insert(who, Instant::now());
        }
    }

    fn forget(&self, who: &K) {
        let mut silent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !silent.is_empty() {
            silent.remove(who);
        }
    }
}

impl<K: Eq + Hash + Clone> SilenceCheck<'_, K> {
    /// Records an answer, even if it is a refused connection.
    pub(super) fn answered(mut self) {
        self.answered = true;
        self.silent.forget(&self.who);
    }
}

impl<K: Eq + Hash + Clone> Drop for SilenceCheck<'_, K> {
    fn drop(&mut self) {
        if !self.answered && self.since.elapsed() >= HEAD_START {
            self.silent.note(self.who.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_did_not_answer_comes_last_until_it_does() {
        let silent = SilentPeers::default();
        silent.note(1);
        let order = |silent: &SilentPeers<i32>| {
            let mut all = [1, 2, 3];
            silent.last(&mut all);
            all
        };
        assert_eq!(order(&silent), [2, 3, 1]);
        drop(silent.ask(2));
        assert_eq!(order(&silent), [2, 3, 1], "it had no time to answer");
        silent.ask(1).answered();
        assert_eq!(order(&silent), [1, 2, 3]);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let silent = SilentPeers::default();
        for who in 0..10_000 {
            silent.note(who);
        }
        assert_eq!(silent.0.lock().unwrap().len(), MAX_SILENT_PEERS);
    }
}
