//! What is said over the control socket: one request, a line of JSON; then answers, a line of JSON each. A client that
//! closes its end, or only its sending direction, is not interested in the answer any more.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Raised when a request of an older client would be misunderstood.
pub const VERSION: u32 = 1;

/// Longest request.
pub const MAX_REQUEST: usize = 64 * 1024;

/// The line that asks.
#[derive(Debug, Serialize, Deserialize)]
pub struct Envelope {
    pub v: u32,
    #[serde(flatten)]
    pub request: Request,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Request {
    /// Answered by a `ProxyStatus`.
    Status,
    /// Answered by an array of the addresses that the process listens on.
    Listeners,
    /// Answered by an array of `ConnectionInfo`.
    Connections {
        cluster: Option<String>,
        client: Option<String>,
        generation: Option<u64>,
    },
    /// Answered by a `ReloadReport`; with `wait`, by a second line once no drain has sessions left.
    Reload {
        /// Absolute; absent: the file the process was started with.
        file: Option<PathBuf>,
        force: bool,
        wait: bool,
    },
    /// Answered when all that is asked for holds.
    Wait {
        /// No drain has sessions left.
        drained: bool,
        /// At least this one.
        generation: Option<u64>,
    },
}

/// A line that answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// As it was written: nobody on the way has to understand it.
    Ok(Box<RawValue>),
    Error(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_survive_the_wire() {
        let requests = [
            Request::Status,
            Request::Listeners,
            Request::Connections {
                cluster: Some("a".into()),
                client: None,
                generation: Some(3),
            },
            Request::Reload {
                file: Some("/etc/proxy.yaml".into()),
                force: true,
                wait: false,
            },
            Request::Wait {
                drained: true,
                generation: None,
            },
        ];
        for request in requests {
            let line = serde_json::to_string(&Envelope {
                v: VERSION,
                request: request.clone(),
            });
            let read: Envelope = serde_json::from_str(&line.unwrap()).unwrap();
            assert_eq!((read.v, read.request), (VERSION, request));
        }
    }
}
