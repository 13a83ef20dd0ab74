//! The trait through which ports are bound, so that a test can make one bind fail.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use crate::model::BindIp;

/// Length of the queue of pending connections; the kernel limits it to `net.core.somaxconn`. Clients wait in this
/// queue while accepting waits for a free descriptor, so it is as long as allowed.
pub const BACKLOG: i32 = 4096;

/// Attempts to find a port that is free in both address families, when the operating system chooses the port.
const FREE_IN_BOTH: usize = 32;

/// Address of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BindAddr {
    /// IP address, or the set of addresses it stands for.
    pub ip: BindIp,
    /// Port number; 0 lets the operating system choose.
    pub port: u16,
}

/// Binds listening sockets.
pub trait Bind: Send + Sync {
    /// Returns a bound, listening, non-blocking socket. [`BindIp::Loopback`] takes two calls, see `Bound::at`.
    ///
    /// # Errors
    /// The error of the operating system.
    fn bind(&self, address: BindAddr) -> io::Result<TcpListener>;

    /// Offers a socket that is listened on from now on to whatever keeps sockets beyond the end of the process. Returns
    /// whether one keeps it.
    fn keep(&self, _socket: &TcpListener, _address: SocketAddr) -> bool {
        false
    }

    /// Takes note that the socket of `address`, which is kept, is not listened on any more.
    fn give_up(&self, _address: SocketAddr) {}
}

/// The sockets of one listener, all on the same port.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) socket: TcpListener,
    /// Address of `socket`.
    pub(super) address: SocketAddr,
    /// Socket and address of the other address family.
    pub(super) also: Option<(TcpListener, SocketAddr)>,
}

impl Bound {
    /// Binds the sockets for `address`. A machine without IPv6 has one loopback address only.
    ///
    /// # Errors
    /// The error of the operating system, with the address that could not be bound.
    pub(super) fn at(binder: &dyn Bind, address: BindAddr) -> Result<Self, (BindAddr, io::Error)> {
        if address.ip != BindIp::Loopback {
            return Self::one(binder, address);
        }
        let mut attempts = if address.port == 0 { FREE_IN_BOTH } else { 1 };
        loop {
            attempts -= 1;
            let v4 = IpAddr::V4(Ipv4Addr::LOCALHOST);
            let mut bound = Self::one(
                binder,
                BindAddr {
                    ip: BindIp::Ip(v4),
                    ..address
                },
            )?;
            let v6 = BindAddr {
                ip: BindIp::Ip(IpAddr::V6(Ipv6Addr::LOCALHOST)),
                port: if address.port == 0 {
                    bound.address.port()
                } else {
                    address.port
                },
            };
            match Self::one(binder, v6) {
                Ok(other) => {
                    bound.also = Some((other.socket, other.address));
                    return Ok(bound);
                }
                Err((_, error)) if lacks_ipv6(&error) => return Ok(bound),
                // The port that the operating system chose in one address family is taken in the other.
                Err((_, error)) if attempts > 0 && error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn one(binder: &dyn Bind, at: BindAddr) -> Result<Self, (BindAddr, io::Error)> {
        let bind = || {
            let socket = binder.bind(at)?;
            let address = socket.local_addr()?;
            Ok(Self {
                socket,
                address,
                also: None,
            })
        };
        bind().map_err(|error| (at, error))
    }

    /// Number of sockets.
    pub(super) fn sockets(&self) -> usize {
        1 + usize::from(self.also.is_some())
    }
}

/// Binds through the operating system.
#[derive(Debug, Default)]
pub struct SystemBind;

impl Bind for SystemBind {
    fn bind(&self, address: BindAddr) -> io::Result<TcpListener> {
        match address.ip {
            BindIp::Ip(ip) => listen(SocketAddr::new(ip, address.port)),
            BindIp::Loopback => listen(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), address.port)),
            BindIp::Any => {
                let both = listen(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), address.port));
                match both {
                    // A host without IPv6 does not have this address family.
                    Err(error) if lacks_ipv6(&error) => {
                        listen(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), address.port))
                    }
                    both => both,
                }
            }
        }
    }
}

fn lacks_ipv6(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let code = error.raw_os_error();
    [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL]
        .iter()
        .any(|errno| code == Some(errno.raw_os_error()))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(address.ip() != IpAddr::V6(Ipv6Addr::UNSPECIFIED))?;
    }
    // Sessions of an earlier process in TIME_WAIT must not block the port.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

impl std::fmt::Display for BindAddr {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.ip {
            BindIp::Any => write!(out, "*:{}", self.port),
            BindIp::Loopback => write!(out, "localhost:{}", self.port),
            BindIp::Ip(ip) => SocketAddr::new(ip, self.port).fmt(out),
        }
    }
}
