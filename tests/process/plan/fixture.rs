//! Commands beside a running kproxy.

pub(super) use testkit::command::{Ran, run};

/// What stands above the clusters of a file whose process commands can ask, and which is read when it is asked to.
pub(super) const UNWATCHED: &str = "control: {socket: s}\nreload: {watch: false, maxRemovedPercent: 100}\n";
