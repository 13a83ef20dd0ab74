//! Encrypted private keys: PKCS#8 (RFC 5958 §3) with PBES2 (RFC 8018 §6.2), as `openssl` writes them.

use std::num::NonZeroU32;

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, Algorithm, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2;

use super::conversion::needs_legacy;
use super::der::{DerReader, OBJECT_IDENTIFIER, OCTET_STRING};
use super::{Conversion, NotRead, PkiError};

/// Maximum number of iterations. The file determines how long decryption takes; this many take about three seconds,
/// ten times what is usual.
const MAX_ITERATIONS: u32 = 10_000_000;

// 1.2.840.113549.1.5.13 and .12
const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c];
// 1.2.840.113549.2, the arc of the HMACs
const HMAC: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02];
// 2.16.840.1.101.3.4.1, the arc of AES
const AES: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01];

/// Encryption scheme of a key.
struct Scheme<'d> {
    derivation: Derivation<'d>,
    cipher: &'static Algorithm,
    /// Length of the cipher's key in bytes.
    key_length: usize,
    iv: [u8; 16],
}

/// Parameters of the derivation of a key from a password.
struct Derivation<'d> {
    prf: pbkdf2::Algorithm,
    salt: &'d [u8],
    iterations: NonZeroU32,
    /// Length of the key in bytes, if the file states it.
    key_length: Option<u32>,
}

/// Decrypts the PKCS#8 key in an `EncryptedPrivateKeyInfo`.
pub(super) fn open(encrypted: &[u8], password: &[u8]) -> Result<Vec<u8>, PkiError> {
    let (scheme, content) = scheme(encrypted).map_err(|why| match why {
        Unread::Broken => PkiError::Unparsable("the encrypted key does not parse"),
        Unread::Other(what) => {
            let legacy = needs_legacy(encrypted);
            PkiError::Convertible {
                what: NotRead::EncryptedKey(what),
                conversion: Conversion::Key { legacy },
            }
        }
    })?;
    let mut key = [0; 32];
    let key = &mut key[..scheme.key_length];
    let Derivation {
        prf,
        salt,
        iterations,
        ..
    } = scheme.derivation;
    pbkdf2::derive(prf, iterations, salt, password, key);
    let key = UnboundCipherKey::new(scheme.cipher, key).map_err(|_| PkiError::WrongPassword)?;
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).map_err(|_| PkiError::WrongPassword)?;
    let mut buffer = content.to_vec();
    let iv = DecryptionContext::Iv128(FixedLength::from(scheme.iv));
    let plain = key
        .decrypt(&mut buffer, iv)
        .map_err(|_| PkiError::WrongPassword)?;
    // One wrong password in 256 produces valid padding.
    let is_key = DerReader(plain)
        .sequence()
        .and_then(|mut key| key.number())
        .is_some_and(|version| version <= 1);
    if is_key {
        Ok(plain.to_vec())
    } else {
        Err(PkiError::WrongPassword)
    }
}

/// Reads the scheme and the encrypted bytes.
fn scheme(encrypted: &[u8]) -> Result<(Scheme<'_>, &[u8]), Unread> {
    let mut info = DerReader(encrypted).sequence().ok_or_else(broken)?;
    let mut algorithm = info.sequence().ok_or_else(broken)?;
    let content = info.take(OCTET_STRING).ok_or_else(broken)?;
    if algorithm.take(OBJECT_IDENTIFIER) != Some(PBES2) {
        return Err(other("an outdated scheme (not PBES2)"));
    }
    let mut parameters = algorithm.sequence().ok_or_else(broken)?;
    let mut derivation = parameters.sequence().ok_or_else(broken)?;
    let mut encryption = parameters.sequence().ok_or_else(broken)?;
    if derivation.take(OBJECT_IDENTIFIER) != Some(PBKDF2) {
        return Err(other("a key derivation other than PBKDF2, such as scrypt"));
    }
    let derivation = derivation
        .sequence()
        .ok_or_else(broken)
        .and_then(self::derivation)?;
    let (cipher, key_length) = encryption
        .take(OBJECT_IDENTIFIER)
        .and_then(cipher_of)
        .ok_or_else(|| other("a cipher other than AES-CBC"))?;
    let iv = encryption.take(OCTET_STRING);
    if derivation
        .key_length
        .is_some_and(|length| length as usize != key_length)
    {
        return Err(broken());
    }
    let scheme = Scheme {
        derivation,
        cipher,
        key_length,
        iv: iv.and_then(|iv| iv.try_into().ok()).ok_or_else(broken)?,
    };
    Ok((scheme, content))
}

/// Reads the parameters of PBKDF2 (RFC 8018 §A.2).
fn derivation(mut parameters: DerReader<'_>) -> Result<Derivation<'_>, Unread> {
    let salt = parameters.take(OCTET_STRING).ok_or_else(broken)?;
    let iterations = parameters.number().and_then(NonZeroU32::new).ok_or_else(broken)?;
    if iterations.get() > MAX_ITERATIONS {
        return Err(other(&format!("more than {MAX_ITERATIONS} iterations")));
    }
    let key_length = parameters.number();
    let prf = match parameters.sequence() {
        None => pbkdf2::PBKDF2_HMAC_SHA1,
        Some(mut prf) => prf
            .take(OBJECT_IDENTIFIER)
            .and_then(prf_of)
            .ok_or_else(|| other("an unusual hash"))?,
    };
    Ok(Derivation {
        prf,
        salt,
        iterations,
        key_length,
    })
}

/// Reason why a scheme cannot be used.
enum Unread {
    Broken,
    /// The scheme is not supported.
    Other(String),
}

fn broken() -> Unread {
    Unread::Broken
}

fn other(what: &str) -> Unread {
    Unread::Other(what.to_owned())
}

fn prf_of(oid: &[u8]) -> Option<pbkdf2::Algorithm> {
    Some(match oid.strip_prefix(HMAC)? {
        [7] => pbkdf2::PBKDF2_HMAC_SHA1,
        [9] => pbkdf2::PBKDF2_HMAC_SHA256,
        [10] => pbkdf2::PBKDF2_HMAC_SHA384,
        [11] => pbkdf2::PBKDF2_HMAC_SHA512,
        _ => return None,
    })
}

/// The cipher for an object identifier, with the length of its key in bytes.
fn cipher_of(oid: &[u8]) -> Option<(&'static Algorithm, usize)> {
    match oid.strip_prefix(AES)? {
        [2] => Some((&AES_128, 16)),
        [22] => Some((&AES_192, 24)),
        [42] => Some((&AES_256, 32)),
        _ => None,
    }
}
