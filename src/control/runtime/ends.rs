//! Times at which what a command has begun ends by itself.

use tokio::time::Instant;

/// When something of virtual clusters ends by itself: fences, or pauses. There are few at a time.
#[derive(Debug, Default)]
pub(in crate::control) struct Ends(Vec<(Instant, String)>);

impl Ends {
    /// Sets when it ends for a virtual cluster; `None`: not by itself.
    pub(in crate::control) fn set(&mut self, cluster: &str, end: Option<Instant>) {
        self.0.retain(|(_, name)| name != cluster);
        self.0.extend(end.map(|end| (end, cluster.to_owned())));
    }

    /// When the next one ends.
    pub(in crate::control) fn next(&self) -> Option<Instant> {
        self.0.iter().map(|(end, _)| *end).min()
    }

    /// Removes the virtual clusters for which it ends.
    pub(in crate::control) fn take_due(&mut self, now: Instant) -> Vec<String> {
        let due = self.0.extract_if(.., |(end, _)| *end <= now);
        due.map(|(_, name)| name).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn ends_come_in_their_order_and_a_later_command_counts() {
        let (now, mut ends) = (Instant::now(), Ends::default());
        ends.set("a", Some(now + Duration::from_secs(1)));
        ends.set("b", Some(now + Duration::from_secs(2)));
        ends.set("a", Some(now + Duration::from_secs(3)));
        assert_eq!(ends.next(), Some(now + Duration::from_secs(2)));
        assert_eq!(ends.take_due(now + Duration::from_secs(2)), ["b"]);
        ends.set("a", None);
        assert_eq!(ends.next(), None);
    }
}
