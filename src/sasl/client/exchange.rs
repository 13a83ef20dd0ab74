//! One exchange of any mechanism, token by token.

use super::bearer::{self, BearerToken};
use super::msk_iam::{self, AwsCredential, MskLogin};
use super::scram::{ScramChallenge, ScramClient, ScramKeys, ScramProof};
use crate::config::Secret;
use crate::sasl::ScramHash;

/// Smallest number of iterations of SCRAM that Kafka has. One that asks for fewer is no broker: it tries to learn the
/// password.
const FEWEST_ITERATIONS: u32 = 4096;

/// What an exchange proves: who, and by which mechanism. `Debug` shows no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginSecret {
    /// PLAIN (RFC 4616).
    Plain {
        /// Name of the user.
        username: String,
        /// Password of the user.
        password: Secret,
    },
    /// SCRAM.
    Scram {
        /// Hash function of the mechanism.
        hash: ScramHash,
        /// Name of the user.
        username: String,
        /// Password of the user.
        password: Secret,
    },
    /// OAUTHBEARER.
    Bearer(BearerToken),
    /// AWS_MSK_IAM.
    MskIam {
        /// Keys of AWS.
        credential: AwsCredential,
        /// Region of the cluster.
        region: String,
    },
}

/// What an exchange needs besides the secret.
#[derive(Debug, Clone, Copy)]
pub struct ExchangeSeed<'s> {
    /// A text that nobody can guess.
    pub nonce: &'s str,
    /// Name of the broker, as it advertises itself.
    pub host: &'s str,
    /// Seconds since 1970.
    pub now: u64,
}

/// An exchange that waits for a token of the server.
#[derive(Debug, Clone)]
pub enum ClientExchange {
    /// The client has said everything: the server accepts it, or answers with an error.
    Said,
    /// OAUTHBEARER: a token of the server is its error.
    BearerSaid,
    /// OAUTHBEARER: the client has given up, and the server says why.
    BearerRefused(String),
    /// AWS_MSK_IAM: the server's token names the request.
    MskSaid,
    /// SCRAM: the server tells salt and number of iterations.
    ScramBegun(ScramClient),
    /// SCRAM: the server shows that it knows the password.
    ScramProven(ScramProof),
}

/// What follows from a token of the server.
#[derive(Debug)]
pub enum ClientStep {
    /// This token is sent.
    Send(Vec<u8>),
    /// The keys for this challenge are derived; then [`ClientExchange::proven`].
    Derive(Box<ScramChallenge>),
    /// Both sides are satisfied.
    Done,
}

impl LoginSecret {
    /// Name of the mechanism.
    pub fn mechanism(&self) -> &'static str {
        match self {
            Self::Plain { .. } => "PLAIN",
            Self::Scram { hash, .. } => hash.mechanism(),
            Self::Bearer(_) => "OAUTHBEARER",
            Self::MskIam { .. } => "AWS_MSK_IAM",
        }
    }
}

impl ClientExchange {
    /// Begins an exchange. Returns it with the first token.
    pub fn begin(secret: &LoginSecret, seed: ExchangeSeed<'_>) -> (Self, Vec<u8>) {
        match secret {
            LoginSecret::Plain { username, password } => {
                let token = format!("\0{username}\0{}", password.reveal());
                (Self::Said, token.into_bytes())
            }
            LoginSecret::Scram { hash, username, .. } => {
                let (client, first) = ScramClient::begin(*hash, username, seed.nonce);
                (Self::ScramBegun(client), first)
            }
            LoginSecret::Bearer(token) => (Self::BearerSaid, bearer::message(&token.token)),
            LoginSecret::MskIam { credential, region } => {
                let login = MskLogin {
                    host: seed.host,
                    region,
                    credential,
                };
                (Self::MskSaid, login.message(seed.now))
            }
        }
    }

    /// Takes a token of the server, which came without an error.
    ///
    /// # Errors
    /// Why the exchange has failed.
    pub fn answered(&mut self, token: &[u8]) -> Result<ClientStep, String> {
        match self {
            Self::Said => Ok(ClientStep::Done),
            Self::BearerSaid if token.is_empty() => Ok(ClientStep::Done),
            Self::BearerSaid => {
                *self = Self::BearerRefused(bearer::reason(token));
                Ok(ClientStep::Send(bearer::GIVE_UP.to_vec()))
            }
            Self::BearerRefused(reason) => Err(format!("the broker does not accept the token: {reason}")),
            Self::MskSaid if msk_iam::accepts(token) => Ok(ClientStep::Done),
            Self::MskSaid => Err("the broker's answer is not one of AWS_MSK_IAM".to_owned()),
            Self::ScramBegun(client) => {
                let challenge = client.challenged(token, FEWEST_ITERATIONS)?;
                Ok(ClientStep::Derive(Box::new(challenge)))
            }
            Self::ScramProven(proof) => {
                proof.verify(token)?;
                Ok(ClientStep::Done)
            }
        }
    }

    /// Goes on after [`ClientStep::Derive`]. Returns the token that is sent.
    pub fn proven(&mut self, challenge: &ScramChallenge, keys: &ScramKeys) -> Vec<u8> {
        let proof = challenge.prove(keys);
        let message = proof.message.clone();
        *self = Self::ScramProven(proof);
        message
    }

    /// What the server has said before its error, if it has said more than that.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::BearerRefused(reason) => Some(reason),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: ExchangeSeed<'static> = ExchangeSeed {
        nonce: "abc",
        host: "b0",
        now: 0,
    };

    #[test]
    fn plain_says_everything_at_once() {
        let secret = LoginSecret::Plain {
            username: "svc".to_owned(),
            password: Secret::new("hunter2"),
        };
        assert!(!format!("{secret:?}").contains("hunter2"));
        let (mut exchange, first) = ClientExchange::begin(&secret, SEED);
        assert_eq!(first, b"\0svc\0hunter2");
        assert!(matches!(exchange.answered(b""), Ok(ClientStep::Done)));
    }

    #[test]
    fn a_bearer_token_that_is_refused_is_given_up() {
        let token = BearerToken::of(Secret::new("hunter2"));
        let (mut exchange, _) = ClientExchange::begin(&LoginSecret::Bearer(token), SEED);
        let step = exchange.answered(br#"{"status":"invalid_token"}"#);
        assert!(matches!(step, Ok(ClientStep::Send(token)) if token == b"\x01"));
        assert_eq!(exchange.reason(), Some("invalid_token"));
        assert!(
            exchange.answered(b"").is_err(),
            "a broker cannot accept it after that"
        );
    }

    #[test]
    fn scram_needs_a_server_that_knows_the_password() {
        let secret = LoginSecret::Scram {
            hash: ScramHash::Sha256,
            username: "svc".to_owned(),
            password: Secret::new("hunter2"),
        };
        let (mut exchange, _) = ClientExchange::begin(&secret, SEED);
        let Ok(ClientStep::Derive(challenge)) = exchange.answered(b"r=abcd,s=QQ==,i=4096") else {
            panic!("no challenge");
        };
        let keys = ScramKeys::derive(challenge.hash(), "hunter2", &challenge.salt, challenge.iterations);
        assert!(
            exchange
                .proven(&challenge, &keys)
                .starts_with(b"c=biws,r=abcd,p=")
        );
        assert!(exchange.answered(b"v=QQ==").unwrap_err().contains("signature"));
        let (mut exchange, _) = ClientExchange::begin(&secret, SEED);
        assert!(
            exchange.answered(b"r=abcd,s=QQ==,i=1").is_err(),
            "too few iterations"
        );
        assert!(exchange.answered(b"v=QQ==").is_err());
    }
}
