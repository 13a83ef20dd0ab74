//! Rules for the broker addresses that kproxy connects to because a broker names them (`allowedBrokers`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::HostPort;
use crate::config::{BrokerPattern, List, Spanned};

/// Networks that are not allowed by default: no Kafka broker is expected there, but credentials are. A broker that
/// names such an address would make its clients talk to it. Addresses listed in `allowedBrokers` are excepted.
const RESERVED: [(&str, &str); 8] = [
    // RFC 3927; the metadata services of AWS, Google Cloud, Azure, Oracle Cloud and others are in this network.
    ("169.254.0.0/16", "a link-local address"),
    // RFC 4291 §2.5.6.
    ("fe80::/10", "a link-local address"),
    // AWS: metadata and other services of the instance.
    ("fd00:ec2::/32", "an address of cloud metadata"),
    // Google Cloud.
    ("fd20:ce::254/128", "an address of cloud metadata"),
    // Alibaba Cloud.
    ("100.100.100.200/32", "an address of cloud metadata"),
    // Azure.
    ("168.63.129.16/32", "an address of cloud metadata"),
    // Oracle Cloud.
    ("192.0.0.192/32", "an address of cloud metadata"),
    // RFC 1112, RFC 4291: a multicast address is never the peer of a TCP connection.
    ("224.0.0.0/4", "a multicast address"),
];

/// Prefix of IPv4 addresses embedded in IPv6 addresses by NAT64 (RFC 6052 §2.1).
const NAT64: Ipv6Addr = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0);

/// The `allowedBrokers` of a target cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedBrokers {
    /// Listed patterns in ascending order; `None` allows every address that is not reserved.
    listed: Option<Vec<BrokerPattern>>,
}

/// Reason why an address is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAllowed {
    /// The address is reserved; the text says for what.
    Reserved(&'static str),
    /// Neither the address nor the name that leads to it is listed.
    NotListed,
}

impl AllowedBrokers {
    pub(super) fn of(written: Option<&Spanned<List<BrokerPattern>>>) -> Self {
        let listed = written.map(|list| {
            let patterns = list.value.items.iter().map(|item| item.value.clone());
            let mut patterns: Vec<BrokerPattern> = patterns.collect();
            patterns.sort_unstable();
            patterns.dedup();
            patterns
        });
        Self { listed }
    }

    /// Checks whether `ip`, an address of `server`, may be connected to. `is_configured` says that the configuration
    /// names it as a bootstrap server.
    ///
    /// # Errors
    /// [`NotAllowed`] with the reason.
    pub fn check(&self, server: &HostPort, is_configured: bool, ip: IpAddr) -> Result<(), NotAllowed> {
        let ips = meanings(ip);
        let listed = self.listed.as_deref().unwrap_or_default();
        let within = |network: &IpNet| ips.iter().flatten().any(|ip| network.contains(ip));
        let by_address = |pattern: &BrokerPattern| match pattern {
            BrokerPattern::Network(network) => within(network),
            BrokerPattern::Host(_) | BrokerPattern::Below(_) => false,
        };
        if listed.iter().any(by_address) {
            return Ok(());
        }
        if let Some(what) = reserved(ips) {
            return Err(NotAllowed::Reserved(what));
        }
        let is_listed = || listed.iter().any(|pattern| names(pattern, &server.host));
        if self.listed.is_none() || is_configured || is_listed() {
            return Ok(());
        }
        Err(NotAllowed::NotListed)
    }

    /// Checks whether `server` may be connected to by a forward proxy, which looks its name up: by that name, or by the
    /// address that it is.
    ///
    /// # Errors
    /// [`NotAllowed`] with the reason.
    pub fn check_unresolved(&self, server: &HostPort, is_configured: bool) -> Result<(), NotAllowed> {
        if let Ok(ip) = server.host.parse() {
            return self.check(server, is_configured, ip);
        }
        let is_listed = |listed: &[BrokerPattern]| listed.iter().any(|pattern| names(pattern, &server.host));
        match self.listed.as_deref() {
            Some(listed) if !is_configured && !is_listed(listed) => Err(NotAllowed::NotListed),
            _ => Ok(()),
        }
    }
}

fn names(pattern: &BrokerPattern, host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    match pattern {
        BrokerPattern::Host(name) => name.eq_ignore_ascii_case(host),
        BrokerPattern::Below(domain) => {
            let Some(split) = host.len().checked_sub(domain.len()) else {
                return false;
            };
            let ends = host
                .get(split..)
                .is_some_and(|end| end.eq_ignore_ascii_case(domain));
            ends && split > 1 && host.as_bytes().get(split - 1) == Some(&b'.')
        }
        BrokerPattern::Network(_) => false,
    }
}

