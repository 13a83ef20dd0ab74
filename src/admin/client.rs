//! The other end of the control socket.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::value::RawValue;

use super::protocol::{Answer, Envelope, Request, VERSION};

/// Far more than the status of ten thousand clusters.
const MAX_ANSWER: u64 = 1 << 30;

/// Why a command came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("no kproxy answers at {}: {source}", path.display())]
    Unreachable { path: PathBuf, source: io::Error },
    /// One may answer, but not this user.
    #[error("the control socket {} may be opened by {} only; run the command as that user", path.display(), of_owner(path))]
    Forbidden { path: PathBuf },
    #[error("kproxy did not answer in time")]
    TimedOut,
    #[error("the connection to kproxy was lost: {0}")]
    Lost(io::Error),
    #[error("{0}")]
    Refused(String),
}

/// The owner of a socket or, where it cannot be seen, of the nearest directory above it.
fn of_owner(socket: &Path) -> String {
    let owner = socket
        .ancestors()
        .find_map(|path| std::fs::symlink_metadata(path).ok())
        .map(|metadata| metadata.uid());
    match owner {
        Some(0) => "root".to_owned(),
        Some(uid) => format!("user {uid}"),
        None => "its owner".to_owned(),
    }
}

/// One command on its way.
#[derive(Debug)]
pub struct Client {
    answers: BufReader<io::Take<UnixStream>>,
}

impl Client {
    /// # Errors
    /// When nobody answers at `socket`.
    pub fn connect(socket: &Path) -> Result<Self, ClientError> {
        let stream = UnixStream::connect(socket).map_err(|source| {
            let path = std::path::absolute(socket).unwrap_or_else(|_| socket.to_owned());
            match source.kind() {
                io::ErrorKind::PermissionDenied => ClientError::Forbidden { path },
                _ => ClientError::Unreachable { path, source },
            }
        })?;
        Ok(Self {
            answers: BufReader::new(stream.take(MAX_ANSWER)),
        })
    }

    /// Asks, and waits for the first answer: for ever, or `timeout`.
    ///
    /// # Errors
    /// When kproxy says no, or does not answer.
    pub fn ask(&mut self, request: Request, timeout: Option<Duration>) -> Result<Box<RawValue>, ClientError> {
        let envelope = Envelope { v: VERSION, request };
        let mut line = serde_json::to_vec(&envelope).map_err(|error| ClientError::Lost(error.into()))?;
        line.push(b'\n');
        self.stream().write_all(&line).map_err(ClientError::Lost)?;
        self.next(timeout)
    }

    /// The next answer to the same request.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub fn next(&mut self, timeout: Option<Duration>) -> Result<Box<RawValue>, ClientError> {
        // Zero is no time-out to the operating system; the shortest is.
        let timeout = timeout.map(|timeout| timeout.max(Duration::from_millis(1)));
        self.stream()
            .set_read_timeout(timeout)
            .map_err(ClientError::Lost)?;
        let mut line = Vec::new();
        match self.answers.read_until(b'\n', &mut line) {
            Ok(0) => Err(ClientError::Lost(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => match serde_json::from_slice(&line) {
                Ok(Answer::Ok(value)) => Ok(value),
                Ok(Answer::Error(why)) => Err(ClientError::Refused(why)),
                Err(error) => Err(ClientError::Lost(error.into())),
            },
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                Err(ClientError::TimedOut)
            }
            Err(error) => Err(ClientError::Lost(error)),
        }
    }

    fn stream(&mut self) -> &mut UnixStream {
        self.answers.get_mut().get_mut()
    }
}
