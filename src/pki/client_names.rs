//! Names of a client in its certificate, written as Java writes them.

use std::net::Ipv6Addr;

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// Names of a client, in the form in which rules for Java programs expect them (`X500Principal.getName()`,
/// `X509Certificate.getSubjectAlternativeNames()`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientNames {
    /// The subject (RFC 2253).
    pub subject: String,
    /// Mail addresses.
    pub rfc822_names: Vec<String>,
    /// Distinguished names (RFC 2253).
    pub directory_names: Vec<String>,
    /// DNS names.
    pub dns_names: Vec<String>,
    /// URIs.
    pub uris: Vec<String>,
    /// IP addresses.
    pub ip_addresses: Vec<String>,
}

impl ClientNames {
    /// Names in a certificate; `None` if it does not parse.
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        let mut names = Self {
            subject: java_name(parsed.subject()),
            ..Self::default()
        };
        let others = parsed.subject_alternative_name().ok().flatten();
        for name in others.iter().flat_map(|names| &names.value.general_names) {
            match name {
                GeneralName::RFC822Name(name) => names.rfc822_names.push((*name).to_owned()),
                GeneralName::DirectoryName(name) => names.directory_names.push(java_name(name)),
                GeneralName::DNSName(name) => names.dns_names.push((*name).to_owned()),
                GeneralName::URI(uri) => names.uris.push((*uri).to_owned()),
                GeneralName::IPAddress(bytes) => names.ip_addresses.extend(java_address(bytes)),
                _ => {}
            }
        }
        Some(names)
    }
}

/// Names of attributes that RFC 2253 has; others are written as numbers.
fn keyword(oid: &str) -> Option<&'static str> {
    Some(match oid {
        "2.5.4.3" => "CN",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "STREET",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "0.9.2342.19200300.100.1.1" => "UID",
        "0.9.2342.19200300.100.1.25" => "DC",
        _ => return None,
    })
}

fn java_name(name: &X509Name<'_>) -> String {
    let parts: Vec<_> = name.iter_rdn().collect();
    let parts = parts.into_iter().rev().map(|part| {
        let attributes: Vec<String> = part.iter().map(java_attribute).collect();
        attributes.join("+")
    });
    parts.collect::<Vec<_>>().join(",")
}

fn java_attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let oid = attribute.attr_type().to_id_string();
    match (keyword(&oid), attribute.as_str()) {
        (Some(keyword), Ok(value)) => format!("{keyword}={}", escaped(value)),
        (keyword, _) => {
            let digits: String = der(attribute).iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{}=#{digits}", keyword.unwrap_or(&oid))
        }
    }
}

/// The value with its tag and its length (X.690 §8.1).
fn der(attribute: &AttributeTypeAndValue<'_>) -> Vec<u8> {
    let value = attribute.as_slice();
    let mut bytes = vec![attribute.attr_value().tag().0 as u8];
    if let Ok(short @ ..0x80) = u8::try_from(value.len()) {
        bytes.push(short);
    } else {
        let length = value.len().to_be_bytes();
        let length = &length[length.iter().take_while(|byte| **byte == 0).count()..];
        bytes.push(0x80 | length.len() as u8);
        bytes.extend_from_slice(length);
    }
    bytes.extend_from_slice(value);
    bytes
}

/// A value with the escapes that Java writes. Control characters are escaped too, so that a name is one line of a log.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (index, char) in value.chars().enumerate() {
        match char {
            ',' | '=' | '+' | '<' | '>' | '#' | ';' | '"' | '\\' => text.extend(['\\', char]),
            ' ' if index == 0 || index == last => text.push_str("\\ "),
            char if char.is_control() => {
                for byte in char.encode_utf8(&mut [0; 4]).bytes() {
                    text.push_str(&format!("\\{byte:02X}"));
                }
            }
            char => text.push(char),
        }
    }
    text
}

/// An address as `InetAddress.getHostAddress()` writes it: IPv6 in full, without `::`.
fn java_address(bytes: &[u8]) -> Option<String> {
    if let Ok([a, b, c, d]) = <[u8; 4]>::try_from(bytes) {
        return Some(format!("{a}.{b}.{c}.{d}"));
    }
    let address = Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?);
    let segments = address.segments().map(|segment| format!("{segment:x}"));
    Some(segments.join(":"))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, DnValue, KeyPair, SanType};

    use super::*;

    /// What Java 17 prints for such a certificate.
    #[test]
    fn names_are_written_as_java_writes_them() {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        let name = &mut params.distinguished_name;
        let ia5 = |text: &str| DnValue::Ia5String(text.try_into().unwrap());
        name.push(DnType::CountryName, "DE");
        name.push(DnType::OrganizationName, "a, b");
        name.push(
            DnType::CustomDnType(vec![1, 2, 840, 113_549, 1, 9, 1]),
            ia5("a@b.c"),
        );
        name.push(DnType::CommonName, "Jörg=b#c+d;e<f>\"h\\i");
        params.subject_alt_names = vec![
            SanType::Rfc822Name("a@b.c".try_into().unwrap()),
            SanType::DnsName("A.example".try_into().unwrap()),
            SanType::URI("spiffe://a/b".try_into().unwrap()),
            SanType::IpAddress("192.0.2.1".parse().unwrap()),
            SanType::IpAddress("2001:db8::1".parse().unwrap()),
        ];
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let names = ClientNames::of(certificate.der()).unwrap();
        assert_eq!(
            names.subject,
            "CN=Jörg\\=b\\#c\\+d\\;e\\<f\\>\\\"h\\\\i,1.2.840.113549.1.9.1=#16056140622e63,O=a\\, b,C=DE"
        );
        assert_eq!(names.rfc822_names, ["a@b.c"]);
        assert_eq!(names.dns_names, ["A.example"]);
        assert_eq!(names.uris, ["spiffe://a/b"]);
        assert_eq!(names.ip_addresses, ["192.0.2.1", "2001:db8:0:0:0:0:0:1"]);
        assert_eq!(ClientNames::of(&CertificateDer::from(vec![1, 2])), None);
    }
}
