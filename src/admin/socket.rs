//! The control socket: who may open it may tell kproxy what to do, so it is its owner's alone.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::Mode;
use serde::Serialize;
use serde_json::value::to_raw_value;
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::Semaphore;

use super::protocol::{Answer, Envelope, MAX_REQUEST, Request, VERSION};
use crate::control::{ConnectionFilter, ConnectionInfo, ControlHandle, Gone, ReloadRequest, ReloadSource};
use crate::reload::Trigger;

/// Commands at once, those that wait included. More wait in the kernel.
const CONNECTIONS: usize = 64;

/// For the request to arrive.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// For a client to take its answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

const BACKLOG: i32 = 64;

/// After an accept that failed.
const PAUSE: Duration = Duration::from_millis(200);

/// Where the socket is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketPath {
    /// None at all.
    Off,
    /// [`default_socket`]; one that cannot be had is told and done without.
    Default,
    /// As configured (`control.socket`); one that cannot be had is an error.
    At(PathBuf),
}

/// Where a process without a session directory of its own listens.
pub const SYSTEM_SOCKET: &str = "/run/kproxy/control.sock";

/// `$XDG_RUNTIME_DIR/kproxy/control.sock`, else [`SYSTEM_SOCKET`].
pub fn default_socket() -> PathBuf {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    runtime
        .filter(|path| path.is_absolute())
        .map_or_else(|| SYSTEM_SOCKET.into(), |path| path.join("kproxy/control.sock"))
}

/// Why there is no socket. Begins with its path.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    #[error("{}: another kproxy answers there", .0.display())]
    InUse(PathBuf),
    #[error("{}: something that is no socket is there", .0.display())]
    NotASocket(PathBuf),
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// The socket in the file system. Dropping it removes it, unless somebody else's is there by now.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|found| found == self.identity)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "the control socket could not be removed");
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Binds the socket, if one is wanted.
///
/// # Errors
/// A configured one that cannot be had.
pub(super) fn open(wanted: SocketPath) -> Result<Option<(UnixListener, SocketFile)>, SocketError> {
    match wanted {
        SocketPath::Off => Ok(None),
        SocketPath::At(path) => bind(path).map(Some),
        SocketPath::Default => match bind(default_socket()) {
            Ok(bound) => Ok(Some(bound)),
            Err(error) => {
                tracing::warn!(%error, "there is no control socket, so `kproxy status` and the like do not reach this process; set control.socket");
                Ok(None)
            }
        },
    }
}

fn bind(path: PathBuf) -> Result<(UnixListener, SocketFile), SocketError> {
    let failed = |source| SocketError::Io {
        path: path.clone(),
        source,
    };
    if let Some(directory) = path
        .parent()
        .filter(|directory| !directory.as_os_str().is_empty())
    {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(failed)?;
    }
    make_room(&path)?;
    let listener = listen(&path).map_err(|error| match error.kind() {
        // Somebody else was quicker.
        io::ErrorKind::AddrInUse => SocketError::InUse(path.clone()),
        _ => failed(error),
    })?;
    let identity = identity(&path).map_err(failed)?;
    Ok((listener, SocketFile { path, identity }))
}

/// Takes away what a process that is no more has left behind, and nothing else.
fn make_room(path: &Path) -> Result<(), SocketError> {
    let failed = |source| SocketError::Io {
        path: path.to_owned(),
        source,
    };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(SocketError::NotASocket(path.to_owned()));
        }
        Ok(_) => {}
    }
    match knock(path) {
        Ok(()) => Err(SocketError::InUse(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

/// Whether somebody listens, however busy.
fn knock(path: &Path) -> io::Result<()> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&SockAddr::unix(path)?) {
        // Its queue is full.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        knocked => knocked,
    }
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // Linux gives the file the mode of the descriptor (less the umask): it is its owner's alone from its first moment.
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    socket.bind(&SockAddr::unix(path)?)?;
    // Only where the umask took bits away: by its name something else might be found.
    if fs::symlink_metadata(path)?.mode() & 0o777 != 0o600 {
        rustix::fs::chmod(path, Mode::RUSR | Mode::WUSR)?;
    }
    socket.set_nonblocking(true)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Serves until the task is dropped.
pub(super) async fn serve(listener: UnixListener, handle: ControlHandle) {
    let listener = match tokio::net::UnixListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "the control socket cannot be watched; commands are not answered");
            return;
        }
    };
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let handle = handle.clone();
                tokio::spawn(async move {
                    let _place = place;
                    if let Err(error) = converse(stream, &handle).await {
                        tracing::debug!(%error, "a command ended early");
                    }
                });
            }
            Err(error) => {
                tracing::debug!(%error, "a command was not accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// One command. Whoever goes away is not worked for any longer.
async fn converse(stream: tokio::net::UnixStream, handle: &ControlHandle) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read.take(MAX_REQUEST as u64));
    let mut line = Vec::new();
    tokio::time::timeout(REQUEST_TIMEOUT, read.read_until(b'\n', &mut line)).await??;
    let request = match understand(&line) {
        Ok(request) => request,
        Err(why) => return say(&mut write, &Answer::Error(why)).await,
    };
    let mut more = [0];
    tokio::select! {
        answered = answer(request, handle, &mut write) => answered,
        // Nothing follows a request but the client's end.
        _ = read.read(&mut more) => Ok(()),
    }
}

