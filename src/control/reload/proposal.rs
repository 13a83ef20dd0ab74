//! A configuration that was read, as one that may come to run. Pure.

use std::sync::Arc;

use super::candidate::Candidate;
use super::queue::Origin;
use super::rejection::Rejection;
use crate::config::{Digest, Sources};
use crate::model::{ProxyModel, Warnings};

/// A valid configuration that may come to run.
#[derive(Debug, Clone)]
pub(in crate::control) struct Proposal {
    pub(in crate::control) model: Arc<ProxyModel>,
    /// Files it was read from; `None` where it comes from no file.
    pub(in crate::control) read: Option<(Arc<Sources>, Digest)>,
    pub(in crate::control) warnings: Box<Warnings>,
    /// Errors in files whose content stays as it is in use.
    pub(in crate::control) left_out: Vec<String>,
}

/// Why there is nothing to propose.
#[derive(Debug)]
pub(in crate::control) enum NoProposal {
    /// The files are those that were read before.
    SameBytes,
    Rejected(Rejection),
}

impl Proposal {
    /// What `candidate` proposes in place of `current`. `force` takes a configuration without virtual clusters, too.
    pub(in crate::control) fn of(
        candidate: Candidate,
        origin: Origin,
        force: bool,
        current: &ProxyModel,
    ) -> Result<Self, NoProposal> {
        let rejected = |rejection| Err(NoProposal::Rejected(rejection));
        let (sources, digest, model, warnings, empty, emptied, left_out) = match candidate {
            Candidate::SameBytes => return Err(NoProposal::SameBytes),
            Candidate::Missing if origin == Origin::Running => return rejected(Rejection::RunsFromNoFile),
            Candidate::Missing => return rejected(Rejection::NoConfigFile),
            Candidate::Broken(why) => return rejected(Rejection::Unreadable(why)),
            Candidate::Staged(staged) => return Ok(staged.proposal.clone()),
            Candidate::InMemory(model) => {
                return Ok(Self {
                    model,
                    read: None,
                    warnings: Box::default(),
                    left_out: Vec::new(),
                });
            }
            Candidate::Read {
                sources,
                digest,
                model,
                warnings,
                empty,
                emptied,
                left_out,
            } => (sources, digest, model, warnings, empty, emptied, left_out),
        };
        let is_transient = sources.may_be_readable_later();
        let model = model.map_err(|violations| {
            NoProposal::Rejected(Rejection::Invalid {
                violations: violations.texts,
                lines: violations.lines,
                is_transient,
            })
        })?;
        // What runs was forced, if it is empty.
        if let Some(empty) = empty.filter(|_| !force && origin != Origin::Running) {
            return rejected(Rejection::Invalid {
                violations: vec![empty],
                lines: Vec::new(),
                is_transient: false,
            });
        }
        // An emptied file removes the clusters, and says nothing about the process.
        let model = match emptied {
            true => Arc::new(current.without_clusters()),
            false => model,
        };
        Ok(Self {
            model,
            read: Some((sources, digest)),
            warnings,
            left_out,
        })
    }
}
