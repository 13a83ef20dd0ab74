//! The limit `maxConnectionsPerClient`.

use std::net::IpAddr;

use ipnet::IpNet;

use super::PerClient;
use crate::config::schema::ConnectionsPerClient;
use crate::config::{Errors, PrefixLength, Spanned};

/// Default prefix length for IPv4: one address.
const IPV4_PREFIX: u8 = 32;

/// Default prefix length for IPv6: the network of one subscriber or host, which may choose the rest freely (RFC 6177,
/// RFC 7934).
const IPV6_PREFIX: u8 = 64;

pub(super) fn resolve(
    written: Option<&Spanned<ConnectionsPerClient>>,
    errors: &mut Errors,
) -> Option<PerClient> {
    let written = &written?.value;
    let mut length = |written: Option<&Spanned<PrefixLength>>, key, most: u8, default| {
        let Some(written) = written else { return default };
        match u8::try_from(written.value.0) {
            Ok(length) if length <= most => length,
            _ => {
                let other = if most < 128 {
                    "; for IPv6 it is `ipv6PrefixLength`"
                } else {
                    ""
                };
                errors.push(written.at, format!("`{key}` must be at most {most}{other}"));
                default
            }
        }
    };
    Some(PerClient {
        limit: written.limit.value.get() as usize,
        ipv4: length(written.prefix_length.as_ref(), "prefixLength", 32, IPV4_PREFIX),
        ipv6: length(
            written.ipv6_prefix_length.as_ref(),
            "ipv6PrefixLength",
            128,
            IPV6_PREFIX,
        ),
    })
}

impl PerClient {
    /// The network that `ip` is counted in.
    pub fn network(&self, ip: IpAddr) -> IpNet {
        let length = match ip {
            IpAddr::V4(_) => self.ipv4,
            IpAddr::V6(_) => self.ipv6,
        };
        IpNet::new(ip, length).map_or_else(|_| ip.into(), |network| network.trunc())
    }
}
