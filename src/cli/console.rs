//! Where commands find the running process, and where their words go.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Common, Exit};
use crate::admin::client::{Client, ClientError};
use crate::admin::{SYSTEM_SOCKET, default_socket};
use crate::config;
use crate::telemetry::printable;

/// Standard output, standard error, and the way to the running process.
#[derive(Debug, Clone)]
pub(super) struct Console {
    common: Common,
    /// The file that says where the process answers.
    config: Option<PathBuf>,
}

impl Console {
    pub(super) fn new(common: Common, config: Option<PathBuf>) -> Self {
        Self { common, config }
    }

    /// The process that is meant: by `--control`, else by `control.socket` of a file that is given, else the one at the
    /// default socket.
    pub(super) fn connect(&self) -> Result<Client, ClientError> {
        if let Some(socket) = &self.common.control {
            return Client::connect(socket);
        }
        match self.config.as_deref().map(config::control_socket) {
            Some(Ok(Some(socket))) => return Client::connect(&socket),
            Some(Err(diagnostics)) => {
                // The process may run with what stood there before, and at the default socket.
                for diagnostic in diagnostics {
                    self.complain_as_is(&diagnostic);
                }
            }
            Some(Ok(None)) | None => {}
        }
        Self::connect_default()
    }

    /// The process that answers at `socket`, unless `--control` says otherwise, or else at the default socket.
    pub(super) fn connect_any(&self, socket: Option<&Path>) -> Result<Client, ClientError> {
        match (socket, &self.common.control) {
            (Some(socket), None) => Client::connect(socket).or_else(|_| Self::connect_default()),
            _ => self.connect(),
        }
    }

    fn connect_default() -> Result<Client, ClientError> {
        match Client::connect(&default_socket()) {
            // The process may be a service, which has no session directory.
            Err(error @ ClientError::Unreachable { .. }) => Client::connect(Path::new(SYSTEM_SOCKET))
                .map_err(|system| match system {
                    ClientError::Forbidden { .. } => system,
                    _ => error,
                }),
            connected => connected,
        }
    }

    /// The result of a command: as it is, or made readable.
    pub(super) fn show(&self, value: &impl Serialize, readable: impl FnOnce() -> String) {
        if self.common.json {
            // What was read as JSON, or derives it, can be written as JSON.
            let text = serde_json::to_string(value).unwrap_or_default();
            put(&mut io::stdout().lock(), &format!("{text}\n"));
        } else {
            put(&mut io::stdout().lock(), &readable());
        }
    }

    /// Words that are no result.
    pub(super) fn remark(&self, text: &str) {
        if !self.common.json {
            put(&mut io::stdout().lock(), &format!("{text}\n"));
        }
    }

    /// Says why a command comes to nothing.
    pub(super) fn complain(&self, error: &impl Display) {
        put(&mut io::stderr().lock(), &format!("kproxy: error: {error}\n"));
    }

    /// The same for lines that say whence they are.
    pub(super) fn complain_as_is(&self, line: &impl Display) {
        put(&mut io::stderr().lock(), &format!("{line}\n"));
    }

    /// A command that nobody carried out.
    pub(super) fn failed(&self, error: &ClientError) -> Exit {
        self.complain(error);
        Exit::Failed
    }
}

/// Whatever it says of files and peers, nothing in it acts on a terminal. Nobody may be left who reads it, which is no fault of the command's.
fn put(to: &mut impl Write, text: &str) {
    to.write_all(printable(text).as_bytes())
        .and_then(|()| to.flush())
        .unwrap_or_default();
}
