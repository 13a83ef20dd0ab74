//! Listening sockets that the service manager passes to the process: those of socket units, and those of its store.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};
use socket2::{SockRef, Type};

use crate::endpoint::BindAddr;
use crate::model::BindIp;

/// A TCP socket that listened before this process began.
#[derive(Debug)]
pub(super) struct InheritedSocket {
    pub(super) socket: TcpListener,
    pub(super) address: SocketAddr,
    /// Its name in `LISTEN_FDNAMES`.
    pub(super) name: String,
    /// Whether an IPv6 socket takes no IPv4 connections.
    only_v6: bool,
}

/// Descriptors that the service manager has passed (`LISTEN_FDS`). What is not taken is closed when this is dropped.
#[derive(Debug, Default)]
pub struct InheritedSockets {
    sockets: Vec<InheritedSocket>,
    /// Why others of them cannot be listened on.
    unusable: Vec<String>,
}

impl InheritedSockets {
    /// Takes the descriptors. To be called once, before any other descriptor is opened.
    pub fn from_environment() -> Self {
        let mut inherited = Self::default();
        match sd_listen_fds::get() {
            Ok(descriptors) => {
                for (name, descriptor) in descriptors {
                    let name = name.unwrap_or_default();
                    match InheritedSocket::of(descriptor.into_std(), &name) {
                        Ok(socket) => inherited.sockets.push(socket),
                        Err(why) => inherited.unusable.push(format!("{name}: {why}")),
                    }
                }
            }
            Err(error) => inherited.unusable.push(error.to_string()),
        }
        inherited
    }

    /// Takes the socket that listens on `address`.
    pub(super) fn take(&mut self, address: BindAddr) -> Option<InheritedSocket> {
        let place = self.sockets.iter().position(|socket| socket.serves(address))?;
        Some(self.sockets.swap_remove(place))
    }

    /// Takes all sockets that are left.
    pub(super) fn take_rest(&mut self) -> Vec<InheritedSocket> {
        std::mem::take(&mut self.sockets)
    }

    /// Takes the reasons why others cannot be used.
    pub(super) fn take_unusable(&mut self) -> Vec<String> {
        std::mem::take(&mut self.unusable)
    }
}

impl InheritedSocket {
    /// Takes `descriptor` if it is a listening TCP socket.
    fn of(descriptor: OwnedFd, name: &str) -> Result<Self, String> {
        let described = |error| format!("cannot be examined: {error}");
        let flags = fcntl_getfd(descriptor.as_fd()).map_err(|error| described(error.into()))?;
        let close_on_exec = fcntl_setfd(descriptor.as_fd(), flags | FdFlags::CLOEXEC);
        close_on_exec.map_err(|error| described(error.into()))?;
        let socket = SockRef::from(&descriptor);
        let is_listener =
            socket.r#type().map_err(described)? == Type::STREAM && socket.is_listener().map_err(described)?;
        let address = socket.local_addr().map_err(described)?.as_socket();
        let address = address
            .filter(|_| is_listener)
            .ok_or("is no TCP socket that listens")?;
        let only_v6 = address.is_ipv6() && socket.only_v6().map_err(described)?;
        let socket = TcpListener::from(descriptor);
        socket.set_nonblocking(true).map_err(described)?;
        Ok(Self {
            socket,
            address,
            name: name.to_owned(),
            only_v6,
        })
    }

    /// Whether it accepts what a socket bound to `address` would accept.
    fn serves(&self, address: BindAddr) -> bool {
        let ip = self.address.ip();
        let same_ip = match address.ip {
            BindIp::Ip(wanted) => ip == wanted && (!wanted.is_unspecified() || ip.is_ipv4() || self.only_v6),
            BindIp::Any => ip.is_unspecified() && ip.is_ipv6() && !self.only_v6,
            // Bound as one address after the other.
            BindIp::Loopback => false,
        };
        same_ip && self.address.port() == address.port
    }
}
