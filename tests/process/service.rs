//! The process and its service manager (sd_notify(3), sd_listen_fds(3)). kproxy promises:
//!
//! 1. It says `READY=1` once it serves, and `STATUS=` one line of what runs.
//! 2. SIGHUP is followed by `RELOADING=1` with the time of the request and, whatever comes of the reload, by `READY=1`.
//! 3. A stop is `STOPPING=1`, and asks for more time as long as it lasts.
//! 4. With a watchdog it says once a second that its threads are alive.
//! 5. A socket that it inherits is used in place of binding its address; others are warned of and closed.
//! 6. Every configured address outlives a restart, also one that was added later: no client that connects during the
//!    restart is refused or reset. An address that is removed is refused at once, and can be bound again.
//! 7. `network.proxy.shutdownDelay`: not ready, but still accepting for this long; a second signal ends the process.

mod delay;
mod inherited;
mod notify;
mod restart;
