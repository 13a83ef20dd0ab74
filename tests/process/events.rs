//! What happens in a running process, told to people and to programs.
//!
//! 1. `kproxy watch` shows reloads, drains, closed sessions and states as they happen, in words or as JSON, of one virtual
//!    cluster or of all; it ends with the process. Streams take no place of other commands.
//! 2. `kproxy stats` shows percentiles of reloads, phase by phase, and of drains. A reload that is slower than
//!    `reload.target` is warned of, with its phase, and not again and again.
//! 3. Each change is one line of the audit, with who, what and what came of it, in the log and in the file. The file
//!    survives a rotation of any kind; one that cannot be written to is told of once and counted, and nothing else changes.
//! 4. Webhooks are told the same of what needs a person, again and again where that may help, over verified TLS, with the
//!    token and without a secret in the log. One that hangs is in nobody's way.

mod audit;
mod fixture;
mod notify;
mod stats;
mod watch;
