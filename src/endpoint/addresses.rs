//! Addresses of the listeners, for readers on any thread.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::bind::Bound;
use super::registry::ListenerKey;

/// Addresses that the process accepts clients on, by listener. Only the registry writes; a reader never waits longer than
/// one entry takes.
#[derive(Debug, Default)]
pub struct ListenerAddresses {
    listeners: RwLock<HashMap<ListenerKey, BoundAddresses>>,
}

/// Addresses of one listener.
#[derive(Debug, Clone, Copy)]
pub(super) struct BoundAddresses {
    address: SocketAddr,
    /// The address in the other address family.
    also: Option<SocketAddr>,
}

impl BoundAddresses {
    pub(super) fn of(bound: &Bound) -> Self {
        Self {
            address: bound.address,
            also: bound.also.as_ref().map(|(_, address)| *address),
        }
    }
}

impl ListenerAddresses {
    /// Address of the listener under `key`; the IPv4 one, where it has one of each family.
    pub fn get(&self, key: &ListenerKey) -> Option<SocketAddr> {
        Some(self.read().get(key)?.address)
    }

    /// Every address, in no order.
    pub fn all(&self) -> Vec<SocketAddr> {
        let listeners = self.read();
        let addresses = |bound: &BoundAddresses| std::iter::once(bound.address).chain(bound.also);
        listeners.values().flat_map(addresses).collect()
    }

    pub(super) fn insert(&self, key: ListenerKey, bound: BoundAddresses) {
        self.write().insert(key, bound);
    }

    pub(super) fn remove(&self, key: &ListenerKey) {
        self.write().remove(key);
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<ListenerKey, BoundAddresses>> {
        self.listeners.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<ListenerKey, BoundAddresses>> {
        self.listeners.write().unwrap_or_else(PoisonError::into_inner)
    }
}
