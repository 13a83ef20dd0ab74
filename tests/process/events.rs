//! What happens in a running process, told to people and to programs.
//!
//! 1. `kproxy watch` shows reloads, drains, closed sessions and states as they happen, in words or as JSON, of one virtual
//!    cluster or of all; it ends with the process. Streams take no place of other commands.

mod fixture;
mod watch;
