//! Credentials of kproxy towards the brokers of a target cluster (`sasl`).

mod clients;
mod keys;
mod read;

pub(super) use read::{content, warn_of_mode};

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::scope::{BrokerAccess, Scope};
use super::{forward_proxy, tls};
use crate::config::schema::{self, CredentialsMode, UpstreamMechanism};
use crate::config::{ForwardProxyUrl, Secret, Spanned, quoted};
use crate::names::names;
use crate::pki::TrustStore;
use crate::sasl::ScramHash;
use crate::sasl::client::AwsCredential;

names! {
    /// SASL mechanism towards brokers.
    pub enum BrokerMechanism {
        /// User and password in clear (RFC 4616).
        Plain = "PLAIN",
        /// SCRAM with SHA-256 (RFC 7677).
        ScramSha256 = "SCRAM-SHA-256",
        /// SCRAM with SHA-512.
        ScramSha512 = "SCRAM-SHA-512",
        /// Bearer tokens (RFC 7628).
        OauthBearer = "OAUTHBEARER",
        /// Signed requests of Amazon MSK.
        AwsMskIam = "AWS_MSK_IAM",
    }
}

/// Credentials of kproxy towards the brokers of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerLogin {
    /// SASL mechanism.
    pub mechanism: BrokerMechanism,
    /// Credentials of kproxy itself; with [`ClientLogins::Shared`] those of every session, and never absent.
    pub own: Option<LoginSource>,
    /// Credentials of sessions.
    pub clients: ClientLogins,
}

/// Credentials of sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientLogins {
    /// Every session has kproxy's own.
    Shared,
    /// A session has those of its client, by the name of the principal.
    PerClient(Arc<BTreeMap<String, LoginSource>>),
    /// A session has the token of its client.
    PassToken,
}

/// Where the credentials of a login come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginSource {
    /// User and password.
    User(UserLogin),
    /// The token in a file.
    Token {
        /// The token.
        token: Secret,
        /// The user, if the token says whose it is.
        subject: Option<String>,
    },
    /// Tokens that are fetched.
    Grant(TokenGrant),
    /// Keys of AWS.
    Aws(AwsLogin),
}

/// A user with a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserLogin {
    /// Name of the user.
    pub username: String,
    /// Password of the user.
    pub password: Secret,
}

/// Client credentials that are exchanged for tokens (RFC 6749 §4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenGrant {
    /// URL of the token endpoint.
    pub endpoint: String,
    /// Client id and client secret.
    pub client: UserLogin,
    /// Scopes that are asked for, separated by spaces.
    pub scope: Option<String>,
    /// Certificate authorities of the endpoint; `None`: those of the platform.
    pub authorities: Option<Arc<TrustStore>>,
}

/// Keys of AWS, and the region that they are used in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsLogin {
    /// Region of the cluster; `None`: the name of each broker tells it.
    pub region: Option<String>,
    /// Where the keys come from.
    pub keys: AwsKeys,
}

/// Where the keys of AWS come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AwsKeys {
    /// The configuration, or a file that it names.
    Fixed(AwsCredential),
    /// What surrounds the process: its environment, the endpoint of its container, that of its machine.
    Ambient,
}

impl BrokerMechanism {
    /// The hash function of SCRAM.
    pub fn scram_hash(self) -> Option<ScramHash> {
        match self {
            Self::ScramSha256 => Some(ScramHash::Sha256),
            Self::ScramSha512 => Some(ScramHash::Sha512),
            Self::Plain | Self::OauthBearer | Self::AwsMskIam => None,
        }
    }

    fn of(written: UpstreamMechanism) -> Self {
        match written {
            UpstreamMechanism::Plain => Self::Plain,
            UpstreamMechanism::ScramSha256 => Self::ScramSha256,
            UpstreamMechanism::ScramSha512 => Self::ScramSha512,
            UpstreamMechanism::OauthBearer => Self::OauthBearer,
            UpstreamMechanism::AwsMskIam => Self::AwsMskIam,
        }
    }

