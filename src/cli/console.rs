//! Connection to the running process, and output.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{CommandExit, Common};
use crate::admin::client::{Client, ClientError, Document};
use crate::admin::{SYSTEM_SOCKET, default_socket};
use crate::config;
use crate::telemetry::printable;

/// Standard output, standard error, and the connection to the running process.
#[derive(Debug, Clone)]
pub(super) struct Console {
    common: Common,
    /// The configuration file whose `control.socket` names the process.
    config: Option<PathBuf>,
}

impl Console {
    pub(super) fn new(common: Common, config: Option<PathBuf>) -> Self {
        Self { common, config }
    }

    /// Connects to the socket of `--control`, else to `control.socket` of the file that is given, else to the default
    /// socket.
    pub(super) fn connect(&self) -> Result<Client, ClientError> {
        if let Some(socket) = &self.common.control {
            return Client::connect(socket);
        }
        match self.config.as_deref().map(config::control_socket) {
            Some(Ok(Some(socket))) => return Client::connect(&socket),
            Some(Err(diagnostics)) => {
                // The process may run with an earlier version of the file, and at the default socket.
                for diagnostic in diagnostics {
                    self.print_diagnostic(&diagnostic);
                }
            }
            Some(Ok(None)) | None => {}
        }
        Self::connect_default()
    }

    /// Connects to `socket` or, where nobody answers there, to the default socket; `--control` overrides both.
    pub(super) fn connect_any(&self, socket: Option<&Path>) -> Result<Client, ClientError> {
        match (socket, &self.common.control) {
            (Some(socket), None) => Client::connect(socket).or_else(|_| Self::connect_default()),
            _ => self.connect(),
        }
    }

    fn connect_default() -> Result<Client, ClientError> {
        match Client::connect(&default_socket()) {
            // The process may be a service, which has no runtime directory.
            Err(error @ ClientError::Unreachable { .. }) => Client::connect(Path::new(SYSTEM_SOCKET))
                .map_err(|system| match system {
                    ClientError::Forbidden { .. } => system,
                    _ => error,
                }),
            connected => connected,
        }
    }

    /// Prints a result of this process: as JSON, or made readable.
    pub(super) fn show(&self, value: &impl Serialize, readable: impl FnOnce() -> String) {
        if self.common.json {
            // What was read as JSON, or derives it, can be written as JSON.
            let text = serde_json::to_string(value).unwrap_or_default();
            put(&mut io::stdout().lock(), &format!("{text}\n"));
        } else {
            put(&mut io::stdout().lock(), &readable());
        }
    }

    /// Prints a text that this program has generated for another program, byte for byte, or as JSON.
    pub(super) fn show_generated(&self, value: &impl Serialize, text: &str) {
        if self.common.json {
            self.show(value, String::new);
        } else {
            let mut out = io::stdout().lock();
            drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
        }
    }

    /// Prints an answer of the running process: its JSON as it is, or made readable. Returns what it says.
    ///
    /// # Errors
    /// [`ClientError::Unreadable`].
    pub(super) fn show_answer<T: DeserializeOwned>(
        &self,
        answer: &Document,
        readable: impl FnOnce(&T) -> String,
    ) -> Result<T, ClientError> {
        if self.common.json {
            put(&mut io::stdout().lock(), &format!("{}\n", answer.json));
        }
        let value = answer.read()?;
        if !self.common.json {
            put(&mut io::stdout().lock(), &readable(&value));
        }
        Ok(value)
    }

    /// Prints one line of a stream: the JSON as it is, or in words. Returns whether somebody still reads.
    pub(super) fn print_line(&self, json: &str, readable: impl FnOnce() -> String) -> bool {
        let line = if self.common.json {
            json.to_owned()
        } else {
            readable()
        };
        let mut out = io::stdout().lock();
        let written = out.write_all(printable(&format!("{line}\n")).as_bytes());
        written.and_then(|()| out.flush()).is_ok()
    }

    /// The socket of `--control`.
    pub(super) fn socket(&self) -> Option<PathBuf> {
        self.common.control.clone()
    }

    /// The configuration file that is given.
    pub(super) fn config(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// Prints text for people; nothing with `--json`.
    pub(super) fn print_text(&self, text: &str) {
        if !self.common.json {
            put(&mut io::stdout().lock(), text);
        }
    }

    /// Whether output is text for people.
    pub(super) fn is_for_people(&self) -> bool {
        !self.common.json
    }

    /// Prints one look of many: in place of the last one on a terminal, else behind it. Returns whether somebody still reads.
    pub(super) fn show_screen(&self, json: &str, readable: impl FnOnce() -> String) -> bool {
        if self.common.json {
            return self.print_line(json, String::new);
        }
        let mut out = io::stdout().lock();
        let text = printable(&readable());
        let text = match out.is_terminal() {
            // Home; each line is cleared behind its end, and so is everything below (ECMA-48 CUP, EL, ED).
            true => format!("\u{1b}[H{}\u{1b}[J", text.replace('\n', "\u{1b}[K\n")),
            false => format!("{text}\n"),
        };
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_ok()
    }

    /// Prints a note for people; nothing with `--json`.
    pub(super) fn print_note(&self, text: &str) {
        if !self.common.json {
            put(&mut io::stdout().lock(), &format!("{text}\n"));
        }
    }

    /// Prints why a command failed.
    pub(super) fn print_error(&self, error: &impl Display) {
        put(&mut io::stderr().lock(), &format!("kproxy: error: {error}\n"));
    }

    /// Prints a line that names its own source, such as `FILE:LINE:COL: error: WHAT`.
    pub(super) fn print_diagnostic(&self, line: &impl Display) {
        put(&mut io::stderr().lock(), &format!("{line}\n"));
    }

    /// Prints why a request to the running process failed.
    pub(super) fn failed(&self, error: &ClientError) -> CommandExit {
        self.print_error(error);
        CommandExit::Failed
    }
}

/// Writes text without anything that a terminal would act on. That nobody reads it any more is no error.
fn put(to: &mut impl Write, text: &str) {
    drop(to.write_all(printable(text).as_bytes()).and_then(|()| to.flush()));
}