/// An address, and the IPv4 address embedded in it, if any.
fn meanings(ip: IpAddr) -> [Option<IpAddr>; 2] {
    let ip = ip.to_canonical();
    let embedded = match ip {
        IpAddr::V6(v6) if v6.octets()[..12] == NAT64.octets()[..12] => {
            let [.., a, b, c, d] = v6.octets();
            Some(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
        }
        IpAddr::V6(_) | IpAddr::V4(_) => None,
    };
    [Some(ip), embedded]
}

fn reserved(ips: [Option<IpAddr>; 2]) -> Option<&'static str> {
    let found = RESERVED.iter().find(|(network, _)| {
        let network = network.parse::<IpNet>();
        network.is_ok_and(|network| ips.iter().flatten().any(|ip| network.contains(ip)))
    });
    found.map(|(_, what)| *what)
}

impl std::fmt::Display for NotAllowed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Reserved(what) => write!(f, "{what}, which `allowedBrokers` does not list"),
            Self::NotListed => f.write_str("not in `allowedBrokers`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(patterns: &[BrokerPattern]) -> AllowedBrokers {
        AllowedBrokers {
            listed: Some(patterns.to_vec()),
        }
    }

    fn check(allowed: &AllowedBrokers, host: &str, ip: &str) -> Result<(), NotAllowed> {
        let server = HostPort {
            host: host.into(),
            port: 9092,
        };
        allowed.check(&server, false, ip.parse().unwrap())
    }

    #[test]
    fn link_local_and_metadata_addresses_have_to_be_listed_by_address() {
        let by_name = allowed(&[BrokerPattern::Host("evil.example".into())]);
        let by_address = allowed(&[
            BrokerPattern::Network("169.254.0.0/16".parse().unwrap()),
            BrokerPattern::Network("::/0".parse().unwrap()),
        ]);
        for ip in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "fe80::1",
            "fd00:ec2::254",
        ] {
            for list in [&AllowedBrokers::default(), &by_name] {
                let checked = check(list, "evil.example", ip);
                assert!(
                    matches!(checked, Err(NotAllowed::Reserved(_))),
                    "{ip}: {checked:?}"
                );
            }
            assert_eq!(check(&by_address, "evil.example", ip), Ok(()), "{ip}");
        }
        for ip in ["127.0.0.1", "10.0.0.1", "203.0.113.9", "2001:db8::1", "fd00::1"] {
            assert_eq!(check(&AllowedBrokers::default(), "b", ip), Ok(()), "{ip}");
        }
        assert!(check(&AllowedBrokers::default(), "b", "100.100.100.200").is_err());
    }

    #[test]
    fn a_list_confines_names_and_addresses() {
        let list = allowed(&[
            BrokerPattern::Host("b-1.other.example".into()),
            BrokerPattern::Below("kafka.internal".into()),
            BrokerPattern::Network("10.0.0.0/8".parse().unwrap()),
        ]);
        for (host, ip) in [
            ("B-1.Other.Example.", "203.0.113.9"),
            ("b.kafka.internal", "203.0.113.9"),
            ("b.az1.Kafka.Internal", "203.0.113.9"),
            ("anything.example", "10.1.2.3"),
            ("10.1.2.3", "10.1.2.3"),
        ] {
            assert_eq!(check(&list, host, ip), Ok(()), "{host}");
        }
        for (host, ip) in [
            ("kafka.internal", "203.0.113.9"),
            (".kafka.internal", "203.0.113.9"),
            ("evilkafka.internal", "203.0.113.9"),
            ("b.kafka.internal.example", "203.0.113.9"),
            ("11.0.0.1", "11.0.0.1"),
            ("anything.example", "127.0.0.1"),
        ] {
            assert_eq!(check(&list, host, ip), Err(NotAllowed::NotListed), "{host}");
        }
        let server = HostPort {
            host: "boot.example".into(),
            port: 9092,
        };
        assert_eq!(list.check(&server, true, "203.0.113.9".parse().unwrap()), Ok(()));
    }

    #[test]
    fn reserved_networks_parse() {
        for (network, _) in RESERVED {
            assert!(network.parse::<IpNet>().is_ok(), "{network}");
        }
    }
}
