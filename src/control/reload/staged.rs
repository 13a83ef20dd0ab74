//! A configuration that waits for the approval of another user.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::preview::report::PlanReport;
use super::proposal::Proposal;
use super::queue::{Origin, QueuedReload};
use crate::control::requester::Requester;
use crate::reload::{Plan, Trigger};
use crate::time::as_rfc3339;

/// Time that a staged reload waits for approval, unless it says otherwise.
pub(in crate::control) const DEFAULT_WAIT: Duration = Duration::from_secs(60 * 60);

/// Longest time that a staged reload may wait for approval.
pub const MAX_STAGED_WAIT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Digits of the digest that name a staged reload.
const ID_LENGTH: usize = 8;

/// A reload that waits for approval. What was read is what is applied, whatever the files hold by then.
#[derive(Debug)]
pub(in crate::control) struct StagedReload {
    pub(in crate::control) id: String,
    pub(in crate::control) proposal: Proposal,
    /// What it does to what ran when it was staged.
    pub(in crate::control) plan: Plan,
    pub(in crate::control) origin: Origin,
    pub(in crate::control) trigger: Trigger,
    pub(in crate::control) by: Requester,
    pub(in crate::control) force: bool,
    pub(in crate::control) expires: Instant,
    at: SystemTime,
}

/// A reload that waits for approval, in the JSON of `/status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StagedStatus {
    /// Id for `kproxy approve`: the first digits of the hash of what was read.
    pub id: String,
    /// The file that was read.
    pub file: Option<String>,
    /// What asked for it.
    pub trigger: Trigger,
    /// Who staged it.
    pub by: Requester,
    /// When it was staged.
    #[serde(with = "as_rfc3339")]
    pub at: SystemTime,
    /// Whether it removes virtual clusters beyond `reload.maxRemovedPercent`.
    pub forced: bool,
    /// Time until it is dropped.
    pub expires_seconds: f64,
}

/// A reload that waits for approval, with what it would do now: the JSON of `/staged`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StagedReport {
    /// The reload.
    #[serde(flatten)]
    pub staged: StagedStatus,
    /// What it would do now.
    pub plan: PlanReport,
}

/// Why an approval is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::control) enum ApprovalRefusal {
    #[error("no reload waits for approval")]
    NothingWaits,
    #[error("no reload `{asked}` waits for approval, `{waiting}` does")]
    UnknownId { asked: String, waiting: String },
    #[error("{0} has staged this reload: somebody else has to approve it")]
    SameRequester(Requester),
    #[error("it is not known who approves")]
    UnknownApprover,
    #[error(
        "what runs has changed since this reload was staged, so that it would do something else now: stage it again"
    )]
    Outdated,
}

/// Whether `approver` may approve what `stager` has staged. A user is known by the user id, root's included; the owner of
/// the token counts as one more. What kproxy has staged by itself, because a file was edited, anybody may approve.
fn may_approve(stager: Requester, approver: Requester) -> Result<(), ApprovalRefusal> {
    let is_same = match (stager, approver) {
        (_, Requester::Process) => return Err(ApprovalRefusal::UnknownApprover),
        (Requester::User { uid, .. }, Requester::User { uid: other, .. }) => uid == other,
        (Requester::Token { .. }, Requester::Token { .. }) => true,
        (Requester::Program, Requester::Program) => true,
        _ => false,
    };
    match is_same {
        true => Err(ApprovalRefusal::SameRequester(stager)),
        false => Ok(()),
    }
}

impl StagedReload {
    /// Stages what `reload` asks for.
    pub(in crate::control) fn new(
        reload: &QueuedReload,
        plan: Plan,
        proposal: Proposal,
        within: Duration,
    ) -> Self {
        let digest = proposal.read.as_ref().map(|(_, digest)| digest.to_string());
        Self {
            id: digest.unwrap_or_default().chars().take(ID_LENGTH).collect(),
            proposal,
            plan,
            origin: reload.origin,
            trigger: reload.trigger,
            by: reload.by,
            force: reload.force,
            expires: Instant::now() + within.min(MAX_STAGED_WAIT),
            at: SystemTime::now(),
        }
    }

    /// The main file that was read.
    fn file(&self) -> Option<&Path> {
        self.proposal.read.as_ref()?.0.files().next()
    }

    pub(in crate::control) fn status(&self) -> StagedStatus {
        StagedStatus {
            id: self.id.clone(),
            file: self.file().map(|file| file.display().to_string()),
            trigger: self.trigger,
            by: self.by,
            at: self.at,
            forced: self.force,
            expires_seconds: self
                .expires
                .saturating_duration_since(Instant::now())
                .as_secs_f64(),
        }
    }

    /// Checks that `approver` may approve what waits, and means it by `id`.
    pub(in crate::control) fn check<'s>(
        waiting: Option<&'s Arc<Self>>,
        id: &str,
        approver: Requester,
    ) -> Result<&'s Arc<Self>, ApprovalRefusal> {
        let staged = waiting.ok_or(ApprovalRefusal::NothingWaits)?;
        if staged.id != id {
            return Err(ApprovalRefusal::UnknownId {
                asked: id.to_owned(),
                waiting: staged.id.clone(),
            });
        }
        may_approve(staged.by, approver).map(|()| staged)
    }
}

impl Default for StagedStatus {
    fn default() -> Self {
        Self {
            id: String::new(),
            file: None,
            trigger: Trigger::default(),
            by: Requester::default(),
            at: UNIX_EPOCH,
            forced: false,
            expires_seconds: 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_else_has_to_approve() {
        let user = |uid| Requester::User { uid, pid: Some(7) };
        let token = Requester::Token { address: None };
        let (watcher, program) = (Requester::Process, Requester::Program);
        for (stager, approver, is_fine) in [
            (user(1), user(2), true),
            (user(1), user(1), false),
            (user(0), user(0), false),
            (user(1), user(0), true),
            (user(1), token, true),
            (token, user(1), true),
            (token, token, false),
            (watcher, user(1), true),
            (watcher, token, true),
            (program, program, false),
            (program, user(1), true),
            (user(1), Requester::Process, false),
            (watcher, Requester::Process, false),
        ] {
            assert_eq!(
                may_approve(stager, approver).is_ok(),
                is_fine,
                "{stager:?} {approver:?}"
            );
        }
    }

    #[test]
    fn an_approval_needs_something_that_waits() {
        let refused = StagedReload::check(None, "a", Requester::Program).unwrap_err();
        assert_eq!(refused, ApprovalRefusal::NothingWaits);
    }
}
