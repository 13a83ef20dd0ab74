//! Peers that did not answer lately. They are tried last, so that the next connection does not wait for them again.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::health;
use super::race::HEAD_START;

/// Time for which a silent peer is remembered.
const SILENCE_TTL: Duration = Duration::from_secs(30);

/// Number of silent peers that are remembered.
const MAX_SILENT_PEERS: usize = 256;

#[derive(Debug)]
pub(super) struct SilentPeers<K>(Mutex<SilentState<K>>);

#[derive(Debug)]
struct SilentState<K> {
    peers: HashMap<K, Silence>,
    /// Beginning of the newest attempt that was answered by any peer.
    answered_since: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Silence {
    at: Instant,
    /// Whether somebody was told, so that it is tried out.
    is_told: bool,
}

/// An attempt to reach a peer. If it is dropped before it has ended, and another one that began later was answered, the peer
/// counts as silent.
pub(super) struct SilenceCheck<'s, K: Eq + Hash + Clone> {
    silent: &'s SilentPeers<K>,
    who: K,
    since: Instant,
    has_ended: bool,
}

impl<K> Default for SilentPeers<K> {
    fn default() -> Self {
        Self(Mutex::new(SilentState {
            peers: HashMap::new(),
            answered_since: None,
        }))
    }
}

impl<K: Eq + Hash + Clone> SilentPeers<K> {
    pub(super) fn ask(&self, who: K) -> SilenceCheck<'_, K> {
        SilenceCheck {
            silent: self,
            who,
            since: Instant::now(),
            has_ended: false,
        }
    }

    /// Moves silent peers to the end; apart from that the order stays.
    pub(super) fn last(&self, all: &mut [K]) {
        let state = self.state();
        if !state.peers.is_empty() {
            all.sort_by_key(|who| state.is_silent(who));
        }
    }

    /// Whether a peer is tried last.
    pub(super) fn has(&self, who: &K) -> bool {
        self.state().is_silent(who)
    }

    /// The silent peers that this has not returned before.
    pub(super) fn take_untold(&self) -> Vec<K> {
        let mut state = self.state();
        let untold = state.peers.iter_mut().filter(|(_, silence)| !silence.is_told);
        untold
            .map(|(who, silence)| {
                silence.is_told = true;
                who.clone()
            })
            .collect()
    }

    /// Records that a peer does not answer.
    pub(super) fn note(&self, who: K) {
        let mut state = self.state();
        if state.peers.len() >= MAX_SILENT_PEERS {
            state.peers.retain(|_, silence| silence.lasts());
        }
        let known = state.peers.get(&who).copied().filter(|silence| silence.lasts());
        if known.is_none() && state.peers.len() >= MAX_SILENT_PEERS {
            return;
        }
        let silence = Silence {
            at: Instant::now(),
            is_told: known.is_some_and(|silence| silence.is_told),
        };
        state.peers.insert(who, silence);
        drop(state);
        if known.is_none() {
            health::note_move();
        }
    }

    /// Records that a peer answers.
    pub(super) fn forget(&self, who: &K) {
        let mut state = self.state();
        if !state.peers.is_empty() {
            state.peers.remove(who);
        }
    }

    fn state(&self) -> MutexGuard<'_, SilentState<K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash> SilentState<K> {
    fn is_silent(&self, who: &K) -> bool {
        self.peers.get(who).is_some_and(|silence| silence.lasts())
    }
}

impl Silence {
    fn lasts(self) -> bool {
        self.at.elapsed() < SILENCE_TTL
    }
}

impl<K: Eq + Hash + Clone> SilenceCheck<'_, K> {
    /// Records an answer.
    pub(super) fn answered(self) {
        self.silent.forget(&self.who);
        self.connected();
    }

    /// Records an answer that does not end the silence of the peer yet: more is asked of it.
    pub(super) fn connected(mut self) {
        self.has_ended = true;
        let mut state = self.silent.state();
        state.answered_since = state.answered_since.max(Some(self.since));
    }

    /// Records that the peer does not answer, or refuses.
    pub(super) fn failed(mut self) {
        self.has_ended = true;
        self.silent.note(self.who.clone());
    }

    /// Records that the attempt says nothing about the peer.
    pub(super) fn said_nothing(mut self) {
        self.has_ended = true;
    }
}

impl<K: Eq + Hash + Clone> Drop for SilenceCheck<'_, K> {
    fn drop(&mut self) {
        if self.has_ended || self.since.elapsed() < HEAD_START {
            return;
        }
        let overtaken_by = self.silent.state().answered_since;
        if overtaken_by.is_some_and(|began| began > self.since) {
            self.silent.note(self.who.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(silent: &SilentPeers<i32>) -> [i32; 3] {
        let mut all = [1, 2, 3];
        silent.last(&mut all);
        all
    }

    #[test]
    fn who_did_not_answer_comes_last_until_it_does() {
        let silent = SilentPeers::default();
        silent.note(1);
        assert_eq!(order(&silent), [2, 3, 1]);
        drop(silent.ask(2));
        assert_eq!(order(&silent), [2, 3, 1], "it had no time to answer");
        silent.ask(1).answered();
        assert_eq!(order(&silent), [1, 2, 3]);
    }

    #[test]
    fn who_is_overtaken_comes_last_and_who_is_given_up_does_not() {
        let silent = SilentPeers::default();
        let given_up = silent.ask(1);
        let later = silent.ask(2);
        while later.since.elapsed() < HEAD_START {}
        drop(given_up);
        assert_eq!(order(&silent), [1, 2, 3], "nobody was faster");
        let overtaken = silent.ask(1);
        while overtaken.since.elapsed() < HEAD_START {}
        silent.ask(3).connected();
        drop(later);
        drop(overtaken);
        assert_eq!(order(&silent), [3, 1, 2]);
    }

    #[test]
    fn who_refuses_comes_last_and_is_told_once() {
        let silent = SilentPeers::default();
        silent.ask(1).failed();
        silent.ask(1).failed();
        assert_eq!(silent.take_untold(), [1]);
        assert!(silent.take_untold().is_empty() && silent.has(&1));
    }

    #[test]
    fn silence_is_forgotten_after_a_while() {
        let silent = SilentPeers::default();
        silent.note(1);
        for silence in silent.state().peers.values_mut() {
            silence.at -= SILENCE_TTL;
        }
        assert_eq!(order(&silent), [1, 2, 3]);
        silent.note(1);
        assert_eq!(silent.take_untold(), [1], "it is news again");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let silent = SilentPeers::default();
        for who in 0..10_000 {
            silent.note(who);
        }
        assert_eq!(silent.0.lock().unwrap().peers.len(), MAX_SILENT_PEERS);
    }
}
