//! Staggered connection attempts (RFC 8305 §5): the next attempt begins when the one before has failed, or has had no
//! answer for [`HEAD_START`]. In a race of questions, one that is connected has [`ANSWER_HEAD_START`] for its answer.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// Delay between attempts to connect (RFC 8305 §8, "Connection Attempt Delay"). It is shorter than the 250 ms recommended
/// there, so that a server that is silent delays a client by less than 100 ms; it is more than the 10 ms demanded there. The next
/// connections do not begin with such a server, so there are few of these.
pub(super) const HEAD_START: Duration = Duration::from_millis(80);

/// Delay behind an attempt that is connected, for TLS, login and answer.
const ANSWER_HEAD_START: Duration = Duration::from_millis(250);

/// Time that connections of a target lately took, from which the delay between attempts follows.
#[derive(Debug, Default)]
pub(super) struct ConnectTime {
    /// Mean in microseconds, in which the newest counts for a quarter; 0 is unknown.
    mean_us: AtomicU64,
}

impl ConnectTime {
    /// Takes in the time of a connection that was made.
    pub(super) fn took(&self, time: Duration) {
        let new = u64::try_from(time.as_micros())
            .unwrap_or(u64::MAX)
            .clamp(1, MAX_TAKEN_IN);
        let mean = match self.mean_us.load(Ordering::Relaxed) {
            0 => new,
            old => (old * 3 + new) / 4,
        };
        self.mean_us.store(mean.max(1), Ordering::Relaxed);
    }

    /// The delay between attempts: [`HEAD_START`], or a quarter more than connections take where these take long, so that no
    /// attempt is wasted on brokers that are far away.
    pub(super) fn head_start(&self) -> Duration {
        let mean = Duration::from_micros(self.mean_us.load(Ordering::Relaxed));
        (mean + mean / 4).clamp(HEAD_START, ANSWER_HEAD_START)
    }
}

/// Longest time that is taken in, in microseconds.
const MAX_TAKEN_IN: u64 = 1_000_000;

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
    permit: Option<SemaphorePermit<'static>>,
}

/// A race of attempts. Dropping it cancels those in progress.
pub(super) struct Race<'r, T> {
    waiting: std::vec::IntoIter<DialAttempt<'r, T>>,
    running: Vec<RunningAttempt<'r, T>>,
    /// Earliest time of the next concurrent attempt.
    next: Instant,
    /// Beginning of the newest attempt, while it has its head start.
    newest: Option<Instant>,
    head_start: Duration,
    /// Whether each attempt is connected, in their order; empty where connecting is all that they do.
    connected: &'r [AtomicBool],
    begun: usize,
}

impl<'r, T> Race<'r, T> {
    /// A race in this order. No attempt has begun.
    pub(super) fn of(attempts: Vec<DialAttempt<'r, T>>) -> Self {
        Self {
            waiting: attempts.into_iter(),
            running: Vec::new(),
            next: Instant::now(),
            newest: None,
            head_start: HEAD_START,
            connected: &[],
            begun: 0,
        }
    }

    /// A race of attempts that set their place in `connected` when they are connected, and have more to do then.
    pub(super) fn of_questions(attempts: Vec<DialAttempt<'r, T>>, connected: &'r [AtomicBool]) -> Self {
        Self {
            connected,
            ..Self::of(attempts)
        }
    }

    /// Sets another delay between attempts to connect.
    pub(super) fn with_head_start(self, head_start: Duration) -> Self {
        Self { head_start, ..self }
    }

    /// The result of the next attempt that ends. Calling it again means that the last result was not usable: another
    /// attempt then begins at once. `None` if no attempt is left.
    pub(super) async fn next(&mut self) -> Option<T> {
        (self.next, self.newest) = (Instant::now(), None);
        loop {
            if self.running.is_empty() {
                self.begin(None);
            }
            if self.running.is_empty() {
                return None;
            }
            let may_begin = self.waiting.len() > 0 && self.running.len() < MAX_PARALLEL_ATTEMPTS;
            let is_due = self.is_due();
            if may_begin
                && is_due
                && let Some(permit) = self.permit_at_hand()
            {
                self.begin(Some(permit));
                continue;
            }
            tokio::select! {
                biased;
                ended = first(&mut self.running) => return Some(ended),
                () = tokio::time::sleep_until(self.next), if may_begin && !is_due => {}
                // In turn, so that nobody waits longer than those before need. The semaphore is never closed.
                Ok(permit) = EXTRA_ATTEMPT_PERMITS.acquire(), if may_begin && is_due => self.begin(Some(permit)),
            }
        }
    }

    /// Whether the next attempt may begin. An attempt that is connected by now has more time.
    fn is_due(&mut self) -> bool {
        let is_connected = |index: usize| {
            self.connected
                .get(index)
                .is_some_and(|it| it.load(Ordering::Relaxed))
        };
        if let Some(began) = self.newest
            && is_connected(self.begun - 1)
        {
            self.next = began + ANSWER_HEAD_START;
        }
        self.next <= Instant::now()
    }

    /// A permit that is free, else that of the first attempt that has one, which is given up: races that all hold some and wait
    /// for more would wait for each other.
    fn permit_at_hand(&mut self) -> Option<SemaphorePermit<'static>> {
        if let Ok(permit) = EXTRA_ATTEMPT_PERMITS.try_acquire() {
            return Some(permit);
        }
        let oldest = self.running.iter().position(|attempt| attempt.permit.is_some())?;
        self.running.remove(oldest).permit
    }

    fn begin(&mut self, permit: Option<SemaphorePermit<'static>>) {
        let now = Instant::now();
        (self.next, self.newest) = (now + self.head_start, Some(now));
        if let Some(attempt) = self.waiting.next() {
            self.begun += 1;
            self.running.push(RunningAttempt { attempt, permit });
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
    use std::sync::atomic::AtomicUsize;

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

    #[test]
    fn the_delay_is_less_than_100_ms_unless_brokers_are_far_away() {
        let ms = Duration::from_millis;
        assert!(HEAD_START >= ms(10) && HEAD_START < ms(100), "RFC 8305 §5");
        let time = ConnectTime::default();
        assert_eq!(time.head_start(), HEAD_START);
        for (taken, expected) in [(ms(1), HEAD_START), (ms(60), HEAD_START)] {
            time.took(taken);
            assert_eq!(time.head_start(), expected);
        }
        (0..40).for_each(|_| time.took(ms(160)));
        assert!(
            (ms(190)..=ms(200)).contains(&time.head_start()),
            "{:?}",
            time.head_start()
        );
        (0..40).for_each(|_| time.took(Duration::from_secs(100)));
        assert_eq!(time.head_start(), ANSWER_HEAD_START);
        (0..40).for_each(|_| time.took(ms(1)));
        assert_eq!(time.head_start(), HEAD_START);
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
    async fn one_that_is_connected_has_more_time_for_its_answer() {
        let connected = [AtomicBool::new(true), AtomicBool::new(false)];
        let begun = AtomicUsize::new(0);
        let attempts = race(&begun, vec![2 * LONG, Duration::ZERO]).waiting.collect();
        let began = Instant::now();
        let mut race = Race::of_questions(attempts, &connected);
        assert_eq!(race.next().await, Some(Duration::ZERO));
        assert!(began.elapsed() >= ANSWER_HEAD_START && began.elapsed() < LONG);
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
