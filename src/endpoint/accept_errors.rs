//! Errors of accept(2): what they affect, how many there were, and when they are logged.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::io::Errno;

/// Shortest interval between two log lines for the same error.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// What an error affects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErrorScope {
    /// One connection, which is gone: accept(2) reports errors that happened to it before it was accepted.
    Connection,
    /// The process or the host.
    Process,
}

impl ErrorScope {
    pub(super) fn of(error: &io::Error) -> Self {
        const CONNECTION: [Errno; 11] = [
            Errno::CONNABORTED,
            Errno::PROTO,
            Errno::PERM,
            Errno::INTR,
            Errno::NETDOWN,
            Errno::NOPROTOOPT,
            Errno::HOSTDOWN,
            Errno::NONET,
            Errno::HOSTUNREACH,
            Errno::OPNOTSUPP,
            Errno::NETUNREACH,
        ];
        let code = error.raw_os_error();
        match CONNECTION.iter().any(|errno| code == Some(errno.raw_os_error())) {
            true => Self::Connection,
            false => Self::Process,
        }
    }
}

/// Names of the errors of accept(2) that are counted separately.
const NAMES: [(Errno, &str); 11] = [
    (Errno::MFILE, "EMFILE"),
    (Errno::NFILE, "ENFILE"),
    (Errno::NOBUFS, "ENOBUFS"),
    (Errno::NOMEM, "ENOMEM"),
    (Errno::CONNABORTED, "ECONNABORTED"),
    (Errno::PROTO, "EPROTO"),
    (Errno::PERM, "EPERM"),
    (Errno::INTR, "EINTR"),
    (Errno::NETDOWN, "ENETDOWN"),
    (Errno::HOSTUNREACH, "EHOSTUNREACH"),
    (Errno::NETUNREACH, "ENETUNREACH"),
];

const OTHER: &str = "other";

/// The name of an error number of accept(2).
fn name(code: i32) -> &'static str {
    let named = NAMES.iter().find(|(errno, _)| errno.raw_os_error() == code);
    named.map_or(OTHER, |&(_, name)| name)
}

/// Number of errors in this process, by error number.
#[derive(Debug, Default)]
pub struct AcceptErrors {
    seen: Mutex<BTreeMap<i32, ErrorCount>>,
}

#[derive(Debug, Default)]
struct ErrorCount {
    count: u64,
    logged_at: Option<Instant>,
}

impl AcceptErrors {
    pub(super) fn count(&self, error: &io::Error) {
        self.lock()
            .entry(error.raw_os_error().unwrap_or_default())
            .or_default()
            .count += 1;
    }

    /// Logs the error unless the same error was logged within [`LOG_INTERVAL`].
    pub(super) fn report(&self, error: &io::Error) {
        let mut seen = self.lock();
        let seen = seen.entry(error.raw_os_error().unwrap_or_default()).or_default();
        if seen
            .logged_at
            .is_none_or(|logged_at| logged_at.elapsed() >= LOG_INTERVAL)
        {
            seen.logged_at = Some(Instant::now());
            tracing::error!(%error, count = seen.count, "cannot accept connections; accepting pauses for a moment, established sessions continue");
        }
    }

    /// Number of errors by name, including names with 0; errors without a name of their own are counted as `other`.
    pub fn by_name(&self) -> Vec<(&'static str, u64)> {
        let known = NAMES.iter().map(|&(_, name)| (name, 0)).chain([(OTHER, 0)]);
        let mut named: BTreeMap<_, u64> = known.collect();
        for (code, count) in self.counts() {
            *named.entry(name(code)).or_default() += count;
        }
        named.into_iter().collect()
    }

    /// Number of errors by error number.
    pub fn counts(&self) -> BTreeMap<i32, u64> {
        self.lock()
            .iter()
            .map(|(&errno, seen)| (errno, seen.count))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<i32, ErrorCount>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_a_connection_are_told_from_those_of_the_process() {
        let kind = |errno: Errno| ErrorScope::of(&io::Error::from_raw_os_error(errno.raw_os_error()));
        for errno in [Errno::CONNABORTED, Errno::PROTO, Errno::PERM] {
            assert_eq!(kind(errno), ErrorScope::Connection, "{errno}");
        }
        for errno in [
            Errno::MFILE,
            Errno::NFILE,
            Errno::NOBUFS,
            Errno::NOMEM,
            Errno::INVAL,
        ] {
            assert_eq!(kind(errno), ErrorScope::Process, "{errno}");
        }
    }
}
