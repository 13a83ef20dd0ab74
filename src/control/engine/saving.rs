//! When learned addresses and names of topics are written to `stateDirectory`.

use std::time::Duration;

use tokio::time::Instant;

/// Delay from the first change to writing all that changed until then.
const SAVE_DELAY: Duration = Duration::from_secs(1);

/// Longest time between two writes. Topics may come and go all the time, and both files are written whole: while there is always
/// something to write, each pause is twice the one before, up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The next write, and the last one.
#[derive(Debug)]
pub(super) struct SaveSchedule {
    due: Option<Instant>,
    last: Option<Instant>,
    pause: Duration,
}

impl Default for SaveSchedule {
    fn default() -> Self {
        Self {
            due: None,
            last: None,
            pause: SAVE_DELAY,
        }
    }
}

impl SaveSchedule {
    /// Notes that something has changed at `now`.
    pub(super) fn changed(&mut self, now: Instant) {
        if self.due.is_some() {
            return;
        }
        let soon = now + SAVE_DELAY;
        self.due = Some(match self.last {
            Some(last) if now < last + LONGEST_PAUSE => soon.max(last + self.pause),
            _ => {
                self.pause = SAVE_DELAY;
                soon
            }
        });
    }

    /// Notes a write at `now`.
    pub(super) fn saved(&mut self, now: Instant) {
        (self.due, self.last) = (None, Some(now));
        self.pause = LONGEST_PAUSE.min(self.pause * 2);
    }

    /// When to write; `None`: nothing has changed.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_changes_are_written_soon_and_many_of_them_every_half_minute() {
        let (begin, mut schedule) = (Instant::now(), SaveSchedule::default());
        let at = |seconds| begin + Duration::from_secs(seconds);
        let mut written = Vec::new();
        for second in 0..100 {
            if schedule.due().is_some_and(|due| due <= at(second)) {
                schedule.saved(at(second));
                written.push(second);
            }
            schedule.changed(at(second));
        }
        assert_eq!(written, [1, 3, 7, 15, 31, 61, 91]);
        schedule.saved(at(100));
        assert_eq!(schedule.due(), None);
        schedule.changed(at(200));
        assert_eq!(schedule.due(), Some(at(201)));
    }
}
