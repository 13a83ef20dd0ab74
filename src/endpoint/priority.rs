//! Priorities of threads that must not take time from sessions.

/// Adds `niceness` to the calling thread's own, so that threads with a lower value run first. Failure is logged at
/// debug level.
pub fn lower_priority(niceness: i32) {
    // Without a process id these calls concern the calling thread alone (setpriority(2), "C library/kernel
    // differences").
    let current = rustix::process::getpriority_process(None).unwrap_or_default();
    if let Err(error) = rustix::process::setpriority_process(None, current + niceness) {
        tracing::debug!(%error, "a thread keeps its priority");
    }
}
