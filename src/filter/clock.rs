//! The time of a session.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

/// The clock of a session. A filter that takes the time from it can be tested with a clock that a test moves.
#[derive(Debug, Clone, Default)]
pub struct SessionClock(Option<Arc<MovedClock>>);

/// A clock that stands still until it is moved.
#[derive(Debug)]
struct MovedClock {
    began: Instant,
    system_began: SystemTime,
    moved_us: AtomicU64,
    /// Wakers of the futures that wait for it.
    sleeping: Mutex<Vec<Waker>>,
}

impl SessionClock {
    /// A clock that stands still at this time until [`Self::advance`] moves it.
    pub fn standing_at(system_time: SystemTime) -> Self {
        Self(Some(Arc::new(MovedClock {
            began: Instant::now(),
            system_began: system_time,
            moved_us: AtomicU64::new(0),
            sleeping: Mutex::default(),
        })))
    }

    /// The time on the clock that measures durations.
    #[inline]
    pub fn now(&self) -> Instant {
        match &self.0 {
            None => Instant::now(),
            Some(moved) => moved.began + moved.by(),
        }
    }

    /// The time of the calendar.
    #[inline]
    pub fn system_time(&self) -> SystemTime {
        match &self.0 {
            None => SystemTime::now(),
            Some(moved) => moved.system_began + moved.by(),
        }
    }

    /// A future that is ready after `duration`. With the clock of the system it needs a runtime.
    pub fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let Some(moved) = self.0.clone() else {
            return Box::pin(tokio::time::sleep(duration));
        };
        let until = moved.by() + duration;
        Box::pin(std::future::poll_fn(move |context| {
            if moved.by() >= until {
                return Poll::Ready(());
            }
            let mut sleeping = moved.sleeping.lock().unwrap_or_else(PoisonError::into_inner);
            sleeping.push(context.waker().clone());
            Poll::Pending
        }))
    }

    /// Moves a clock that stands still. The clock of the system is not moved.
    pub fn advance(&self, duration: Duration) {
        let Some(moved) = &self.0 else { return };
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        moved.moved_us.fetch_add(micros, Ordering::AcqRel);
        let sleeping = std::mem::take(&mut *moved.sleeping.lock().unwrap_or_else(PoisonError::into_inner));
        sleeping.into_iter().for_each(Waker::wake);
    }
}

impl MovedClock {
    fn by(&self) -> Duration {
        Duration::from_micros(self.moved_us.load(Ordering::Acquire))
    }
}

#[cfg(test)]
mod tests {
    use std::task::Context;

    use super::*;

    #[test]
    fn a_clock_that_stands_still_moves_only_when_it_is_told_to() {
        let clock = SessionClock::standing_at(SystemTime::UNIX_EPOCH);
        let (before, mut sleep) = (clock.now(), clock.sleep(Duration::from_secs(5)));
        let mut context = Context::from_waker(Waker::noop());
        clock.clone().advance(Duration::from_secs(4));
        assert_eq!(clock.now() - before, Duration::from_secs(4));
        assert!(sleep.as_mut().poll(&mut context).is_pending());
        clock.advance(Duration::from_secs(1));
        assert!(sleep.as_mut().poll(&mut context).is_ready());
        assert_eq!(
            clock.system_time(),
            SystemTime::UNIX_EPOCH + Duration::from_secs(5)
        );
    }
}
