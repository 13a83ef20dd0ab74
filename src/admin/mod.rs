//! Management of a running proxy: HTTP over TCP, and over the control socket.
//!
//! Both are served by a thread of their own with a lower priority than the others have, so that no scrape, however
//! large, slow or frequent, delays a session or a reload. [`client`] is the other end of the control socket.

mod answer;
mod body;
pub mod client;
mod connection_table;
mod event_stream;
pub mod exposition;
mod host;
mod http;
mod overview;
mod page;
mod query;
mod site;
mod socket;
mod status_parts;
mod token;
mod write_timeout;

pub use query::RequestTarget;
pub use socket::{SYSTEM_SOCKET, SocketError, SocketPath, default_socket};

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use crate::config::Secret;
use crate::control::ControlHandle;
use crate::endpoint::{ADMIN_NICENESS, RuntimeThread, lower_priority};
use event_stream::EventStreams;
use overview::Viewers;
use site::{Entrance, Site};
use socket::SocketFile;
use token::Token;

/// The product token (RFC 9110 §10.2.4) of this version, which both ends of the control socket send.
const SERVER_NAME: &str = concat!(
    "kproxy/",
    env!("CARGO_PKG_VERSION"),
    " (",
    env!("KPROXY_COMMIT"),
    ")"
);

/// The management HTTP server (`management`).
#[derive(Debug, Clone)]
pub struct ManagementSettings {
    /// Address to bind. Port 0 lets the operating system choose.
    pub address: SocketAddr,
    /// Token that `POST` requests must present; `None`: HTTP changes nothing.
    pub token: Option<Secret>,
}

/// Why management did not start. Nothing is left bound.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The management address cannot be bound.
    #[error("management address {address}: {source}")]
    Http {
        /// Address of the configuration.
        address: SocketAddr,
        /// Error of the operating system.
        source: io::Error,
    },
    /// The configured control socket cannot be bound.
    #[error("control socket {0}")]
    Socket(#[from] SocketError),
    /// The thread or its runtime cannot be started.
    #[error("cannot start threads: {0}")]
    Threads(#[from] io::Error),
}

/// Serves until it is dropped, which also removes the socket.
#[derive(Debug)]
pub struct Admin {
    // Dropped in this order: nobody finds a socket that nobody answers.
    socket: Option<SocketFile>,
    _thread: RuntimeThread,
    token: Token,
    http: Option<SocketAddr>,
    streams: EventStreams,
}

impl Admin {
    /// Binds both entrances and serves them.
    ///
    /// # Errors
    /// [`AdminError::Http`] and [`AdminError::Socket`] for an address or a configured socket that cannot be bound,
    /// [`AdminError::Threads`]. A default socket that cannot be bound is warned of in the log instead.
    pub fn start(
        management: Option<ManagementSettings>,
        socket: SocketPath,
        handle: ControlHandle,
    ) -> Result<Self, AdminError> {
        let http = match &management {
            Some(settings) => Some(bind(settings.address)?),
            None => None,
        };
        let socket = socket::open(socket)?;
        let thread = RuntimeThread::start("kproxy-admin".into())?;
        let runtime = thread.handle();
        runtime.spawn(async { lower_priority(ADMIN_NICENESS) });
        let _entered = runtime.enter();
        let viewers = Viewers::default();
        let (token, mut address) = (Token::default(), None);
        if let Some((listener, bound)) = http {
            token.set(management.and_then(|settings| settings.token));
            let entrance = Entrance::Tcp {
                token: token.clone(),
                loopback: bound.ip().to_canonical().is_loopback(),
            };
            let listener = tokio::net::TcpListener::from_std(listener)?;
            runtime.spawn(http::serve_tcp(
                listener,
                Site::new(handle.clone(), entrance, viewers.clone()),
            ));
            address = Some(bound);
        }
        let (mut file, mut streams) = (None, EventStreams::default());
        if let Some((listener, bound)) = socket {
            let listener = tokio::net::UnixListener::from_std(listener)?;
            let site = Site::new(handle, Entrance::Socket, viewers);
            streams = site.streams().clone();
            runtime.spawn(http::serve_socket(listener, site));
            file = Some(bound);
        }
        Ok(Self {
            socket: file,
            _thread: thread,
            token,
            http: address,
            streams,
        })
    }

    /// Returns the address where HTTP is served.
    pub fn http(&self) -> Option<SocketAddr> {
        self.http
    }

    /// Returns the path of the control socket.
    pub fn socket(&self) -> Option<&Path> {
        self.socket.as_ref().map(SocketFile::path)
    }

    /// Replaces the token that `POST` requests must present; `None`: HTTP changes nothing.
    pub fn set_token(&self, token: Option<Secret>) {
        self.token.set(token);
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.streams.finish();
    }
}

/// Binds the address of the management HTTP server.
///
/// # Errors
/// [`AdminError::Http`] with the error of the operating system.
pub fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), AdminError> {
    let listen = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let bound = listener.local_addr()?;
        Ok((listener, bound))
    };
    listen().map_err(|source| AdminError::Http { address, source })
}
