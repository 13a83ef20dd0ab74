//! What a reload that does not succeed promises: nothing of it happened.
//!
//! 1. Whatever is wrong with a file, the reload is rejected with the place of the fault, `FILE:LINE:COL`; the listening
//!    sockets, the descriptors, the status and the live connections are what they were, and a good file is applied
//!    afterwards as if nothing had been.
//! 2. A listener that cannot be bound, whichever of many it is and whatever stands in its way (another process, a lack
//!    of descriptors), rejects the whole reload; no address that was bound on the way stays bound. It is tried, and
//!    told of, once, however many gateways would share it.
//! 3. A hundred rejected reloads leave no descriptor behind.
//! 4. A key that needs a restart rejects the reload with that reason, and nothing else of the file is applied.
//! 5. An emptied file, one without clusters and one that removes more clusters than allowed are rejected unless
//!    forced; a cluster that is renamed does not count as removed.
//! 6. A bootstrap server whose name does not resolve is a warning, at a reload as at a start.
//! 7. An address that overlaps the one it replaces is handed over: sessions are drained at request boundaries. If it
//!    cannot be bound, the old one accepts again; if that fails too, its cluster is `failed`, with the cause, everything
//!    else serves, and the next reload heals it. All of this holds for addresses that gateways share by name, too.
//! 8. A state directory that cannot be written is told and rejects nothing.
//! 9. Killed at any moment, it starts again with what the file says, and the remembered topology is never half of one.
//! 10. SIGTERM during a reload, a storm of SIGHUP and a second SIGTERM have one outcome each.
//! 11. What is rejected for a reason outside the file is tried again by itself, less and less often, until it succeeds or
//!     the file changes; status and log say so, the log once for each reason. So are clusters that are `failed`.

mod again;
mod bind;
mod end;
mod fixture;
mod gate;
mod handover;
mod invalid;
mod names;
mod state;
