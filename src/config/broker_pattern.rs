//! Entries of `allowedBrokers`: the addresses that brokers of a target may have.

use ipnet::IpNet;

use super::address::parse_pattern;
use super::decode::Decode;
use super::describe::Schema;
use super::diagnostic::{Errors, quoted};
use super::yaml::Node;

/// A host name, a domain (`*.example.com`), an address, or a network in CIDR notation (RFC 4632).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum BrokerPattern {
    /// One host, in lower case and without a dot at its end.
    Host(String),
    /// Every host below a domain, any number of labels deep.
    Below(String),
    /// Every address of a network, or one address.
    Network(IpNet),
}

impl Decode for BrokerPattern {
    fn schema() -> Schema {
        Schema::text("host, `*.DOMAIN`, IP address or network")
    }

    fn decode(node: Node<'_>, errors: &mut Errors) -> Option<Self> {
        let expected = "a host name, `*.DOMAIN`, an address or a network such as `10.0.0.0/8`";
        let Some(text) = node.scalar().filter(|_| !node.is_null()) else {
            let found = node.describe();
            errors.push(node.at(), format!("expected {expected}, found {found}"));
            return None;
        };
        let parsed = parse(text.trim());
        if parsed.is_none() {
            errors.push(node.at(), format!("expected {expected}, found {}", quoted(text)));
        }
        parsed
    }
}

fn parse(text: &str) -> Option<BrokerPattern> {
    if let Ok(network) = text.parse::<IpNet>() {
        return Some(BrokerPattern::Network(network.trunc()));
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Ok(ip) = bare.unwrap_or(text).parse::<std::net::IpAddr>() {
        return Some(BrokerPattern::Network(ip.to_canonical().into()));
    }
    let below = text.strip_prefix("*.");
    let pattern = parse_pattern(below.unwrap_or(text)).ok()?;
    if pattern.port.is_some() || pattern.host.contains("$(") {
        return None;
    }
    let host = pattern.host.trim_end_matches('.').to_ascii_lowercase();
    Some(match below {
        Some(_) => BrokerPattern::Below(host),
        None => BrokerPattern::Host(host),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_domains_addresses_and_networks() {
        let network = |text: &str| Some(BrokerPattern::Network(text.parse().unwrap()));
        assert_eq!(
            parse("B-1.Kafka.internal."),
            Some(BrokerPattern::Host("b-1.kafka.internal".into()))
        );
        assert_eq!(
            parse("*.kafka.internal"),
            Some(BrokerPattern::Below("kafka.internal".into()))
        );
        assert_eq!(parse("10.1.2.3/8"), network("10.0.0.0/8"));
        assert_eq!(parse("10.1.2.3"), network("10.1.2.3/32"));
        assert_eq!(parse("::1"), network("::1/128"));
        assert_eq!(parse("[fe80::1]"), network("fe80::1/128"));
        for bad in [
            "",
            "*",
            "*.",
            "a.*",
            "*a.b",
            "10.0.0.0/33",
            "b:9092",
            "b-$(nodeId).a",
            "a b",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
