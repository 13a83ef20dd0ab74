//! Tests that change or count something of the whole process, which therefore stand apart from `tests/it`.
//!
//! `held` and `limits` set the process's limit of held bytes and count all bytes that are held, `session_identity` reads
//! all that the process logs, `watch` changes the working directory. A test that needs the process to itself is [`alone`];
//! every other that starts a proxy is [`beside`] others. No test here may depend on a relative path.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod held;
mod limits;
mod session_identity;
mod watch;

use std::sync::{PoisonError, RwLock};

static PROXIES: RwLock<()> = RwLock::new(());

/// Keeps every other proxy out of this process as long as it lives.
fn alone() -> impl Drop {
    PROXIES.write().unwrap_or_else(PoisonError::into_inner)
}

/// Lets other proxies run in this process, but none that has to be [`alone`].
fn beside() -> impl Drop {
    PROXIES.read().unwrap_or_else(PoisonError::into_inner)
}
