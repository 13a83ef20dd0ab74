//! When the configuration file is read: hints of the watcher, signals, retries, and whose turn it is.

use std::path::PathBuf;
use std::sync::Arc;

use super::Engine;
use crate::control::handle::{ReloadRequest, ReloadSource};
use crate::control::reload::candidate::ConfigLocation;
use crate::control::reload::file_sync::Compared;
use crate::control::reload::queue::{QueuedReload, ReadFrom};
use crate::control::watch::Hint;
use crate::reload::Trigger;

impl Engine {
    /// Takes a request that names the file the process was started with for a request for the configured file.
    pub(super) fn recognize(&self, mut request: ReloadRequest) -> ReloadRequest {
        let absolute = |path: &PathBuf| std::path::absolute(path).ok();
        if let (ReloadSource::File(named), Some(own)) = (&request.source, &self.path)
            && absolute(named) == absolute(own)
        {
            request.source = ReloadSource::Configured;
        }
        request
    }

    /// Reloads files that may have changed. Without `reload.watch` it only compares them with what runs.
    pub(super) fn on_file_hint(&mut self, hint: Hint) {
        if self.reloader.current().reload.watch {
            return self.reload_file(match hint {
                Hint::Event => Trigger::Watch,
                Hint::Poll => Trigger::Poll,
            });
        }
        self.compare_file();
    }

    /// Begins to compare the configuration file with what runs.
    pub(super) fn compare_file(&mut self) {
        if let Some(comparison) = self.file.begin_comparison() {
            self.comparisons.spawn_blocking(move || comparison.run());
        }
    }

    /// Takes in the result of a comparison; `None`, where it panicked, tells nothing.
    pub(super) fn on_compared(&mut self, compared: Option<Compared>) {
        if let Some(compared) = compared {
            self.file.compared(compared);
        }
    }

    /// Queues a reload of the file the process was started with.
    pub(super) fn reload_file(&mut self, trigger: Trigger) {
        if trigger == Trigger::Sighup {
            self.service.reload_asked();
        }
        if self.path.is_none() {
            if trigger == Trigger::Sighup {
                tracing::warn!("SIGHUP: there is no configuration file to reload");
            }
            return;
        }
        self.queue.push(QueuedReload::unattended(trigger));
    }

    /// Queues another attempt at a file that was rejected for a passing reason.
    pub(super) fn retry_file(&mut self) {
        if let Some(retry) = &mut self.retry {
            retry.begin();
        }
        self.queue.push(QueuedReload::retry());
    }

    /// Begins to read the configuration of the reload whose turn it is.
    pub(super) fn read_next(&mut self) {
        if self.checking.is_running() {
            return;
        }
        let Some(reload) = self.queue.next() else {
            return;
        };
        // Who asks is told what is wrong with a rejected file even if it has not changed, and a retry is an attempt.
        let may_skip = (reload.is_automatic() || self.file.is_in_sync()) && !reload.is_retry;
        let last_read = self.file.last_read().filter(|_| may_skip).cloned();
        let known = ReadFrom {
            configured: self
                .path
                .clone()
                .map(|path| ConfigLocation::File(path, last_read, Arc::clone(&self.loader))),
            running: self.file.renewal_location(),
            earlier: self.restorable(),
        };
        let debounce = self.reloader.current().reload.debounce;
        self.queue.begin(reload, known, self.watcher.probe(), debounce);
    }
}
