//! What the service manager is to know of the process, and the messages that tell it what it does not know yet.

use std::time::Duration;

use sd_notify::NotifyState;

/// Time that each message asks for while a stop or a reload goes on. The next message comes after a second or so.
const EXTENSION: Duration = Duration::from_secs(20);

/// What the process does, as the service manager sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum ServicePhase {
    /// Nothing is served yet.
    #[default]
    Starting,
    /// A configuration runs.
    Serving,
    /// The process ends.
    Stopping,
}

/// What the service manager is to know. Only the newest state counts: what came and went unseen is not sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ServiceState {
    pub(super) phase: ServicePhase,
    /// Reloads asked for so far.
    pub(super) reloads: u64,
    /// When the last of them was asked for, by the monotonic clock, in microseconds.
    pub(super) reload_at: i128,
    /// Whether one of them has no result yet.
    pub(super) is_reloading: bool,
    /// One line for people.
    pub(super) status: String,
    /// Signs of life so far.
    pub(super) beats: u64,
}

/// Messages that lead from what was `sent` to what is true `now`, one datagram each.
pub(super) fn messages<'s>(
    sent: &ServiceState,
    now: &'s ServiceState,
    has_watchdog: bool,
) -> Vec<Vec<NotifyState<'s>>> {
    let mut messages = Vec::new();
    let asked = now.reloads != sent.reloads;
    if asked && now.phase == ServicePhase::Serving {
        // In one datagram: systemd refuses RELOADING without the time that follows it.
        messages.push(vec![
            NotifyState::Reloading,
            NotifyState::MonotonicUsec(now.reload_at),
        ]);
    }
    let mut last = Vec::new();
    match now.phase {
        ServicePhase::Serving if now.is_reloading => {}
        ServicePhase::Serving if asked || sent.is_reloading || sent.phase != now.phase => {
            last.push(NotifyState::Ready);
        }
        ServicePhase::Stopping if sent.phase != now.phase => last.push(NotifyState::Stopping),
        ServicePhase::Starting | ServicePhase::Serving | ServicePhase::Stopping => {}
    }
    if now.status != sent.status {
        last.push(NotifyState::Status(&now.status));
    }
    let takes_time = now.is_reloading || now.phase == ServicePhase::Stopping;
    if now.beats != sent.beats {
        last.extend(has_watchdog.then_some(NotifyState::Watchdog));
        let extension = u32::try_from(EXTENSION.as_micros()).unwrap_or(u32::MAX);
        last.extend(takes_time.then_some(NotifyState::ExtendTimeoutUsec(extension)));
    }
    if !last.is_empty() {
        messages.push(last);
    }
    messages
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serving() -> ServiceState {
        ServiceState {
            phase: ServicePhase::Serving,
            ..ServiceState::default()
        }
    }

    fn told(sent: &ServiceState, now: &ServiceState) -> Vec<String> {
        let lines = |message: Vec<NotifyState<'_>>| {
            let lines: Vec<String> = message.iter().map(ToString::to_string).collect();
            lines.join(" ")
        };
        messages(sent, now, true).into_iter().map(lines).collect()
    }

    #[test]
    fn a_state_that_is_known_is_not_sent_again() {
        assert!(told(&serving(), &serving()).is_empty());
        assert!(told(&ServiceState::default(), &ServiceState::default()).is_empty());
    }

    #[test]
    fn the_first_commit_is_ready() {
        assert_eq!(told(&ServiceState::default(), &serving()), ["READY=1"]);
    }

    #[test]
    fn a_reload_begins_with_its_time_and_ends_with_ready() {
        let begun = ServiceState {
            reloads: 1,
            reload_at: 7,
            is_reloading: true,
            ..serving()
        };
        assert_eq!(told(&serving(), &begun), ["RELOADING=1 MONOTONIC_USEC=7"]);
        let ended = ServiceState {
            is_reloading: false,
            ..begun.clone()
        };
        assert_eq!(told(&begun, &ended), ["READY=1"]);
    }

    #[test]
    fn a_reload_that_ends_before_it_was_told_is_told_whole() {
        let ended = ServiceState {
            reloads: 3,
            reload_at: 9,
            ..serving()
        };
        let expected = ["RELOADING=1 MONOTONIC_USEC=9", "READY=1"];
        assert_eq!(told(&serving(), &ended), expected);
    }

    #[test]
    fn a_second_request_during_a_reload_is_told_with_its_own_time() {
        let first = ServiceState {
            reloads: 1,
            reload_at: 7,
            is_reloading: true,
            ..serving()
        };
        let second = ServiceState {
            reloads: 2,
            reload_at: 8,
            ..first.clone()
        };
        assert_eq!(told(&first, &second), ["RELOADING=1 MONOTONIC_USEC=8"]);
    }

    #[test]
    fn a_stop_asks_for_time_with_every_sign_of_life_and_begins_no_reload() {
        let stopping = ServiceState {
            phase: ServicePhase::Stopping,
            reloads: 1,
            beats: 1,
            ..ServiceState::default()
        };
        let expected = ["STOPPING=1 WATCHDOG=1 EXTEND_TIMEOUT_USEC=20000000"];
        assert_eq!(told(&serving(), &stopping), expected);
    }

    #[test]
    fn the_status_is_sent_when_it_changes() {
        let other = ServiceState {
            status: "generation 2".into(),
            ..serving()
        };
        assert_eq!(told(&serving(), &other), ["STATUS=generation 2"]);
    }
}
