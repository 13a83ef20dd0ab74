//! Builders of subjects: which proved names become principals, and how.

use super::Principal;
use super::mapping::NameMapping;
use crate::names::names;
use crate::pki::ClientNames;

names! {
    /// A field of the client's certificate.
    pub enum CertificateField {
        /// The subject.
        Subject = "clientTlsSubject",
        /// Mail addresses among the alternative names.
        Rfc822Name = "clientTlsSanRfc822Name",
        /// Distinguished names among the alternative names.
        DirectoryName = "clientTlsSanDirName",
        /// DNS names among the alternative names.
        DnsName = "clientTlsSanDnsName",
        /// URIs among the alternative names, such as SPIFFE ids.
        Uri = "clientTlsSanUri",
        /// IP addresses among the alternative names.
        IpAddress = "clientTlsSanIpAddress",
    }
}

impl CertificateField {
    /// Its values in a certificate.
    fn values(self, names: &ClientNames) -> &[String] {
        match self {
            Self::Subject => std::slice::from_ref(&names.subject),
            Self::Rfc822Name => &names.rfc822_names,
            Self::DirectoryName => &names.directory_names,
            Self::DnsName => &names.dns_names,
            Self::Uri => &names.uris,
            Self::IpAddress => &names.ip_addresses,
        }
    }
}

/// A source of names, and what becomes of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalAdder<F> {
    /// The source.
    pub from: F,
    /// The mapping of each of its names.
    pub mapping: NameMapping,
}

/// The only source of names of a [`SaslSubjectBuilder`]: the id that SASL authorized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SaslAuthorizedId;

/// Builder of subjects from client certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportSubjectBuilder {
    /// What it adds, in order.
    pub adders: Vec<PrincipalAdder<CertificateField>>,
}

/// Builder of subjects from SASL authentications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaslSubjectBuilder {
    /// What it adds, in order.
    pub adders: Vec<PrincipalAdder<SaslAuthorizedId>>,
}

impl Default for SaslSubjectBuilder {
    /// Builds a user of the authorized id.
    fn default() -> Self {
        Self {
            adders: vec![PrincipalAdder {
                from: SaslAuthorizedId,
                mapping: NameMapping::identity(),
            }],
        }
    }
}

impl TransportSubjectBuilder {
    /// Builds as a broker does with `ssl.principal.mapping.rules`: from the subject.
    pub fn of_rules(mapping: NameMapping) -> Self {
        let from = CertificateField::Subject;
        Self {
            adders: vec![PrincipalAdder { from, mapping }],
        }
    }

    /// Principals of the client with a certificate of these names; empty if it stays anonymous.
    pub fn principals(&self, names: &ClientNames) -> Vec<Principal> {
        let mapped = self.adders.iter().flat_map(|adder| {
            let values = adder.from.values(names).iter();
            values.filter_map(|value| adder.mapping.apply(value))
        });
        users(mapped)
    }
}

impl SaslSubjectBuilder {
    /// Principals of the client that authenticated as `authorized_id`; empty if it stays anonymous.
    pub fn principals(&self, authorized_id: &str) -> Vec<Principal> {
        let mapped = self.adders.iter();
        users(mapped.filter_map(|adder| adder.mapping.apply(authorized_id)))
    }
}

/// Users of these names, each once. An empty name is nobody's.
fn users(names: impl Iterator<Item = String>) -> Vec<Principal> {
    let mut found: Vec<Principal> = Vec::new();
    for name in names.filter(|name| !name.is_empty()) {
        let principal = Principal::user(&name);
        if !found.contains(&principal) {
            found.push(principal);
        }
    }
    found
}

/// Whether `name` is the factory of users, by its simple or its full name.
pub fn is_user_factory(name: &str) -> bool {
    ["UserFactory", "io.kroxylicious.proxy.authentication.UserFactory"].contains(&name)
}
