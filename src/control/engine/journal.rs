//! What is remembered of configurations that ran.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::task::JoinHandle;

use super::{Engine, Unconfirmed};
use crate::config::{Digest, Sources};
use crate::control::events::Event;
use crate::control::reload::earlier_start::EarlierStart;
use crate::control::reload::generations::KeptContent;
use crate::control::reload::journal::Retention;
use crate::control::reload::queue::{Origin, QueuedReload};
use crate::control::reload::report::ReloadReport;
use crate::control::reload::restore::Restorable;
use crate::control::runtime::state;
use crate::reload::{Outcome, Trigger};

impl Engine {
    /// What a rollback may bring back.
    pub(super) fn restorable(&self) -> Restorable {
        Restorable {
            recent: Arc::clone(&self.generations),
            history: self.journal.reader(),
            confirmed: self.unconfirmed.as_ref().and_then(Unconfirmed::base),
            known: self
                .file
                .running_text()
                .into_iter()
                .chain(self.file.last_read())
                .chain(self.generations.texts())
                .cloned()
                .collect(),
        }
    }

    /// Writes learned addresses and names of topics in a task, because a disk may be slow.
    pub(super) fn save_topology(&self) -> Option<JoinHandle<()>> {
        let state = self.state.clone()?;
        let (image, topics) = (self.reloader.topology_image(), self.reloader.topic_sources());
        Some(tokio::spawn(state::save(state, image, topics)))
    }

    /// Waits, in a task, until everything that is remembered has been written.
    pub(in crate::control) fn save_all(&mut self) -> JoinHandle<()> {
        let (topology, journal) = (self.save_topology(), self.journal.take_writing());
        tokio::spawn(async move {
            for writing in topology.into_iter().chain(journal) {
                // Both tell of what went wrong by themselves.
                writing.await.unwrap_or_default();
            }
        })
    }

    /// Keeps what the process has started with, so that it can be brought back. `earlier`: it is no more than that already.
    pub(super) fn keep_first(&mut self, earlier: Option<&EarlierStart>) {
        let content = match self.file.running_text() {
            Some(sources) => KeptContent::Text(Arc::clone(sources)),
            None => KeptContent::Model(Arc::clone(self.reloader.current())),
        };
        let generation = self.generation();
        let restored = earlier.map(|earlier| earlier.generation);
        Arc::make_mut(&mut self.generations).ran(generation, content, restored);
        if let Some(earlier) = earlier {
            self.file.started_beside(Arc::clone(&earlier.file));
            self.notice = Some(Arc::from(earlier.warning()));
        }
    }

    /// Records the start, and that the file was rejected if it was.
    pub(super) fn record_start(&mut self, at: SystemTime, earlier: Option<&EarlierStart>) {
        let report = |outcome, errors| ReloadReport {
            restored_generation: earlier.map(|earlier| earlier.generation),
            errors,
            ..ReloadReport::new(
                outcome,
                Trigger::Start,
                at,
                self.began.elapsed(),
                self.generation(),
            )
        };
        let errors = earlier.map(|earlier| earlier.errors.clone()).unwrap_or_default();
        let rejected = (!errors.is_empty()).then(|| report(Outcome::Rejected, errors));
        for report in [Some(report(Outcome::Applied, Vec::new())), rejected]
            .into_iter()
            .flatten()
        {
            self.write_journal(&report);
            self.events.publish(Event::Reload {
                report: Box::new(report.clone()),
            });
            self.history_mut().record(report);
        }
    }

    /// Keeps what has come to run, so that it can be brought back.
    pub(super) fn keep(&mut self, reload: &QueuedReload, read: Option<&(Arc<Sources>, Digest)>) {
        let generation = self.generation();
        let generations = Arc::make_mut(&mut self.generations);
        match read {
            Some((sources, _)) if reload.origin == Origin::Running => {
                generations.renewed(generation, Arc::clone(sources));
            }
            Some((sources, _)) => {
                let content = KeptContent::Text(Arc::clone(sources));
                generations.ran(generation, content, reload.restores);
            }
            None => {
                let content = KeptContent::Model(Arc::clone(self.reloader.current()));
                generations.ran(generation, content, reload.restores);
            }
        }
    }

    /// Appends an entry to the journal, unless nothing happened.
    pub(super) fn write_journal(&mut self, report: &ReloadReport) {
        let sources = match report.outcome {
            Outcome::Unchanged | Outcome::Staged => return,
            Outcome::Applied => self.file.running_text().cloned(),
            Outcome::Rejected | Outcome::RolledBack | Outcome::Failed => None,
        };
        self.journal
            .set_retention(Retention::of(&self.reloader.current().rollback));
        self.journal.set_base(self.probation.healthy_generation());
        let hash = self.file.digest().map(|digest| digest.to_string());
        self.journal.append(report, hash.unwrap_or_default(), sources);
    }
}
