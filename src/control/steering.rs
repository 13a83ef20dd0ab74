//! Commands that steer what runs without a change of the configuration: `drain`, `pause`, `resume`, `close`, `fence`, `unfence`.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::observe::Observe;
use super::requester::Requester;
use super::runtime::connections::{ConnectionFilter, ConnectionInfo};
use super::status::{FenceStatus, PausedStatus, Word};
use crate::config::{nearest, quoted};
use crate::drain::SessionState;
use crate::model::FenceModel;

/// Request for a steering command.
#[derive(Debug)]
pub struct SteeringRequest {
    /// Who asks for it.
    pub by: Requester,
    /// What is asked for.
    pub command: SteeringCommand,
}

/// A command that steers what runs.
#[derive(Debug)]
pub enum SteeringCommand {
    /// Refuse new sessions of this virtual cluster, and ask those that it has to leave.
    Drain(String),
    /// Take new sessions of this virtual cluster again, and have its requests go on.
    Resume(String),
    /// Have no requests about some topics of this virtual cluster reach its brokers.
    Fence {
        /// The virtual cluster.
        cluster: String,
        /// What does not reach them.
        fence: FenceModel,
        /// Time after which the fence is lifted by itself; `None`: not by itself.
        lasting: Option<Duration>,
    },
    /// Lift the fence that a command has set.
    Unfence(String),
    /// Have the requests of this virtual cluster wait.
    Pause {
        /// The virtual cluster.
        cluster: String,
        /// Time after which they go on by themselves.
        lasting: Duration,
        /// Whether heartbeats of members of groups do not wait.
        passes_heartbeats: bool,
    },
    /// Ask these sessions to leave.
    Close {
        /// How they were chosen, for people.
        object: String,
        /// The sessions.
        sessions: ChosenSessions,
    },
}

/// What came of a steering command, in JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SteeringReport {
    /// The command: `drain`, `pause`, `resume`, `close`, `fence`, `unfence`.
    pub command: Word,
    /// `done`, or `unchanged` if it was so already.
    pub outcome: Word,
    /// Name of the virtual cluster; absent for `close`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// State of the virtual cluster afterwards, as in the status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Word>,
    /// Sessions that were asked to leave.
    pub sessions: usize,
    /// Number of those sessions by virtual cluster.
    pub clusters: BTreeMap<String, usize>,
    /// Chosen sessions that were asked to leave before.
    pub already_leaving: usize,
    /// The fence of the virtual cluster afterwards, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fence: Option<FenceStatus>,
    /// The pause of the virtual cluster afterwards, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<PausedStatus>,
    /// More about it, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Sessions that a command is about. Every condition that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionChoice {
    /// Name of the virtual cluster.
    pub cluster: Option<String>,
    /// Number of the session.
    pub session: Option<u64>,
    /// Client id of the first request.
    pub client_id: Option<String>,
    /// Name that the broker has authenticated, or the subject of the client's certificate.
    pub principal: Option<String>,
}

/// Sessions that were found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChosenSessions {
    /// Ids of those that have not been asked to leave, by virtual cluster.
    pub by_cluster: BTreeMap<String, HashSet<u64>>,
    /// Number of those that have been asked to leave before.
    pub already_leaving: usize,
}

impl SessionChoice {
    /// Returns how the sessions are chosen, for people.
    pub fn describe(&self) -> String {
        let Self {
            cluster,
            session,
            client_id,
            principal,
        } = self;
        let parts = [
            session.map(|id| format!("session {id}")),
            client_id.as_ref().map(|id| format!("client id {}", quoted(id))),
            principal
                .as_ref()
                .map(|name| format!("principal {}", quoted(name))),
            cluster
                .as_ref()
                .map(|name| format!("virtual cluster {}", quoted(name))),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// Finds the sessions among those that `observed` shows. `Err`: there is no such virtual cluster or session.
    ///
    /// # Errors
    /// A sentence for people.
    pub fn find(&self, observed: &dyn Observe) -> Result<ChosenSessions, String> {
        let filter = ConnectionFilter {
            cluster: self.cluster.clone(),
            client_id: self.client_id.clone(),
            generation: None,
        };
        let found = observed.connections(&filter);
        let mut chosen = ChosenSessions::default();
        for session in found.into_iter().filter(|session| self.includes(session)) {
            if is_leaving(&session.state) {
                chosen.already_leaving += 1;
            } else {
                chosen
                    .by_cluster
                    .entry(session.cluster)
                    .or_default()
                    .insert(session.id);
            }
        }
        let is_empty = chosen == ChosenSessions::default();
        if is_empty && let Some(unknown) = filter.unknown(&observed.status()) {
            return Err(unknown);
        }
        match self.session.filter(|_| is_empty) {
            Some(id) => Err(format!("there is no session {id}")),
            None => Ok(chosen),
        }
    }

    fn includes(&self, session: &ConnectionInfo) -> bool {
        let names = [&session.known.principal, &session.known.client_subject];
        self.session.is_none_or(|id| session.id == id)
            && self
                .principal
                .as_ref()
                .is_none_or(|wanted| names.contains(&&Some(wanted.clone())))
    }

    /// Whether it chooses by anything but the virtual cluster.
    pub fn is_specific(&self) -> bool {
        self.session.is_some() || self.client_id.is_some() || self.principal.is_some()
    }
}

/// Whether a session in this state has been asked to leave.
fn is_leaving(state: &str) -> bool {
    [SessionState::Draining, SessionState::Leaving]
        .iter()
        .any(|leaving| leaving.name() == state)
}

/// Returns the message for a virtual cluster that does not exist, with the nearest name.
pub(super) fn unknown_cluster(name: &str, known: &[&str]) -> String {
    let hint = match nearest(name, known) {
        Some(near) if near.eq_ignore_ascii_case(name) => {
            format!(", but one called {}: upper and lower case count", quoted(near))
        }
        Some(near) => format!(", the nearest name is {}", quoted(near)),
        None => String::new(),
    };
    format!("there is no virtual cluster called {}{hint}", quoted(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_described_by_its_conditions() {
        let choice = SessionChoice {
            cluster: Some("orders".into()),
            client_id: Some("app".into()),
            ..SessionChoice::default()
        };
        assert_eq!(choice.describe(), "client id `app`, virtual cluster `orders`");
        assert!(choice.is_specific());
        let all = SessionChoice {
            client_id: None,
            ..choice
        };
        assert!(!all.is_specific());
    }

    #[test]
    fn a_cluster_that_does_not_exist_is_told_with_the_nearest_name() {
        let told = |name| unknown_cluster(name, &["orders", "payments"]);
        assert_eq!(
            told("order"),
            "there is no virtual cluster called `order`, the nearest name is `orders`"
        );
        assert!(told("Orders").ends_with("but one called `orders`: upper and lower case count"));
        assert_eq!(told("zzz"), "there is no virtual cluster called `zzz`");
    }
}
