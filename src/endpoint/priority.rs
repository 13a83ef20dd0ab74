//! Threads that stand behind those that move bytes.

/// Adds to the calling thread's niceness, so that every thread with less goes first. One that may not is told at debug.
pub fn lower_priority(niceness: i32) {
    // Without a process this speaks of the calling thread alone (setpriority(2), "C library/kernel differences").
    let current = rustix::process::getpriority_process(None).unwrap_or_default();
    if let Err(error) = rustix::process::setpriority_process(None, current + niceness) {
        tracing::debug!(%error, "a thread keeps its priority");
    }
}
