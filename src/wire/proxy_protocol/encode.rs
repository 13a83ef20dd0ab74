//! Writing PROXY protocol headers.

use std::net::{IpAddr, SocketAddr};

use proxy_header::{SslInfo, Tlv};

use super::checksum::crc32c;
use super::{SIGNATURE, TLV_HEAD, TYPE_CRC32C, V2_HEAD, Version};

/// Longest text that is written, in bytes; longer ones are left out. No host name, cipher or common name is longer, and
/// receivers' buffers are small.
const MAX_TEXT: usize = 512;

/// Fields of version 2 beside addresses. Version 1 has no room for them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extras<'a> {
    /// The host name the client asked for.
    pub authority: Option<&'a str>,
    /// Set if the client speaks TLS.
    pub tls: Option<TlsExtras<'a>>,
}

/// The TLS of the client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TlsExtras<'a> {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'a str,
    /// Name of the cipher suite.
    pub cipher: &'a str,
    /// Common name in the client's certificate.
    pub common_name: Option<&'a str>,
    /// The client presented a certificate and it was verified.
    pub verified: bool,
    /// The TLS session was resumed: a certificate was presented when it began, and not on this connection.
    pub resumed: bool,
}

/// Encodes a header for a client at `source`, which connected to `destination`. Where one of them is IPv4 and the other
/// is not, both are written as IPv6 (RFC 4291 §2.5.5.2). Version 2 carries a checksum.
pub fn encode(
    version: Version,
    source: SocketAddr,
    destination: SocketAddr,
    extras: Option<&Extras<'_>>,
) -> Vec<u8> {
    let (from, to) = one_family(source.ip(), destination.ip());
    let ports = [source.port(), destination.port()];
    match version {
        Version::V1 => line(from, to, ports),
        Version::V2 => {
            let mut addresses = Vec::with_capacity(36);
            let family = match (from, to) {
                (IpAddr::V4(from), IpAddr::V4(to)) => {
                    addresses.extend([from.octets(), to.octets()].as_flattened());
                    0x11
                }
                (from, to) => {
                    let octets = [from, to].map(|ip| match ip {
                        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
                        IpAddr::V6(ip) => ip.octets(),
                    });
                    addresses.extend(octets.as_flattened());
                    0x21
                }
            };
            addresses.extend(ports.map(u16::to_be_bytes).as_flattened());
            block([0x21, family], &addresses, extras)
        }
    }
}

/// Encodes a header with which the sender speaks for itself: `UNKNOWN` or LOCAL.
pub fn encode_local(version: Version) -> Vec<u8> {
    match version {
        Version::V1 => b"PROXY UNKNOWN\r\n".to_vec(),
        Version::V2 => block([0x20, 0x00], &[], None),
    }
}

/// Both addresses as IPv4 if both are, IPv4-mapped ones included; else both as IPv6.
fn one_family(source: IpAddr, destination: IpAddr) -> (IpAddr, IpAddr) {
    match (source.to_canonical(), destination.to_canonical()) {
        (IpAddr::V4(source), IpAddr::V6(destination)) => (source.to_ipv6_mapped().into(), destination.into()),
        (IpAddr::V6(source), IpAddr::V4(destination)) => (source.into(), destination.to_ipv6_mapped().into()),
        same => same,
    }
}

fn line(source: IpAddr, destination: IpAddr, [from, to]: [u16; 2]) -> Vec<u8> {
    let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
    format!("PROXY {family} {source} {destination} {from} {to}\r\n").into_bytes()
}

fn block(command_and_family: [u8; 2], addresses: &[u8], extras: Option<&Extras<'_>>) -> Vec<u8> {
    let mut header = Vec::with_capacity(256);
    header.extend(SIGNATURE);
    header.extend(command_and_family);
    header.extend([0; 2]);
    header.extend(addresses);
    let checksum_at = header.len() + TLV_HEAD;
    header.extend([TYPE_CRC32C, 0, 4, 0, 0, 0, 0]);
    if let Some(extras) = extras {
        append(&mut header, extras);
    }
    // At most four texts of MAX_TEXT: far from 64 KiB.
    let len = (header.len() - V2_HEAD) as u16;
    header[V2_HEAD - 2..V2_HEAD].copy_from_slice(&len.to_be_bytes());
    let checksum = crc32c([header.as_slice()]);
    header[checksum_at..checksum_at + 4].copy_from_slice(&checksum.to_be_bytes());
    header
}

fn append(header: &mut Vec<u8>, extras: &Extras<'_>) {
    let short = |text: &&str| text.len() <= MAX_TEXT;
    if let Some(authority) = extras.authority.filter(short) {
        Tlv::Authority(authority.into()).encode(header);
    }
    let Some(tls) = &extras.tls else { return };
    let certificate = tls.verified || tls.common_name.is_some();
    let shown_here = certificate && !tls.resumed;
    let mut ssl = SslInfo::new(true, shown_here, certificate, u32::from(!tls.verified));
    for tlv in [
        Some(tls.version)
            .filter(short)
            .map(|text| Tlv::SslVersion(text.into())),
        Some(tls.cipher)
            .filter(short)
            .map(|text| Tlv::SslCipher(text.into())),
        tls.common_name.filter(short).map(|text| Tlv::SslCn(text.into())),
    ] {
        tlv.into_iter().for_each(|tlv| ssl.append_tlv(tlv));
    }
    Tlv::Ssl(ssl).encode(header);
}
