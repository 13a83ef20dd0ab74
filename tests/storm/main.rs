//! The storms: real and simulated clients at work while the configuration changes under them again and again.
//!
//! Each of `reloads`, `names` and `tls` says at its head what it promises. They measure and load the whole machine, so
//! they take turns, and nothing else runs beside them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "its result is a table")]
#![expect(unreachable_pub, reason = "its modules are files of one test")]

mod checker;
mod clients;
mod connect_storm;
mod driver;
mod edit;
mod java_clients;
mod journal;
mod kernel;
mod logs;
mod names;
mod pace;
mod process;
mod reloads;
mod rng;
mod schedule;
mod tls;
mod topology;
mod verdict;
mod workload;

use std::sync::{Mutex, PoisonError};

/// Keeps the other storms waiting as long as it lives.
fn alone() -> impl Drop {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}
