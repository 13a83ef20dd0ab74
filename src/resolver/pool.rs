//! The threads that look names up: few, started when there is something to do, ended when there is nothing.
//!
//! They belong to nobody: a look-up that hangs keeps neither a session nor the end of the process.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::LookupError;
use super::names::{Answer, Kept, Manner, Names};

/// Threads for all look-ups of the process.
pub const THREADS: usize = 32;

/// Look-ups at the same time of names that are not known to be answered quickly. The rest of the threads is for those
/// that are.
pub(super) const NOT_QUICK: usize = 24;

/// Among them, of names that are known to be slow.
pub(super) const SLOW: usize = 8;

/// How long a thread waits for more to do.
const LINGER: Duration = Duration::from_secs(10);

/// Looks one name up; may block.
pub(super) type Ask = dyn Fn(&str) -> Result<Vec<SocketAddr>, LookupError> + Send + Sync;

pub(super) struct Pool {
    ask: Box<Ask>,
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Debug, Default)]
struct State {
    names: Names,
    /// Names whose turn has not come.
    waiting: VecDeque<String>,
    running: Running,
    threads: usize,
    idle: usize,
}

/// Look-ups that go on, by the manner of their names when they began.
#[derive(Debug, Default)]
struct Running {
    quick: usize,
    new: usize,
    slow: usize,
}

impl Running {
    fn of(&mut self, manner: Manner) -> &mut usize {
        match manner {
            Manner::Quick => &mut self.quick,
            Manner::New => &mut self.new,
            Manner::Slow => &mut self.slow,
        }
    }

    fn has_room(&self, manner: Manner) -> bool {
        let room = self.new + self.slow < NOT_QUICK;
        match manner {
            Manner::Quick => true,
            Manner::New => room,
            Manner::Slow => room && self.slow < SLOW,
        }
    }
}

impl State {
    /// The first name that may be looked up now. Those that nobody waits for any more are dropped on the way.
    fn take(&mut self) -> Option<(String, Manner)> {
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

impl Pool {
    pub(super) fn new(ask: Box<Ask>) -> Self {
        Self {
            ask,
            state: Mutex::default(),
            work: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of `host`, or the look-up of it.
    pub(super) fn kept(self: &Arc<Self>, host: &str) -> Kept {
        let host = host.to_ascii_lowercase();
        let mut state = self.state();
        if let Some(addresses) = state.names.fresh(&host) {
            return Kept::Fresh(addresses);
        }
        let (answer, stale, begins) = state.names.join(&host);
        if begins {
            self.begin(state, host);
        }
        Kept::Asked { answer, stale }
    }

    /// The look-up of `host`.
    pub(super) fn ask(self: &Arc<Self>, host: &str) -> Answer {
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

    /// Has `host` looked up by a thread that is free, or a new one; else it waits for its turn.
    fn begin(self: &Arc<Self>, mut state: MutexGuard<'_, State>, host: String) {
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
            // The threads that are there come to it.
            Err(_) => {}
        }
    }

    /// What a thread does.
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

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}
