//! The server's side of an authentication: messages in, messages out. Nothing here waits: what takes long is handed out as
//! a value, and its outcome handed back.

mod bearer;
mod names;
mod plain;
mod realm;
mod scram;

pub(crate) use bearer::read as read_bearer;
pub use realm::{BearerSource, PasswordSource, PlainSource, SaslRealm, ServerMechanism, VerifierSource};

use std::pin::Pin;
use std::sync::Arc;

use super::{ScramHash, TokenFacts, TokenVerdict};
use crate::config::Secret;
use scram::{AwaitingProof, ClientFirst};

/// Why an exchange fails that a change of users has overtaken.
const OUTDATED: &str = "the user was removed or has got another password since the authentication began";

/// Who a client is, as a server has established it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaslIdentity {
    /// Mechanism of the exchange.
    pub mechanism: ServerMechanism,
    /// Name of the client.
    pub name: String,
    /// Scopes of its token.
    pub scopes: Vec<String>,
    /// End of its token in seconds since 1970.
    pub expires: Option<u64>,
    /// Its token, to be passed on.
    pub token: Option<Arc<Secret>>,
}

/// What comes next in an exchange.
pub enum ServerStep {
    /// This goes to the client, whose next message is awaited.
    Challenge(Vec<u8>),
    /// The client is who it says; this is the last message to it.
    Accepted {
        /// Who the client is.
        identity: SaslIdentity,
        /// Last message of the server; may be empty.
        message: Vec<u8>,
    },
    /// The client is refused, for this reason, which only the log learns.
    Refused(String),
    /// The password has to be checked on another thread; [`ServerExchange::password_checked`] takes the outcome.
    Check(PasswordCheck),
    /// This has to be awaited; then [`ServerExchange::token_awaited`] goes on.
    Wait(Pin<Box<dyn Future<Output = ()> + Send>>),
}

/// The check of a password.
#[derive(Debug)]
pub struct PasswordCheck {
    /// Name of the user.
    pub name: String,
    /// Password that the client sends.
    pub password: Secret,
    /// What the password is checked against.
    pub against: PasswordSource,
}

/// One authentication of a client.
#[derive(Debug)]
pub struct ServerExchange {
    realm: Arc<SaslRealm>,
    mechanism: ServerMechanism,
    stage: ServerStage,
}

#[derive(Debug)]
enum ServerStage {
    First,
    Proof(Box<AwaitingProof>),
    Password {
        name: String,
        against: PasswordSource,
    },
    Token {
        token: Secret,
        authorization: Option<String>,
    },
    Acknowledgement {
        why: String,
    },
    /// Another realm knows the user by another password, or not at all.
    Outdated,
    Over,
}

impl ServerExchange {
    /// An exchange by a mechanism that the realm has.
    pub fn new(realm: Arc<SaslRealm>, mechanism: ServerMechanism) -> Self {
        Self {
            realm,
            mechanism,
            stage: ServerStage::First,
        }
    }

    /// The mechanism of the exchange.
    pub fn mechanism(&self) -> ServerMechanism {
        self.mechanism
    }

    /// Goes on by `realm`, if it began by another. What the client has not been answered yet is judged by the new realm; where the
    /// user is not the same there, the exchange fails.
    pub fn move_to(&mut self, realm: &Arc<SaslRealm>) {
        if Arc::ptr_eq(&self.realm, realm) {
            return;
        }
        self.realm = Arc::clone(realm);
        let fits = match &self.stage {
            ServerStage::Proof(awaiting) => realm.fits_scram(&awaiting.name, &awaiting.verifier),
            ServerStage::Password { name, against } => realm.password_source(name).as_ref() == Some(against),
            ServerStage::First
            | ServerStage::Token { .. }
            | ServerStage::Acknowledgement { .. }
            | ServerStage::Outdated
            | ServerStage::Over => true,
        };
        if !fits {
            self.stage = ServerStage::Outdated;
        }
    }

    /// Takes in a message of the client at `now`, in seconds since 1970. `nonce` is random text for SCRAM.
    pub fn receive(&mut self, message: &[u8], now: u64, nonce: &str) -> ServerStep {
        let most = self.realm.max_message(self.mechanism);
        if message.len() > most {
            let length = message.len();
            return self.refuse(format!("a message of {length} bytes, where {most} are allowed"));
        }
        match std::mem::replace(&mut self.stage, ServerStage::Over) {
            ServerStage::First => self.first(message, now, nonce),
            ServerStage::Proof(awaiting) => self.proof(&awaiting, message),
            ServerStage::Acknowledgement { why } => self.acknowledged(message, why),
            ServerStage::Outdated => self.refuse(OUTDATED.into()),
            ServerStage::Password { .. } | ServerStage::Token { .. } | ServerStage::Over => {
                self.refuse("a message that nobody asked for".into())
            }
        }
    }

    fn first(&mut self, message: &[u8], now: u64, nonce: &str) -> ServerStep {
        match self.mechanism {
            ServerMechanism::Plain => self.plain(message),
            ServerMechanism::ScramSha256 => self.scram(ScramHash::Sha256, message, nonce),
            ServerMechanism::ScramSha512 => self.scram(ScramHash::Sha512, message, nonce),
            ServerMechanism::OauthBearer => self.bearer(message, now),
        }
    }

