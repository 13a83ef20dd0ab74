//! Authentications that succeeded, kept so that they can be checked again when users and rules change.

use std::sync::Arc;
use std::time::Duration;

use super::{BearerModel, CredentialSource, PlainUsers, SaslTerminationModel, TerminatedMechanism};
use crate::model::KeySetOrigin;
use crate::sasl::server::{SaslIdentity, ServerMechanism};
use crate::sasl::{ScramHash, ScramVerifier, jwt};

/// What an authentication has shown. It outlives the settings, of which it keeps nothing but what concerns this client.
#[derive(Debug, Clone)]
pub struct TerminatedProof {
    identity: Arc<SaslIdentity>,
    evidence: LoginEvidence,
    /// Its time since the Unix epoch.
    at: Duration,
}

/// What an authentication was judged by.
#[derive(Debug, Clone)]
enum LoginEvidence {
    /// The verifiers of the user, which all its sessions share.
    Verifiers(Arc<Vec<ScramVerifier>>),
    /// A directory service.
    Directory,
    /// Keys of an issuer at this address.
    FetchedKeys(Arc<str>),
    /// Keys out of a file.
    KeysOfFile,
    /// The settings do not know the client.
    Nothing,
}

/// What shows that a user of passwords is still the same.
#[derive(PartialEq, Eq)]
enum PasswordProof<'m> {
    Verifiers(&'m [ScramVerifier]),
    Verifier(&'m ScramVerifier),
    /// A directory service is asked each time.
    Directory,
}

/// Where passwords are known.
enum PasswordUsers<'m> {
    Known(&'m CredentialSource),
    Directory,
}

impl TerminatedProof {
    /// The authentication of `identity` by `settings` at the time `at`, since the Unix epoch.
    pub fn new(identity: Arc<SaslIdentity>, settings: &SaslTerminationModel, at: Duration) -> Self {
        Self {
            evidence: settings.evidence(&identity),
            identity,
            at,
        }
    }

    /// Who the client is.
    pub fn identity(&self) -> &Arc<SaslIdentity> {
        &self.identity
    }

    /// Checks the authentication by other settings.
    ///
    /// # Errors
    /// Why the client would not be authenticated by them: its mechanism is gone, its user was removed or has another verifier,
    /// or its token is not accepted.
    pub fn check(&self, settings: &SaslTerminationModel) -> Result<(), &'static str> {
        let (mechanism, name) = (self.identity.mechanism, &*self.identity.name);
        if settings.mechanism(mechanism).is_none() {
            return Err("its mechanism is not offered any more");
        }
        if mechanism == ServerMechanism::OauthBearer {
            return match self.token_fits(settings) {
                true => Ok(()),
                false => Err("its token is not accepted any more"),
            };
        }
        match settings.password_proof(mechanism, name) {
            None => Err("its user was removed"),
            now if now == self.evidence.password_proof(mechanism) => Ok(()),
            Some(_) => Err("its user has another password"),
        }
    }

    fn token_fits(&self, settings: &SaslTerminationModel) -> bool {
        let (Some(now), Some(token)) = (settings.bearer(), &self.identity.token) else {
            return false;
        };
        let token = token.reveal();
        let valid = match (&now.keys.origin, &self.evidence) {
            (KeySetOrigin::File(keys), _) => jwt::validate(token, keys, &now.rules, self.at),
            // A token outlives the key that has signed it.
            (KeySetOrigin::Web { url, .. }, LoginEvidence::FetchedKeys(before)) if url == before => {
                jwt::judge_again(token, &now.rules, self.at)
            }
            (KeySetOrigin::Web { .. }, _) => return false,
        };
        valid.is_ok_and(|valid| *valid.subject == *self.identity.name)
    }
}

impl LoginEvidence {
    /// What the password was checked by. `None`: no password was.
    fn password_proof(&self, mechanism: ServerMechanism) -> Option<PasswordProof<'_>> {
        match self {
            Self::Verifiers(all) => PasswordProof::among(all, mechanism),
            Self::Directory => Some(PasswordProof::Directory),
            Self::FetchedKeys(_) | Self::KeysOfFile | Self::Nothing => None,
        }
    }
}

impl<'m> PasswordProof<'m> {
    /// The verifiers, among `all` of a user, that matter for a mechanism.
    fn among(all: &'m [ScramVerifier], mechanism: ServerMechanism) -> Option<Self> {
        let of = |hash| all.iter().find(|verifier| verifier.hash() == hash);
        match mechanism {
            ServerMechanism::Plain => Some(Self::Verifiers(all)),
            ServerMechanism::ScramSha256 => of(ScramHash::Sha256).map(Self::Verifier),
            ServerMechanism::ScramSha512 => of(ScramHash::Sha512).map(Self::Verifier),
            ServerMechanism::OauthBearer => None,
        }
    }
}

