//! What ran before: it can be brought back, by hand and by itself, and what is remembered of it survives everything.
//!
//! 1. `kproxy rollback` brings back the last other configuration, or the one that is named, as a reload: sessions that do
//!    not differ stay, the others are drained, and what may not run is rejected. One rollback after the other goes
//!    further back.
//! 2. After it, log, status and metrics say that the file is not what runs, until it is. Touching the file undoes nothing;
//!    another content, or a request, does.

mod fixture;
mod rollback;
