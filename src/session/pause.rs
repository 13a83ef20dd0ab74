//! A pause of a virtual cluster: its requests wait, and nothing is refused, until somebody resumes it or its time is over.

use std::time::SystemTime;

use arc_swap::ArcSwapOption;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Switch that has the requests of a virtual cluster wait. All contexts of the cluster share it, so it outlives reloads. A session
/// reads it when it is told of a change, and while its requests wait.
#[derive(Debug, Default)]
pub struct PauseGate {
    pause: ArcSwapOption<Pause>,
    ended: Notify,
}

/// A pause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// When it began.
    pub since: SystemTime,
    /// When it ends by itself.
    pub until: Instant,
    /// Who paused the virtual cluster, for people.
    pub by: String,
    /// Heartbeats of members of groups do not wait.
    pub passes_heartbeats: bool,
}

impl PauseGate {
    /// The pause that is in force.
    pub fn current(&self) -> Option<Pause> {
        let pause = self.pause.load();
        pause.as_deref().filter(|pause| !pause.is_over()).cloned()
    }

    /// Whether requests wait, and heartbeats do not; `None`: nothing waits.
    pub fn passes_heartbeats(&self) -> Option<bool> {
        let pause = self.pause.load();
        let pause = pause.as_deref().filter(|pause| !pause.is_over())?;
        Some(pause.passes_heartbeats)
    }

    /// Has requests wait from now on, in place of the pause before.
    pub fn begin(&self, pause: Pause) {
        self.pause.store(Some(pause.into()));
        // Those that wait look how long they have to.
        self.ended.notify_waiters();
    }

    /// Lets requests go on. Returns whether there was a pause that nobody has ended.
    pub fn end(&self) -> bool {
        let ended = self.pause.swap(None).is_some();
        self.ended.notify_waiters();
        ended
    }

    /// Waits until there is no pause.
    pub async fn ended(&self) {
        loop {
            let changed = self.ended.notified();
            let Some(until) = self.pause.load().as_deref().map(|pause| pause.until) else {
                return;
            };
            if until <= Instant::now() {
                return;
            }
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep_until(until) => return,
            }
        }
    }
}

impl Pause {
    fn is_over(&self) -> bool {
        self.until <= Instant::now()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    fn pause(until: Instant) -> Pause {
        Pause {
            since: SystemTime::now(),
            until,
            by: "a test".into(),
            passes_heartbeats: false,
        }
    }

    #[tokio::test]
    async fn a_pause_ends_by_command_or_by_itself() {
        let gate = Arc::new(PauseGate::default());
        gate.ended().await;
        let until = Instant::now() + Duration::from_millis(50);
        gate.begin(pause(until));
        gate.ended().await;
        assert!(Instant::now() >= until);
        assert_eq!(gate.current(), None);
        assert!(gate.end(), "it is over, which is to be told");
        assert!(!gate.end());

        gate.begin(pause(Instant::now() + Duration::from_secs(500)));
        assert_eq!(gate.passes_heartbeats(), Some(false));
        let waiting = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.ended().await }
        });
        tokio::task::yield_now().await;
        assert!(gate.end());
        waiting.await.unwrap();
    }
}
