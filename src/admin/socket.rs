//! The control socket in the file system. It gives full control, so only its owner may open it.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use socket2::{Domain, SockAddr, Socket, Type};

/// Connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 64;

/// Where the control socket is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketPath {
    /// Nowhere.
    Off,
    /// At [`default_socket`]. If it cannot be bound, a warning is logged and kproxy runs without it.
    Default,
    /// The path configured as `control.socket`. If it cannot be bound, kproxy does not start.
    At(PathBuf),
}

/// Default socket of a process without a runtime directory of its own (`XDG_RUNTIME_DIR`).
pub const SYSTEM_SOCKET: &str = "/run/kproxy/control.sock";

/// Returns `$XDG_RUNTIME_DIR/kproxy/control.sock`, else [`SYSTEM_SOCKET`].
pub fn default_socket() -> PathBuf {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    runtime
        .filter(|path| path.is_absolute())
        .map_or_else(|| SYSTEM_SOCKET.into(), |path| path.join("kproxy/control.sock"))
}

/// Why the control socket cannot be bound. Displays with its path in front.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// A process listens there.
    #[error("{}: another kproxy answers there", .0.display())]
    InUse(PathBuf),
    /// A file, a directory or the like is there, and is left alone.
    #[error("{}: there is a file that is no socket", .0.display())]
    NotASocket(PathBuf),
    /// The operating system refuses.
    #[error("{}: {source}", path.display())]
    Io {
        /// Path of the socket, or of the directory that was to hold it.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
}

/// The bound socket in the file system. Dropping it removes the file, unless another one has taken its place.
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
            tracing::warn!(path = %self.path.display(), %error, "cannot remove the control socket");
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
/// [`SocketError`] for a configured socket; a default one that cannot be bound is warned of instead.
pub(super) fn open(wanted: SocketPath) -> Result<Option<(UnixListener, SocketFile)>, SocketError> {
    match wanted {
        SocketPath::Off => Ok(None),
        SocketPath::At(path) => bind(path).map(Some),
        SocketPath::Default => match bind(default_socket()) {
            Ok(bound) => Ok(Some(bound)),
            Err(error) => {
                tracing::warn!(%error, "no control socket: `kproxy status`, `reload` and other commands cannot reach this process; set control.socket");
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
    remove_stale(&path)?;
    let listener = listen(&path).map_err(|error| match error.kind() {
        // Another process was faster.
        io::ErrorKind::AddrInUse => SocketError::InUse(path.clone()),
        _ => failed(error),
    })?;
    let identity = identity(&path).map_err(failed)?;
    Ok((listener, SocketFile { path, identity }))
}

/// Removes the socket of a process that has ended, and nothing else.
fn remove_stale(path: &Path) -> Result<(), SocketError> {
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
    match probe(path) {
        Ok(()) => Err(SocketError::InUse(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

/// Succeeds if a process listens at `path`, however busy it is.
fn probe(path: &Path) -> io::Result<()> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&SockAddr::unix(path)?) {
        // Its queue is full.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        connected => connected,
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
