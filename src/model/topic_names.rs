//! The settings `topicNameCache` of a virtual cluster.

use std::time::Duration;

use crate::config::schema::TopicNameCache;
use crate::config::{Errors, Spanned};

/// Default of [`TopicNameLimits::max_size`].
const MAX_SIZE: usize = 64 * 1024;

/// Default of [`TopicNameLimits::expire_after_access`].
const EXPIRE_AFTER_ACCESS: Duration = Duration::from_secs(60 * 60);

/// Shortest time that a name is kept: the request that asked for it has to find it.
const SHORTEST: Duration = Duration::from_secs(1);

/// How many names of topics are kept of a virtual cluster, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicNameLimits {
    /// Number of names.
    pub max_size: usize,
    /// Time since a broker last told a name; `None` is for ever.
    pub expire_after_write: Option<Duration>,
    /// Time since a name was last used.
    pub expire_after_access: Duration,
}

impl Default for TopicNameLimits {
    fn default() -> Self {
        Self {
            max_size: MAX_SIZE,
            expire_after_write: None,
            expire_after_access: EXPIRE_AFTER_ACCESS,
        }
    }
}

impl TopicNameLimits {
    pub(super) fn resolve(written: Option<&Spanned<TopicNameCache>>, errors: &mut Errors) -> Self {
        let Some(written) = written else {
            return Self::default();
        };
        let cache = &written.value;
        let mut time = |key, written: Option<&Spanned<Duration>>| {
            let written = written?;
            if written.value < SHORTEST {
                errors.push(written.at, format!("`{key}` must be at least 1s"));
            }
            Some(written.value)
        };
        Self {
            expire_after_write: time("expireAfterWrite", cache.expire_after_write.as_ref()),
            expire_after_access: time("expireAfterAccess", cache.expire_after_access.as_ref())
                .unwrap_or(EXPIRE_AFTER_ACCESS),
            max_size: cache
                .max_size
                .as_ref()
                .map_or(MAX_SIZE, |size| size.value.get() as usize),
        }
    }
}
