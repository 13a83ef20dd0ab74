//! The signals the process reacts to.

use std::io;
use std::time::Instant;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// SIGTERM and SIGINT end the process, SIGHUP reloads. SIGUSR1 does nothing; its default would end the process.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    user1: Signal,
}

impl Signals {
    /// # Errors
    /// When the handlers cannot be installed.
    pub fn install() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
        })
    }

    /// The name of the next signal that means something. Cancel safe.
    pub async fn next(&mut self) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hangup.recv() => return "SIGHUP",
                _ = self.user1.recv() => {}
            }
        }
    }
}

pub(super) async fn next_signal(signals: &mut Option<Signals>) -> &'static str {
    match signals {
        Some(signals) => signals.next().await,
        None => std::future::pending().await,
    }
}

/// Signals that may wait to be looked at; the operating system merges those that come while more wait.
const SIGNALS: usize = 16;

/// Signals with the time at which each came, whatever else goes on meanwhile.
#[derive(Debug)]
pub(super) struct Stamped(mpsc::Receiver<(&'static str, Instant)>);

impl Stamped {
    /// Watches from now on, in a task that ends with this value's last reader or the runtime.
    pub(super) fn watch(signals: Option<Signals>) -> Self {
        let (sender, receiver) = mpsc::channel(SIGNALS);
        if let Some(mut signals) = signals {
            tokio::spawn(async move {
                while sender.send((signals.next().await, Instant::now())).await.is_ok() {}
            });
        }
        Self(receiver)
    }

    /// The next one; for ever where none is watched. Cancel safe.
    pub(super) async fn next(&mut self) -> (&'static str, Instant) {
        match self.0.recv().await {
            Some(signal) => signal,
            None => std::future::pending().await,
        }
    }
}
