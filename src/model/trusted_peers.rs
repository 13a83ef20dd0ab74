//! Peers whose PROXY headers are trusted.

use std::net::IpAddr;

use ipnet::IpNet;

/// Whether a PROXY header from `peer` is trusted. A mapped IPv4 address counts as IPv4 (RFC 4291 §2.5.5.2); an empty
/// list trusts every peer.
pub fn is_trusted(peer: IpAddr, trusted: &[IpNet]) -> bool {
    let peer = peer.to_canonical();
    trusted.is_empty() || trusted.iter().any(|net| net.contains(&peer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_peers_count_as_ipv4_and_an_empty_list_trusts_everyone() {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "2001:db8::/32"]
            .map(|net| net.parse().unwrap())
            .to_vec();
        let asked = |peer: &str| is_trusted(peer.parse().unwrap(), &trusted);
        for peer in ["10.255.0.1", "::ffff:10.1.2.3", "2001:db8::5"] {
            assert!(asked(peer), "{peer}");
        }
        for peer in ["11.0.0.1", "::ffff:11.0.0.1", "::10.1.2.3", "2001:db9::5"] {
            assert!(!asked(peer), "{peer}");
        }
        let everything: IpNet = "::/0".parse().unwrap();
        assert!(!is_trusted("::ffff:10.0.0.1".parse().unwrap(), &[everything]));
        assert!(is_trusted("198.51.100.7".parse().unwrap(), &[]));
    }
}
