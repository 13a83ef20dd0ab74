//! How people and programs look at a running proxy and tell it to change: HTTP, and the control socket.
//!
//! Both run on a thread of their own with less claim to the processor than the others have, so that no scrape, however
//! large, slow or frequent, is felt by a session or a reload.

pub mod client;
pub mod exposition;
mod guests;
mod host;
mod http;
mod page;
mod patient;
pub mod protocol;
mod site;
mod socket;
pub mod view;

pub use socket::{SYSTEM_SOCKET, SocketError, SocketPath, default_socket};

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use crate::config::Secret;
use crate::control::ControlHandle;
use crate::endpoint::{ADMIN_NICENESS, RuntimeThread, lower_priority};
use site::Site;
use socket::SocketFile;

/// The management HTTP server (`management`).
#[derive(Debug, Clone)]
pub struct ManagementSettings {
    /// Port 0 lets the operating system choose.
    pub address: SocketAddr,
    /// What `POST` requests must present; `None`: HTTP changes nothing.
    pub token: Option<Secret>,
}

/// Why the administration did not start. Nothing is left bound.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error("management address {address}: {source}")]
    Http { address: SocketAddr, source: io::Error },
    #[error("control socket {0}")]
    Socket(#[from] SocketError),
    #[error("cannot start threads: {0}")]
    Threads(#[from] io::Error),
}

/// Serves until it is dropped, which also removes the socket.
#[derive(Debug)]
pub struct Admin {
    // Dropped in this order: nobody finds a socket that nobody answers.
    socket: Option<SocketFile>,
    _thread: RuntimeThread,
    site: Site,
    http: Option<SocketAddr>,
}

impl Admin {
    /// Binds both and serves.
    ///
    /// # Errors
    /// An address or a configured socket that cannot be had. A default socket that cannot be had is told in the log, and
    /// there is none.
    pub fn start(
        management: Option<ManagementSettings>,
        socket: SocketPath,
        handle: ControlHandle,
    ) -> Result<Self, AdminError> {
        let http = match &management {
            Some(settings) => Some(bind(settings.address)?),
            None => None,
        };
        let local = http
            .as_ref()
            .is_some_and(|(_, address)| address.ip().to_canonical().is_loopback());
        let site = Site::new(handle, local);
        let socket = socket::open(socket)?;
        let thread = RuntimeThread::start("kproxy-admin".into())?;
        let runtime = thread.handle();
        runtime.spawn(async { lower_priority(ADMIN_NICENESS) });
        let address = http.as_ref().map(|(_, address)| *address);
        if let Some((listener, _)) = http {
            site.set_token(management.and_then(|settings| settings.token));
            runtime.spawn(http::serve(listener, site.clone()));
        }
        let socket = socket.map(|(listener, file)| {
            runtime.spawn(socket::serve(listener, site.handle().clone()));
            file
        });
        Ok(Self {
            socket,
            _thread: thread,
            site,
            http: address,
        })
    }

    /// Where HTTP is served.
    pub fn http(&self) -> Option<SocketAddr> {
        self.http
    }

    /// Where commands are taken.
    pub fn socket(&self) -> Option<&Path> {
        self.socket.as_ref().map(SocketFile::path)
    }

    /// What `POST` requests must present from now on; `None`: HTTP changes nothing.
    pub fn set_token(&self, token: Option<Secret>) {
        self.site.set_token(token);
    }
}

/// Binds the address of the management HTTP server.
///
/// # Errors
/// Those of the operating system.
pub fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), AdminError> {
    let listen = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let bound = listener.local_addr()?;
        Ok((listener, bound))
    };
    listen().map_err(|source| AdminError::Http { address, source })
}
