//! Signals that the process reacts to.

use std::fmt;
use std::io;
use std::time::Instant;

use tokio::signal::unix::{self, SignalKind};
use tokio::sync::mpsc;

/// Signals that may wait to be handled; the operating system merges those that come while more wait.
const SIGNAL_CAPACITY: usize = 16;

/// A signal that means something to kproxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: ends the process.
    Terminate,
    /// SIGINT: ends the process.
    Interrupt,
    /// SIGHUP: reloads.
    Hangup,
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
            Self::Hangup => "SIGHUP",
        })
    }
}

/// Handlers of all signals that mean something, and of SIGUSR1, which does nothing: its default would end the process.
#[derive(Debug)]
pub struct Signals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
    hangup: unix::Signal,
    user1: unix::Signal,
}

impl Signals {
    /// Installs the handlers.
    ///
    /// # Errors
    /// The operating system's, when a handler cannot be installed.
    pub fn install() -> io::Result<Self> {
        Ok(Self {
            terminate: unix::signal(SignalKind::terminate())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
            hangup: unix::signal(SignalKind::hangup())?,
            user1: unix::signal(SignalKind::user_defined1())?,
        })
    }

    /// Waits for the next signal that means something. Cancel safe.
    pub async fn next(&mut self) -> Signal {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return Signal::Terminate,
                _ = self.interrupt.recv() => return Signal::Interrupt,
                _ = self.hangup.recv() => return Signal::Hangup,
                _ = self.user1.recv() => {}
            }
        }
    }
}

/// Waits for the next signal; for ever where none are handled. Cancel safe.
pub(super) async fn next_signal(signals: &mut Option<Signals>) -> Signal {
    match signals {
        Some(signals) => signals.next().await,
        None => std::future::pending().await,
    }
}

/// Signals with the time of their arrival, however long they wait to be handled.
#[derive(Debug)]
pub(super) struct TimedSignals(mpsc::Receiver<(Signal, Instant)>);

impl TimedSignals {
    /// Watches from now on, in a task that ends with this value or the runtime.
    pub(super) fn watch(signals: Option<Signals>) -> Self {
        let (sender, receiver) = mpsc::channel(SIGNAL_CAPACITY);
        if let Some(mut signals) = signals {
            tokio::spawn(async move {
                while sender.send((signals.next().await, Instant::now())).await.is_ok() {}
            });
        }
        Self(receiver)
    }

    /// Waits for the next signal; for ever where none are handled. Cancel safe.
    pub(super) async fn next(&mut self) -> (Signal, Instant) {
        match self.0.recv().await {
            Some(signal) => signal,
            None => std::future::pending().await,
        }
    }
}
