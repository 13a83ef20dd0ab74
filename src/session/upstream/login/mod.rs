//! Logins of kproxy at the brokers of a target: whose credentials a connection has, and the exchange that proves them.

mod ambient;
mod exchange;
mod tokens;

use std::sync::atomic::{AtomicI16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::model::{AwsKeys, BrokerLogin, BrokerMechanism, ClientLogins, LoginSource, UserLogin};
use crate::sasl::client::{BearerToken, LoginSecret, region_of};
use crate::sasl::server::SaslIdentity;
use crate::session::cause::CloseCause;
use crate::session::probe::ProbeError;

pub use exchange::LoginLink;
use exchange::ScramKeyCache;
pub(super) use exchange::ask_first;

/// The client that a connection to a broker is made for.
#[derive(Debug, Default)]
pub struct ClientIdentity {
    /// Name of its principal; `None` while it is anonymous.
    principal: Option<String>,
    /// Whether it has authenticated to kproxy by SASL, so that the broker hears nothing of that.
    is_terminated: bool,
    /// The token with which it has authenticated, if it was one.
    token: Mutex<Option<BearerToken>>,
}

/// Credentials that a connection gets.
#[derive(Debug, Clone, Copy)]
pub enum LoginAs<'l> {
    /// None: the connection is not authenticated.
    Nobody,
    /// The credentials of kproxy itself, if it has any.
    Proxy,
    /// The credentials that sessions of this client have.
    Client(&'l ClientIdentity),
}

/// Reason why a login has failed. None of the texts has a secret in it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LoginError {
    /// The broker refuses mechanism, user or secret, or cannot show that it knows the secret.
    #[error("{0}")]
    Refused(String),
    /// The exchange came to no end.
    #[error("authentication failed: {0}")]
    Broken(ProbeError),
    /// There are no credentials for this connection.
    #[error("{0}")]
    NoCredentials(String),
}

impl LoginError {
    /// Close cause of a session that needed the login.
    pub fn cause(&self) -> CloseCause {
        match self {
            Self::Refused(_) => CloseCause::UpstreamLoginRefused,
            Self::Broken(ProbeError::Named { cause, .. }) => *cause,
            Self::Broken(_) => CloseCause::UpstreamLoginFailed,
            Self::NoCredentials(_) => CloseCause::UpstreamCredentialsMissing,
        }
    }
}

/// A successful login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoggedIn {
    /// End of the exchange.
    pub at: Instant,
    /// Time after which the broker wants it repeated (KIP-368); `None`: never.
    pub lifetime: Option<Duration>,
}

/// The credentials of one target, as one configuration has them, with what was learned while using them.
#[derive(Debug)]
pub struct LoginContext {
    model: Arc<BrokerLogin>,
    scram_keys: ScramKeyCache,
    tokens: Arc<tokens::GrantedTokens>,
    ambient: Arc<ambient::AmbientKeys>,
    /// Newest version of SaslAuthenticate that the brokers know; negative while that is unknown.
    version: AtomicI16,
}

impl ClientIdentity {
    /// A client that has shown a certificate for this name, or none.
    pub fn certified(principal: Option<String>) -> Self {
        Self {
            principal,
            ..Self::default()
        }
    }

    /// A client that has authenticated to kproxy by SASL.
    pub fn authenticated(identity: &SaslIdentity) -> Self {
        Self {
            principal: Some(identity.name.clone()),
            is_terminated: true,
            token: Mutex::new(token_of(identity)),
        }
    }

    /// Takes in the newest authentication of the client to kproxy; its token replaces the one before.
    pub fn authenticated_again(&self, identity: &SaslIdentity) {
        if let Some(token) = token_of(identity) {
            *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
        }
    }

