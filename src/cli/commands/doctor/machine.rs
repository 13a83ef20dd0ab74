//! The plan of an examination of the process and its machine.

use std::path::Path;
use std::sync::Arc;

use super::plans::ANSWER_TIMEOUT;
use super::{Arguments, CannotRun};
use crate::admin::{RequestTarget, default_socket};
use crate::cli::console::Console;
use crate::config::Sources;
use crate::control::ProxyStatus;
use crate::doctor::machine::{MachinePlan, StopSource};
use crate::model::{self, ProxyModel};

impl Arguments {
    /// Whether the process and its machine are examined, and nothing is walked.
    pub(super) fn is_about_machine(&self, console: &Console) -> bool {
        self.machine || (self.bootstrap.is_none() && console.config().is_none())
    }

    /// What is examined: the file that is given, else that of the running process.
    pub(super) fn machine_plan(&self, console: &Console) -> Result<MachinePlan, CannotRun> {
        let given = match console.config() {
            None => None,
            Some(file) => Some(load(file).map_err(|diagnostics| {
                for diagnostic in diagnostics {
                    console.print_diagnostic(&diagnostic);
                }
                CannotRun::BadFile
            })?),
        };
        let socket = given.as_ref().and_then(|(model, _)| model.control_socket.clone());
        let status = console
            .connect_any(socket.as_deref())
            .and_then(|mut client| client.get(&RequestTarget::new("/status"), Some(ANSWER_TIMEOUT)))
            .and_then(|status| status.read::<ProxyStatus>());
        let status = status.map(Box::new).map_err(|error| error.to_string());
        let of_process = || load(Path::new(status.as_ref().ok()?.config.path.as_ref()?)).ok();
        let loaded = given.or_else(of_process);
        let configured = loaded.as_ref().and_then(|(model, _)| model.control_socket.clone());
        let (model, files) = match loaded {
            None => (None, Vec::new()),
            Some((model, sources)) => {
                let files = sources.references().map(Path::to_owned).collect();
                (Some(Arc::new(model)), files)
            }
        };
        Ok(MachinePlan {
            status,
            model,
            files,
            socket: console.socket().or(configured).unwrap_or_else(default_socket),
            stop: self.stop_source(),
        })
    }

    fn stop_source(&self) -> StopSource {
        match (&self.manifest, &self.unit) {
            (Some(file), _) => StopSource::Manifest(file.clone()),
            (None, Some(unit)) => StopSource::Unit(unit.clone()),
            (None, None) => StopSource::Process,
        }
    }
}

fn load(file: &Path) -> Result<(ProxyModel, Sources), Vec<crate::config::Diagnostic>> {
    model::load_all(file).for_start()
}
