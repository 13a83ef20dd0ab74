//! What has been done of a change that may still fail, in the order in which it is undone.

/// What kind of step did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Undo {
    /// Undone first: it may stand in the way of what was there before.
    Added,
    Modified,
    /// Undone last.
    Removed,
}

/// Remembers what is to be undone, and hands it out in reverse: what was added, what was modified, what was removed;
/// of each kind the latest first.
#[derive(Debug)]
pub struct RollbackTracker<T> {
    done: Vec<(Undo, T)>,
}

impl<T> Default for RollbackTracker<T> {
    fn default() -> Self {
        Self { done: Vec::new() }
    }
}

impl<T> RollbackTracker<T> {
    pub fn record(&mut self, kind: Undo, what: T) {
        self.done.push((kind, what));
    }

    /// Everything that was done, in the order in which to undo it.
    pub fn undo(self) -> impl Iterator<Item = (Undo, T)> {
        let mut done = self.done;
        done.reverse();
        done.sort_by_key(|(kind, _)| *kind);
        done.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn added_is_undone_before_modified_before_removed_and_the_latest_first() {
        let mut tracker = RollbackTracker::default();
        for (kind, what) in [
            (Undo::Removed, 1),
            (Undo::Added, 2),
            (Undo::Modified, 3),
            (Undo::Removed, 4),
            (Undo::Added, 5),
        ] {
            tracker.record(kind, what);
        }
        let order: Vec<i32> = tracker.undo().map(|(_, what)| what).collect();
        assert_eq!(order, [5, 2, 3, 4, 1]);
    }
}