    /// The newest token of the client.
    fn token(&self) -> Option<BearerToken> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl LoginContext {
    /// The credentials of a configuration. What an earlier one has fetched by the same means is taken over.
    pub fn new(model: Arc<BrokerLogin>, previous: Option<&Self>) -> Self {
        Self {
            model,
            scram_keys: ScramKeyCache::default(),
            tokens: previous.map(|it| Arc::clone(&it.tokens)).unwrap_or_default(),
            ambient: previous.map(|it| Arc::clone(&it.ambient)).unwrap_or_default(),
            version: AtomicI16::new(-1),
        }
    }

    /// The configuration.
    pub fn model(&self) -> &Arc<BrokerLogin> {
        &self.model
    }

    /// Whether sessions have the token of their clients.
    pub fn passes_tokens(&self) -> bool {
        self.model.clients == ClientLogins::PassToken
    }

    fn version(&self) -> Option<i16> {
        Some(self.version.load(Ordering::Relaxed)).filter(|version| *version >= 0)
    }

    /// The secret for a connection to the broker at `host`; `None`: the connection is not authenticated.
    ///
    /// # Errors
    /// [`LoginError::NoCredentials`].
    async fn secret(&self, login_as: LoginAs<'_>, host: &str) -> Result<Option<LoginSecret>, LoginError> {
        let own = self.model.own.as_ref();
        let source = match (login_as, &self.model.clients) {
            (LoginAs::Nobody, _) => return Ok(None),
            (LoginAs::Proxy, _) | (LoginAs::Client(_), ClientLogins::Shared) => match own {
                Some(own) => own,
                None => return Ok(None),
            },
            (LoginAs::Client(client), ClientLogins::PerClient(clients)) => {
                let principal = client.principal.as_deref();
                principal.and_then(|name| clients.get(name)).ok_or_else(|| {
                    let who = principal.map_or_else(
                        || "an anonymous client".to_owned(),
                        |name| format!("the client `{}`", name.escape_debug()),
                    );
                    LoginError::NoCredentials(format!("`clientsFile` has no credentials for {who}"))
                })?
            }
            // It authenticates to the broker itself.
            (LoginAs::Client(client), ClientLogins::PassToken) if !client.is_terminated => return Ok(None),
            (LoginAs::Client(client), ClientLogins::PassToken) => {
                let missing = || {
                    let why = "the client has not authenticated with a token that could be passed on";
                    LoginError::NoCredentials(why.to_owned())
                };
                return Ok(Some(LoginSecret::Bearer(client.token().ok_or_else(missing)?)));
            }
        };
        self.of_source(source, host).await.map(Some)
    }

    async fn of_source(&self, source: &LoginSource, host: &str) -> Result<LoginSecret, LoginError> {
        match source {
            LoginSource::User(UserLogin { username, password }) => {
                let (username, password) = (username.clone(), password.clone());
                Ok(match self.model.mechanism.scram_hash() {
                    Some(hash) => LoginSecret::Scram {
                        hash,
                        username,
                        password,
                    },
                    None => LoginSecret::Plain { username, password },
                })
            }
            LoginSource::Token { token, .. } => Ok(LoginSecret::Bearer(BearerToken::of(token.clone()))),
            LoginSource::Grant(grant) => self.tokens.get(grant).await.map(LoginSecret::Bearer),
            LoginSource::Aws(aws) => {
                let region = aws.region.as_deref().or_else(|| region_of(host));
                let region = region.ok_or_else(|| {
                    let why = format!("`{host}` tells no region of AWS: `sasl` needs `region`");
                    LoginError::NoCredentials(why)
                })?;
                let credential = match &aws.keys {
                    AwsKeys::Fixed(credential) => credential.clone(),
                    AwsKeys::Ambient => self.ambient.get().await?,
                };
                Ok(LoginSecret::MskIam {
                    credential,
                    region: region.to_owned(),
                })
            }
        }
    }

    /// Whether the mechanism proves a user by a password, so that a refusal will not pass by itself.
    pub fn is_by_password(&self) -> bool {
        !matches!(
            self.model.mechanism,
            BrokerMechanism::OauthBearer | BrokerMechanism::AwsMskIam
        )
    }
}

fn token_of(identity: &SaslIdentity) -> Option<BearerToken> {
    let token = identity.token.as_deref()?.clone();
    let expires = identity.expires;
    Some(BearerToken { token, expires })
}

/// Seconds since 1970.
fn unix_now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}