impl SaslTerminationModel {
    /// Whether a client that `older` has authenticated may be one that these settings do not authenticate.
    pub fn may_refuse_clients_of(&self, older: &Self) -> bool {
        older.mechanisms.iter().any(|mechanism| match mechanism {
            TerminatedMechanism::OauthBearer(older) => {
                self.bearer().is_none_or(|now| !now.accepts_all_of(older))
            }
            TerminatedMechanism::Plain {
                users: PlainUsers::Directory(_),
                ..
            } => self.password_proof(ServerMechanism::Plain, "") != Some(PasswordProof::Directory),
            TerminatedMechanism::Plain {
                users: PlainUsers::Credentials(users),
                ..
            } => {
                let mut names = users.credentials.names();
                names.any(|name| self.lacks(older, ServerMechanism::Plain, name))
            }
            TerminatedMechanism::Scram { hash, users } => {
                let mechanism = of_hash(*hash);
                let mut names = users.credentials.names();
                names.any(|name| self.lacks(older, mechanism, name))
            }
        })
    }

    /// Whether a user that `older` has is not the same here.
    fn lacks(&self, older: &Self, mechanism: ServerMechanism, name: &str) -> bool {
        let then = older.password_proof(mechanism, name);
        then.is_some() && then != self.password_proof(mechanism, name)
    }

    fn mechanism(&self, wanted: ServerMechanism) -> Option<&TerminatedMechanism> {
        let mut all = self.mechanisms.iter();
        all.find(|mechanism| match mechanism {
            TerminatedMechanism::Scram { hash, .. } => of_hash(*hash) == wanted,
            TerminatedMechanism::Plain { .. } => wanted == ServerMechanism::Plain,
            TerminatedMechanism::OauthBearer(_) => wanted == ServerMechanism::OauthBearer,
        })
    }

    fn bearer(&self) -> Option<&BearerModel> {
        match self.mechanism(ServerMechanism::OauthBearer)? {
            TerminatedMechanism::OauthBearer(bearer) => Some(bearer),
            TerminatedMechanism::Scram { .. } | TerminatedMechanism::Plain { .. } => None,
        }
    }

    /// What the password of a user is checked by. `None`: there is no such user, or no such mechanism.
    fn password_proof(&self, mechanism: ServerMechanism, name: &str) -> Option<PasswordProof<'_>> {
        match self.password_users(mechanism)? {
            PasswordUsers::Directory => Some(PasswordProof::Directory),
            PasswordUsers::Known(users) => {
                PasswordProof::among(users.credentials.verifiers(name)?, mechanism)
            }
        }
    }

    /// What of these settings lets a client in.
    fn evidence(&self, identity: &SaslIdentity) -> LoginEvidence {
        if identity.mechanism == ServerMechanism::OauthBearer {
            let origin = self.bearer().map(|bearer| &bearer.keys.origin);
            return match origin {
                Some(KeySetOrigin::Web { url, .. }) => LoginEvidence::FetchedKeys(Arc::clone(url)),
                Some(KeySetOrigin::File(_)) => LoginEvidence::KeysOfFile,
                None => LoginEvidence::Nothing,
            };
        }
        match self.password_users(identity.mechanism) {
            Some(PasswordUsers::Directory) => LoginEvidence::Directory,
            Some(PasswordUsers::Known(users)) => {
                let verifiers = users.credentials.verifiers(&identity.name).cloned();
                verifiers.map_or(LoginEvidence::Nothing, LoginEvidence::Verifiers)
            }
            None => LoginEvidence::Nothing,
        }
    }

    /// Where a mechanism with passwords finds its users.
    fn password_users(&self, mechanism: ServerMechanism) -> Option<PasswordUsers<'_>> {
        match self.mechanism(mechanism)? {
            TerminatedMechanism::Scram { users, .. }
            | TerminatedMechanism::Plain {
                users: PlainUsers::Credentials(users),
                ..
            } => Some(PasswordUsers::Known(users)),
            TerminatedMechanism::Plain {
                users: PlainUsers::Directory(_),
                ..
            } => Some(PasswordUsers::Directory),
            TerminatedMechanism::OauthBearer(_) => None,
        }
    }
}

impl BearerModel {
    /// Whether every token that `older` has accepted is accepted.
    fn accepts_all_of(&self, older: &Self) -> bool {
        let same_keys = match (&self.keys.origin, &older.keys.origin) {
            (KeySetOrigin::Web { url, .. }, KeySetOrigin::Web { url: before, .. }) => url == before,
            (KeySetOrigin::File(keys), KeySetOrigin::File(before)) => keys == before,
            (KeySetOrigin::Web { .. }, KeySetOrigin::File(_))
            | (KeySetOrigin::File(_), KeySetOrigin::Web { .. }) => false,
        };
        let (now, then) = (&self.rules, &older.rules);
        let same_audiences = then
            .audiences
            .iter()
            .all(|audience| now.audiences.contains(audience));
        let same_name = now.subject_claim == then.subject_claim;
        same_keys && same_audiences && now.issuer == then.issuer && same_name
    }
}

