//! Gateways that share an address and are told apart by host names: no name leads to two of them.

use std::collections::HashMap;
use std::ops::Range;

use super::node_host::{NODE_ID, NodeHostPattern, node_ids};
use super::{BindIp, ProxyProtocol};
use crate::config::{Errors, Pos, quoted};

/// A gateway that identifies nodes by host name, with the positions of its parts in the file.
#[derive(Debug)]
pub(super) struct SniGateway<'c> {
    pub(super) ip: BindIp,
    /// Port number; never 0.
    pub(super) port: u16,
    /// Virtual cluster and gateway.
    pub(super) owner: (&'c str, &'c str),
    pub(super) bootstrap: (String, Pos),
    /// With `$(nodeId)`, once.
    pub(super) pattern: (String, Pos),
    pub(super) proxy_protocol: (ProxyProtocol, Pos),
}

/// In the order of the file.
#[derive(Debug, Default)]
pub(super) struct SniHosts<'c> {
    gateways: Vec<SniGateway<'c>>,
}

/// What is known of one address: indices of gateways.
#[derive(Default)]
struct Names<'h> {
    first: Option<usize>,
    hosts: HashMap<&'h str, usize>,
    patterns: HashMap<&'h str, usize>,
    /// Patterns with one number that they have besides the node id taken out as well; and whether the node id comes
    /// before it. Two that agree but for the order match each other's names. With the number.
    reduced: HashMap<(String, bool), (usize, &'h str)>,
}

impl<'c> SniHosts<'c> {
    pub(super) fn add(&mut self, gateway: SniGateway<'c>) {
        self.gateways.push(gateway);
    }

    /// Takes time in proportion to the names, however many share an address.
    pub(super) fn check(&self, errors: &mut Errors) {
        let mut addresses: HashMap<(BindIp, u16), Names<'_>> = HashMap::new();
        for (index, gateway) in self.gateways.iter().enumerate() {
            let names = addresses.entry((gateway.ip, gateway.port)).or_default();
            self.check_agreement(*names.first.get_or_insert(index), index, errors);
            let (host, pattern) = (&gateway.bootstrap, &gateway.pattern);
            let first = *names.hosts.entry(&host.0).or_insert(index);
            if first != index {
                let other = (first, self.gateways[first].bootstrap.1);
                let what = format!("bootstrap host {} is already that of", quoted(&host.0));
                self.clash((index, host.1), other, &what, errors);
            }
            let first = *names.patterns.entry(&pattern.0).or_insert(index);
            if first != index {
                let other = (first, self.gateways[first].pattern.1);
                let what = format!("node pattern {} is already that of", quoted(&pattern.0));
                self.clash((index, pattern.1), other, &what, errors);
            }
        }
        for (index, gateway) in self.gateways.iter().enumerate() {
            if let Some(names) = addresses.get_mut(&(gateway.ip, gateway.port)) {
                self.check_host(index, names, errors);
                self.check_pattern(index, names, errors);
            }
        }
    }

    /// The header comes before the name, so it cannot depend on it.
    fn check_agreement(&self, first: usize, index: usize, errors: &mut Errors) {
        let (one, other) = (&self.gateways[first], &self.gateways[index]);
        let ((expected, there), (header, at)) = (&one.proxy_protocol, &other.proxy_protocol);
        if (header.mode, &header.trusted_peers) != (expected.mode, &expected.trusted_peers) {
            let what =
                "`proxyProtocol` comes before the host name, so `mode` and `trustedPeers` must be those of";
            self.clash((index, *at), (first, *there), what, errors);
        }
    }

    /// A bootstrap host that is the name of a node too.
    fn check_host(&self, index: usize, names: &Names<'_>, errors: &mut Errors) {
        let (host, at) = &self.gateways[index].bootstrap;
        for (_, pattern) in NodeHostPattern::matching(host) {
            if let Some(&other) = names.patterns.get(pattern.as_str()) {
                let place = (other, self.gateways[other].pattern.1);
                let what = format!(
                    "{} is the bootstrap host and matches the node pattern, here or of",
                    quoted(host)
                );
                self.clash((index, *at), place, &what, errors);
            }
        }
    }

