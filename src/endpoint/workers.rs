//! The threads that run sessions, and the one that accepts for them.
//!
//! Each worker is a runtime of its own, so that a session never moves between cores and never takes a lock of the
//! scheduler's. A new session goes to the worker that has the fewest. Accepting has its own thread: it never waits
//! behind a busy session, nor behind the thread that reloads.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::priority::lower_priority;
use crate::session::buffer;

/// What opening TLS connections adds to its threads' niceness. A handshake takes a core for a good part of a
/// millisecond, and thousands may come at once; sessions get nine tenths of a core that both want.
const OPENING: i32 = 10;

/// One thread with its runtime; dropping it ends both, and every task that is left on them.
#[derive(Debug)]
pub struct RuntimeThread {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl RuntimeThread {
    /// # Errors
    /// When the runtime or the thread cannot be had.
    pub fn start(name: String) -> io::Result<Self> {
        Self::start_behind(name, 0)
    }

    /// With so much more niceness than the calling thread.
    fn start_behind(name: String, niceness: i32) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            if niceness > 0 {
                lower_priority(niceness);
            }
            // Told to stop, or the other end is gone: the same.
            runtime.block_on(async { stopped.await.unwrap_or_default() });
        })?;
        Ok(Self {
            handle,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

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

/// The session threads.
#[derive(Debug)]
pub struct Workers {
    workers: Vec<SessionWorker>,
}

#[derive(Debug)]
struct SessionWorker {
    runtime: RuntimeThread,
    sessions: Arc<AtomicUsize>,
}

/// One session's share in a worker's load.
struct Load(Arc<AtomicUsize>);

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Workers {
    /// # Errors
    /// When a thread cannot be had.
    pub fn start(count: usize) -> io::Result<Self> {
        buffer::set_workers(count);
        Self::start_named(count, "worker", 0)
    }

    /// Threads that open TLS connections, behind those that move bytes.
    ///
    /// # Errors
    /// When a thread cannot be had.
    pub(super) fn openers(count: usize) -> io::Result<Self> {
        Self::start_named(count, "opener", OPENING)
    }

    fn start_named(count: usize, name: &str, niceness: i32) -> io::Result<Self> {
        let worker = |index| {
            let runtime = RuntimeThread::start_behind(format!("kproxy-{name}-{index}"), niceness)?;
            Ok(SessionWorker {
                runtime,
                sessions: Arc::default(),
            })
        };
        Ok(Self {
            workers: (0..count).map(worker).collect::<io::Result<_>>()?,
        })
    }

    pub fn len(&self) -> usize {
        self.workers.len()
    }

    pub fn is_empty(&self) -> bool {
        self.workers.is_empty()
    }

    /// Live sessions.
    pub fn sessions(&self) -> usize {
        self.workers
            .iter()
            .map(|worker| worker.sessions.load(Ordering::Relaxed))
            .sum()
    }

    /// Runs a session on the worker that has the fewest. A session that panics ends alone.
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
}
