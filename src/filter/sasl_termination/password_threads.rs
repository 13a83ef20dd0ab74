//! Threads for key derivations: milliseconds of a processor each, which no thread that serves sessions has to spare.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::setpriority_process;
use tokio::sync::oneshot;

use super::login::CheckOutcome;
use crate::sasl::server::PasswordCheck;

/// Idle time after which a thread ends.
const LINGER: Duration = Duration::from_secs(10);

/// Priority of the threads, as of those that open TLS connections.
const NICENESS: i32 = 10;

/// The threads. One session has at most one check, so the queue is as long as there are sessions that authenticate.
#[derive(Debug)]
pub struct PasswordThreads {
    most: usize,
    state: Mutex<PasswordQueue>,
    work: Condvar,
}

#[derive(Debug, Default)]
struct PasswordQueue {
    waiting: VecDeque<PasswordJob>,
    threads: usize,
    idle: usize,
}

struct PasswordJob {
    derive: KeyDerivation,
    done: oneshot::Sender<thread::Result<bool>>,
}

/// Whether a password is right; `None`: no key derivation can tell.
type KeyDerivation = Box<dyn FnOnce() -> Option<bool> + Send>;

impl fmt::Debug for PasswordJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordJob").finish_non_exhaustive()
    }
}

/// What a session waits for.
pub(super) type CheckWait = Pin<Box<dyn Future<Output = ()> + Send>>;

impl PasswordThreads {
    /// The threads that all filters of the process share.
    pub fn of_process() -> Arc<Self> {
        static SHARED: LazyLock<Arc<PasswordThreads>> = LazyLock::new(PasswordThreads::new);
        Arc::clone(&SHARED)
    }

    /// At most as many threads as the machine has processors.
    pub fn new() -> Arc<Self> {
        let most = thread::available_parallelism().map_or(1, usize::from);
        Arc::new(Self {
            most,
            state: Mutex::default(),
            work: Condvar::new(),
        })
    }

    /// Checks a password. The outcome is in its place when the future is ready.
    pub(super) fn check(self: &Arc<Self>, check: PasswordCheck) -> (CheckOutcome, CheckWait) {
        self.derive(Box::new(move || check.derive()))
    }

    fn derive(self: &Arc<Self>, derive: KeyDerivation) -> (CheckOutcome, CheckWait) {
        let outcome = CheckOutcome::default();
        let (done, waiting) = oneshot::channel();
        self.begin(PasswordJob { derive, done });
        let place = outcome.clone();
        let wait = Box::pin(async move {
            place.set(match waiting.await {
                Ok(Ok(fits)) => Ok(fits),
                // It counts as a panic of the filter that waits for it.
                Ok(Err(panic)) => resume_unwind(panic),
                Err(_) => Err("no thread could check the password".to_owned()),
            });
        });
        (outcome, wait)
    }

    /// Number of threads.
    pub fn threads(&self) -> usize {
        self.state().threads
    }

    fn state(&self) -> MutexGuard<'_, PasswordQueue> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(self: &Arc<Self>, job: PasswordJob) {
        let mut state = self.state();
        state.waiting.push_back(job);
        if state.idle >= state.waiting.len() || state.threads >= self.most {
            drop(state);
            return self.work.notify_one();
        }
        let pool = Arc::clone(self);
        let thread = thread::Builder::new().name("kproxy-password".into());
        match thread.spawn(move || pool.run()) {
            Ok(_detached) => state.threads += 1,
            // Dropping the jobs tells those who wait.
            Err(_) if state.threads == 0 => state.waiting.clear(),
            Err(_) => {}
        }
    }

    fn run(&self) {
        // Sessions go first. Without a process id this concerns the calling thread alone; without it the threads compete.
        setpriority_process(None, NICENESS).unwrap_or_default();
        let mut state = self.state();
        loop {
            if let Some(job) = state.waiting.pop_front() {
                drop(state);
                job.run();
                state = self.state();
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
}

impl PasswordJob {
    fn run(self) {
        // The session may be gone: nobody waits for the result then.
        if self.done.is_closed() {
            return;
        }
        // The thread goes on after a panic: others wait for it.
        let derived = catch_unwind(AssertUnwindSafe(self.derive));
        let fits = match derived {
            Ok(None) => return,
            Ok(Some(fits)) => Ok(fits),
            Err(panic) => Err(panic),
        };
        // The session may have gone meanwhile.
        self.done.send(fits).ok();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;
    use crate::filter::poll_wait;

    #[tokio::test]
    async fn a_panic_is_one_of_the_filter_that_waits_and_the_threads_go_on() {
        let pool = PasswordThreads::new();
        for _ in 0..=pool.most {
            let (outcome, mut wait) = pool.derive(Box::new(|| panic!("a defect of the derivation")));
            let failure = poll_fn(|context| poll_wait(wait.as_mut(), context)).await;
            assert!(failure.unwrap_err().panicked);
            assert_eq!(outcome.take(), None);
        }
        let (outcome, wait) = pool.derive(Box::new(|| Some(true)));
        wait.await;
        assert_eq!(outcome.take(), Some(Ok(true)));
        assert!(pool.threads() <= pool.most);
    }
}
