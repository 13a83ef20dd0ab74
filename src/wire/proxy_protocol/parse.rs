//! Reading PROXY protocol headers.

use proxy_header::{ParseConfig, Protocol, SslInfo, Tlv};

use super::checksum::crc32c;
use super::{
    Addresses, MAX_V1, MAX_V2, Parsed, ProxiedTls, ProxyHeader, ProxyHeaderError, SIGNATURE, TLV_HEAD,
    TYPE_CRC32C, V2_HEAD, Version,
};
use ProxyHeaderError::InvalidHeader;

/// The first bytes of version 1 (§2.1).
const V1_START: &[u8] = b"PROXY ";

/// The shortest header of version 1.
const V1_UNKNOWN: &[u8] = b"PROXY UNKNOWN\r\n";

/// Longest PP2_TYPE_UNIQUE_ID (§2.2.5).
const MAX_UNIQUE_ID: usize = 128;

/// Bytes of the two paths of AF_UNIX.
const UNIX_ADDRESSES: usize = 216;

/// Reads the first bytes of a connection. Nothing is decided that more bytes could change, and everything else as early
/// as possible.
///
/// # Errors
/// [`ProxyHeaderError`] says why bytes that began like a header are none.
pub fn parse(bytes: &[u8]) -> Result<Parsed, ProxyHeaderError> {
    let start: &[u8] = match bytes.first() {
        None => return Ok(Parsed::Incomplete { at_least: 1 }),
        Some(b'P') => V1_START,
        Some(b'\r') => &SIGNATURE,
        Some(_) => return Ok(Parsed::NotAHeader),
    };
    let common = bytes.len().min(start.len());
    if bytes[..common] != start[..common] {
        return Ok(Parsed::NotAHeader);
    }
    if common < start.len() {
        return Ok(Parsed::Incomplete { at_least: common + 1 });
    }
    if start == V1_START {
        parse_v1(bytes)
    } else {
        parse_v2(bytes)
    }
}

fn parse_v1(bytes: &[u8]) -> Result<Parsed, ProxyHeaderError> {
    // A line that has not begun to end one byte before the longest one does is too long, whatever follows.
    let within = &bytes[..bytes.len().min(MAX_V1 - 1)];
    let Some(end) = within.iter().position(|byte| b"\r\n".contains(byte)) else {
        return more_of_v1(within.len(), 2);
    };
    match bytes.get(end + 1) {
        _ if within[end] == b'\n' => return Err(InvalidHeader("a line feed without a carriage return")),
        None => return more_of_v1(within.len(), 1),
        Some(b'\n') => {}
        Some(_) => return Err(InvalidHeader("a carriage return within the line")),
    }
    let (line, whole) = (&bytes[..end], &bytes[..end + 2]);
    let protocol = line[V1_START.len()..].split(|&byte| byte == b' ').next();
    let addresses = if protocol == Some(b"UNKNOWN") {
        // "The receiver must ignore anything presented before the CRLF."
        None
    } else {
        Some(addresses_v1(line, whole)?)
    };
    Ok(Parsed::Header {
        len: whole.len(),
        header: ProxyHeader {
            version: Version::V1,
            addresses,
            authority: None,
            tls: None,
            unique_id: None,
        },
    })
}

fn more_of_v1(here: usize, missing: usize) -> Result<Parsed, ProxyHeaderError> {
    if here + missing > MAX_V1 {
        return Err(ProxyHeaderError::TooLong { max: MAX_V1 });
    }
    Ok(Parsed::Incomplete {
        at_least: V1_UNKNOWN.len().max(here + missing),
    })
}

fn addresses_v1(line: &[u8], whole: &[u8]) -> Result<Addresses, ProxyHeaderError> {
    let mut words = line.split(|&byte| byte == b' ').skip(4);
    let (source, destination, rest) = (words.next(), words.next(), words.next());
    let (Some(source), Some(destination), None) = (source, destination, rest) else {
        return Err(InvalidHeader("not two addresses and two ports"));
    };
    if !(is_plain_number(source) && is_plain_number(destination)) {
        return Err(InvalidHeader("a port is not a plain number"));
    }
    let (header, _) = proxy_header::ProxyHeader::parse(whole, ParseConfig::default())
        .map_err(|_| InvalidHeader("a protocol, address or port that does not exist"))?;
    addresses(&header).ok_or(InvalidHeader("no addresses"))
}

/// Decimal, without a sign and without zeros in front.
fn is_plain_number(word: &[u8]) -> bool {
    let plain = !word.is_empty() && word.iter().all(u8::is_ascii_digit);
    plain && (word.len() == 1 || word[0] != b'0')
}

fn addresses(header: &proxy_header::ProxyHeader<'_>) -> Option<Addresses> {
    let given = header.proxied_address()?;
    (given.protocol == Protocol::Stream).then_some(Addresses {
        source: given.source,
        destination: given.destination,
    })
}

