//! Limits of connections per client address, for a virtual cluster or for the process.
//!
//! The table holds connected addresses only. It counts addresses, whatever the prefix length: a changed prefix length
//! takes effect at once, for existing connections too.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;

use crate::model::PerClient;

/// `maxConnectionsPerClient`, with the current connections.
#[derive(Debug, Default)]
pub struct ClientLimit(Mutex<ClientTable>);

#[derive(Debug, Default)]
struct ClientTable {
    rule: Option<PerClient>,
    addresses: HashMap<IpAddr, usize>,
    /// Connections by network; empty without a limit.
    networks: HashMap<IpNet, usize>,
}

/// Permit of one connection; dropping it gives the permit back.
#[derive(Debug)]
pub struct ClientPermit(Box<(Arc<ClientLimit>, IpAddr)>);

/// Error: the client's network already has as many connections as the limit allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany {
    /// Network of the client, as `maxConnectionsPerClient` groups addresses.
    pub network: IpNet,
    /// Number of connections that the network may have.
    pub limit: usize,
}

impl ClientLimit {
    /// A limit with this rule; `None` means unlimited.
    pub fn new(rule: Option<PerClient>) -> Self {
        let limit = Self::default();
        limit.set(rule);
        limit
    }

    fn table(&self) -> MutexGuard<'_, ClientTable> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the limit. Existing connections stay, even if they are more.
    pub fn set(&self, rule: Option<PerClient>) {
        let mut table = self.table();
        if table.rule == rule {
            return;
        }
        let ClientTable { addresses, .. } = &mut *table;
        let addresses = std::mem::take(addresses);
        table.networks.clear();
        if let Some(rule) = rule {
            for (&ip, count) in &addresses {
                *table.networks.entry(rule.network(ip)).or_default() += count;
            }
        }
        table.addresses = addresses;
        table.rule = rule;
    }

    /// Counts one more connection of `ip`.
    ///
    /// # Errors
    /// [`TooMany`] if its network already has as many connections as the limit allows.
    pub fn enter(self: &Arc<Self>, ip: IpAddr) -> Result<ClientPermit, TooMany> {
        // A dual-stack socket reports IPv4 clients as mapped IPv6 addresses.
        let ip = ip.to_canonical();
        let mut table = self.table();
        if let Some(rule) = table.rule {
            let network = rule.network(ip);
            let count = table.networks.get(&network).copied().unwrap_or_default();
            if count >= rule.limit {
                let limit = rule.limit;
                return Err(TooMany { network, limit });
            }
            table.networks.insert(network, count + 1);
        }
        *table.addresses.entry(ip).or_default() += 1;
        Ok(ClientPermit(Box::new((Arc::clone(self), ip))))
    }
}

impl Drop for ClientPermit {
    fn drop(&mut self) {
        let (limit, ip) = &*self.0;
        let mut table = limit.table();
        if let Some(rule) = table.rule {
            leave(&mut table.networks, rule.network(*ip));
        }
        leave(&mut table.addresses, *ip);
    }
}

fn leave<K: Eq + std::hash::Hash>(counts: &mut HashMap<K, usize>, key: K) {
    if let std::collections::hash_map::Entry::Occupied(mut count) = counts.entry(key) {
        *count.get_mut() -= 1;
        if *count.get() == 0 {
            count.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(limit: usize, ipv4: u8, ipv6: u8) -> Option<PerClient> {
        Some(PerClient { limit, ipv4, ipv6 })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn networks_share_a_limit_and_give_places_back() {
        let limit = Arc::new(ClientLimit::new(rule(2, 24, 64)));
        let first = limit.enter(ip("10.0.0.1")).unwrap();
        let _second = limit.enter(ip("::ffff:10.0.0.2")).unwrap();
        let refused = limit.enter(ip("10.0.0.3")).unwrap_err();
        assert_eq!(refused.network, "10.0.0.0/24".parse().unwrap());
        limit.enter(ip("10.0.1.1")).unwrap();
        drop(first);
        limit.enter(ip("10.0.0.3")).unwrap();
        let _v6 = limit.enter(ip("2001:db8::1")).unwrap();
        let _v6_too = limit.enter(ip("2001:db8::2")).unwrap();
        assert!(limit.enter(ip("2001:db8::3")).is_err());
        limit.enter(ip("2001:db8:0:1::3")).unwrap();
    }

    #[test]
    fn another_rule_holds_for_those_who_are_there() {
        let limit = Arc::new(ClientLimit::default());
        let there: Vec<_> = (1..=3)
            .map(|last| limit.enter(ip(&format!("10.0.0.{last}"))).unwrap())
            .collect();
        limit.set(rule(3, 24, 64));
        assert!(limit.enter(ip("10.0.0.9")).is_err());
        limit.set(rule(3, 32, 64));
        limit.enter(ip("10.0.0.1")).unwrap();
        limit.set(rule(4, 24, 64));
        let fourth = limit.enter(ip("10.0.0.9")).unwrap();
        assert!(limit.enter(ip("10.0.0.9")).is_err());
        drop((there, fourth));
        let table = limit.table();
        assert!(
            table.addresses.is_empty() && table.networks.is_empty(),
            "{table:?}"
        );
    }
}
