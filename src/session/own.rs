//! Addresses of kproxy's own listeners. A broker connection to one of them would come back as a client and open the
//! next.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, PoisonError, RwLock};

/// The addresses that this process listens on.
#[derive(Debug, Default)]
pub struct OwnListeners {
    /// IP addresses by port. One address may be there twice while one listener replaces another.
    bound: RwLock<HashMap<u16, Vec<IpAddr>>>,
}

/// Registration of one listener; dropping it removes the address.
#[derive(Debug)]
pub struct OwnListener {
    all: Arc<OwnListeners>,
    address: SocketAddr,
}

impl OwnListeners {
    /// Registers a listener on `address`.
    pub fn add(self: &Arc<Self>, address: SocketAddr) -> OwnListener {
        let ip = address.ip().to_canonical();
        let mut bound = self.bound.write().unwrap_or_else(PoisonError::into_inner);
        bound.entry(address.port()).or_default().push(ip);
        OwnListener {
            all: Arc::clone(self),
            address,
        }
    }

    /// Whether a connection to `address` would reach one of the listeners.
    pub fn is_own(&self, address: SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        let bound = {
            let bound = self.bound.read().unwrap_or_else(PoisonError::into_inner);
            match bound.get(&address.port()) {
                Some(bound) => bound.clone(),
                None => return false,
            }
        };
        // A connection to the unspecified address goes to loopback.
        let ip = match ip {
            IpAddr::V4(v4) if v4.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(v6) if v6.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        let takes = |bound: &IpAddr| match bound {
            // A listener on `::` accepts IPv4 as well.
            IpAddr::V6(v6) if v6.is_unspecified() => is_of_this_host(ip),
            IpAddr::V4(v4) if v4.is_unspecified() => ip.is_ipv4() && is_of_this_host(ip),
            bound => *bound == ip,
        };
        bound.iter().any(takes)
    }
}

impl Drop for OwnListener {
    fn drop(&mut self) {
        let ip = self.address.ip().to_canonical();
        let mut bound = self.all.bound.write().unwrap_or_else(PoisonError::into_inner);
        let Some(at_port) = bound.get_mut(&self.address.port()) else {
            return;
        };
        if let Some(index) = at_port.iter().position(|bound| *bound == ip) {
            at_port.swap_remove(index);
        }
        if at_port.is_empty() {
            bound.remove(&self.address.port());
        }
    }
}

/// Whether an interface of this host has the address. For its own addresses the kernel chooses the same address as
/// the source; connecting a UDP socket shows that without sending anything.
fn is_of_this_host(ip: IpAddr) -> bool {
    let any: IpAddr = match ip {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let source = || {
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect((ip, 9))?;
        socket.local_addr()
    };
    ip.is_loopback() || source().is_ok_and(|source| source.ip() == ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_listener_is_found_by_every_address_that_leads_to_it() {
        let own = Arc::<OwnListeners>::default();
        let loopback = own.add(at("127.0.0.1:9192"));
        for address in ["127.0.0.1:9192", "[::ffff:127.0.0.1]:9192", "0.0.0.0:9192"] {
            assert!(own.is_own(at(address)), "{address}");
        }
        for address in ["127.0.0.1:9193", "127.0.0.2:9192", "[::1]:9192", "192.0.2.1:9192"] {
            assert!(!own.is_own(at(address)), "{address}");
        }
        drop(loopback);
        assert!(!own.is_own(at("127.0.0.1:9192")));
        assert!(own.bound.read().unwrap().is_empty());
    }

    #[test]
    fn a_listener_on_every_address_is_found_by_those_of_this_host() {
        let own = Arc::<OwnListeners>::default();
        let _everywhere = own.add(at("[::]:9192"));
        for address in [
            "127.0.0.1:9192",
            "127.9.9.9:9192",
            "[::1]:9192",
            "0.0.0.0:9192",
            "[::]:9192",
        ] {
            assert!(own.is_own(at(address)), "{address}");
        }
        // An address of an interface, where there is one besides loopback. TEST-NET-1 is nobody's (RFC 5737).
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        if socket.connect("192.0.2.1:9").is_ok() {
            let interface = socket.local_addr().unwrap().ip();
            assert!(own.is_own(SocketAddr::new(interface, 9192)), "{interface}");
        }
        assert!(!own.is_own(at("192.0.2.1:9192")));
        let _v4 = own.add(at("0.0.0.0:9200"));
        assert!(own.is_own(at("127.0.0.1:9200")) && !own.is_own(at("[::1]:9200")));
    }
}