fn of_hash(hash: ScramHash) -> ServerMechanism {
    match hash {
        ScramHash::Sha256 => ServerMechanism::ScramSha256,
        ScramHash::Sha512 => ServerMechanism::ScramSha512,
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::model::SaslSubjectBuilder;
    use crate::sasl::CredentialSet;

    fn users(users: &[(&str, &str)]) -> CredentialSource {
        let mut credentials = CredentialSet::default();
        let iterations = NonZeroU32::new(4096).unwrap();
        for (name, password) in users {
            for hash in [ScramHash::Sha256, ScramHash::Sha512] {
                let verifier = ScramVerifier::of_password(hash, password, b"salt", iterations);
                credentials.add(name, verifier).unwrap();
            }
        }
        CredentialSource {
            credentials: Arc::new(credentials),
            phantom_iterations: None,
        }
    }

    fn settings(mechanisms: Vec<TerminatedMechanism>) -> SaslTerminationModel {
        SaslTerminationModel {
            mechanisms,
            max_time_before_reauth: None,
            failed_delay: Duration::ZERO,
            subject_builder: SaslSubjectBuilder::default(),
        }
    }

    fn with(source: &CredentialSource) -> SaslTerminationModel {
        settings(vec![
            TerminatedMechanism::Scram {
                hash: ScramHash::Sha256,
                users: source.clone(),
            },
            TerminatedMechanism::Scram {
                hash: ScramHash::Sha512,
                users: source.clone(),
            },
            TerminatedMechanism::Plain {
                users: PlainUsers::Credentials(source.clone()),
                without_tls: true,
            },
        ])
    }

    const BY_PASSWORD: [ServerMechanism; 3] = [
        ServerMechanism::ScramSha256,
        ServerMechanism::ScramSha512,
        ServerMechanism::Plain,
    ];

    #[test]
    fn a_user_stays_known_until_removed_or_changed() {
        let before = with(&users(&[("user", "pencil"), ("other", "pen")]));
        let check = |newer: &SaslTerminationModel, mechanism, name: &str| {
            let identity = SaslIdentity {
                mechanism,
                name: name.to_owned(),
                scopes: Vec::new(),
                expires: None,
                token: None,
            };
            let proof = TerminatedProof::new(Arc::new(identity), &before, Duration::ZERO);
            proof.check(newer)
        };
        let more = with(&users(&[("user", "pencil"), ("other", "pen"), ("third", "p")]));
        let fewer = with(&users(&[("other", "pen")]));
        let changed = with(&users(&[("user", "crayon"), ("other", "pen")]));
        for mechanism in BY_PASSWORD {
            assert_eq!(check(&before, mechanism, "user"), Ok(()));
            assert_eq!(check(&more, mechanism, "user"), Ok(()));
            assert_eq!(check(&fewer, mechanism, "user"), Err("its user was removed"));
            assert_eq!(
                check(&changed, mechanism, "user"),
                Err("its user has another password")
            );
            let gone = check(&settings(Vec::new()), mechanism, "user");
            assert_eq!(gone, Err("its mechanism is not offered any more"));
            for newer in [&before, &more, &fewer, &changed] {
                assert_eq!(check(newer, mechanism, "other"), Ok(()));
            }
        }
        assert!(!before.may_refuse_clients_of(&before));
        assert!(!more.may_refuse_clients_of(&before));
        for newer in [&fewer, &changed, &settings(Vec::new())] {
            assert!(newer.may_refuse_clients_of(&before));
        }
    }

    #[test]
    fn a_proof_keeps_nothing_of_other_users() {
        let source = users(&[("user", "pencil"), ("other", "pen")]);
        let [of_user, of_other] = ["user", "other"].map(|name| {
            let verifiers = source.credentials.verifiers(name).unwrap();
            Arc::downgrade(verifiers)
        });
        let all = Arc::downgrade(&source.credentials);
        let settings = with(&source);
        let proofs = BY_PASSWORD.map(|mechanism| {
            let identity = SaslIdentity {
                mechanism,
                name: "user".to_owned(),
                scopes: Vec::new(),
                expires: None,
                token: None,
            };
            TerminatedProof::new(Arc::new(identity), &settings, Duration::ZERO)
        });
        drop((settings, source));
        assert_eq!((all.strong_count(), of_other.strong_count()), (0, 0));
        assert_eq!(of_user.strong_count(), proofs.len());
        let now = with(&users(&[("user", "pencil")]));
        for proof in &proofs {
            assert_eq!(proof.check(&now), Ok(()));
        }
    }
}
