//! Sessions that move to a target: so many at a time, and none for a while after the target has refused kproxy's credentials.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::session::cause::{CloseCause, Fault};

/// Number of sessions that move to a target at the same time: brokers take so many new connections at once.
const MOST: usize = 64;

/// Time for which a refusal of credentials also serves other sessions: each attempt counts at the broker.
const REFUSAL_TTL: Duration = Duration::from_secs(5);

/// The turns of sessions that move to one target.
#[derive(Debug)]
pub struct MoveTurns {
    turns: Semaphore,
    refusal: Mutex<Option<(Instant, Fault)>>,
}

impl Default for MoveTurns {
    fn default() -> Self {
        Self {
            turns: Semaphore::new(MOST),
            refusal: Mutex::default(),
        }
    }
}

impl MoveTurns {
    /// Waits until it is the turn of one more session.
    pub async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.turns.acquire().await.ok()
    }

    /// The refusal of credentials that another session has met lately.
    pub fn recent_refusal(&self) -> Option<Fault> {
        let refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, fault) = refusal.as_ref()?;
        (at.elapsed() < REFUSAL_TTL).then(|| fault.clone())
    }

    /// Notes that a session could not connect.
    pub fn note_failure(&self, fault: &Fault) {
        let is_refusal = matches!(
            fault.cause,
            CloseCause::UpstreamLoginRefused | CloseCause::UpstreamCredentialsMissing
        );
        if is_refusal {
            let mut refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
            *refusal = Some((Instant::now(), fault.clone()));
        }
    }
}
