//! What ran before: it can be brought back, by hand and by itself, and what is remembered of it survives everything.
//!
//! 1. `kproxy rollback` brings back the last other configuration, or the one that is named, as a reload: sessions that do
//!    not differ stay, the others are drained, and what may not run is rejected. One rollback after the other goes
//!    further back.
//! 2. After it, log, status and metrics say that the file is not what runs, until it is. Touching the file undoes nothing;
//!    another content, or a request, does.
//! 3. `kproxy history` lists starts and reloads, rejected ones too, and `kproxy show` prints what ran and how it differs,
//!    without passwords.
//! 4. With `stateDirectory` all of this outlives the process, and generations count on. Killed at any moment, it has lost at
//!    most the entry that was being written.
//! 5. The history is bounded, and the running configuration is always in it.
//! 6. A disk that takes nothing is told of once, and changes nothing else; what could not be written is written later.
//! 7. `reload --confirm-within` goes back by itself unless `kproxy confirm` follows in time, and so does a crash or a restart
//!    in between.
//! 8. `--fallback-to-last-good` serves the last configuration that ran where the file cannot be used, and says so
//!    everywhere; without it such a start fails.

mod confirm;
mod disk;
mod fallback;
mod fixture;
mod journal;
mod rollback;
