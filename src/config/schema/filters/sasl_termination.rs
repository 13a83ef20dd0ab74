//! `config` of `SaslTermination`.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use super::super::super::decode::{choice, record};
use super::super::super::references::of_upstream;
use super::super::super::{KeySetUrl, List, Spanned};
use super::super::{Password, SubjectBuilderConfig, UpstreamTls};
use super::{KeysAtStart, NamedFiles};

record! {
    /// Settings of `SaslTermination`, by which clients authenticate at kproxy; the broker never sees their credentials. It has
    /// to be the first filter of a virtual cluster.
    pub struct SaslTerminationConfig {
        /// Mechanisms that clients may use.
        "mechanisms" mechanisms: Spanned<List<TerminatedMechanismConfig>>,
        /// Longest time until a client has to authenticate again (KIP-368), at least 2 s; one that does not is closed. Applies
        /// from the next authentication of each client. Absent: as long as its token is good, without a token for ever.
        "maxTimeBeforeReauth" max_time_before_reauth: Option<Spanned<Duration>>,
        /// Time for which the answer to a failed authentication is held back, at most 5 s.
        "fixedAuthDelay" fixed_auth_delay: Option<Spanned<Duration>> = "200ms",
        /// Kind of builder that makes names of clients, by its simple or full class name: `DefaultSaslSubjectBuilderService`.
        /// Absent: a client has the name that it authenticated as.
        "subjectBuilder" subject_builder: Option<Spanned<String>>,
        /// Settings of the builder: `addPrincipals`, where `from` is `saslAuthorizedId`. Absent: see `subjectBuilder`.
        "subjectBuilderConfig" subject_builder_config: Option<Spanned<SubjectBuilderConfig>>,
    }
}

record! {
    /// A mechanism that clients may use.
    pub struct TerminatedMechanismConfig {
        /// Name of the mechanism: `PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512`, `OAUTHBEARER`.
        "mechanism" mechanism: Spanned<TerminatedMechanismName>,
        /// Where the users are: `FileCredentialStore` (a file of text), `KeystoreScramCredentialStoreService` (a PKCS#12 key store of
        /// Kroxylicious) or, with `PLAIN`, `LdapBind` (a directory service). `OAUTHBEARER` has none. Absent: an error for the others.
        "credentialStore" credential_store: Option<Spanned<String>>,
        /// Settings of the credential store.
        "credentialStoreConfig" credential_store_config: Option<Spanned<CredentialStoreConfig>>,
        /// Iterations that are shown for users that do not exist. Absent: as many as most users of the store have.
        "phantomIterations" phantom_iterations: Option<Spanned<NonZeroU32>>,
        /// Whether `PLAIN` is offered to clients without TLS, whose passwords everybody on the way can read.
        "allowPlaintext" allow_plaintext: Option<Spanned<bool>> = "false",
        /// Where the keys of the issuer of tokens are (JWKS): a URL that begins with `https://`, `http://` or `file://`. A file is
        /// followed like every file that the configuration names. `OAUTHBEARER` needs it. Absent: an error for `OAUTHBEARER`.
        "jwksEndpointUrl" jwks_endpoint_url: Option<Spanned<KeySetUrl>>,
        /// PEM file with the certificates of the authorities that are trusted for `https://`. Absent: those of the platform.
        "jwksTrustFile" jwks_trust_file: Option<Spanned<PathBuf>>,
        /// Audiences, separated by commas, of which a token has to be meant for one (`aud`). `OAUTHBEARER` needs it. Absent: an
        /// error for `OAUTHBEARER`.
        "expectedAudience" expected_audience: Option<Spanned<String>>,
        /// The only issuer whose tokens are accepted (`iss`). `OAUTHBEARER` needs it. Absent: an error for `OAUTHBEARER`.
        "expectedIssuer" expected_issuer: Option<Spanned<String>>,
        /// Claim with the scopes of a token.
        "scopeClaimName" scope_claim_name: Option<Spanned<String>> = "scope",
        /// Claim with the name of the client.
        "subClaimName" sub_claim_name: Option<Spanned<String>> = "sub",
        /// Time after which the keys are fetched again; `0s` is never without need. A token with an unknown key has them fetched
        /// at once, at most every 10 s for all clients together.
        "jwksEndpointRefresh" jwks_endpoint_refresh: Option<Spanned<Duration>> = "1h",
        /// Pause after a fetch that failed. It doubles with each further one. Known keys stay in use.
        "jwksEndpointRetryBackoff" jwks_endpoint_retry_backoff: Option<Spanned<Duration>> = "100ms",
        /// Longest such pause.
        "jwksEndpointRetryBackoffMax" jwks_endpoint_retry_backoff_max: Option<Spanned<Duration>> = "10s",
        /// Whether the filter starts before the issuer has answered: with `require` it waits for its keys, 5 s at most, and
        /// without them the reload is rejected; with `lazy` it starts, and rejects tokens until it has keys.
        "onStart" on_start: Option<Spanned<KeysAtStart>> = "require",
        /// Length of the largest message of a client with a token, in bytes, at most 131072.
        "maxAuthBytes" max_auth_bytes: Option<Spanned<NonZeroU32>> = "131072",
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
        /// Bearer tokens (RFC 7628).
        OauthBearer = "OAUTHBEARER",
    }
}

impl TerminatedMechanismName {
    /// Returns the name, as in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::OauthBearer => "OAUTHBEARER",
        }
    }
}

impl NamedFiles for SaslTerminationConfig {
    fn files(&self) -> Vec<&Spanned<PathBuf>> {
        let mechanisms = self.mechanisms.value.items.iter();
        mechanisms
            .flat_map(|mechanism| of_mechanism(&mechanism.value))
            .collect()
    }
}

fn of_mechanism(mechanism: &TerminatedMechanismConfig) -> impl Iterator<Item = &Spanned<PathBuf>> {
    let stores = mechanism.credential_store_config.iter();
    let keys = mechanism.jwks_endpoint_url.iter();
    stores
        .flat_map(|store| of_store(&store.value))
        .chain(keys.filter_map(|keys| keys.value.file()))
        .chain(&mechanism.jwks_trust_file)
}

fn of_store(store: &CredentialStoreConfig) -> impl Iterator<Item = &Spanned<PathBuf>> {
    let password = store.store_password.as_ref();
    let password = password.and_then(|password| password.value.password_file.as_ref());
    let tls = store.tls.iter().flat_map(of_upstream).flatten();
    store.file.iter().chain(password).chain(tls)
}
