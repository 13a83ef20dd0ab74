//! Threads for look-ups: few, started on demand, ended when idle.
//!
//! They are detached: a look-up that hangs delays neither a session nor the end of the process.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::LookupError;
use super::names::{CachedLookup, NameCache, NameSpeed, PendingLookup};

/// Maximum number of look-up threads in the process.
pub const THREADS: usize = 32;

/// Maximum number of concurrent look-ups of names that are not known to be quick. The other threads are for quick
/// names.
pub(super) const NOT_QUICK: usize = 24;

/// Maximum number of concurrent look-ups of slow names, within [`NOT_QUICK`].
pub(super) const SLOW: usize = 8;

/// Idle time after which a thread ends.
const LINGER: Duration = Duration::from_secs(10);

/// Looks up one name; may block.
pub(super) type Ask = dyn Fn(&str) -> Result<Vec<SocketAddr>, LookupError> + Send + Sync;

pub(super) struct LookupPool {
    ask: Box<Ask>,
    state: Mutex<PoolState>,
    work: Condvar,
}

#[derive(Debug, Default)]
struct PoolState {
    names: NameCache,
    /// Names waiting for a thread.
    waiting: VecDeque<String>,
    running: RunningLookups,
    threads: usize,
    idle: usize,
}

/// Running look-ups, by the behaviour of their names when they began.
#[derive(Debug, Default)]
struct RunningLookups {
    quick: usize,
    new: usize,
    slow: usize,
}

impl RunningLookups {
    fn of(&mut self, manner: NameSpeed) -> &mut usize {
        match manner {
            NameSpeed::Quick => &mut self.quick,
            NameSpeed::New => &mut self.new,
            NameSpeed::Slow => &mut self.slow,
        }
    }

    fn has_room(&self, manner: NameSpeed) -> bool {
        let room = self.new + self.slow < NOT_QUICK;
        match manner {
            NameSpeed::Quick => true,
            NameSpeed::New => room,
            NameSpeed::Slow => room && self.slow < SLOW,
        }
    }
}

impl PoolState {
    /// The next name that may be looked up now. Names that no caller waits for are removed on the way.
    fn take(&mut self) -> Option<(String, NameSpeed)> {
        let mut index = 0;
        while let Some(host) = self.waiting.get(index) {
            match self.names.manner(host) {
                Some(manner) if self.running.has_room(manner) => {
                    let host = self.waiting.remove(index)?;
                    *self.running.of(manner) += 1;
                    return Some((host, manner));
                }
                Some(_) => index += 1,
                None => {
                    let host = self.waiting.remove(index)?;
                    self.names.forget_asking(&host);
                }
            }
        }
        None
    }
}

impl LookupPool {
    pub(super) fn new(ask: Box<Ask>) -> Self {
        Self {
            ask,
            state: Mutex::default(),
            work: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The cached answer for `host`, or a look-up of it.
    pub(super) fn kept(self: &Arc<Self>, host: &str) -> CachedLookup {
        let host = host.to_ascii_lowercase();
        let mut state = self.state();
        if let Some(addresses) = state.names.fresh(&host) {
            return CachedLookup::Fresh(addresses);
        }
        let (answer, stale, begins) = state.names.join(&host);
        if begins {
            self.begin(state, host);
        }
        CachedLookup::Asked { answer, stale }
    }

    /// A look-up of `host`.
    pub(super) fn ask(self: &Arc<Self>, host: &str) -> PendingLookup {
        let host = host.to_ascii_lowercase();
        let mut state = self.state();
        let (answer, _, begins) = state.names.join(&host);
        if begins {
            self.begin(state, host);
        }
        answer
    }

    pub(super) fn doubt(&self, host: &str) {
        self.state().names.doubt(&host.to_ascii_lowercase());
    }

    /// Looks `host` up on an idle or new thread, or queues it.
    fn begin(self: &Arc<Self>, mut state: MutexGuard<'_, PoolState>, host: String) {
        state.waiting.push_back(host);
        if state.idle >= state.waiting.len() || state.threads >= THREADS {
            drop(state);
            return self.work.notify_one();
        }
        let pool = Arc::clone(self);
        let thread = std::thread::Builder::new().name("kproxy-resolver".into());
        match thread.spawn(move || pool.work()) {
            Ok(_detached) => state.threads += 1,
            Err(error) if state.threads == 0 => {
                let failed = || LookupError::Failed(format!("no thread to look names up: {error}"));
                for host in std::mem::take(&mut state.waiting) {
                    state.names.answered(&host, Duration::ZERO, Err(failed()));
                }
            }
            // The existing threads will take it.
            Err(_) => {}
        }
    }

    /// Loop of a thread.
    fn work(&self) {
        let mut state = self.state();
        loop {
            if let Some((host, manner)) = state.take() {
                drop(state);
                let began = Instant::now();
                let said = (self.ask)(&host).map(Into::into);
                state = self.state();
                *state.running.of(manner) -= 1;
                state.names.answered(&host, began.elapsed(), said);
                continue;
            }
            state.idle += 1;
            let waited = self.work.wait_timeout(state, LINGER);
            let (woken, waited) = waited.unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if waited.timed_out() && state.waiting.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }

    #[cfg(test)]
    pub(super) fn threads(&self) -> usize {
        self.state().threads
    }
}

impl std::fmt::Debug for LookupPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LookupPool").finish_non_exhaustive()
    }
}
