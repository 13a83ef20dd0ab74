//! Credentials of kproxy towards brokers.

use std::path::PathBuf;

use super::super::decode::{choice, record};
use super::super::{Secret, Spanned};

record! {
    /// Credentials with which kproxy authenticates to the brokers of a target cluster. Clients then need no SASL.
    pub struct UpstreamSasl {
        /// SASL mechanism. Which of the other keys may be there depends on it.
        "mechanism" mechanism: Spanned<UpstreamMechanism>,
        /// Credentials of a session at the broker: the same for all, those of the client in `clientsFile`, or the token of
        /// the client.
        "credentials" credentials: Option<Spanned<CredentialsMode>> = "shared",
        /// PLAIN and SCRAM: name of the user. With `perClient` it is the user of kproxy's own connections. Absent: an error
        /// with `shared`.
        "username" username: Option<Spanned<String>>,
        /// PLAIN and SCRAM: password of the user. Absent: see `passwordFile`.
        "password" password: Option<Spanned<Secret>>,
        /// PLAIN and SCRAM: file whose first line is the password. Absent: see `password`.
        "passwordFile" password_file: Option<Spanned<PathBuf>>,
        /// With `perClient`: file with a line `PRINCIPAL:USERNAME:PASSWORD` for each client. With OAUTHBEARER the last two
        /// are client id and client secret. Absent: an error with `perClient`.
        "clientsFile" clients_file: Option<Spanned<PathBuf>>,
        /// OAUTHBEARER: file with a token. Absent: see `tokenEndpointUrl`.
        "tokenFile" token_file: Option<Spanned<PathBuf>>,
        /// OAUTHBEARER: URL at which tokens are fetched with client credentials (RFC 6749 §4.4). Absent: see `tokenFile`.
        "tokenEndpointUrl" token_endpoint_url: Option<Spanned<String>>,
        /// OAUTHBEARER: client id at `tokenEndpointUrl`. Absent: an error with `tokenEndpointUrl` and `shared`.
        "clientId" client_id: Option<Spanned<String>>,
        /// OAUTHBEARER: secret of `clientId`. Absent: see `clientSecretFile`.
        "clientSecret" client_secret: Option<Spanned<Secret>>,
        /// OAUTHBEARER: file whose first line is the secret of `clientId`. Absent: see `clientSecret`.
        "clientSecretFile" client_secret_file: Option<Spanned<PathBuf>>,
        /// OAUTHBEARER: scopes that are asked for, separated by spaces. Absent: none is named.
        "scope" scope: Option<Spanned<String>>,
        /// OAUTHBEARER: PEM file with the certificate authorities of `tokenEndpointUrl`. Absent: those of the platform.
        "tokenEndpointCaFile" token_endpoint_ca_file: Option<Spanned<PathBuf>>,
        /// AWS_MSK_IAM: region of the cluster. Absent: the name of each broker tells it.
        "region" region: Option<Spanned<String>>,
        /// AWS_MSK_IAM: id of the access key. Absent: see `credentialsFile`.
        "accessKeyId" access_key_id: Option<Spanned<String>>,
        /// AWS_MSK_IAM: the secret access key. Absent: see `secretAccessKeyFile`.
        "secretAccessKey" secret_access_key: Option<Spanned<Secret>>,
        /// AWS_MSK_IAM: file whose first line is the secret access key. Absent: see `secretAccessKey`.
        "secretAccessKeyFile" secret_access_key_file: Option<Spanned<PathBuf>>,
        /// AWS_MSK_IAM: token of a temporary access key. Absent: the key is a lasting one.
        "sessionToken" session_token: Option<Spanned<Secret>>,
        /// AWS_MSK_IAM: file with keys as the AWS tools keep them. Absent, and without `accessKeyId`: the environment
        /// (`AWS_ACCESS_KEY_ID` …), the endpoint of the container, or that of the EC2 instance.
        "credentialsFile" credentials_file: Option<Spanned<PathBuf>>,
        /// AWS_MSK_IAM: section of `credentialsFile`.
        "profile" profile: Option<Spanned<String>> = "default",
    }
}

choice! {
    /// SASL mechanisms in which kproxy can authenticate.
    pub enum UpstreamMechanism {
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

choice! {
    /// Credentials of a session at the broker.
    pub enum CredentialsMode {
        /// Every session has the credentials of kproxy.
        Shared = "shared",
        /// A session has the credentials that a file has for its client.
        PerClient = "perClient",
        /// A session has the token with which its client has authenticated to kproxy.
        PassToken = "passToken",
    }
}
