//! Priorities of threads that must not take time from sessions.

/// Niceness of the threads that read and parse files: a large file takes a core for a tenth of a second.
pub const FILE_READER_NICENESS: i32 = 5;

/// Niceness of the control thread: comparing two large models takes milliseconds.
pub const CONTROL_NICENESS: i32 = 5;

/// Niceness of the administration thread: low enough to answer on a busy machine.
pub const ADMIN_NICENESS: i32 = 5;

/// Niceness of the threads that open TLS connections. A handshake takes a good part of a millisecond of a core, and
/// thousands may come at once; with this value sessions get nine tenths of a contended core.
pub(super) const OPENER_NICENESS: i32 = 10;

/// Adds `niceness` to the calling thread's own, so that threads with a lower value run first. Failure is logged at
/// debug level.
pub fn lower_priority(niceness: i32) {
    // Without a process id these calls concern the calling thread alone (setpriority(2), "C library/kernel
    // differences").
    let current = rustix::process::getpriority_process(None).unwrap_or_default();
    if let Err(error) = rustix::process::setpriority_process(None, current + niceness) {
        tracing::debug!(%error, "cannot lower the priority of a thread");
    }
}
