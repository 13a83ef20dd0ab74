//! What a server keeps of a password: enough to recognise who knows it, too little to log in with (RFC 5802 §3, RFC 5803).

use std::fmt;
use std::num::NonZeroU32;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use data_encoding::BASE64;

use super::ScramHash;

/// Fewest iterations of a verifier (RFC 7677 §4).
pub const MIN_ITERATIONS: u32 = 4096;

/// Most iterations of a verifier. More would make one login cost a second of a processor.
pub const MAX_ITERATIONS: u32 = 1_000_000;

/// Longest salt in bytes.
const MAX_SALT: usize = 256;

/// A verifier of one password for one mechanism. `Debug` shows neither salt nor keys.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ScramVerifier {
    hash: ScramHash,
    iterations: NonZeroU32,
    salt: Box<[u8]>,
    stored_key: Box<[u8]>,
    server_key: Box<[u8]>,
}

impl ScramVerifier {
    /// The verifier of a password. Costs `iterations` rounds of the key derivation.
    pub fn of_password(hash: ScramHash, password: &str, salt: &[u8], iterations: NonZeroU32) -> Self {
        let salted = hash.salted(password.as_bytes(), salt, iterations);
        Self {
            hash,
            iterations,
            salt: salt.into(),
            stored_key: hash.digest(&hash.hmac(&salted, b"Client Key")).into(),
            server_key: hash.hmac(&salted, b"Server Key").into(),
        }
    }

    /// A verifier out of its parts.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn from_parts(
        hash: ScramHash,
        iterations: u32,
        salt: Vec<u8>,
        stored_key: Vec<u8>,
        server_key: Vec<u8>,
    ) -> Result<Self, String> {
        if !(MIN_ITERATIONS..=MAX_ITERATIONS).contains(&iterations) {
            return Err(format!(
                "{iterations} iterations, where {MIN_ITERATIONS} to {MAX_ITERATIONS} are allowed"
            ));
        }
        let iterations = NonZeroU32::new(iterations).ok_or("0 iterations")?;
        if salt.is_empty() || salt.len() > MAX_SALT {
            return Err(format!(
                "the salt has {} bytes, where 1 to {MAX_SALT} are allowed",
                salt.len()
            ));
        }
        let length = hash.output_len();
        for (name, key) in [("stored key", &stored_key), ("server key", &server_key)] {
            if key.len() != length {
                return Err(format!(
                    "the {name} has {} bytes, where {} has {length}",
                    key.len(),
                    hash.mechanism()
                ));
            }
        }
        Ok(Self {
            hash,
            iterations,
            salt: salt.into(),
            stored_key: stored_key.into(),
            server_key: server_key.into(),
        })
    }

    /// Reads `SCRAM-SHA-256$iterations:salt$storedKey:serverKey` with salt and keys in base 64 (RFC 5803 §2).
    ///
    /// # Errors
    /// What is wrong with it. The text itself is never part of that.
    pub fn parse(text: &str) -> Result<Self, String> {
        let form = || "it is not MECHANISM$iterations:salt$storedKey:serverKey".to_owned();
        let mut parts = text.split('$');
        let (Some(mechanism), Some(salted), Some(keys), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(form());
        };
        let hash = ScramHash::of_mechanism(mechanism)
            .ok_or("its mechanism is neither SCRAM-SHA-256 nor SCRAM-SHA-512")?;
        let (iterations, salt) = salted.split_once(':').ok_or_else(form)?;
        let (stored_key, server_key) = keys.split_once(':').ok_or_else(form)?;
        let iterations = iterations
            .parse()
            .map_err(|_| "its number of iterations is not a number")?;
        let bytes = |text: &str| {
            let bytes = BASE64.decode(text.as_bytes());
            bytes.map_err(|_| "salt and keys have to be in base 64".to_owned())
        };
        Self::from_parts(
            hash,
            iterations,
            bytes(salt)?,
            bytes(stored_key)?,
            bytes(server_key)?,
        )
    }

    /// A verifier that no password fits. What a stranger sees of it has the shape of a real one.
    pub(super) fn phantom(hash: ScramHash, iterations: NonZeroU32, salt: Vec<u8>) -> Self {
        Self {
            hash,
            iterations,
            salt: salt.into(),
            stored_key: vec![0; hash.output_len()].into(),
            server_key: vec![0; hash.output_len()].into(),
        }
    }

    /// Hash function of its mechanism.
    pub fn hash(&self) -> ScramHash {
        self.hash
    }

    /// Rounds of the key derivation.
    pub fn iterations(&self) -> NonZeroU32 {
        self.iterations
    }

    /// Salt of the key derivation.
    pub(super) fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// Whether this is the password. Costs the key derivation: not for a thread that serves sessions.
    pub fn fits_password(&self, password: &str) -> bool {
        let salted = self.hash.salted(password.as_bytes(), &self.salt, self.iterations);
        let client_key = self.hash.hmac(&salted, b"Client Key");
        self.is_stored_key_of(&client_key)
    }

    /// Whether the proof of a client fits the exchange that it signs. Costs three hashes.
    pub(super) fn fits_proof(&self, auth_message: &[u8], proof: &[u8]) -> bool {
        let signature = self.hash.hmac(&self.stored_key, auth_message);
        if proof.len() != signature.len() {
            return false;
        }
        let client_key: Vec<u8> = proof
            .iter()
            .zip(&signature)
            .map(|(proof, sign)| proof ^ sign)
            .collect();
        self.is_stored_key_of(&client_key)
    }

    /// The signature by which the server shows that it knows the verifier.
    pub(super) fn server_signature(&self, auth_message: &[u8]) -> Vec<u8> {
        self.hash.hmac(&self.server_key, auth_message)
    }

    fn is_stored_key_of(&self, client_key: &[u8]) -> bool {
        verify_slices_are_equal(&self.hash.digest(client_key), &self.stored_key).is_ok()
    }
}

