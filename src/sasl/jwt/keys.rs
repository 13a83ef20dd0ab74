//! Sets of public keys (JWKS, RFC 7517 §5) and the signatures that they check.

use aws_lc_rs::signature::{RsaPublicKeyComponents, UnparsedPublicKey};
use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::TokenFault;
use super::algorithm::{EcCurve, SignatureAlgorithm, SignatureCheck};
use super::fault::shown;

/// Largest number of keys that a set may have.
pub const MAX_KEYS: usize = 256;

/// Public keys of an issuer. Keys of kinds that no accepted algorithm works with are left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VerificationKeys {
    keys: Vec<VerificationKey>,
}

/// Reason why a text is not a set of keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetFault {
    /// It is not JSON with a list of keys.
    #[error("it is not a JSON Web Key Set: {0}")]
    NotASet(Box<str>),
    /// It has too many keys.
    #[error("it has {0} keys, more than {MAX_KEYS}")]
    TooMany(usize),
    /// It has no key that could check a signature.
    #[error("it has no key that can check a signature")]
    NoUsableKey,
}

/// One public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct VerificationKey {
    id: Option<Box<str>>,
    /// The only algorithm that it is for, if it names one.
    algorithm: Option<Box<str>>,
    material: KeyMaterial,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum KeyMaterial {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// An uncompressed point (SEC 1 §2.3.3).
    Ec {
        curve: EcCurve,
        point: Vec<u8>,
    },
    Ed25519 {
        point: Vec<u8>,
    },
}

#[derive(Deserialize)]
struct RawSet<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawKey {
    kty: String,
    kid: Option<Box<str>>,
    alg: Option<Box<str>>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl VerificationKeys {
    /// Reads a set from its JSON. A key that is not readable is left out, like one of an unknown kind: an issuer that
    /// tries a new kind must not lock out everybody.
    ///
    /// # Errors
    /// [`KeySetFault`]
    pub fn from_json(json: &[u8]) -> Result<Self, KeySetFault> {
        let not_a_set = |error: serde_json::Error| KeySetFault::NotASet(error.to_string().into());
        let set: RawSet<'_> = serde_json::from_slice(json).map_err(not_a_set)?;
        if set.keys.len() > MAX_KEYS {
            return Err(KeySetFault::TooMany(set.keys.len()));
        }
        let keys: Vec<_> = set
            .keys
            .iter()
            .filter_map(|key| serde_json::from_str(key.get()).ok())
            .filter_map(VerificationKey::of)
            .collect();
        if keys.is_empty() {
            return Err(KeySetFault::NoUsableKey);
        }
        Ok(Self { keys })
    }

    /// Number of keys that can check a signature.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no such key.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The key called `id` for `algorithm`. A set with one key needs no name.
    ///
    /// # Errors
    /// [`TokenFault::NoKeys`], [`TokenFault::NoKeyId`], [`TokenFault::UnknownKey`], [`TokenFault::KeyForOther`]
    pub(super) fn find(
        &self,
        id: Option<&str>,
        algorithm: SignatureAlgorithm,
    ) -> Result<&VerificationKey, TokenFault> {
        if self.keys.is_empty() {
            return Err(TokenFault::NoKeys);
        }
        let Some(id) = id else {
            return match &*self.keys {
                [only] => only.for_algorithm(algorithm),
                keys => Err(TokenFault::NoKeyId { keys: keys.len() }),
            };
        };
        let mut found = Err(TokenFault::UnknownKey(shown(id)));
        for key in self.keys.iter().filter(|key| key.id.as_deref() == Some(id)) {
            found = key.for_algorithm(algorithm);
            if found.is_ok() {
                break;
            }
        }
        found
    }
}

impl VerificationKey {
    fn of(raw: RawKey) -> Option<Self> {
        let signs = raw.usage.as_deref().is_none_or(|usage| usage == "sig")
            && raw
                .key_ops
                .as_deref()
                .is_none_or(|operations| operations.iter().any(|operation| operation == "verify"));
        let material = KeyMaterial::of(&raw).filter(|_| signs)?;
        Some(Self {
            id: raw.kid,
            algorithm: raw.alg,
            material,
        })
    }

    fn for_algorithm(&self, algorithm: SignatureAlgorithm) -> Result<&Self, TokenFault> {
        let named = self.algorithm.as_deref();
        let fits = match (&self.material, algorithm.check) {
            (KeyMaterial::Rsa { .. }, SignatureCheck::Rsa(_))
            | (KeyMaterial::Ed25519 { .. }, SignatureCheck::Ed25519) => true,
            (KeyMaterial::Ec { curve, .. }, SignatureCheck::Ecdsa(wanted, _)) => *curve == wanted,
            _ => false,
        };
        // One algorithm has two names.
        let is_named = named.is_none_or(|named| {
            SignatureAlgorithm::named(named).is_ok_and(|named| named.check == algorithm.check)
        });
        if fits && is_named {
            return Ok(self);
        }
        Err(TokenFault::KeyForOther(algorithm.name.into()))
    }

    /// Whether `signature` is that of `message` by this key.
    pub(super) fn verifies(&self, algorithm: SignatureAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        match (&self.material, algorithm.check) {
            (KeyMaterial::Rsa { modulus, exponent }, SignatureCheck::Rsa(parameters)) => {
                let (n, e) = (modulus, exponent);
                RsaPublicKeyComponents { n, e }
                    .verify(parameters, message, signature)
                    .is_ok()
            }
            (KeyMaterial::Ec { point, .. }, SignatureCheck::Ecdsa(_, algorithm)) => {
                UnparsedPublicKey::new(algorithm, point)
                    .verify(message, signature)
                    .is_ok()
            }
            (KeyMaterial::Ed25519 { point }, SignatureCheck::Ed25519) => {
                UnparsedPublicKey::new(&aws_lc_rs::signature::ED25519, point)
                    .verify(message, signature)
                    .is_ok()
            }
            _ => false,
        }
    }
}

impl KeyMaterial {
    fn of(raw: &RawKey) -> Option<Self> {
        let field = |text: &Option<String>| BASE64URL_NOPAD.decode(text.as_deref()?.as_bytes()).ok();
        match (&*raw.kty, raw.crv.as_deref()) {
            ("RSA", _) => Some(Self::Rsa {
                modulus: without_zeros(field(&raw.n)?)?,
                exponent: without_zeros(field(&raw.e)?)?,
            }),
            ("EC", Some(name)) => {
                let (curve, size) = match name {
                    "P-256" => (EcCurve::P256, 32),
                    "P-384" => (EcCurve::P384, 48),
                    "P-521" => (EcCurve::P521, 66),
                    _ => return None,
                };
                let (x, y) = (field(&raw.x)?, field(&raw.y)?);
                let point = [&[4], x.as_slice(), y.as_slice()].concat();
                (x.len() == size && y.len() == size).then_some(Self::Ec { curve, point })
            }
            ("OKP", Some("Ed25519")) => {
                let point = field(&raw.x)?;
                (point.len() == 32).then_some(Self::Ed25519 { point })
            }
            _ => None,
        }
    }
}

/// The number without leading zeros, which RFC 7518 §2 forbids and some issuers write; `None` if it is 0.
fn without_zeros(mut number: Vec<u8>) -> Option<Vec<u8>> {
    let first = number.iter().position(|byte| *byte != 0)?;
    number.drain(..first);
    Some(number)
}
