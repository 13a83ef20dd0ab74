//! Logins over SASL (KIP-43, KIP-152).

use std::sync::Arc;

use aws_lc_rs::rand;
use data_encoding::BASE64URL_NOPAD;

use super::link::Link;
use super::messages::{self, Call, ServerError};
use super::steps::StepError;
use crate::config::Secret;
use crate::names::names;
use crate::sasl::ScramHash;
use crate::sasl::client::{ScramClient, ScramKeys};

names! {
    /// A SASL mechanism of the walk.
    pub enum SaslMechanism {
        /// User and password in clear (RFC 4616).
        Plain = "PLAIN",
        /// SCRAM with SHA-256 (RFC 7677).
        ScramSha256 = "SCRAM-SHA-256",
        /// SCRAM with SHA-512.
        ScramSha512 = "SCRAM-SHA-512",
    }
}

/// Credentials with the mechanism that uses them.
#[derive(Debug, Clone)]
pub struct Login {
    /// Mechanism.
    pub mechanism: SaslMechanism,
    /// Name of the user.
    pub username: String,
    /// Password of the user.
    pub password: Arc<Secret>,
}

impl Login {
    /// Authenticates a connection.
    ///
    /// # Errors
    /// Why the server does not accept it.
    pub async fn perform(&self, link: &mut Link) -> Result<(), StepError> {
        let name = self.mechanism.name();
        let request = messages::sasl_handshake_request(name);
        let answer = link.ask(Call::SASL_HANDSHAKE, &request).await?;
        let (error, offered) = messages::read_mechanisms(&answer)?;
        if error != 0 {
            let offered = offered.join(", ");
            let why =
                format!("the server does not accept the mechanism {name}, but {offered} (error {error})");
            return Err(StepError::NoLogin(why));
        }
        match self.mechanism {
            SaslMechanism::Plain => {
                let token = format!("\0{}\0{}", self.username, self.password.reveal());
                send(link, token.as_bytes()).await.map(drop)
            }
            SaslMechanism::ScramSha256 => self.scram(link, ScramHash::Sha256).await,
            SaslMechanism::ScramSha512 => self.scram(link, ScramHash::Sha512).await,
        }
    }

    async fn scram(&self, link: &mut Link, hash: ScramHash) -> Result<(), StepError> {
        let (client, first) = ScramClient::begin(hash, &self.username, &nonce()?);
        let server_first = send(link, &first).await?;
        let wrong = |why: &str| StepError::NoLogin(why.to_owned());
        let challenge = client.challenged(&server_first, 1).map_err(wrong)?;
        let (salt, iterations) = (&challenge.salt, challenge.iterations);
        let keys = ScramKeys::derive(hash, self.password.reveal(), salt, iterations);
        let proof = challenge.prove(&keys);
        let server_final = send(link, &proof.message).await?;
        proof.verify(&server_final).map_err(wrong)
    }
}

/// Sends a token and returns the one of the server.
async fn send(link: &mut Link, token: &[u8]) -> Result<Vec<u8>, StepError> {
    let request = messages::sasl_authenticate_request(token);
    let answer = link.ask(Call::SASL_AUTHENTICATE, &request).await?;
    match messages::read_token(&answer)? {
        (ServerError { code: 0, .. }, token) => Ok(token),
        (error, _) => Err(StepError::NoLogin(format!(
            "the server refuses the login: {} (error {})",
            error.message, error.code
        ))),
    }
}

/// A text that nobody can guess.
pub(super) fn nonce() -> Result<String, StepError> {
    let mut bytes = [0; 18];
    rand::fill(&mut bytes).map_err(|_| StepError::NoLogin("this machine has no random numbers".into()))?;
    Ok(BASE64URL_NOPAD.encode(&bytes))
}
