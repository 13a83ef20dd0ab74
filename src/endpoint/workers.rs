//! The threads that run sessions, and the thread that accepts for them.
//!
//! Each worker has its own runtime, so a session never moves between threads and never takes a lock of the scheduler.
//! A new session goes to the worker with the fewest sessions. Accepting has its own thread: it never waits for a busy
//! session or for a reload.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::priority::{OPENER_NICENESS, lower_priority};
use crate::session::{self, AcceptedConnection, OpenedSession, buffer};

/// One thread with its own runtime. Dropping it ends both, with every task left on them.
#[derive(Debug)]
pub struct RuntimeThread {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl RuntimeThread {
    /// Starts a thread with a runtime.
    ///
    /// # Errors
    /// The error of the operating system if the runtime or the thread cannot be created.
    pub fn start(name: String) -> io::Result<Self> {
        Self::start_behind(name, 0)
    }

    /// Starts a thread with this much more niceness than the calling thread.
    fn start_behind(name: String, niceness: i32) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            if niceness > 0 {
                lower_priority(niceness);
            }
            // A message and a dropped sender both mean stop.
            runtime.block_on(async { stopped.await.unwrap_or_default() });
        })?;
        Ok(Self {
            handle,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Handle for spawning tasks on the runtime.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for RuntimeThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a runtime thread panicked");
        }
    }
}

/// The threads that run sessions.
#[derive(Debug)]
pub struct Workers {
    workers: Vec<SessionWorker>,
}

#[derive(Debug)]
struct SessionWorker {
    runtime: RuntimeThread,
    sessions: Arc<AtomicUsize>,
    /// Whether it has answered the last call.
    has_answered: Arc<AtomicBool>,
}

/// One session's share of a worker's load.
struct Load(Arc<AtomicUsize>);

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Workers {
    /// Starts `count` worker threads.
    ///
    /// # Errors
    /// The error of the operating system if a thread cannot be created.
    pub fn start(count: usize) -> io::Result<Self> {
        buffer::set_workers(count);
        Self::start_named(count, "worker", 0)
    }

    /// Starts the threads that open TLS connections, at lower priority than workers.
    ///
    /// # Errors
    /// The error of the operating system if a thread cannot be created.
    fn openers(count: usize) -> io::Result<Self> {
        Self::start_named(count, "opener", OPENER_NICENESS)
    }

    fn start_named(count: usize, name: &str, niceness: i32) -> io::Result<Self> {
        let worker = |index| {
            let runtime = RuntimeThread::start_behind(format!("kproxy-{name}-{index}"), niceness)?;
            Ok(SessionWorker {
                runtime,
                sessions: Arc::default(),
                has_answered: Arc::new(AtomicBool::new(true)),
            })
        };
        Ok(Self {
            workers: (0..count).map(worker).collect::<io::Result<_>>()?,
        })
    }

    /// Number of threads.
    pub fn len(&self) -> usize {
        self.workers.len()
    }

    /// Whether there is no thread.
    pub fn is_empty(&self) -> bool {
        self.workers.is_empty()
    }

    /// Number of live sessions.
    pub fn sessions(&self) -> usize {
        self.workers
            .iter()
            .map(|worker| worker.sessions.load(Ordering::Relaxed))
            .sum()
    }

    /// Calls every worker that has answered the last call. Returns whether all had.
    pub fn answer(&self) -> bool {
        let mut all = true;
        for worker in &self.workers {
            let answered = worker.has_answered.swap(false, Ordering::AcqRel);
            if answered {
                let has_answered = Arc::clone(&worker.has_answered);
                let answer = async move { has_answered.store(true, Ordering::Release) };
                drop(worker.runtime.handle().spawn(answer));
            }
            all &= answered;
        }
        all
    }

    /// Runs a session on the worker with the fewest sessions. A session that panics ends alone.
    pub fn spawn(&self, session: impl Future<Output = ()> + Send + 'static) {
        let Some(worker) = self
            .workers
            .iter()
            .min_by_key(|worker| worker.sessions.load(Ordering::Relaxed))
        else {
            return;
        };
        worker.sessions.fetch_add(1, Ordering::Relaxed);
        let load = Load(Arc::clone(&worker.sessions));
        worker.runtime.handle().spawn(async move {
            let _load = load;
            session.await;
        });
    }
}

/// Sends each accepted connection to the threads that open it and run its session.
#[derive(Debug)]
pub(super) struct Dispatcher {
    workers: Arc<Workers>,
    /// Threads that open TLS connections, so that sessions do not wait behind handshakes.
    openers: Workers,
}

impl Dispatcher {
    /// Starts as many threads for handshakes as there are workers.
    ///
    /// # Errors
    /// The error of the operating system if a thread cannot be created.
    pub(super) fn new(workers: Arc<Workers>) -> io::Result<Self> {
        Ok(Self {
            openers: Workers::openers(workers.len())?,
            workers,
        })
    }

    /// The threads that open TLS connections.
    pub(super) fn openers(&self) -> Vec<Handle> {
        let openers = self.openers.workers.iter();
        openers.map(|opener| opener.runtime.handle().clone()).collect()
    }

    /// Whether all threads that run sessions have answered the last call; calls them again.
    pub(super) fn workers_answer(&self) -> bool {
        self.workers.answer()
    }

    /// Opens the connection and runs its session, each on the threads meant for it.
    pub(super) fn dispatch(&self, accepted: AcceptedConnection) {
        if !accepted.needs_handshake() {
            return self.workers.spawn(session::run(accepted));
        }
        let workers = Arc::clone(&self.workers);
        self.openers.spawn(async move {
            if let Some(detached) = accepted.open().await.and_then(OpenedSession::detach) {
                workers.spawn(detached.run());
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panicking_session_ends_alone_and_gives_its_place_back() {
        let workers = Workers::start(1).unwrap();
        let (answer, answered) = std::sync::mpsc::channel();
        workers.spawn(async { panic!("a test panics here on purpose") });
        workers.spawn(async move { answer.send(7).unwrap() });
        assert_eq!(answered.recv().unwrap(), 7);
        while workers.sessions() > 0 {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_worker_that_does_not_get_on_does_not_answer() {
        let workers = Workers::start(2).unwrap();
        while !workers.answer() {
            std::thread::yield_now();
        }
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (entered, is_entered) = std::sync::mpsc::channel();
        workers.spawn(async move {
            entered.send(()).unwrap();
            released.recv().unwrap();
        });
        is_entered.recv().unwrap();
        // The first of these calls may be the one that it has not answered.
        while workers.answer() {
            std::thread::yield_now();
        }
        assert!(!workers.answer());
        release.send(()).unwrap();
        while !workers.answer() {
            std::thread::yield_now();
        }
    }
}
