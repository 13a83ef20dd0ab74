//! SCRAM (RFC 5802, RFC 7677) as a client, without channel binding, as Kafka has it. Pure: the nonce is given.

use std::num::NonZeroU32;

use aws_lc_rs::constant_time;
use data_encoding::BASE64;

use crate::sasl::ScramHash;

/// Largest accepted number of iterations. Kafka allows 16 384; a server that asks for more would make the walk hang.
const MAX_ITERATIONS: u32 = 100_000;

/// The exchange after its first message.
#[derive(Debug)]
pub(super) struct ScramExchange {
    hash: ScramHash,
    nonce: String,
    first_bare: String,
}

/// The exchange after its second message.
#[derive(Debug)]
pub(super) struct ScramProof {
    /// Message for the server.
    pub(super) message: Vec<u8>,
    /// Signature by which the server shows that it knows the password.
    signature: Vec<u8>,
}

impl ScramExchange {
    /// Begins an exchange. Returns it with the first message.
    pub(super) fn begin(hash: ScramHash, username: &str, nonce: &str) -> (Self, Vec<u8>) {
        let name = username.replace('=', "=3D").replace(',', "=2C");
        let first_bare = format!("n={name},r={nonce}");
        let message = format!("n,,{first_bare}").into_bytes();
        let exchange = Self {
            hash,
            nonce: nonce.to_owned(),
            first_bare,
        };
        (exchange, message)
    }

    /// Answers the first message of the server.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn prove(&self, server_first: &[u8], password: &str) -> Result<ScramProof, &'static str> {
        let server_first = std::str::from_utf8(server_first).map_err(|_| "the SCRAM message is not text")?;
        let field = |name: &str| server_first.split(',').find_map(|part| part.strip_prefix(name));
        let nonce = field("r=").ok_or("the SCRAM message has no nonce")?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err("the nonce of the SCRAM message does not continue the client's");
        }
        let salt = field("s=").and_then(|salt| BASE64.decode(salt.as_bytes()).ok());
        let salt = salt.ok_or("the SCRAM message has no salt")?;
        let iterations: Option<NonZeroU32> = field("i=").and_then(|count| count.parse().ok());
        let iterations = iterations
            .filter(|count| count.get() <= MAX_ITERATIONS)
            .ok_or("the SCRAM message has no acceptable number of iterations")?;
        let salted = self.hash.salted(password.as_bytes(), &salt, iterations);
        let without_proof = format!("c=biws,r={nonce}");
        let signed = format!("{},{server_first},{without_proof}", self.first_bare);
        let client_key = self.hash.hmac(&salted, b"Client Key");
        let signature = self.hash.hmac(&self.hash.digest(&client_key), signed.as_bytes());
        let proof: Vec<u8> = client_key
            .iter()
            .zip(&signature)
            .map(|(key, sign)| key ^ sign)
            .collect();
        let server_key = self.hash.hmac(&salted, b"Server Key");
        Ok(ScramProof {
            message: format!("{without_proof},p={}", BASE64.encode(&proof)).into_bytes(),
            signature: self.hash.hmac(&server_key, signed.as_bytes()),
        })
    }
}

impl ScramProof {
    /// Checks the last message of the server.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn verify(&self, server_final: &[u8]) -> Result<(), &'static str> {
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

    /// The exchange of RFC 7677 §3.
    #[test]
    fn the_example_of_rfc_7677_comes_out() {
        let (exchange, first) = ScramExchange::begin(ScramHash::Sha256, "user", "rOprNGfwEbeRWgbNEkqO");
        assert_eq!(first, b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let server =
            b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let proof = exchange.prove(server, "pencil").unwrap();
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
        let (exchange, _) = ScramExchange::begin(ScramHash::Sha512, "a,b=c", "abc");
        assert_eq!(exchange.first_bare, "n=a=2Cb=3Dc,r=abc");
        for message in [
            &b""[..],
            b"r=abc,s=QQ==,i=4096",
            b"r=xbcd,s=QQ==,i=4096",
            b"r=abcd,s=!,i=4096",
            b"r=abcd,s=QQ==,i=0",
            b"r=abcd,s=QQ==,i=4294967295",
            b"r=abcd,s=QQ==",
            b"\xff",
        ] {
            assert!(
                exchange.prove(message, "p").is_err(),
                "{}",
                message.escape_ascii()
            );
        }
        assert!(exchange.prove(b"r=abcd,s=QQ==,i=2", "p").is_ok());
    }
}
