//! Caches for values that many gateways and targets share: 1 000 gateways with one revocation list do not hold it 1
//! 000 times.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Values by key, each kept while something else holds it.
pub(super) struct WeakCache<K, V: ?Sized> {
    known: Mutex<CachedValues<K, V>>,
}

struct CachedValues<K, V: ?Sized> {
    values: HashMap<K, Weak<V>>,
    /// Number of entries at which dead entries are removed.
    sweep_at: usize,
}

/// Smallest value of [`CachedValues::sweep_at`].
const MIN_SWEEP_SIZE: usize = 64;

impl<K, V: ?Sized> Default for WeakCache<K, V> {
    fn default() -> Self {
        Self {
            known: Mutex::new(CachedValues {
                values: HashMap::new(),
                sweep_at: MIN_SWEEP_SIZE,
            }),
        }
    }
}

impl<K: Eq + Hash, V: ?Sized> WeakCache<K, V> {
    /// Returns the value for `key`, creating it with `make` if nothing holds it.
    ///
    /// # Errors
    /// The error of `make`, which is not cached.
    pub(super) fn get<E>(&self, key: K, make: impl FnOnce() -> Result<Arc<V>, E>) -> Result<Arc<V>, E> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = known.values.get(&key).and_then(Weak::upgrade) {
            return Ok(value);
        }
        let value = make()?;
        if known.values.len() >= known.sweep_at {
            known.values.retain(|_, value| value.strong_count() > 0);
            known.sweep_at = MIN_SWEEP_SIZE.max(known.values.len() * 2);
        }
        known.values.insert(key, Arc::downgrade(&value));
        Ok(value)
    }
}

/// Lifetime of a cached value: one reload with 10 000 targets reads once or a few times, the next reload reads again.
const CACHE_TTL: Duration = Duration::from_secs(5);

/// One value, cached for [`CACHE_TTL`].
pub(super) struct TimedCache<T> {
    last: Mutex<Option<(Instant, T)>>,
}

impl<T: Clone> TimedCache<T> {
    pub(super) const fn new() -> Self {
        Self {
            last: Mutex::new(None),
        }
    }

    /// Returns the cached value, or calls `read` if none was read within [`CACHE_TTL`] before `now`.
    ///
    /// # Errors
    /// The error of `read`, which is not cached.
    pub(super) fn get<E>(&self, now: Instant, read: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((since, value)) = &*last
            && now.saturating_duration_since(*since) < CACHE_TTL
        {
            return Ok(value.clone());
        }
        let value = read()?;
        *last = Some((now, value.clone()));
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_has_is_not_made_again() {
        let shared = WeakCache::<u32, str>::default();
        let make = |text: &str| Ok::<_, ()>(Arc::<str>::from(text));
        assert_eq!(shared.get(1, || Err(())), Err(()));
        let one = shared.get(1, || make("one")).unwrap();
        let again = shared.get(1, || Err(())).unwrap();
        assert!(Arc::ptr_eq(&one, &again));
        assert_eq!(&*shared.get(2, || make("two")).unwrap(), "two");
        drop((one, again));
        assert_eq!(shared.get(1, || Err(())), Err(()), "nobody has it");
    }

    #[test]
    fn what_nobody_has_is_forgotten() {
        let shared = WeakCache::<usize, usize>::default();
        let kept = shared.get(0, || Ok::<_, ()>(Arc::new(0))).unwrap();
        for number in 1..10 * MIN_SWEEP_SIZE {
            drop(shared.get(number, || Ok::<_, ()>(Arc::new(number))));
            assert!(shared.known.lock().unwrap().values.len() <= MIN_SWEEP_SIZE);
        }
        assert!(Arc::ptr_eq(&kept, &shared.get(0, || Err(())).unwrap()));
    }

    #[test]
    fn what_was_read_serves_a_burst_and_no_longer() {
        let fresh = TimedCache::new();
        let began = Instant::now();
        assert_eq!(fresh.get(began, || Err::<u32, _>("nothing")), Err("nothing"));
        assert_eq!(fresh.get(began, || Ok::<_, ()>(1)), Ok(1), "errors are not kept");
        let within = began + CACHE_TTL - Duration::from_millis(1);
        assert_eq!(fresh.get(within, || Ok::<_, ()>(2)), Ok(1));
        assert_eq!(fresh.get(began + CACHE_TTL, || Err("gone")), Err("gone"));
        assert_eq!(fresh.get(began + CACHE_TTL, || Ok::<_, ()>(3)), Ok(3));
    }
}
