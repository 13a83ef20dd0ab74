//! Listening sockets that outlive the process, because the service manager holds them, too.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::inherited::InheritedSockets;
use super::notifier::ServiceNotifier;
use super::socket_store::store_name;
use crate::endpoint::{Bind, BindAddr, SystemBind};

/// Adopts inherited sockets instead of binding their addresses, and hands new ones to the store of the service manager.
#[derive(Debug)]
pub struct HeldSockets {
    notifier: ServiceNotifier,
    /// Most sockets that the store keeps; 0 without a store.
    capacity: usize,
    sockets: Mutex<Sockets>,
}

#[derive(Debug, Default)]
struct Sockets {
    inherited: InheritedSockets,
    /// Sockets of this process that the service manager holds, too.
    held: HashMap<SocketAddr, Holder>,
    stored: usize,
}

/// Part of the service manager that holds a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holder {
    /// A socket unit, for as long as that runs.
    Unit,
    /// The store, until it is asked to forget.
    Store,
}

impl HeldSockets {
    /// Sockets that were `inherited`. The environment says how many the store keeps (`FDSTORE`, from systemd 254 on).
    pub fn new(inherited: InheritedSockets, notifier: ServiceNotifier) -> Self {
        let capacity = std::env::var("FDSTORE").ok().and_then(|most| most.parse().ok());
        Self {
            capacity: capacity.filter(|_| notifier.is_enabled()).unwrap_or(0),
            notifier,
            sockets: Mutex::new(Sockets {
                inherited,
                ..Sockets::default()
            }),
        }
    }

    /// Closes inherited sockets that no listener has adopted, and warns of each.
    pub fn close_unmatched(&self) {
        let (rest, unusable) = {
            let mut sockets = self.sockets();
            (sockets.inherited.take_rest(), sockets.inherited.take_unusable())
        };
        for why in unusable {
            tracing::warn!("an inherited descriptor is closed: {why}");
        }
        for socket in rest {
            tracing::warn!(
                address = %socket.address,
                name = socket.name,
                "an inherited socket is closed: no listener has its address"
            );
            if socket.name == store_name(socket.address) {
                self.notifier.forget(socket.name);
            }
        }
    }

    fn sockets(&self) -> MutexGuard<'_, Sockets> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bind for HeldSockets {
    fn bind(&self, address: BindAddr) -> io::Result<TcpListener> {
        let mut sockets = self.sockets();
        let Some(found) = sockets.inherited.take(address) else {
            return SystemBind.bind(address);
        };
        let holder = if found.name == store_name(found.address) {
            sockets.stored += 1;
            Holder::Store
        } else {
            Holder::Unit
        };
        sockets.held.insert(found.address, holder);
        tracing::info!(address = %found.address, name = found.name, "an inherited socket is used");
        Ok(found.socket)
    }

    fn keep(&self, socket: &TcpListener, address: SocketAddr) -> bool {
        let mut sockets = self.sockets();
        if sockets.held.contains_key(&address) {
            return true;
        }
        if sockets.stored >= self.capacity {
            return false;
        }
        let Ok(copy) = socket.try_clone() else {
            return false;
        };
        self.notifier.keep(store_name(address), copy);
        sockets.held.insert(address, Holder::Store);
        sockets.stored += 1;
        true
    }

    fn give_up(&self, address: SocketAddr) {
        let mut sockets = self.sockets();
        if sockets.held.remove(&address) == Some(Holder::Store) {
            sockets.stored -= 1;
            self.notifier.forget(store_name(address));
        }
    }
}
