//! Where commands find the running process, and where their words go.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use super::{Common, Exit};
use crate::admin::client::{Client, ClientError};
use crate::admin::{SYSTEM_SOCKET, default_socket};

/// Standard output, standard error, and the way to the running process.
#[derive(Debug)]
pub(super) struct Console {
    common: Common,
}

impl Console {
    pub(super) fn new(common: Common) -> Self {
        Self { common }
    }

    /// The process that is meant.
    pub(super) fn connect(&self) -> Result<Client, ClientError> {
        if let Some(socket) = &self.common.control {
            return Client::connect(socket);
        }
        match Client::connect(&default_socket()) {
            // The process may be a service, which has no session directory.
            Err(error @ ClientError::Unreachable { .. }) => {
                Client::connect(Path::new(SYSTEM_SOCKET)).map_err(|_| error)
            }
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

/// Nobody may be left who reads it, which is no fault of the command's.
fn put(to: &mut impl Write, text: &str) {
    to.write_all(text.as_bytes())
        .and_then(|()| to.flush())
        .unwrap_or_default();
}
