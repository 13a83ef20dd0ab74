//! The mechanisms of a server, and where each finds its users.

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::names::names;
use crate::sasl::{CredentialSet, ScramHash, ScramVerifier, TokenJudge};

names! {
    /// A mechanism by which clients authenticate at kproxy.
    #[derive(PartialOrd, Ord)]
    pub enum ServerMechanism {
        /// Name and password in clear (RFC 4616).
        Plain = "PLAIN",
        /// SCRAM with SHA-256 (RFC 7677).
        ScramSha256 = "SCRAM-SHA-256",
        /// SCRAM with SHA-512.
        ScramSha512 = "SCRAM-SHA-512",
        /// Bearer tokens (RFC 7628).
        OauthBearer = "OAUTHBEARER",
    }
}

/// Longest message of PLAIN and SCRAM in bytes.
const MAX_MESSAGE: usize = 4096;

/// Iterations of a phantom where no user gives an example.
const PHANTOM_ITERATIONS: NonZeroU32 = NonZeroU32::new(10_000).unwrap();

/// The mechanisms of a server with their users.
#[derive(Debug)]
pub struct SaslRealm {
    /// In the order of the configuration, which clients are told.
    order: Vec<ServerMechanism>,
    plain: Option<PlainSource>,
    scram_sha256: Option<VerifierSource>,
    scram_sha512: Option<VerifierSource>,
    bearer: Option<BearerSource>,
    /// From which the salt of users that do not exist follows.
    phantom_secret: [u8; 32],
}

/// Verifiers, and what stands for those that are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierSource {
    credentials: Arc<CredentialSet>,
    /// Iterations shown for users that do not exist, by mechanism.
    phantom_sha256: NonZeroU32,
    phantom_sha512: NonZeroU32,
}

impl VerifierSource {
    /// Users, and the iterations shown for users that do not exist; `None`: as many as most users have.
    pub fn new(credentials: Arc<CredentialSet>, phantom_iterations: Option<NonZeroU32>) -> Self {
        let of = |hash| {
            let usual = || credentials.usual_iterations(Some(hash));
            let iterations = phantom_iterations.or_else(usual);
            iterations.unwrap_or(PHANTOM_ITERATIONS)
        };
        Self {
            phantom_sha256: of(ScramHash::Sha256),
            phantom_sha512: of(ScramHash::Sha512),
            credentials,
        }
    }

    fn phantom_iterations(&self, hash: ScramHash) -> NonZeroU32 {
        match hash {
            ScramHash::Sha256 => self.phantom_sha256,
            ScramHash::Sha512 => self.phantom_sha512,
        }
    }
}

/// Where PLAIN finds its users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlainSource {
    /// Verifiers of SCRAM.
    Verifiers(VerifierSource),
    /// A directory service, which is asked each time.
    Directory,
}

/// Where OAUTHBEARER finds its users.
#[derive(Debug)]
pub struct BearerSource {
    /// The judge of tokens.
    pub judge: Arc<dyn TokenJudge>,
    /// Scope that clients are told to ask for.
    pub scope: Option<String>,
    /// Longest message in bytes.
    pub max_bytes: usize,
}

/// What one password is checked against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordSource {
    /// A verifier.
    Verifier(ScramVerifier),
    /// A directory service.
    Directory,
}

impl SaslRealm {
    /// A realm without mechanisms. The secret is random, and the same for as long as users shall look the same.
    pub fn new(phantom_secret: [u8; 32]) -> Self {
        Self {
            order: Vec::new(),
            plain: None,
            scram_sha256: None,
            scram_sha512: None,
            bearer: None,
            phantom_secret,
        }
    }

    /// Adds PLAIN.
    #[must_use]
    pub fn with_plain(mut self, source: PlainSource) -> Self {
        self.plain = Some(source);
        self.offering(ServerMechanism::Plain)
    }

    /// Adds a mechanism of SCRAM.
    #[must_use]
    pub fn with_scram(mut self, hash: ScramHash, source: VerifierSource) -> Self {
        let (place, mechanism) = match hash {
            ScramHash::Sha256 => (&mut self.scram_sha256, ServerMechanism::ScramSha256),
            ScramHash::Sha512 => (&mut self.scram_sha512, ServerMechanism::ScramSha512),
        };
        *place = Some(source);
        self.offering(mechanism)
    }

    /// Adds OAUTHBEARER.
    #[must_use]
    pub fn with_bearer(mut self, source: BearerSource) -> Self {
        self.bearer = Some(source);
        self.offering(ServerMechanism::OauthBearer)
    }

    fn offering(mut self, mechanism: ServerMechanism) -> Self {
        if !self.order.contains(&mechanism) {
            self.order.push(mechanism);
        }
        self
    }

    /// The mechanisms, in their order.
    pub fn mechanisms(&self) -> &[ServerMechanism] {
        &self.order
    }

    /// Longest message of a mechanism in bytes.
    pub fn max_message(&self, mechanism: ServerMechanism) -> usize {
        match (mechanism, &self.bearer) {
            (ServerMechanism::OauthBearer, Some(bearer)) => bearer.max_bytes,
            _ => MAX_MESSAGE,
        }
    }

    pub(super) fn bearer(&self) -> Option<&BearerSource> {
        self.bearer.as_ref()
    }

    /// The verifier of a user, or one that looks like it. `None`: there is no such mechanism.
    pub(super) fn scram_verifier(&self, hash: ScramHash, name: &str) -> Option<ScramVerifier> {
        let source = match hash {
            ScramHash::Sha256 => self.scram_sha256.as_ref(),
            ScramHash::Sha512 => self.scram_sha512.as_ref(),
        }?;
        // Made in any case: a user that exists takes as long as one that does not.
        let phantom = self.phantom(source, hash, name);
        let real = source.credentials.verifier(name, hash);
        Some(real.cloned().unwrap_or(phantom))
    }

    /// Whether SCRAM checks this user by this verifier.
    pub(super) fn fits_scram(&self, name: &str, verifier: &ScramVerifier) -> bool {
        self.scram_verifier(verifier.hash(), name).as_ref() == Some(verifier)
    }

    /// What the password of a user is checked against. `None`: there is no PLAIN.
    pub(super) fn password_source(&self, name: &str) -> Option<PasswordSource> {
        let source = match self.plain.as_ref()? {
            PlainSource::Directory => return Some(PasswordSource::Directory),
            PlainSource::Verifiers(source) => source,
        };
        let phantom = self.phantom(source, ScramHash::Sha256, name);
        let real = source.credentials.any_verifier(name);
        Some(PasswordSource::Verifier(real.cloned().unwrap_or(phantom)))
    }

    fn phantom(&self, source: &VerifierSource, hash: ScramHash, name: &str) -> ScramVerifier {
        const SALT: usize = 16;
        let mut salt = hash.hmac(&self.phantom_secret, name.as_bytes());
        salt.truncate(SALT);
        ScramVerifier::phantom(hash, source.phantom_iterations(hash), salt)
    }
}
