//! The header of a signed token (RFC 7515 §4).

use serde_json::{Map, Value};

use super::TokenFault;
use super::algorithm::SignatureAlgorithm;

/// Largest header, in bytes: a stranger has written it, and some bring a chain of certificates.
const MAX_HEADER: usize = 16 * 1024;

/// The parts of a header that decide how the signature is checked. Keys and certificates that a token brings along
/// (`jwk`, `jku`, `x5u`, `x5c`) are not looked at: a stranger has written them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TokenHeader {
    pub(super) algorithm: SignatureAlgorithm,
    /// Name of the key.
    pub(super) key_id: Option<Box<str>>,
}

impl TokenHeader {
    /// Reads the JSON of a header.
    ///
    /// # Errors
    /// [`TokenFault::Unreadable`], [`TokenFault::Algorithm`]
    pub(super) fn read(json: &[u8]) -> Result<Self, TokenFault> {
        let unreadable = |why| TokenFault::Unreadable { part: "header", why };
        if json.len() > MAX_HEADER {
            return Err(unreadable("it is too large"));
        }
        let fields: Map<String, Value> =
            serde_json::from_slice(json).map_err(|_| unreadable("it is not a JSON object"))?;
        // Extensions that have to be understood (RFC 7515 §4.1.11), and payloads that are not encoded (RFC 7797).
        if fields.contains_key("crit") || fields.contains_key("b64") {
            return Err(unreadable("it demands an extension (`crit`, `b64`)"));
        }
        let algorithm = fields.get("alg").and_then(Value::as_str);
        let key_id = match fields.get("kid") {
            None | Some(Value::Null) => None,
            Some(Value::String(id)) => Some(id.as_str().into()),
            Some(_) => return Err(unreadable("its `kid` is not a text")),
        };
        Ok(Self {
            algorithm: SignatureAlgorithm::named(algorithm.ok_or_else(|| unreadable("it has no `alg`"))?)?,
            key_id,
        })
    }
}
