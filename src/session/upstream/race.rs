//! Staggered connection attempts (RFC 8305 §5): the next attempt begins when the one before has failed, or has had no
//! answer for [`HEAD_START`].

use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// Delay between attempts (RFC 8305 §8, "Connection Attempt Delay").
pub(super) const HEAD_START: Duration = Duration::from_millis(250);

/// Concurrent attempts of one race.
const MAX_PARALLEL_ATTEMPTS: usize = 4;

/// Permits for the concurrent attempts beyond the first of each race; their descriptors come from the reserve.
static EXTRA_ATTEMPT_PERMITS: Semaphore = Semaphore::const_new(EXTRA_ATTEMPTS);

/// Concurrent attempts beyond the first of each race, in the whole process.
pub const EXTRA_ATTEMPTS: usize = 32;

pub(super) type DialAttempt<'r, T> = Pin<Box<dyn Future<Output = T> + Send + 'r>>;

struct RunningAttempt<'r, T> {
    attempt: DialAttempt<'r, T>,
    /// Permit of an attempt; the first one of a race needs none.
    _permit: Option<SemaphorePermit<'static>>,
}

/// A race of attempts. Dropping it cancels those in progress.
pub(super) struct Race<'r, T> {
    waiting: std::vec::IntoIter<DialAttempt<'r, T>>,
    running: Vec<RunningAttempt<'r, T>>,
    /// Earliest time of the next concurrent attempt.
    next: Instant,
}

impl<'r, T> Race<'r, T> {
    /// A race in this order. No attempt has begun.
    pub(super) fn of(attempts: Vec<DialAttempt<'r, T>>) -> Self {
        Self {
            waiting: attempts.into_iter(),
            running: Vec::new(),
            next: Instant::now(),
        }
    }

    /// The result of the next attempt that ends. Calling it again means that the last result was not usable: another
    /// attempt then begins at once. `None` if no attempt is left.
    pub(super) async fn next(&mut self) -> Option<T> {
        self.next = Instant::now();
        loop {
            if self.running.len() < MAX_PARALLEL_ATTEMPTS && self.next <= Instant::now() {
                self.begin();
            }
            if self.running.is_empty() {
                return None;
            }
            let may_begin = self.waiting.len() > 0 && self.running.len() < MAX_PARALLEL_ATTEMPTS;
            tokio::select! {
                biased;
                ended = first(&mut self.running) => return Some(ended),
                () = tokio::time::sleep_until(self.next), if may_begin => {}
            }
        }
    }

    fn begin(&mut self) {
        self.next = Instant::now() + HEAD_START;
        let permit = if self.running.is_empty() {
            None
        } else {
            let Ok(permit) = EXTRA_ATTEMPT_PERMITS.try_acquire() else {
                return;
            };
            Some(permit)
        };
        if let Some(attempt) = self.waiting.next() {
            self.running.push(RunningAttempt {
                attempt,
                _permit: permit,
            });
        }
    }
}

/// The result of the first attempt in `running` that ends, which is removed.
async fn first<T>(running: &mut Vec<RunningAttempt<'_, T>>) -> T {
    std::future::poll_fn(|context| {
        for index in 0..running.len() {
            if let Poll::Ready(ended) = running[index].attempt.as_mut().poll(context) {
                drop(running.remove(index));
                return Poll::Ready(ended);
            }
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Longer than any of these takes, on a machine that is busy too.
    const LONG: Duration = Duration::from_secs(60);

    fn race(begun: &AtomicUsize, durations: Vec<Duration>) -> Race<'_, Duration> {
        let attempt = |duration| {
            Box::pin(async move {
                begun.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(duration).await;
                duration
            }) as DialAttempt<'_, Duration>
        };
        Race::of(durations.into_iter().map(attempt).collect())
    }

    #[tokio::test]
    async fn one_that_is_silent_costs_the_next_its_head_start_only() {
        let begun = AtomicUsize::new(0);
        let began = Instant::now();
        let mut race = race(&begun, vec![2 * LONG, Duration::ZERO, Duration::ZERO]);
        assert_eq!(race.next().await, Some(Duration::ZERO));
        assert!(began.elapsed() >= HEAD_START && began.elapsed() < LONG);
        assert_eq!(begun.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn one_that_fails_has_the_next_begin_at_once() {
        let begun = AtomicUsize::new(0);
        let mut race = race(&begun, vec![Duration::ZERO; 3]);
        for next in 1..=3 {
            assert_eq!(race.next().await, Some(Duration::ZERO));
            assert_eq!(begun.load(Ordering::Relaxed), next);
        }
        assert_eq!(race.next().await, None);
    }

    #[tokio::test]
    async fn attempts_at_the_same_time_are_bounded() {
        let begun = AtomicUsize::new(0);
        let mut race = race(&begun, vec![LONG; 20]);
        let enough = HEAD_START * (2 * u32::try_from(MAX_PARALLEL_ATTEMPTS).unwrap());
        tokio::time::timeout(enough, race.next()).await.unwrap_err();
        assert_eq!(begun.load(Ordering::Relaxed), MAX_PARALLEL_ATTEMPTS);
        drop(race);
    }
}
