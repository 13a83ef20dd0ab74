//! Authentications that succeeded, kept so that they can be checked again when users and rules change.

use std::sync::Arc;
use std::time::Duration;

use super::{BearerModel, PlainUsers, SaslTerminationModel, TerminatedMechanism};
use crate::model::KeySetOrigin;
use crate::sasl::server::{SaslIdentity, ServerMechanism};
use crate::sasl::{ScramHash, ScramVerifier, jwt};

/// What an authentication has shown, and by which settings.
#[derive(Debug, Clone)]
pub struct TerminatedProof {
    identity: Arc<SaslIdentity>,
    settings: Arc<SaslTerminationModel>,
    /// Its time since the Unix epoch.
    at: Duration,
}

/// What shows that a user of passwords is still the same.
#[derive(PartialEq, Eq)]
enum PasswordProof<'m> {
    Verifiers(&'m [ScramVerifier]),
    Verifier(&'m ScramVerifier),
    /// A directory service is asked each time.
    Directory,
}

impl TerminatedProof {
    /// The authentication of `identity` by `settings` at the time `at`, since the Unix epoch.
    pub fn new(identity: Arc<SaslIdentity>, settings: Arc<SaslTerminationModel>, at: Duration) -> Self {
        Self {
            identity,
            settings,
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
            now if now == self.settings.password_proof(mechanism, name) => Ok(()),
            Some(_) => Err("its user has another password"),
        }
    }

    fn token_fits(&self, settings: &SaslTerminationModel) -> bool {
        let (Some(now), Some(then)) = (settings.bearer(), self.settings.bearer()) else {
            return false;
        };
        let Some(token) = &self.identity.token else {
            return false;
        };
        let token = token.reveal();
        let valid = match (&now.keys.origin, &then.keys.origin) {
            (KeySetOrigin::File(keys), _) => jwt::validate(token, keys, &now.rules, self.at),
            // A token outlives the key that has signed it.
            (KeySetOrigin::Web { url, .. }, KeySetOrigin::Web { url: before, .. }) if url == before => {
                jwt::judge_again(token, &now.rules, self.at)
            }
            (KeySetOrigin::Web { .. }, _) => return false,
        };
        valid.is_ok_and(|valid| *valid.subject == *self.identity.name)
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
        match self.mechanism(mechanism)? {
            TerminatedMechanism::Scram { hash, users } => {
                let verifier = users.credentials.verifier(name, *hash);
                verifier.map(PasswordProof::Verifier)
            }
            TerminatedMechanism::Plain { users, .. } => match users {
                PlainUsers::Directory(_) => Some(PasswordProof::Directory),
                PlainUsers::Credentials(users) => {
                    let all = Some(users.credentials.verifiers(name)).filter(|all| !all.is_empty());
                    all.map(PasswordProof::Verifiers)
                }
            },
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

    use super::super::CredentialSource;
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
            let proof = TerminatedProof::new(Arc::new(identity), Arc::new(before.clone()), Duration::ZERO);
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
}
