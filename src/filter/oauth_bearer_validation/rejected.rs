//! Tokens that were rejected: the more often one comes back, the later it is answered.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Pause after the first rejection. It doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// SHA-256 of a token.
pub(super) type TokenDigest = [u8; 32];

/// Tokens that were rejected, by their digests. It is locked once or twice for each authentication.
#[derive(Debug)]
pub(super) struct RejectedTokens {
    kept_for: Duration,
    most: usize,
    known: Mutex<KnownRejections>,
}

#[derive(Debug, Default)]
struct KnownRejections {
    tokens: HashMap<TokenDigest, RejectedToken>,
    /// The rejections in the order in which they are forgotten. Of one token only the newest counts.
    order: VecDeque<(Instant, TokenDigest)>,
}

#[derive(Debug, Clone, Copy)]
struct RejectedToken {
    times: u32,
    last: Instant,
}

impl RejectedTokens {
    /// Rejections that are remembered for `kept_for`, of `most` tokens.
    pub(super) fn new(kept_for: Duration, most: usize) -> Self {
        Self {
            kept_for,
            most,
            known: Mutex::default(),
        }
    }

    /// Whether it remembers as long, and as many.
    pub(super) fn is_like(&self, kept_for: Duration, most: usize) -> bool {
        self.kept_for == kept_for && self.most == most
    }

    /// How long the answer to this token is held back at `now`. `None`: it has not been rejected lately.
    pub(super) fn pause(&self, token: &TokenDigest, now: Instant) -> Option<Duration> {
        let known = self.lock();
        let rejection = known.tokens.get(token)?;
        if now.saturating_duration_since(rejection.last) >= self.kept_for {
            return None;
        }
        let doubled = 2_u32.saturating_pow(rejection.times.saturating_sub(1).min(16));
        let pause = FIRST_PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE);
        Some(spread(pause, token[rejection.times as usize % token.len()]))
    }

    /// Notes that a token was rejected at `now`.
    pub(super) fn rejected(&self, token: TokenDigest, now: Instant) {
        if self.kept_for.is_zero() {
            return;
        }
        let mut known = self.lock();
        let rejection = known
            .tokens
            .entry(token)
            .or_insert(RejectedToken { times: 0, last: now });
        rejection.times = rejection.times.saturating_add(1);
        rejection.last = now;
        known.order.push_back((now, token));
        known.forget(|len, since| len > self.most || now.saturating_duration_since(since) >= self.kept_for);
    }

    /// Notes that a token is good after all.
    pub(super) fn accepted(&self, token: &TokenDigest) {
        self.lock().tokens.remove(token);
    }

    fn lock(&self) -> MutexGuard<'_, KnownRejections> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KnownRejections {
    /// Forgets the oldest rejections as long as `is_over` says so of the number that is left and the age of the oldest.
    fn forget(&mut self, is_over: impl Fn(usize, Instant) -> bool) {
        while let Some((since, token)) = self.order.front().copied()
            && is_over(self.order.len(), since)
        {
            self.order.pop_front();
            if self
                .tokens
                .get(&token)
                .is_some_and(|rejection| rejection.last == since)
            {
                self.tokens.remove(&token);
            }
        }
    }
}

/// The pause, a fifth shorter or longer at most, so that clients that were rejected together do not come back together.
fn spread(pause: Duration, random: u8) -> Duration {
    pause * (204 + u32::from(random) * 2 / 5) / 255
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(pause: Duration, wanted: u64) -> bool {
        let wanted = Duration::from_millis(wanted);
        pause >= wanted * 4 / 5 && pause <= wanted * 6 / 5
    }

    #[test]
    fn a_token_that_comes_back_is_answered_ever_later_until_it_is_forgotten() {
        let rejected = RejectedTokens::new(Duration::from_secs(60), 10);
        let (token, other, now) = ([7; 32], [8; 32], Instant::now());
        assert_eq!(rejected.pause(&token, now), None);
        for wanted in [500, 1000, 2000, 4000, 5000, 5000] {
            rejected.rejected(token, now);
            let pause = rejected.pause(&token, now).unwrap();
            assert!(near(pause, wanted), "{pause:?} {wanted}");
        }
        assert_eq!(rejected.pause(&other, now), None);
        let later = now + Duration::from_secs(60);
        assert_eq!(rejected.pause(&token, later), None);
        rejected.rejected(other, later);
        assert_eq!(rejected.lock().tokens.len(), 1);
        rejected.accepted(&other);
        assert_eq!(rejected.pause(&other, later), None);
    }

    #[test]
    fn the_oldest_are_forgotten_beyond_the_limit_and_nothing_is_kept_without_one() {
        let rejected = RejectedTokens::new(Duration::from_secs(60), 100);
        let start = Instant::now();
        for number in 0..10_000_u32 {
            let mut token = [0; 32];
            token[..4].copy_from_slice(&number.to_be_bytes());
            rejected.rejected(token, start + Duration::from_micros(number.into()));
            assert!(rejected.lock().tokens.len() <= 100);
        }
        let last = start + Duration::from_micros(9_999);
        let mut token = [0; 32];
        assert_eq!(rejected.pause(&token, last), None);
        token[..4].copy_from_slice(&9_999_u32.to_be_bytes());
        assert!(rejected.pause(&token, last).is_some());
        let off = RejectedTokens::new(Duration::ZERO, 100);
        off.rejected(token, start);
        assert_eq!((off.pause(&token, start), off.lock().tokens.len()), (None, 0));
    }

    #[test]
    fn a_pause_is_spread_by_a_fifth_at_most() {
        let pause = Duration::from_secs(1);
        for random in 0..=255 {
            assert!(near(spread(pause, random), 1000));
        }
        assert!(spread(pause, 0) < pause && spread(pause, 255) > pause);
    }
}