fn parse_v2(bytes: &[u8]) -> Result<Parsed, ProxyHeaderError> {
    let at = SIGNATURE.len();
    let is_local = match bytes.get(at) {
        None | Some(0x21) => false,
        Some(0x20) => true,
        Some(byte) if byte >> 4 != 2 => return Err(InvalidHeader("neither version 1 nor 2")),
        Some(_) => return Err(InvalidHeader("unknown command")),
    };
    let tlvs_at = match bytes.get(at + 1) {
        None | Some(0x00) => V2_HEAD,
        Some(0x11 | 0x12) => V2_HEAD + 12,
        Some(0x21 | 0x22) => V2_HEAD + 36,
        Some(0x31 | 0x32) => V2_HEAD + UNIX_ADDRESSES,
        // What LOCAL brings along is discarded, "including the family".
        Some(_) if is_local => usize::MAX,
        Some(_) => return Err(InvalidHeader("unknown address family or protocol")),
    };
    let Some(&[high, low]) = bytes.get(at + 2..).and_then(|rest| rest.first_chunk()) else {
        return Ok(Parsed::Incomplete { at_least: V2_HEAD });
    };
    let len = V2_HEAD + usize::from(u16::from_be_bytes([high, low]));
    if len > MAX_V2 {
        return Err(ProxyHeaderError::TooLong { max: MAX_V2 });
    }
    if len < tlvs_at && !is_local {
        return Err(InvalidHeader("shorter than its addresses"));
    }
    let Some(whole) = bytes.get(..len) else {
        return Ok(Parsed::Incomplete { at_least: len });
    };
    let header = if is_local {
        local(whole, tlvs_at)?
    } else {
        proxied(whole, tlvs_at)?
    };
    Ok(Parsed::Header { len, header })
}

/// A LOCAL header, whose content is ignored; a checksum in it must be right all the same.
fn local(whole: &[u8], tlvs_at: usize) -> Result<ProxyHeader, ProxyHeaderError> {
    let tlvs = Tlvs {
        whole,
        at: tlvs_at.min(whole.len()),
    };
    for (at, kind, value) in tlvs.map_while(Result::ok) {
        if kind == TYPE_CRC32C {
            verify(whole, at, value)?;
        }
    }
    Ok(empty_v2())
}

fn empty_v2() -> ProxyHeader {
    ProxyHeader {
        version: Version::V2,
        addresses: None,
        authority: None,
        tls: None,
        unique_id: None,
    }
}

fn proxied(whole: &[u8], tlvs_at: usize) -> Result<ProxyHeader, ProxyHeaderError> {
    let (given, _) = proxy_header::ProxyHeader::parse(whole, ParseConfig::default())
        .map_err(|_| InvalidHeader("malformed"))?;
    let mut header = ProxyHeader {
        addresses: addresses(&given),
        ..empty_v2()
    };
    let mut checked = false;
    for tlv in (Tlvs { whole, at: tlvs_at }) {
        let (at, kind, value) = tlv?;
        if kind == TYPE_CRC32C {
            if checked {
                return Err(InvalidHeader("two checksums"));
            }
            checked = true;
            verify(whole, at, value)?;
        } else {
            take(&mut header, kind, value)?;
        }
    }
    Ok(header)
}

/// Takes in one TLV. If a type occurs twice, the first counts.
fn take(header: &mut ProxyHeader, kind: u8, value: &[u8]) -> Result<(), ProxyHeaderError> {
    match Tlv::decode(kind, value).map_err(|_| InvalidHeader("a field whose value is malformed"))? {
        Tlv::Authority(name) if header.authority.is_none() => header.authority = Some(name.into_owned()),
        Tlv::UniqueId(id) if id.len() > MAX_UNIQUE_ID => {
            return Err(InvalidHeader("a unique id of more than 128 bytes"));
        }
        Tlv::UniqueId(id) if header.unique_id.is_none() => header.unique_id = Some(id.into()),
        Tlv::Ssl(ssl) if ssl.client_ssl() && header.tls.is_none() => header.tls = Some(tls(&ssl)?),
        _ => {}
    }
    Ok(())
}

fn tls(ssl: &SslInfo<'_>) -> Result<ProxiedTls, ProxyHeaderError> {
    let mut tls = ProxiedTls {
        verified: (ssl.client_cert_conn() || ssl.client_cert_sess()) && ssl.verify() == 0,
        ..ProxiedTls::default()
    };
    for tlv in ssl.tlvs() {
        match tlv.map_err(|_| InvalidHeader("malformed TLS fields"))? {
            Tlv::SslVersion(version) => tls.version = Some(version.into_owned()),
            Tlv::SslCn(name) => tls.common_name = Some(name.into_owned()),
            _ => {}
        }
    }
    Ok(tls)
}

/// Compares the checksum whose value begins at `at` with one over the header in which it is zero.
fn verify(whole: &[u8], at: usize, value: &[u8]) -> Result<(), ProxyHeaderError> {
    let Some((&value, [])) = value.split_first_chunk() else {
        return Err(InvalidHeader("a checksum that is not of four bytes"));
    };
    let parts = [&whole[..at], &[0; 4], &whole[at + 4..]];
    if crc32c(parts) == u32::from_be_bytes(value) {
        Ok(())
    } else {
        Err(ProxyHeaderError::BadChecksum)
    }
}

/// TLVs: the position of each value, its type, and the value. `proxy-header` does not report the position.
struct Tlvs<'a> {
    whole: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Tlvs<'a> {
    type Item = Result<(usize, u8, &'a [u8]), ProxyHeaderError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.whole.get(self.at..).filter(|rest| !rest.is_empty())?;
        let value = rest.first_chunk().and_then(|&[_, high, low]: &[u8; TLV_HEAD]| {
            rest[TLV_HEAD..].get(..usize::from(u16::from_be_bytes([high, low])))
        });
        let Some(value) = value else {
            self.at = self.whole.len();
            return Some(Err(InvalidHeader("a field is longer than the header")));
        };
        let at = self.at + TLV_HEAD;
        self.at = at + value.len();
        Some(Ok((at, rest[0], value)))
    }
}
