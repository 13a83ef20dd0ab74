//! `config` of `SaslTermination`.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use super::super::super::decode::{choice, record};
use super::super::super::references::of_upstream;
use super::super::super::{List, Spanned};
use super::super::{Password, UpstreamTls};
use super::NamedFiles;

record! {
    /// Settings of `SaslTermination`, by which clients authenticate at kproxy; the broker never sees their credentials. It has
    /// to be the first filter of a virtual cluster.
    pub struct SaslTerminationConfig {
        /// Mechanisms that clients may use.
        "mechanisms" mechanisms: Spanned<List<TerminatedMechanismConfig>>,
        /// Longest time until a client has to authenticate again (KIP-368), at least 2 s; one that does not is closed. Absent: as
        /// long as its token is good, without a token for ever.
        "maxTimeBeforeReauth" max_time_before_reauth: Option<Spanned<Duration>>,
        /// Time for which the answer to a failed authentication is held back, at most 5 s.
        "fixedAuthDelay" fixed_auth_delay: Option<Spanned<Duration>> = "200ms",
    }
}

record! {
    /// A mechanism that clients may use.
    pub struct TerminatedMechanismConfig {
        /// Name of the mechanism: `PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512`.
        "mechanism" mechanism: Spanned<TerminatedMechanismName>,
        /// Where the users are: `FileCredentialStore` (a file of text), `KeystoreScramCredentialStoreService` (a PKCS#12 key store of
        /// Kroxylicious) or, with `PLAIN`, `LdapBind` (a directory service). Absent: an error.
        "credentialStore" credential_store: Option<Spanned<String>>,
        /// Settings of the credential store.
        "credentialStoreConfig" credential_store_config: Option<Spanned<CredentialStoreConfig>>,
        /// Iterations that are shown for users that do not exist. Absent: as many as most users of the store have.
        "phantomIterations" phantom_iterations: Option<Spanned<NonZeroU32>>,
        /// Whether `PLAIN` is offered to clients without TLS, whose passwords everybody on the way can read.
        "allowPlaintext" allow_plaintext: Option<Spanned<bool>> = "false",
    }
}

record! {
    /// Settings of a credential store.
    pub struct CredentialStoreConfig {
        /// File with the users. Of a `FileCredentialStore` each line is `name:MECHANISM$iterations:salt$storedKey:serverKey`, as
        /// `kproxy credential` prints it. Absent: see `url`.
        "file" file: Option<Spanned<PathBuf>>,
        /// Password of the key store of a `KeystoreScramCredentialStoreService`. Absent: an empty password.
        "storePassword" store_password: Option<Spanned<Password>>,
        /// Format of the key store; only `PKCS12`.
        "storeType" store_type: Option<Spanned<String>> = "PKCS12",
        /// Directory service of `LdapBind`: `ldaps://host:636`, or `ldap://host:389`, which becomes TLS by StartTLS if `tls` is
        /// there. Absent: see `file`.
        "url" url: Option<Spanned<String>>,
        /// Distinguished name of a user at the directory service, with `$(username)` in it:
        /// `uid=$(username),ou=people,dc=example,dc=com`. Absent: see `file`.
        "bindDn" bind_dn: Option<Spanned<String>>,
        /// TLS towards the directory service. Absent: with `ldaps` the authorities of the platform, with `ldap` no TLS.
        "tls" tls: Option<Spanned<UpstreamTls>>,
    }
}

choice! {
    /// A mechanism by which clients authenticate at kproxy.
    pub enum TerminatedMechanismName {
        /// Name and password (RFC 4616).
        Plain = "PLAIN",
        /// SCRAM with SHA-256 (RFC 7677).
        ScramSha256 = "SCRAM-SHA-256",
        /// SCRAM with SHA-512.
        ScramSha512 = "SCRAM-SHA-512",
    }
}

impl TerminatedMechanismName {
    /// Returns the name, as in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

impl NamedFiles for SaslTerminationConfig {
    fn files(&self) -> Vec<&Spanned<PathBuf>> {
        let stores = self.mechanisms.value.items.iter();
        let stores = stores.filter_map(|mechanism| mechanism.value.credential_store_config.as_ref());
        stores.flat_map(|store| of_store(&store.value)).collect()
    }
}

fn of_store(store: &CredentialStoreConfig) -> impl Iterator<Item = &Spanned<PathBuf>> {
    let password = store.store_password.as_ref();
    let password = password.and_then(|password| password.value.password_file.as_ref());
    let tls = store.tls.iter().flat_map(of_upstream).flatten();
    store.file.iter().chain(password).chain(tls)
}
