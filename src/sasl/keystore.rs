//! The users of a server as Kroxylicious keeps them: a PKCS#12 key store of secret keys, each the JSON of one verifier.

use data_encoding::BASE64;
use p12_keystore::{KeyStore, KeyStoreEntry, Pkcs12ImportPolicy};
use serde::Deserialize;

use super::{CredentialSet, ScramHash, ScramVerifier};

/// The JSON of one entry.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeystoreCredential {
    username: String,
    salt: String,
    iterations: u32,
    server_key: String,
    stored_key: String,
    hash_algorithm: String,
}

impl CredentialSet {
    /// Reads a key store. Entries that are no JSON are passed over: Kroxylicious keeps the key of its phantoms in one.
    ///
    /// # Errors
    /// What is wrong with it, without its contents.
    pub fn from_keystore(bytes: &[u8], password: &str) -> Result<Self, String> {
        let store = KeyStore::from_pkcs12(bytes, password, Pkcs12ImportPolicy::default());
        let store = store.map_err(|error| format!("it cannot be opened with this password: {error}"))?;
        let mut set = Self::default();
        for (alias, entry) in store.entries() {
            let KeyStoreEntry::Secret(secret) = entry else {
                continue;
            };
            let json = secret.key();
            if json.first() != Some(&b'{') {
                continue;
            }
            let added = read(json).and_then(|(name, verifier)| set.add(&name, verifier));
            added.map_err(|why| format!("entry `{}`: {why}", alias.escape_debug()))?;
        }
        match set.is_empty() {
            true => Err("it has no users".into()),
            false => Ok(set),
        }
    }
}

fn read(json: &[u8]) -> Result<(String, ScramVerifier), String> {
    let credential: KeystoreCredential =
        serde_json::from_slice(json).map_err(|_| "it is not the JSON of a SCRAM credential")?;
    let hash = ScramHash::of_mechanism(&format!("SCRAM-{}", credential.hash_algorithm))
        .or_else(|| ScramHash::of_mechanism(&credential.hash_algorithm.replace('_', "-")))
        .ok_or("its hash algorithm is neither SHA-256 nor SHA-512")?;
    let bytes = |text: &str| {
        let bytes = BASE64.decode(text.as_bytes());
        bytes.map_err(|_| "salt and keys have to be in base 64".to_owned())
    };
    let verifier = ScramVerifier::from_parts(
        hash,
        credential.iterations,
        bytes(&credential.salt)?,
        bytes(&credential.stored_key)?,
        bytes(&credential.server_key)?,
    )?;
    Ok((credential.username, verifier))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by Java's `KeyStore` the way Kroxylicious does: one user and the key of its phantoms.
    const STORE: &[u8] = include_bytes!("../../tests/fixtures/sasl/users.p12");

    #[test]
    fn a_store_that_java_has_written_is_read() {
        let set = CredentialSet::from_keystore(STORE, "store-secret").unwrap();
        assert_eq!(set.len(), 1);
        let alice = set.verifier("alice", ScramHash::Sha256).unwrap();
        assert!(alice.fits_password("pencil"));
    }

    #[test]
    fn a_store_that_cannot_be_read_says_why() {
        for (bytes, password) in [(STORE, "wrong"), (&STORE[..100], "store-secret"), (b"", "")] {
            let why = CredentialSet::from_keystore(bytes, password).unwrap_err();
            assert!(why.starts_with("it cannot be opened"), "{why}");
        }
        for bad in [
            "{}",
            r#"{"username":"a","salt":"QQ==","iterations":4096,"serverKey":"QQ==","storedKey":"QQ==","hashAlgorithm":"SHA-1"}"#,
            r#"{"username":"a","salt":"QQ==","iterations":1,"serverKey":"QQ==","storedKey":"QQ==","hashAlgorithm":"SHA-256"}"#,
        ] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
