//! States of a virtual cluster: initializing, serving, draining, stopped; or failed, with the cause.

use crate::names::names;

/// State of a virtual cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterState {
    /// Its endpoints are being prepared.
    Initializing,
    /// It takes new sessions.
    Serving,
    /// It takes no new sessions, and those it has are asked to leave.
    Draining,
    /// It has no sessions left.
    Stopped,
    /// Its endpoints could not be prepared or restored.
    Failed {
        /// The reason, in a sentence.
        cause: String,
    },
}

names! {
    /// State of a virtual cluster in status and metrics.
    pub enum ReportedState {
        /// Its endpoints are being prepared.
        Initializing = "initializing",
        /// It takes new sessions.
        Serving = "serving",
        /// It serves while brokers of its target fail; it goes on as it does when they answer.
        Degraded = "degraded",
        /// It takes no new sessions, and those it has are asked to leave.
        Draining = "draining",
        /// It has no sessions left.
        Stopped = "stopped",
        /// Its endpoints could not be prepared or restored.
        Failed = "failed",
    }
}

impl ClusterState {
    /// Returns the name in status and metrics of a cluster whose brokers fail, or do not.
    pub fn name_beside(&self, brokers_fail: bool) -> &'static str {
        match self {
            Self::Serving if brokers_fail => ReportedState::Degraded.name(),
            other => other.name(),
        }
    }

    /// Returns the name in status and metrics of a cluster whose brokers answer.
    pub fn name(&self) -> &'static str {
        let reported = match self {
            Self::Initializing => ReportedState::Initializing,
            Self::Serving => ReportedState::Serving,
            Self::Draining => ReportedState::Draining,
            Self::Stopped => ReportedState::Stopped,
            Self::Failed { .. } => ReportedState::Failed,
        };
        reported.name()
    }

    /// Returns why it is `failed`.
    pub fn cause(&self) -> Option<&str> {
        match self {
            Self::Failed { cause } => Some(cause),
            Self::Initializing | Self::Serving | Self::Draining | Self::Stopped => None,
        }
    }

    fn may_become(&self, next: &Self) -> bool {
        matches!(
            (self, next),
            (Self::Initializing, Self::Serving | Self::Failed { .. })
                | (Self::Serving, Self::Draining | Self::Failed { .. })
                | (Self::Draining, Self::Stopped)
                | (Self::Failed { .. }, Self::Initializing | Self::Stopped)
        )
    }
}

/// A transition that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a cluster that is {from} does not become {to}")]
pub struct InvalidTransition {
    /// Name of the state.
    pub from: &'static str,
    /// Name of the state that was asked for.
    pub to: &'static str,
}

/// Owner of the state of a virtual cluster; allows only the transitions that exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterLifecycle {
    state: ClusterState,
}

impl Default for ClusterLifecycle {
    fn default() -> Self {
        Self {
            state: ClusterState::Initializing,
        }
    }
}

impl ClusterLifecycle {
    /// Returns the state.
    pub fn state(&self) -> &ClusterState {
        &self.state
    }

    /// Enters `next`.
    ///
    /// # Errors
    /// [`InvalidTransition`] if there is no such transition; the state stays.
    pub fn transition_to(&mut self, next: ClusterState) -> Result<(), InvalidTransition> {
        if !self.state.may_become(&next) {
            return Err(InvalidTransition {
                from: self.state.name(),
                to: next.name(),
            });
        }
        self.state = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_legal_moves_are_made() {
        use ClusterState as S;
        let failed = || S::Failed {
            cause: "port taken".into(),
        };
        let all = [S::Initializing, S::Serving, S::Draining, S::Stopped, failed()];
        let legal = [
            ("initializing", "serving"),
            ("initializing", "failed"),
            ("serving", "draining"),
            ("serving", "failed"),
            ("draining", "stopped"),
            ("failed", "initializing"),
            ("failed", "stopped"),
        ];
        for from in &all {
            for to in &all {
                let mut life = ClusterLifecycle { state: from.clone() };
                let moved = life.transition_to(to.clone()).is_ok();
                assert_eq!(
                    moved,
                    legal.contains(&(from.name(), to.name())),
                    "{} to {}",
                    from.name(),
                    to.name()
                );
                assert_eq!(life.state() == to, moved || from == to);
            }
        }
    }
}
