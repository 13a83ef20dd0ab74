//! Which keys of `sasl` have a meaning together.

use super::BrokerMechanism;
use crate::config::schema::{CredentialsMode, UpstreamSasl};
use crate::config::{Errors, Pos, quoted};

/// What a key belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    User,
    Bearer,
    Aws,
    PerClient,
}

/// Reports keys that would have no effect. Returns whether there are none.
pub(super) fn check(
    sasl: &UpstreamSasl,
    mechanism: BrokerMechanism,
    mode: CredentialsMode,
    errors: &mut Errors,
) -> bool {
    let own = match mechanism {
        BrokerMechanism::Plain | BrokerMechanism::ScramSha256 | BrokerMechanism::ScramSha512 => Use::User,
        BrokerMechanism::OauthBearer => Use::Bearer,
        BrokerMechanism::AwsMskIam => Use::Aws,
    };
    let mut fits = true;
    if let Some(written) = &sasl.credentials {
        let why = match (mode, own) {
            (CredentialsMode::PerClient, Use::Aws) => "`perClient` is not supported with AWS_MSK_IAM",
            (CredentialsMode::PassToken, Use::User | Use::Aws) => "`passToken` needs OAUTHBEARER",
            _ => "",
        };
        if !why.is_empty() {
            errors.push(written.at, why);
            fits = false;
        }
    }
    for (name, at, of) in given(sasl) {
        let has_meaning = match of {
            Use::PerClient => mode == CredentialsMode::PerClient,
            of => of == own,
        };
        if !has_meaning {
            let what = match of {
                Use::PerClient => "`credentials: perClient`".to_owned(),
                Use::User => "a password".to_owned(),
                Use::Bearer => "OAUTHBEARER".to_owned(),
                Use::Aws => "AWS_MSK_IAM".to_owned(),
            };
            errors.push(at, format!("{} has a meaning only with {what}", quoted(name)));
            fits = false;
        }
    }
    fits
}

/// The keys that are there, with their positions.
fn given(sasl: &UpstreamSasl) -> impl Iterator<Item = (&'static str, Pos, Use)> {
    macro_rules! keys {
        ($($field:ident $name:literal $of:ident;)*) => {
            [$(sasl.$field.as_ref().map(|written| ($name, written.key, Use::$of)),)*]
        };
    }
    let keys = keys! {
        username "username" User;
        password "password" User;
        password_file "passwordFile" User;
        clients_file "clientsFile" PerClient;
        token_file "tokenFile" Bearer;
        token_endpoint_url "tokenEndpointUrl" Bearer;
        client_id "clientId" Bearer;
        client_secret "clientSecret" Bearer;
        client_secret_file "clientSecretFile" Bearer;
        scope "scope" Bearer;
        token_endpoint_ca_file "tokenEndpointCaFile" Bearer;
        region "region" Aws;
        access_key_id "accessKeyId" Aws;
        secret_access_key "secretAccessKey" Aws;
        secret_access_key_file "secretAccessKeyFile" Aws;
        session_token "sessionToken" Aws;
        credentials_file "credentialsFile" Aws;
        profile "profile" Aws;
    };
    keys.into_iter().flatten()
}