    fn plain(&mut self, message: &[u8]) -> ServerStep {
        let login = match plain::read(message) {
            Ok(login) => login,
            Err(why) => return self.refuse(why.into()),
        };
        let Some(against) = self.realm.password_source(&login.name) else {
            return self.refuse("the mechanism is not offered any more".into());
        };
        self.stage = ServerStage::Password {
            name: login.name.clone(),
            against: against.clone(),
        };
        ServerStep::Check(PasswordCheck {
            name: login.name,
            password: login.password,
            against,
        })
    }

    fn scram(&mut self, hash: ScramHash, message: &[u8], nonce: &str) -> ServerStep {
        let first = match ClientFirst::read(message) {
            Ok(first) => first,
            Err(why) => return self.refuse(why.into()),
        };
        let Some(verifier) = self.realm.scram_verifier(hash, &first.name) else {
            return self.refuse("the mechanism is not offered any more".into());
        };
        let (awaiting, answer) = first.answer(verifier, nonce);
        self.stage = ServerStage::Proof(Box::new(awaiting));
        ServerStep::Challenge(answer)
    }

    fn proof(&mut self, awaiting: &AwaitingProof, message: &[u8]) -> ServerStep {
        match awaiting.verify(message) {
            Ok(answer) => self.accept(awaiting.name.clone(), answer),
            Err(why) => self.refuse(format!("{}: {why}", quoted(&awaiting.name))),
        }
    }

    fn bearer(&mut self, message: &[u8], now: u64) -> ServerStep {
        match bearer::read(message) {
            Ok(login) => self.judge(Secret::new(login.token), login.authorization, now),
            Err(why) => self.refuse(why.into()),
        }
    }

    fn judge(&mut self, token: Secret, authorization: Option<String>, now: u64) -> ServerStep {
        let Some(source) = self.realm.bearer() else {
            return self.refuse("the mechanism is not offered any more".into());
        };
        let (why, scope) = match source.judge.judge(token.reveal(), now) {
            TokenVerdict::Accepted(facts) => match name_of(&facts, authorization.as_deref()) {
                Ok(()) => return self.accept_token(facts, token),
                Err(why) => (why, None),
            },
            TokenVerdict::Refused(why) => (why, source.scope.as_deref()),
            TokenVerdict::Wait(until) => {
                self.stage = ServerStage::Token { token, authorization };
                return ServerStep::Wait(until);
            }
        };
        let challenge = bearer::refusal(scope);
        self.stage = ServerStage::Acknowledgement { why };
        ServerStep::Challenge(challenge)
    }

    /// Goes on behind [`ServerStep::Wait`].
    pub fn token_awaited(&mut self, now: u64) -> ServerStep {
        match std::mem::replace(&mut self.stage, ServerStage::Over) {
            ServerStage::Token { token, authorization } => self.judge(token, authorization, now),
            _ => self.refuse("no token was awaited".into()),
        }
    }

    /// Goes on behind [`ServerStep::Check`]: whether the password is right, or why nobody could say.
    pub fn password_checked(&mut self, outcome: Result<bool, String>) -> ServerStep {
        match (std::mem::replace(&mut self.stage, ServerStage::Over), outcome) {
            (ServerStage::Outdated, _) => self.refuse(OUTDATED.into()),
            (ServerStage::Password { name, .. }, Ok(true)) => self.accept(name, Vec::new()),
            (ServerStage::Password { name, .. }, Ok(false)) => self.refuse(format!(
                "{}: name and password do not belong together",
                quoted(&name)
            )),
            (ServerStage::Password { name, .. }, Err(why)) => {
                self.refuse(format!("{}: {why}", quoted(&name)))
            }
            _ => self.refuse("no password was awaited".into()),
        }
    }

    fn acknowledged(&mut self, message: &[u8], why: String) -> ServerStep {
        match message == bearer::ACKNOWLEDGEMENT {
            true => self.refuse(why),
            false => self.refuse(format!("{why}; the client does not acknowledge the refusal")),
        }
    }

    fn accept(&mut self, name: String, message: Vec<u8>) -> ServerStep {
        self.stage = ServerStage::Over;
        ServerStep::Accepted {
            identity: SaslIdentity {
                mechanism: self.mechanism,
                name,
                scopes: Vec::new(),
                expires: None,
                token: None,
            },
            message,
        }
    }

    fn accept_token(&mut self, facts: TokenFacts, token: Secret) -> ServerStep {
        self.stage = ServerStage::Over;
        ServerStep::Accepted {
            identity: SaslIdentity {
                mechanism: self.mechanism,
                name: facts.subject,
                scopes: facts.scopes,
                expires: facts.expires,
                token: Some(Arc::new(token)),
            },
            message: Vec::new(),
        }
    }

    fn refuse(&mut self, why: String) -> ServerStep {
        self.stage = ServerStage::Over;
        ServerStep::Refused(why)
    }
}

/// A token names its client; the client may not ask for another name.
fn name_of(facts: &TokenFacts, authorization: Option<&str>) -> Result<(), String> {
    super::check_name(&facts.subject)?;
    match authorization {
        Some(other) if other != facts.subject => Err("the client asks to act for another user".into()),
        _ => Ok(()),
    }
}

fn quoted(name: &str) -> String {
    let short: String = name.chars().take(64).collect();
    format!("\"{}\"", short.escape_debug())
}

impl PasswordCheck {
    /// Checks the password against a verifier: costs a key derivation. `None`: another service knows.
    pub fn derive(&self) -> Option<bool> {
        match &self.against {
            PasswordSource::Verifier(verifier) => Some(verifier.fits_password(self.password.reveal())),
            PasswordSource::Directory => None,
        }
    }
}

#[cfg(test)]
mod tests;
