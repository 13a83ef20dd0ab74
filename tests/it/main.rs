//! kproxy in this process: its pure parts by themselves, and whole proxies between sockets of the test's own.
//!
//! Each module says at its head what it promises. They share a process and run at the same time, so nothing here changes
//! or counts what belongs to the whole process: that is in `tests/alone`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod acks0;
mod config;
mod credentials;
mod drain;
mod endpoints;
mod error_answers;
mod events;
mod fence;
mod filter_failures;
mod filters_example;
mod fuzz_corpus;
#[path = "../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "the file is a crate of its own for the fuzzer")]
mod fuzz_targets;
mod identity;
mod inspect;
mod library;
mod loader;
mod moving;
mod operation_filters;
mod plan;
mod proxy_protocol;
mod recorded;
mod reload;
mod scenarios;
mod session;
mod session_metrics;
mod shadow_lists;
mod shared_address;
mod shutdown;
mod termination;
mod tokens;
mod topic_names;
mod walkers;