impl fmt::Debug for ScramVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}$***", self.hash.mechanism())
    }
}

/// The form that [`ScramVerifier::parse`] reads.
impl fmt::Display for ScramVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}${}:{}${}:{}",
            self.hash.mechanism(),
            self.iterations,
            BASE64.encode(&self.salt),
            BASE64.encode(&self.stored_key),
            BASE64.encode(&self.server_key)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pencil() -> ScramVerifier {
        let salt = BASE64.decode(b"W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        ScramVerifier::of_password(ScramHash::Sha256, "pencil", &salt, NonZeroU32::new(4096).unwrap())
    }

    #[test]
    fn a_verifier_is_written_as_it_is_read() {
        let verifier = pencil();
        let text = verifier.to_string();
        assert!(
            text.starts_with("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"),
            "{text}"
        );
        assert_eq!(ScramVerifier::parse(&text), Ok(verifier.clone()));
        assert_eq!(format!("{verifier:?}"), "SCRAM-SHA-256$***");
        assert!(verifier.fits_password("pencil"));
        assert!(!verifier.fits_password("pencil ") && !verifier.fits_password(""));
    }

    /// The exchange of RFC 7677 §3.
    #[test]
    fn the_proof_of_rfc_7677_fits_and_the_signature_comes_out() {
        let exchange = b"n=user,r=rOprNGfwEbeRWgbNEkqO,\
            r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
            c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let proof = BASE64
            .decode(b"dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
            .unwrap();
        let verifier = pencil();
        assert!(verifier.fits_proof(exchange, &proof));
        assert!(!verifier.fits_proof(&exchange[1..], &proof));
        assert!(!verifier.fits_proof(exchange, &proof[1..]));
        assert_eq!(
            BASE64.encode(&verifier.server_signature(exchange)),
            "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
        );
    }

    #[test]
    fn what_is_no_verifier_is_refused_without_being_shown() {
        let good = pencil().to_string();
        for bad in [
            "",
            "SCRAM-SHA-256",
            "SCRAM-SHA-256$4096:QQ==",
            &good.replace("SHA-256", "SHA-1"),
            &good.replace("4096", "4095"),
            &good.replace("4096", "1000001"),
            &good.replace("4096", "-1"),
            &good.replace("4096:W22ZaJ0SNY7soEsUEjb6gQ==", "4096:"),
            &good.replace("SHA-256", "SHA-512"),
            &good.replace("==$", "==$!"),
            &format!("{good}$"),
        ] {
            let why = ScramVerifier::parse(bad).unwrap_err();
            assert!(!why.contains("W22Z"), "{why}");
        }
    }

    #[test]
    fn no_password_fits_a_phantom() {
        let phantom = ScramVerifier::phantom(ScramHash::Sha256, NonZeroU32::MIN, vec![1]);
        assert!(!phantom.fits_password("") && !phantom.fits_proof(b"", &[0; 32]));
    }
}
