//! Reasons for which a reload changes nothing.

use super::report::ErrorExcerpt;
use super::safeguards::PolicyViolation;
use super::staged::ApprovalRefusal;
use crate::config::FaultLines;
use crate::control::runtime::reloader::{PrepareError, RebindFailure};
use crate::reload::Outcome;

/// Reason for which a configuration does not come to run.
#[derive(Debug)]
pub(in crate::control) enum Rejection {
    /// The process was started without a configuration file.
    NoConfigFile,
    /// The running configuration comes from no file, so there is nothing to renew.
    RunsFromNoFile,
    /// The files could not even be read.
    Unreadable(String),
    /// The files can be read and are not valid. `is_transient`: a file could not be opened, which may pass.
    Invalid {
        violations: Vec<String>,
        /// Lines of the files that violations blame.
        lines: Vec<FaultLines>,
        is_transient: bool,
    },
    /// The configuration is valid, and a safeguard stands against it.
    Policy(Vec<PolicyViolation>),
    /// Too few bootstrap servers of a target pass `reload.checks`; a sentence for each that does not.
    Checks(Vec<String>),
    /// It was applied before and made things worse; the figures.
    TakenBack(String),
    /// Ports cannot be bound, or TLS settings cannot be used.
    Prepare(Vec<PrepareError>),
    /// An address could not be bound in place of another one.
    Rebind(RebindFailure),
    /// It was approved, and would do something else than it did when it was staged.
    Outdated,
    /// What would come back without a confirmation cannot be remembered.
    NotRemembered(String),
    /// The process ends.
    ShuttingDown,
}

impl Rejection {
    pub(in crate::control) fn outcome(&self) -> Outcome {
        match self {
            Self::Rebind(failure) => failure.outcome(),
            _ => Outcome::Rejected,
        }
    }

    /// Whether the reason may pass while the files stay as they are, so that another attempt is worth making.
    pub(in crate::control) fn is_transient(&self) -> bool {
        match self {
            Self::Invalid { is_transient, .. } => *is_transient,
            // The brokers may answer later.
            Self::Checks(_) => true,
            Self::Prepare(errors) => errors.iter().any(PrepareError::may_pass),
            // Each attempt closes an address for a moment, so none is made unasked.
            Self::Rebind(_) => false,
            Self::NoConfigFile
            | Self::RunsFromNoFile
            | Self::Unreadable(_)
            | Self::TakenBack(_)
            | Self::Policy(_)
            | Self::NotRemembered(_)
            | Self::Outdated
            | Self::ShuttingDown => false,
        }
    }

    /// The lines of files that reasons blame.
    pub(in crate::control) fn lines(&self) -> Vec<ErrorExcerpt> {
        match self {
            Self::Invalid { lines, .. } => lines.iter().map(ErrorExcerpt::from).collect(),
            _ => Vec::new(),
        }
    }

    /// The reasons in words, as reports list them.
    pub(in crate::control) fn reasons(&self) -> Vec<String> {
        match self {
            Self::NoConfigFile => vec!["kproxy was started without a configuration file".to_owned()],
            Self::RunsFromNoFile => vec!["the running configuration comes from no file".to_owned()],
            Self::ShuttingDown => vec!["kproxy is shutting down".to_owned()],
            Self::Outdated => vec![ApprovalRefusal::Outdated.to_string()],
            Self::NotRemembered(why) => vec![format!(
                "what would come back without a confirmation cannot be written to `stateDirectory`: {why}"
            )],
            Self::Unreadable(why) => vec![why.clone()],
            Self::Invalid { violations, .. } => violations.clone(),
            Self::Checks(failures) => failures.clone(),
            Self::TakenBack(why) => vec![format!(
                "this configuration was taken back before, since it made things worse; `kproxy reload` tries it again: {why}"
            )],
            Self::Policy(violations) => violations.iter().map(ToString::to_string).collect(),
            Self::Prepare(errors) => errors.iter().map(ToString::to_string).collect(),
            Self::Rebind(failure) => failure.reasons(),
        }
    }
}
