//! The log level of the running process: that of the configuration, or another one for a while.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::events::LogLevelEvent;
use super::requester::Requester;
use crate::model::wrong_log_directives;

/// Longest time after which a level falls back by itself.
pub const MAX_LOG_CHANGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Sets a level or list of directives. Returns whether it could.
pub type SetLogLevel = Box<dyn FnMut(&str) -> bool + Send>;

/// Request for another log level.
#[derive(Debug)]
pub struct LogLevelRequest {
    /// Who asks for it.
    pub by: Requester,
    /// Level or list of directives; `None`: that of the configuration.
    pub level: Option<String>,
    /// Time after which the level of the configuration comes back; `None`: not by itself.
    pub duration: Option<Duration>,
}

/// The log level, in JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogLevelStatus {
    /// Level or directives that hold now.
    pub level: String,
    /// `logging.level` of the configuration.
    pub configured: String,
    /// Time until the level of the configuration comes back. Absent if it holds, or does not come back by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_left: Option<f64>,
    /// Who changed it; absent if the level of the configuration holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// The log level with what it falls back to. Owned by the control thread.
pub struct LogLevel {
    set: SetLogLevel,
    configured: String,
    change: Option<LogChange>,
}

/// A level in place of that of the configuration.
#[derive(Debug, Clone)]
pub(super) struct LogChange {
    level: String,
    configured: String,
    until: Option<Instant>,
    by: String,
}

impl fmt::Debug for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogLevel")
            .field("configured", &self.configured)
            .field("change", &self.change)
            .finish_non_exhaustive()
    }
}

impl LogLevel {
    /// The level of the configuration, which `set` replaces.
    pub fn new(configured: &str, set: SetLogLevel) -> Self {
        Self {
            set,
            configured: configured.to_owned(),
            change: None,
        }
    }

    /// Carries out a request. `Err`: why the level cannot be set; nothing has changed.
    pub(super) fn request(&mut self, request: LogLevelRequest) -> Result<LogLevelEvent, String> {
        let LogLevelRequest { by, level, duration } = request;
        let Some(level) = level else {
            return Ok(self.fall_back());
        };
        if let Some(why) = wrong_log_directives(&level) {
            return Err(why);
        }
        if !(self.set)(&level) {
            return Err("the log of this process cannot be changed".into());
        }
        self.change = Some(LogChange {
            level,
            configured: self.configured.clone(),
            until: duration.map(|duration| Instant::now() + duration.min(MAX_LOG_CHANGE)),
            by: by.to_string(),
        });
        Ok(self.event())
    }

    /// Takes the level of a configuration that comes to run. Another level than before ends a change. Returns whether one
    /// was ended.
    pub(super) fn configure(&mut self, level: &str) -> bool {
        if level == self.configured {
            return false;
        }
        level.clone_into(&mut self.configured);
        let ended = self.change.is_some();
        self.fall_back();
        ended
    }

    /// Returns to the level of the configuration.
    pub(super) fn fall_back(&mut self) -> LogLevelEvent {
        self.change = None;
        let configured = self.configured.clone();
        // It has been checked with the configuration.
        (self.set)(&configured);
        self.event()
    }

    /// Resolves when the level has to fall back.
    pub(super) async fn due(&self) {
        match self.change.as_ref().and_then(|change| change.until) {
            Some(until) => tokio::time::sleep_until(until).await,
            None => std::future::pending().await,
        }
    }

    /// The change in force, if there is one.
    pub(super) fn change(&self) -> Option<LogChange> {
        self.change.clone()
    }

    /// The level as it is now.
    pub(super) fn status(&self) -> LogLevelStatus {
        self.change.as_ref().map_or_else(
            || LogLevelStatus {
                level: self.configured.clone(),
                configured: self.configured.clone(),
                ..LogLevelStatus::default()
            },
            LogChange::status,
        )
    }

    fn event(&self) -> LogLevelEvent {
        let status = self.status();
        LogLevelEvent {
            by: Requester::Process,
            level: status.level,
            seconds: status.seconds_left,
        }
    }
}

impl LogChange {
    /// The level while it holds.
    pub(super) fn status(&self) -> LogLevelStatus {
        let left = |until: Instant| until.saturating_duration_since(Instant::now()).as_secs_f64();
        LogLevelStatus {
            level: self.level.clone(),
            configured: self.configured.clone(),
            seconds_left: self.until.map(left),
            by: Some(self.by.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    fn log() -> (LogLevel, Arc<Mutex<Vec<String>>>) {
        let set = Arc::<Mutex<Vec<String>>>::default();
        let seen = Arc::clone(&set);
        let level = LogLevel::new(
            "info",
            Box::new(move |level| {
                seen.lock().unwrap().push(level.to_owned());
                true
            }),
        );
        (level, set)
    }

    fn request(level: Option<&str>, duration: Option<Duration>) -> LogLevelRequest {
        LogLevelRequest {
            by: Requester::Program,
            level: level.map(str::to_owned),
            duration,
        }
    }

    #[tokio::test]
    async fn a_level_falls_back_when_its_time_is_over() {
        let (mut level, set) = log();
        let told = level
            .request(request(Some("debug"), Some(Duration::from_millis(20))))
            .unwrap();
        assert!(told.seconds.is_some_and(|seconds| seconds <= 0.02));
        level.due().await;
        assert_eq!(level.fall_back().level, "info");
        assert_eq!(*set.lock().unwrap(), ["debug", "info"]);
        assert_eq!(level.status().by, None);
    }

    #[test]
    fn a_reload_ends_a_change_only_with_another_level() {
        let (mut level, set) = log();
        level.request(request(Some("trace"), None)).unwrap();
        assert!(!level.configure("info"));
        assert_eq!(level.status().level, "trace");
        assert!(level.configure("warn"));
        assert_eq!(
            (level.status().level, level.change().is_none()),
            ("warn".into(), true)
        );
        assert!(!level.configure("error"));
        assert_eq!(*set.lock().unwrap(), ["trace", "warn", "error"]);
    }

    #[test]
    fn what_is_no_level_changes_nothing() {
        let (mut level, set) = log();
        let why = level.request(request(Some("debgu"), None)).unwrap_err();
        assert_eq!(why, "unknown log level `debgu`, did you mean `debug`?");
        assert!(set.lock().unwrap().is_empty());
    }
}
