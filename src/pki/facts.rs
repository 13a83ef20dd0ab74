//! Facts from certificates.

use std::net::IpAddr;

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};
use x509_parser::x509::X509Name;

use super::PkiError;

/// Facts from a certificate, for people and for warnings. Times are seconds since 1970-01-01 UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Distinguished name of the subject (RFC 4514).
    pub subject: String,
    /// Distinguished name of the issuer (RFC 4514).
    pub issuer: String,
    /// Start of the validity.
    pub not_before: i64,
    /// End of the validity.
    pub not_after: i64,
    /// DNS names of the subject in lower case, wildcards included.
    pub dns_names: Vec<String>,
    /// IP addresses of the subject.
    pub ip_addresses: Vec<IpAddr>,
}

impl CertificateFacts {
    /// Reads a certificate.
    ///
    /// # Errors
    /// [`PkiError`] if it is not an X.509 certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, PkiError> {
        let (_, parsed) = X509Certificate::from_der(certificate)
            .map_err(|_| PkiError::Unparsable("a certificate in the file does not parse"))?;
        let mut facts = Self {
            subject: distinguished_name(parsed.subject()),
            issuer: distinguished_name(parsed.issuer()),
            not_before: parsed.validity().not_before.timestamp(),
            not_after: parsed.validity().not_after.timestamp(),
            dns_names: Vec::new(),
            ip_addresses: Vec::new(),
        };
        let names = parsed.subject_alternative_name().ok().flatten();
        for name in names.iter().flat_map(|names| &names.value.general_names) {
            match name {
                GeneralName::DNSName(name) => facts.dns_names.push(name.to_ascii_lowercase()),
                GeneralName::IPAddress(bytes) => facts.ip_addresses.extend(ip(bytes)),
                _ => {}
            }
        }
        Ok(facts)
    }

    /// Whether the certificate is for this host (RFC 9525 §6): a DNS name or a wildcard for its first label matches,
    /// or the IP address is listed. Common names do not count.
    pub fn covers(&self, host: &str) -> bool {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return self.ip_addresses.contains(&ip);
        }
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let parent = host.split_once('.').map(|(_, parent)| parent);
        self.dns_names.iter().any(|name| match name.strip_prefix("*.") {
            Some(rest) => parent == Some(rest),
            None => *name == host,
        })
    }
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// The distinguished name in the form of RFC 4514: the last part first, separated by commas.
pub(crate) fn distinguished_name(name: &X509Name<'_>) -> String {
    let mut text = String::new();
    let parts: Vec<_> = name.iter_rdn().collect();
    for (index, part) in parts.into_iter().rev().enumerate() {
        if index > 0 {
            text.push(',');
        }
        for (index, attribute) in part.iter().enumerate() {
            if index > 0 {
                text.push('+');
            }
            let oid = attribute.attr_type().to_id_string();
            match (short_name(&oid), attribute.as_str()) {
                (Some(short), Ok(value)) => {
                    text.push_str(short);
                    text.push('=');
                    escape(value, &mut text);
                }
                (short, _) => {
                    text.push_str(short.unwrap_or(&oid));
                    text.push_str("=#");
                    for byte in attribute.as_slice() {
                        text.push_str(&format!("{byte:02x}"));
                    }
                }
            }
        }
    }
    text
}

/// Short name of an attribute: RFC 4514 §3, and a few that are usual.
fn short_name(oid: &str) -> Option<&'static str> {
    Some(match oid {
        "2.5.4.3" => "CN",
        "2.5.4.5" => "SERIALNUMBER",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "STREET",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "0.9.2342.19200300.100.1.1" => "UID",
        "0.9.2342.19200300.100.1.25" => "DC",
        "1.2.840.113549.1.9.1" => "EMAILADDRESS",
        _ => return None,
    })
}

/// Escapes a value (RFC 4514 §2.4). Control characters too, so that a subject is always one line of a log.
fn escape(value: &str, text: &mut String) {
    let last = value.chars().count().saturating_sub(1);
    for (index, char) in value.chars().enumerate() {
        match char {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => text.extend(['\\', char]),
            ' ' if index == 0 || index == last => text.push_str("\\ "),
            '#' if index == 0 => text.push_str("\\#"),
            char if char.is_control() => {
                let mut bytes = [0; 4];
                for byte in char.encode_utf8(&mut bytes).bytes() {
                    text.push_str(&format!("\\{byte:02X}"));
                }
            }
            char => text.push(char),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stands_for_one_label() {
        let facts = CertificateFacts {
            subject: String::new(),
            issuer: String::new(),
            not_before: 0,
            not_after: 0,
            dns_names: ["*.k.example.com", "plain.example.com"].map(String::from).into(),
            ip_addresses: vec!["127.0.0.1".parse().unwrap()],
        };
        for (host, covered) in [
            ("a.k.example.com", true),
            ("A.K.Example.com.", true),
            ("a.b.k.example.com", false),
            ("k.example.com", false),
            ("plain.example.com", true),
            ("127.0.0.1", true),
            ("127.0.0.2", false),
            ("com", false),
        ] {
            assert_eq!(facts.covers(host), covered, "{host}");
        }
    }

    #[test]
    fn values_of_names_are_escaped() {
        let mut text = String::new();
        escape(" a,b\n#\\ ", &mut text);
        assert_eq!(text, "\\ a\\,b\\0A#\\\\\\ ");
    }
}
