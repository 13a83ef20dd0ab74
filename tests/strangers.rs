//! What strangers cost: those who reach a port and have no credentials, and brokers that say what they like.
//!
//! 1. What comes from outside forges no log line and no field, in either format.
//! 2. Ends of sessions that repeat are summed up in the log and counted exactly in the metrics.
//! 3. A log that nobody reads holds up neither SIGTERM nor the second one.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

#[path = "common/binary.rs"]
mod binary;
#[path = "strangers/log.rs"]
mod log;
#[path = "common/running.rs"]
mod running;
#[path = "common/site.rs"]
mod site;