    /// A pattern that matches a name that another matches with another node id.
    fn check_pattern<'h>(&'h self, index: usize, names: &mut Names<'h>, errors: &mut Errors) {
        let (pattern, at) = &self.gateways[index].pattern;
        let Some(token) = pattern.find(NODE_ID) else {
            return;
        };
        for (Range { start, end }, _) in node_ids(pattern) {
            let id_first = token < start;
            let reduced = format!("{}#{}", &pattern[..start], &pattern[end..]).replace(NODE_ID, "#");
            if let Some(&(other, number)) = names.reduced.get(&(reduced.clone(), !id_first)) {
                let place = (other, self.gateways[other].pattern.1);
                let name = pattern.replace(NODE_ID, number);
                let what = format!("{} matches this node pattern and that of", quoted(&name));
                self.clash((index, *at), place, &what, errors);
            }
            names
                .reduced
                .entry((reduced, id_first))
                .or_insert_with(|| (index, &pattern[start..end]));
        }
    }

    /// Reported where the later of the two stands.
    fn clash(&self, one: (usize, Pos), other: (usize, Pos), what: &str, errors: &mut Errors) {
        let ((_, at), (first, there)) = if one.1 >= other.1 {
            (one, other)
        } else {
            (other, one)
        };
        let line = errors.line_of(there, at);
        let (cluster, gateway) = self.gateways[first].owner;
        errors.push_with(at, || {
            format!(
                "{what} gateway {} of virtual cluster {} ({line}), which has the same port",
                quoted(gateway),
                quoted(cluster)
            )
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        let (before, after) = pattern.split_once(NODE_ID).unwrap();
        let id = name
            .strip_prefix(before)
            .and_then(|rest| rest.strip_suffix(after));
        id.is_some_and(|id| node_ids(id).map(|(at, _)| at).eq(std::iter::once(0..id.len())))
    }

    #[test]
    fn ids_are_plain_numbers() {
        let found: Vec<_> = node_ids("a0.b01-2147483647.2147483648-7")
            .map(|(at, _)| at)
            .collect();
        assert_eq!(found, [1..2, 7..17, 29..30]);
    }

    fn parts() -> impl Strategy<Value = (String, String)> {
        let part = || prop::collection::vec(prop::sample::select(vec!["a", "-", "1", "2"]), 0..4);
        (part(), part()).prop_filter_map("a digit beside the id", |(before, after)| {
            let (before, after) = (before.concat(), after.concat());
            let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
            let beside = digit(before.as_bytes().last()) || digit(after.as_bytes().first());
            (!beside).then_some((before, after))
        })
    }

    proptest! {
        /// Two gateways are refused exactly where some name leads to both of them.
        #[test]
        fn two_gateways_clash_exactly_where_a_name_leads_to_both(
            parts in prop::collection::vec(parts(), 2),
            hosts in prop::collection::vec("[ab][12-]{0,3}", 2),
        ) {
            let patterns: Vec<String> =
                parts.iter().map(|(before, after)| format!("{before}{NODE_ID}{after}")).collect();
            let mut sni = SniHosts::default();
            for index in 0..2 {
                let at = Pos { line: index as u32 + 1, ..Pos::START };
                sni.add(SniGateway {
                    ip: BindIp::Any,
                    port: 1,
                    owner: ("c", "g"),
                    bootstrap: (hosts[index].clone(), at),
                    pattern: (patterns[index].clone(), at),
                    proxy_protocol: (ProxyProtocol::default(), at),
                });
            }
            let mut errors = Errors::new();
            sni.check(&mut errors);
            // Every name that either pattern has for the ids that could matter.
            let names = [0, 1, 2, 11, 12, 21, 22, 111, 112, 121, 122, 211, 212, 221, 222]
                .iter()
                .map(|id| patterns[0].replace(NODE_ID, &id.to_string()));
            let ambiguous = names.into_iter().any(|name| matches(&patterns[1], &name))
                || hosts[0] == hosts[1]
                || hosts.iter().any(|host| patterns.iter().any(|pattern| matches(pattern, host)));
            prop_assert_eq!(!errors.is_empty(), ambiguous, "{:?} {:?}", patterns, hosts);
        }
    }
}
