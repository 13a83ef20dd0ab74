//! Which entries of the journal go. Pure.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use super::entry::HistoryEntry;
use crate::model::RollbackSettings;

/// Bounds of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Most entries.
    pub entries: usize,
    /// Age from which on entries go.
    pub age: Duration,
}

impl Retention {
    /// The bounds that a configuration sets.
    pub fn of(settings: &RollbackSettings) -> Self {
        Self {
            entries: settings.entries,
            age: settings.age,
        }
    }
}

/// The ids of those of `entries`, which are ascending, that go at `now`: those that are too old, and of too many those that
/// brought no text of their own (rejected attempts, renewals, restarts) as long as they are more than half, then the
/// oldest. The newest entry whose configuration is kept always stays, and so does the one of generation `base`.
pub(super) fn leaving(
    entries: &[HistoryEntry],
    retention: Retention,
    now: SystemTime,
    base: Option<u64>,
) -> Vec<u64> {
    let last_kept = entries.iter().rev().find(|entry| entry.kept);
    let of_base = |entry: &&HistoryEntry| entry.kept && Some(entry.report.generation) == base;
    let protected = [last_kept, entries.iter().rev().find(of_base)];
    let is_protected = |entry: &HistoryEntry| protected.iter().flatten().any(|kept| kept.id == entry.id);
    let is_old = |entry: &HistoryEntry| {
        let age = now.duration_since(entry.report.at).unwrap_or_default();
        age > retention.age && !is_protected(entry)
    };
    let (old, mut left): (Vec<&HistoryEntry>, Vec<&HistoryEntry>) =
        entries.iter().partition(|entry| is_old(entry));
    let mut leaving: Vec<u64> = old.iter().map(|entry| entry.id).collect();
    let mut without_text = without_text(entries);
    without_text.retain(|id| left.iter().any(|entry| entry.id == *id));
    while left.len() > retention.entries.max(1) {
        let may_go = |entry: &&HistoryEntry| {
            let is_first_to_go =
                without_text.len() * 2 <= retention.entries || without_text.contains(&entry.id);
            is_first_to_go && !is_protected(entry)
        };
        let Some(place) = left.iter().position(may_go) else {
            break;
        };
        let gone = left.remove(place);
        without_text.remove(&gone.id);
        leaving.push(gone.id);
    }
    leaving
}

/// The ids of entries that brought no other text than the entry before them that did.
fn without_text(entries: &[HistoryEntry]) -> BTreeSet<u64> {
    let mut text: Option<&str> = None;
    let mut ids = BTreeSet::new();
    for entry in entries {
        if entry.kept && text != Some(&entry.text_hash) {
            text = Some(&entry.text_hash);
        } else {
            ids.insert(entry.id);
        }
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn entry(id: u64, text: &str, days: u32) -> HistoryEntry {
        let mut entry = HistoryEntry {
            id,
            text_hash: text.into(),
            kept: !text.is_empty(),
            ..HistoryEntry::default()
        };
        entry.report.at = SystemTime::UNIX_EPOCH + DAY * days;
        entry.report.generation = id;
        entry
    }

    fn gone(entries: &[HistoryEntry], most: usize, base: Option<u64>) -> Vec<u64> {
        let retention = Retention {
            entries: most,
            age: 90 * DAY,
        };
        leaving(entries, retention, SystemTime::UNIX_EPOCH + 100 * DAY, base)
    }

    #[test]
    fn the_oldest_go_and_what_runs_stays() {
        let entries = [entry(1, "a", 50), entry(2, "b", 60), entry(3, "c", 70)];
        assert!(gone(&entries, 3, None).is_empty());
        assert_eq!(gone(&entries, 2, None), [1]);
        assert_eq!(gone(&entries, 2, Some(1)), [2]);
        assert_eq!(gone(&entries, 0, None), [1, 2]);
        let old = [entry(1, "a", 1), entry(2, "b", 2), entry(3, "", 3)];
        assert_eq!(gone(&old, 9, None), [1, 3], "the running one stays, however old");
        assert_eq!(gone(&old, 9, Some(1)), [3]);
    }

    #[test]
    fn attempts_and_restarts_do_not_push_configurations_out() {
        let mut entries = vec![entry(1, "a", 99), entry(2, "b", 99), entry(3, "c", 99)];
        entries.extend((4..40).map(|id| entry(id, "", 99)));
        entries.extend((40..60).map(|id| entry(id, "c", 99)));
        let mut gone = gone(&entries, 10, None);
        gone.sort_unstable();
        let left: Vec<u64> = (1..60).filter(|id| !gone.contains(id)).collect();
        assert_eq!(left, [1, 2, 3, 53, 54, 55, 56, 57, 58, 59]);
    }

    #[test]
    fn configurations_do_not_push_attempts_out_at_once() {
        let mut entries = vec![entry(1, "", 99), entry(2, "", 99)];
        entries.extend((3..13).map(|id| entry(id, &id.to_string(), 99)));
        assert_eq!(gone(&entries, 10, None), [1, 2]);
    }
}