fn understand(line: &[u8]) -> Result<Request, String> {
    #[derive(serde::Deserialize)]
    struct Versioned {
        v: u32,
    }
    let broken = |error| format!("not a request: {error}");
    let versioned: Versioned = serde_json::from_slice(line).map_err(broken)?;
    if versioned.v != VERSION {
        let theirs = versioned.v;
        return Err(format!(
            "this kproxy speaks version {VERSION} of the control protocol, not {theirs}"
        ));
    }
    let envelope: Envelope = serde_json::from_slice(line).map_err(broken)?;
    Ok(envelope.request)
}

async fn answer(request: Request, handle: &ControlHandle, to: &mut OwnedWriteHalf) -> io::Result<()> {
    let answer = match request {
        Request::Status => as_answer(handle.status().await),
        Request::Listeners => as_answer(handle.listeners().await),
        Request::Connections {
            cluster,
            client,
            generation,
        } => {
            let filter = ConnectionFilter {
                cluster,
                client_id: client,
                generation,
            };
            match found(handle, filter).await {
                Ok(Err(unknown)) => Answer::Error(unknown),
                Ok(Ok(sessions)) => as_answer(Ok(sessions)),
                Err(gone) => as_answer::<()>(Err(gone)),
            }
        }
        Request::Reload { file, force, wait } => {
            let source = file.map_or(ReloadSource::Configured, ReloadSource::File);
            let report = handle
                .reload(ReloadRequest {
                    trigger: Trigger::Control,
                    force,
                    source,
                })
                .await;
            let wait = wait && report.as_ref().is_ok_and(|report| report.outcome.is_success());
            say(to, &as_answer(report)).await?;
            if !wait {
                return Ok(());
            }
            waited(handle, true, None).await
        }
        Request::Wait { drained, generation } => waited(handle, drained, generation).await,
    };
    say(to, &answer).await
}

/// The sessions that pass `filter`, or what it asks for that there is not.
pub(super) async fn found(
    handle: &ControlHandle,
    filter: ConnectionFilter,
) -> Result<Result<Vec<ConnectionInfo>, String>, Gone> {
    let sessions = handle.connections(filter.clone()).await?;
    if !sessions.is_empty() || filter == ConnectionFilter::default() {
        return Ok(Ok(sessions));
    }
    let unknown = filter.unknown(&handle.status().await?);
    Ok(unknown.map_or(Ok(sessions), Err))
}

/// What held when the waiting ended.
#[derive(Debug, Serialize)]
struct Reached {
    generation: u64,
    drains: usize,
}

async fn waited(handle: &ControlHandle, drained: bool, generation: Option<u64>) -> Answer {
    let reached = handle.wait_for(|progress| {
        (!drained || progress.drains == 0) && generation.is_none_or(|wanted| progress.generation >= wanted)
    });
    as_answer(reached.await.map(|progress| Reached {
        generation: progress.generation,
        drains: progress.drains,
    }))
}

fn as_answer<T: Serialize>(asked: Result<T, Gone>) -> Answer {
    match asked.as_ref().map(to_raw_value) {
        Ok(Ok(value)) => Answer::Ok(value),
        Ok(Err(error)) => Answer::Error(error.to_string()),
        Err(gone) => Answer::Error(gone.to_string()),
    }
}

async fn say(to: &mut OwnedWriteHalf, answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    tokio::time::timeout(ANSWER_TIMEOUT, to.write_all(&line)).await?
}
