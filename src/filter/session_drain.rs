//! The way in which a filter asks a session to leave.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Instant;

use crate::drain::{DrainDeadlines, SessionHandle};
use crate::model::DrainPolicy;

/// Where the drain policy of a virtual cluster is read, as it is at that moment.
#[derive(Clone)]
pub struct DrainPolicySource(Arc<dyn Fn() -> DrainPolicy + Send + Sync>);

impl DrainPolicySource {
    /// The source that calls `read`.
    pub fn new(read: impl Fn() -> DrainPolicy + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }
}

impl Default for DrainPolicySource {
    /// The policy without any setting.
    fn default() -> Self {
        Self::new(DrainPolicy::default)
    }
}

impl fmt::Debug for DrainPolicySource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("DrainPolicySource").finish_non_exhaustive()
    }
}

/// A session that can be asked to leave: it is drained, as a reload would do it, so that no request is cut off. May outlive
/// the session.
#[derive(Debug, Clone)]
pub struct SessionDrain {
    handle: Weak<SessionHandle>,
    policy: DrainPolicySource,
}

impl SessionDrain {
    pub(super) fn new(handle: &Arc<SessionHandle>, policy: DrainPolicySource) -> Self {
        Self {
            handle: Arc::downgrade(handle),
            policy,
        }
    }

    /// Asks the session to leave. Returns false if it has ended, or has been asked before.
    pub fn begin(&self) -> bool {
        let Some(handle) = self.handle.upgrade() else {
            return false;
        };
        if handle.order().is_some() {
            return false;
        }
        let policy = (self.policy.0)();
        handle.give_order(DrainDeadlines::of(&policy, Instant::now()).order(&policy));
        true
    }
}
