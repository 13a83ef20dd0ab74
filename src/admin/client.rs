//! Client of the control socket: HTTP/1.1 to the process that listens there.

mod stream;

use std::future::poll_fn;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST, SERVER, USER_AGENT};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::runtime::{self, Runtime};

use super::answer::JSON;
use super::{RequestTarget, SERVER_NAME};

pub use stream::StreamEnd;

/// Size of the largest answer, far above the status of ten thousand clusters.
const MAX_ANSWER: usize = 1 << 30;

/// Why a request to the running process failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nothing listens on the socket.
    #[error("no kproxy answers at {}: {source}", path.display())]
    Unreachable {
        /// Absolute path of the socket.
        path: PathBuf,
        /// Error of connect(2).
        source: io::Error,
    },
    /// A process may listen there, but this user may not ask it.
    #[error("the control socket {} may be opened by {} only; run the command as that user", path.display(), of_owner(path))]
    Forbidden {
        /// Absolute path of the socket.
        path: PathBuf,
    },
    /// The time limit of the request has passed.
    #[error("kproxy did not answer in time")]
    TimedOut,
    /// The connection broke before the answer was complete.
    #[error("the connection to kproxy was lost: {0}")]
    Lost(String),
    /// The process does not speak HTTP there, as kproxy did not at first.
    #[error(
        "the running process does not speak HTTP on its control socket; use the `kproxy` command of its own version (this one is {SERVER_NAME})"
    )]
    NotHttp,
    /// The process refuses the request, for the reason given.
    #[error("{0}")]
    Refused(String),
    /// The answer of a kproxy of another version.
    #[error("cannot read the answer of {server}: {source}; this command is {SERVER_NAME}")]
    Unreadable {
        /// What the running process calls itself.
        server: String,
        /// Where reading failed.
        source: serde_json::Error,
    },
}

/// Names the owner of a socket or, where it cannot be seen, of the nearest directory above it.
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

/// Connection to the running process; carries one request after the other. It blocks, and panics within a runtime.
#[derive(Debug)]
pub struct Client {
    // Dropped before the runtime that drives it.
    requests: SendRequest<String>,
    runtime: Runtime,
}

/// JSON as the running process has written it, whatever its version.
#[derive(Debug)]
pub struct Document {
    /// The text.
    pub json: Box<RawValue>,
    server: String,
}

impl Document {
    /// Reads the document. Fields that `T` does not know are ignored.
    ///
    /// # Errors
    /// [`ClientError::Unreadable`].
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_str(self.json.get()).map_err(|source| ClientError::Unreadable {
            server: self.server.clone(),
            source,
        })
    }
}

impl Client {
    /// Connects to `socket`.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`], or [`ClientError::Forbidden`] for the socket of another user.
    pub fn connect(socket: &Path) -> Result<Self, ClientError> {
        let failed = |source: io::Error| {
            let path = std::path::absolute(socket).unwrap_or_else(|_| socket.to_owned());
            match source.kind() {
                io::ErrorKind::PermissionDenied => ClientError::Forbidden { path },
                _ => ClientError::Unreachable { path, source },
            }
        };
        // A blocking connect waits while the listener's queue is full; one through the runtime would fail.
        let stream = UnixStream::connect(socket).map_err(failed)?;
        stream.set_nonblocking(true).map_err(failed)?;
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(failed)?;
        let handshake = async {
            let stream = tokio::net::UnixStream::from_std(stream).map_err(failed)?;
            let (requests, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
            // Its errors are those of the request.
            tokio::spawn(async { drop(connection.await) });
            Ok(requests)
        };
        let requests = runtime.block_on(handshake)?;
        Ok(Self { requests, runtime })
    }

    /// Asks for what there is at `target`, and waits for the answer: without a limit, or for `timeout`.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the reason, or how the request failed.
    pub fn get(
        &mut self,
        target: &RequestTarget,
        timeout: Option<Duration>,
    ) -> Result<Document, ClientError> {
        self.request(Method::GET, target, timeout)
    }

    /// Asks for a change.
    ///
    /// # Errors
    /// [`ClientError`] as for [`Client::get`].
    pub fn post(
        &mut self,
        target: &RequestTarget,
        timeout: Option<Duration>,
    ) -> Result<Document, ClientError> {
        self.request(Method::POST, target, timeout)
    }

    fn request(
        &mut self,
        method: Method,
        target: &RequestTarget,
        timeout: Option<Duration>,
    ) -> Result<Document, ClientError> {
        let request = Request::builder()
            .method(method)
            .uri(target.as_str())
            .header(HOST, "localhost")
            .header(USER_AGENT, SERVER_NAME)
            .body(String::new())
            .map_err(|error| ClientError::Lost(error.to_string()))?;
        let requests = &mut self.requests;
        let exchange = async move {
            requests.ready().await.map_err(lost)?;
            let answer = requests.send_request(request).await.map_err(lost)?;
            understand(answer).await
        };
        self.runtime.block_on(async {
            match timeout {
                Some(timeout) => tokio::time::timeout(timeout, exchange)
                    .await
                    .unwrap_or(Err(ClientError::TimedOut)),
                None => exchange.await,
            }
        })
    }
}

fn lost(error: hyper::Error) -> ClientError {
    if error.is_parse() {
        ClientError::NotHttp
    } else {
        ClientError::Lost(error.to_string())
    }
}

/// Tells an answer, which is JSON whatever its status code, from a refusal.
async fn understand(answer: Response<Incoming>) -> Result<Document, ClientError> {
    let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let server = header(SERVER).unwrap_or("another program").to_owned();
    let (is_json, status) = (header(CONTENT_TYPE) == Some(JSON), answer.status());
    let bytes = collect(answer.into_body()).await?;
    if is_json {
        let read = serde_json::from_slice(&bytes);
        return match read {
            Ok(json) => Ok(Document { json, server }),
            Err(source) => Err(ClientError::Unreadable { server, source }),
        };
    }
    let why = String::from_utf8_lossy(&bytes);
    let why = match why.trim_end() {
        "" => status.to_string(),
        why => why.to_owned(),
    };
    if server == SERVER_NAME {
        return Err(ClientError::Refused(why));
    }
    Err(ClientError::Refused(format!(
        "{why} (the running process is {server}, this command {SERVER_NAME})"
    )))
}

async fn collect(mut body: Incoming) -> Result<Vec<u8>, ClientError> {
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        if let Ok(data) = frame.map_err(lost)?.into_data() {
            if bytes.len() + data.len() > MAX_ANSWER {
                return Err(ClientError::Lost("the answer is too large".into()));
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes)
}