    /// What a listener on the way to the broker reads without TLS.
    fn in_clear(self) -> Option<&'static str> {
        match self {
            Self::Plain => Some("the password"),
            Self::OauthBearer => Some("the token"),
            Self::ScramSha256 | Self::ScramSha512 | Self::AwsMskIam => None,
        }
    }
}

/// The keys of a target that say how its brokers are reached and spoken to.
pub(super) struct AccessKeys<'w> {
    pub(super) via: Option<&'w Spanned<ForwardProxyUrl>>,
    pub(super) via_credentials_file: Option<&'w Spanned<PathBuf>>,
    pub(super) tls: Option<&'w Spanned<schema::UpstreamTls>>,
    pub(super) sasl: Option<&'w Spanned<schema::UpstreamSasl>>,
    /// Whether every key that seems absent is absent.
    pub(super) is_sound: bool,
}

/// Resolves `via`, `tls` and `sasl` of a target; `None` after an error that was reported.
pub(super) fn access(keys: &AccessKeys<'_>, scope: &mut Scope<'_>) -> Option<BrokerAccess> {
    let &AccessKeys {
        tls: written_tls,
        sasl: written_sasl,
        ..
    } = keys;
    let via = forward_proxy::resolve(keys.via, keys.via_credentials_file, keys.is_sound, scope);
    let tls = match written_tls {
        Some(written) => tls::upstream(written, scope).map(Some),
        None => Some(None),
    };
    let login = match written_sasl {
        Some(written) => resolve(written, scope).map(|login| Some(Arc::new(login))),
        None => Some(None),
    };
    if let (Some(written), Some(Some(login))) = (written_sasl, &login)
        && written_tls.is_none()
        && let Some(what) = login.mechanism.in_clear()
    {
        scope.warnings.push(written.value.mechanism.at, || {
            let name = login.mechanism.name();
            format!("`sasl` with {name} and without `tls`: {what} is sent to brokers in clear")
        });
    }
    Some(BrokerAccess {
        via: via?,
        tls: tls?,
        login: login?,
    })
}

fn resolve(written: &Spanned<schema::UpstreamSasl>, scope: &mut Scope<'_>) -> Option<BrokerLogin> {
    let sasl = &written.value;
    let mechanism = BrokerMechanism::of(sasl.mechanism.value);
    let mode = sasl
        .credentials
        .as_ref()
        .map_or(CredentialsMode::Shared, |mode| mode.value);
    let fits = keys::check(sasl, mechanism, mode, &mut scope.errors);
    let own = match mechanism {
        BrokerMechanism::Plain | BrokerMechanism::ScramSha256 | BrokerMechanism::ScramSha512 => {
            read::user(sasl, scope).map(|user| user.map(LoginSource::User))
        }
        BrokerMechanism::OauthBearer => read::bearer(sasl, mode, scope),
        BrokerMechanism::AwsMskIam => read::aws(sasl, scope).map(|aws| Some(LoginSource::Aws(aws))),
    };
    let clients = match mode {
        CredentialsMode::Shared => Some(ClientLogins::Shared),
        CredentialsMode::PassToken => Some(ClientLogins::PassToken),
        CredentialsMode::PerClient => {
            clients::resolve(written, mechanism, scope).map(ClientLogins::PerClient)
        }
    };
    let (own, clients) = (own?, clients?);
    if own.is_none() && clients == ClientLogins::Shared && fits {
        if sasl.shape.is_sound() {
            let wanted = match mechanism {
                BrokerMechanism::OauthBearer => "`tokenFile`, or `tokenEndpointUrl` with `clientId`",
                _ => "`username`",
            };
            let name = quoted(mechanism.name());
            scope
                .errors
                .push(written.at, format!("`sasl` with {name} needs {wanted}"));
        }
        return None;
    }
    fits.then_some(BrokerLogin {
        mechanism,
        own,
        clients,
    })
}
