//! `ConnectionExpiration`: asks sessions to leave that are older than a limit, so that clients spread over new instances.
//!
//! Each session has a timer of its own, which ends with the session. When it runs out, the session is drained: nothing
//! that is in flight is cut off. A session keeps its part of the jitter when a reload changes the limits.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;

use super::{ClientSession, Filter, FilterStep, Interest, OnRequest, Request, SessionDrain};

/// Shortest age at which a session is asked to leave.
const SHORTEST: Duration = Duration::from_millis(1);

/// A session that is past its age when the filter arrives gets this part of `maxAge` at random, or the jitter if that is
/// longer: all old sessions at once would be a burst of new connections.
const SPREAD: u32 = 10;

/// The filter.
#[derive(Debug)]
pub struct ConnectionExpiration {
    name: Box<str>,
    /// Alive as long as the filter is in force somewhere: timers of a filter that is gone do nothing.
    limits: Arc<AgeLimits>,
}

/// How old a session may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgeLimits {
    /// Age at which a session is asked to leave.
    pub max_age: Duration,
    /// Longest deviation from it, in both directions.
    pub jitter: Duration,
}

/// What the filter keeps in a session.
#[derive(Debug, Default)]
struct AgeTimer {
    /// Position within the jitter, between -1 and 1.
    place: Option<f64>,
    running: Option<RunningTimer>,
}

/// A timer; dropping it stops it.
#[derive(Debug)]
struct RunningTimer(AbortHandle);

impl Drop for RunningTimer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl ConnectionExpiration {
    /// The filter of this definition.
    pub fn new(name: &str, limits: AgeLimits) -> Self {
        Self {
            name: name.into(),
            limits: Arc::new(limits),
        }
    }
}

impl Filter for ConnectionExpiration {
    fn name(&self) -> &str {
        &self.name
    }

    /// Reads no frame.
    fn interest(&self, _interest: &mut Interest) {}

    fn opened(&self, session: &mut ClientSession) {
        let (since, drain) = (session.handle().since, session.drain());
        let state = session.state::<AgeTimer>();
        let place = *state.place.get_or_insert_with(draw);
        let wait = self.limits.left(since.elapsed(), place);
        // The timer before, if there is one, is stopped.
        state.running = start(Arc::downgrade(&self.limits), wait, drain);
    }

    fn request(&self, _session: &mut ClientSession, _request: &mut Request<'_>) -> FilterStep<OnRequest> {
        FilterStep::Now(OnRequest::ForwardBlind)
    }
}

impl AgeLimits {
    /// Time that a session of this age has left.
    fn left(&self, age: Duration, place: f64) -> Duration {
        let deviation = self.jitter.mul_f64(place.abs());
        let most = if place < 0.0 {
            self.max_age.saturating_sub(deviation)
        } else {
            self.max_age.saturating_add(deviation)
        };
        let left = most.max(SHORTEST).saturating_sub(age);
        if left.is_zero() {
            self.jitter.max(self.max_age / SPREAD).mul_f64(place.abs())
        } else {
            left
        }
    }
}

/// A number between -1 and 1.
fn draw() -> f64 {
    let bits = RandomState::new().hash_one(Instant::now()) >> 11;
    // 53 bits, which a double holds exactly.
    let unit = bits as f64 / (1_u64 << 53) as f64;
    unit * 2.0 - 1.0
}

/// Starts the timer of a session; `None` without a runtime, as in tests that have no clock.
fn start(limits: Weak<AgeLimits>, wait: Duration, drain: SessionDrain) -> Option<RunningTimer> {
    let runtime = tokio::runtime::Handle::try_current().ok()?;
    let timer = runtime.spawn(async move {
        tokio::time::sleep(wait).await;
        if limits.strong_count() > 0 {
            drain.begin();
        }
    });
    Some(RunningTimer(timer.abort_handle()))
}

#[cfg(test)]
mod tests;
