//! A running kproxy that commands can ask.

use serde_json::Value;
pub(super) use testkit::command::run;
use testkit::running::Running;
use testkit::wait::eventually;

/// What stands above the clusters of a file whose process commands can ask.
pub(super) const HEAD: &str = "control: {socket: s}\nreload: {maxRemovedPercent: 100}\n";

/// Waits until this many entries have been written.
#[track_caller]
pub(super) fn entries_on_disk(running: &Running, count: usize) {
    let folder = running.path("state/journal");
    let written = || {
        let names = std::fs::read_dir(&folder).into_iter().flatten();
        let names = names.map(|entry| entry.unwrap().file_name());
        names
            .filter(|name| name.to_string_lossy().ends_with(".json.gz"))
            .count()
    };
    eventually(&format!("{count} entries are written"), || written() >= count);
}

/// Runs a command that is to succeed, and returns its JSON.
#[track_caller]
pub(super) fn asked(running: &Running, arguments: &str) -> Value {
    let ran = run(running.directory.path(), &format!("{arguments} --json"));
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.json()
}

/// Replaces the file and waits until the watcher has applied it.
#[track_caller]
pub(super) fn edit(running: &Running, clusters: &[&str]) {
    let mark = running.mark();
    running.replace(running.text(clusters));
    assert_eq!(running.outcome_since(mark).outcome, "applied");
}
