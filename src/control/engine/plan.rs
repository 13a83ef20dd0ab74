//! Questions what a reload would do.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::Engine;
use crate::control::handle::{PlanRequest, ReloadRequest};
use crate::control::reload::candidate::ConfigLocation;
use crate::control::reload::preview::report::PlanReport;
use crate::control::reload::queue::{QueuedReload, ReadFrom};
use crate::control::requester::Requester;
use crate::reload::Trigger;

impl Engine {
    /// Begins to make a plan, in a task that answers.
    pub(super) fn begin_plan(&mut self, request: PlanRequest, reply: oneshot::Sender<PlanReport>) {
        let copy = |path| ConfigLocation::Copy(path, Arc::clone(&self.loader));
        let known = ReadFrom {
            configured: self.path.clone().map(copy),
            running: self.file.renewal_location(),
            earlier: self.restorable(),
        };
        let reload = ReloadRequest {
            trigger: Trigger::Control,
            by: Requester::Process,
            force: request.force,
            source: request.source,
        };
        let mut reload = QueuedReload::new(reload, None);
        let place = match reload.place(known) {
            Ok(Some(ConfigLocation::File(path, ..))) => Ok(Some(copy(path))),
            place => place,
        };
        self.plans.begin((reload.origin, reload.force), place, reply);
    }
}
