//! Which sessions have taken a fence in, and whether the requests that they had sent before are answered.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What the sessions of a virtual cluster have told of a fence.
#[derive(Debug, Default)]
pub(super) struct FenceAdoption {
    /// Numbers of the sessions for which it is in force. Those that have ended are not removed: a fence is short, and a number
    /// has 8 bytes.
    sessions: Mutex<HashSet<u64>>,
    /// Sessions with requests from before it that are unanswered.
    unsettled: Arc<AtomicUsize>,
}

/// Requests of one session from before a fence, as long as one of them is unanswered.
#[derive(Debug)]
pub(super) struct UnsettledRequests(Arc<AtomicUsize>);

impl FenceAdoption {
    /// Notes that the fence is in force for a session, with so many requests unanswered that were sent before. What is returned
    /// has to exist until the last of them is answered.
    pub(super) fn adopted(&self, session: u64, unanswered: usize) -> Option<UnsettledRequests> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        // With other filters of the cluster it comes in force again, and has decided about what is unanswered then.
        if !sessions.insert(session) || unanswered == 0 {
            return None;
        }
        // Within the lock: who finds the session finds its requests.
        self.unsettled.fetch_add(1, Ordering::AcqRel);
        Some(UnsettledRequests(Arc::clone(&self.unsettled)))
    }

    /// How many of these sessions it is not in force for yet, and how many sessions have requests from before unanswered.
    pub(super) fn unsettled(&self, sessions: impl IntoIterator<Item = u64>) -> usize {
        let adopted = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let not_yet = sessions.into_iter().filter(|id| !adopted.contains(id)).count();
        drop(adopted);
        not_yet + self.unsettled.load(Ordering::Acquire)
    }
}

impl Drop for UnsettledRequests {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_is_settled_when_every_session_has_it_and_its_earlier_requests_are_answered() {
        let adoption = FenceAdoption::default();
        assert_eq!(adoption.unsettled([1, 2]), 2);
        assert!(adoption.adopted(1, 0).is_none());
        let unanswered = adoption.adopted(2, 3);
        assert!(unanswered.is_some() && adoption.adopted(2, 7).is_none());
        assert_eq!(adoption.unsettled([1, 2]), 1);
        drop(unanswered);
        assert_eq!(adoption.unsettled([1, 2]), 0);
    }
}
