//! SCRAM (RFC 5802, RFC 7677) as a client, without channel binding, as Kafka has it.

use std::num::NonZeroU32;

use aws_lc_rs::constant_time;
use data_encoding::BASE64;

use crate::sasl::ScramHash;

/// Largest accepted number of iterations. Kafka allows 16 384; a server that asks for more would cost seconds of a
/// processor.
const MAX_ITERATIONS: u32 = 100_000;

/// Largest accepted salt in bytes.
const MAX_SALT: usize = 1024;

/// The exchange after its first message.
#[derive(Debug, Clone)]
pub struct ScramClient {
    hash: ScramHash,
    nonce: String,
    first_bare: String,
}

/// The exchange after the server's first message: the keys that follow from the password are wanted.
#[derive(Debug, Clone)]
pub struct ScramChallenge {
    client: ScramClient,
    server_first: String,
    nonce: String,
    /// Salt of the user, as the server says.
    pub salt: Vec<u8>,
    /// Number of iterations for the user, as the server says.
    pub iterations: NonZeroU32,
}

/// Keys that follow from password, salt and number of iterations (RFC 5802 §3). As good as the password; `Debug` does not
/// show them.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramKeys {
    client_key: Vec<u8>,
    server_key: Vec<u8>,
}

/// The exchange after its second message.
#[derive(Debug, Clone)]
pub struct ScramProof {
    /// Message for the server.
    pub message: Vec<u8>,
    /// Signature by which the server shows that it knows the password.
    signature: Vec<u8>,
}

impl ScramClient {
    /// Begins an exchange. Returns it with the first message.
    pub fn begin(hash: ScramHash, username: &str, nonce: &str) -> (Self, Vec<u8>) {
        let name = username.replace('=', "=3D").replace(',', "=2C");
        let first_bare = format!("n={name},r={nonce}");
        let message = format!("n,,{first_bare}").into_bytes();
        let client = Self {
            hash,
            nonce: nonce.to_owned(),
            first_bare,
        };
        (client, message)
    }

    /// Reads the first message of the server, which has to ask for `fewest` iterations or more.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn challenged(&self, server_first: &[u8], fewest: u32) -> Result<ScramChallenge, &'static str> {
        let server_first = std::str::from_utf8(server_first).map_err(|_| "the SCRAM message is not text")?;
        let mut parts = server_first.split(',');
        let mut field = |name: &str| parts.next().and_then(|part| part.strip_prefix(name));
        let nonce = field("r=").ok_or("the SCRAM message has no nonce")?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err("the nonce of the SCRAM message does not continue the client's");
        }
        let salt = field("s=").and_then(|salt| BASE64.decode(salt.as_bytes()).ok());
        let salt = salt
            .filter(|salt| !salt.is_empty() && salt.len() <= MAX_SALT)
            .ok_or("the SCRAM message has no salt")?;
        let iterations: Option<NonZeroU32> = field("i=").and_then(|count| count.parse().ok());
        let iterations = iterations
            .filter(|count| (fewest..=MAX_ITERATIONS).contains(&count.get()))
            .ok_or("the SCRAM message has no acceptable number of iterations")?;
        Ok(ScramChallenge {
            client: self.clone(),
            server_first: server_first.to_owned(),
            nonce: nonce.to_owned(),
            salt,
            iterations,
        })
    }
}

impl ScramKeys {
    /// Derives the keys. Milliseconds of processor time: not for a thread that serves sessions.
    pub fn derive(hash: ScramHash, password: &str, salt: &[u8], iterations: NonZeroU32) -> Self {
        let salted = hash.salted(password.as_bytes(), salt, iterations);
        Self {
            client_key: hash.hmac(&salted, b"Client Key"),
            server_key: hash.hmac(&salted, b"Server Key"),
        }
    }
}

impl std::fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl ScramChallenge {
    /// Hash function of the mechanism.
    pub fn hash(&self) -> ScramHash {
        self.client.hash
    }

    /// Answers the first message of the server, with the keys of its salt and number of iterations.
    pub fn prove(&self, keys: &ScramKeys) -> ScramProof {
        let hash = self.client.hash;
        let without_proof = format!("c=biws,r={}", self.nonce);
        let signed = format!("{},{},{without_proof}", self.client.first_bare, self.server_first);
        let stored_key = hash.digest(&keys.client_key);
        let signature = hash.hmac(&stored_key, signed.as_bytes());
        let bytes = keys.client_key.iter().zip(&signature);
        let proof: Vec<u8> = bytes.map(|(key, sign)| key ^ sign).collect();
        ScramProof {
            message: format!("{without_proof},p={}", BASE64.encode(&proof)).into_bytes(),
            signature: hash.hmac(&keys.server_key, signed.as_bytes()),
        }
    }
}

impl ScramProof {
    /// Checks the last message of the server.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn verify(&self, server_final: &[u8]) -> Result<(), &'static str> {
        let text = std::str::from_utf8(server_final).unwrap_or_default();
        let first = text.split(',').next().unwrap_or_default();
        let shown = first
            .strip_prefix("v=")
            .and_then(|signature| BASE64.decode(signature.as_bytes()).ok());
        let shown = shown.ok_or("the last SCRAM message has no signature")?;
        constant_time::verify_slices_are_equal(&shown, &self.signature)
            .map_err(|_| "the server does not know the password: its SCRAM signature is wrong")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof(client: &ScramClient, server_first: &[u8], password: &str) -> ScramProof {
        let challenge = client.challenged(server_first, 1).unwrap();
        let keys = ScramKeys::derive(challenge.hash(), password, &challenge.salt, challenge.iterations);
        assert_eq!(format!("{keys:?}"), "***");
        challenge.prove(&keys)
    }

    /// The exchange of RFC 7677 §3.
    #[test]
    fn the_example_of_rfc_7677_comes_out() {
        let (client, first) = ScramClient::begin(ScramHash::Sha256, "user", "rOprNGfwEbeRWgbNEkqO");
        assert_eq!(first, b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let server =
            b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let proof = proof(&client, server, "pencil");
        let expected = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                        p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        assert_eq!(std::str::from_utf8(&proof.message).unwrap(), expected);
        proof
            .verify(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
            .unwrap();
        assert!(
            proof
                .verify(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G8=")
                .is_err()
        );
        assert!(proof.verify(b"e=other-error").is_err());
    }

    #[test]
    fn hostile_servers_are_refused() {
        let (client, _) = ScramClient::begin(ScramHash::Sha512, "a,b=c", "abc");
        assert_eq!(client.first_bare, "n=a=2Cb=3Dc,r=abc");
        for message in [
            &b""[..],
            b"r=abc,s=QQ==,i=4096",
            b"r=xbcd,s=QQ==,i=4096",
            b"r=abcd,s=!,i=4096",
            b"r=abcd,s=,i=4096",
            b"r=abcd,s=QQ==,i=0",
            b"r=abcd,s=QQ==,i=4294967295",
            b"r=abcd,s=QQ==,i=4095",
            b"r=abcd,s=QQ==",
            b"m=x,r=abcd,s=QQ==,i=4096",
            b"\xff",
        ] {
            assert!(
                client.challenged(message, 4096).is_err(),
                "{}",
                message.escape_ascii()
            );
        }
        assert!(client.challenged(b"r=abcd,s=QQ==,i=4096", 4096).is_ok());
    }
}
