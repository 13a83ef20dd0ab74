//! Algorithms of signatures (RFC 7518 §3.1, RFC 8037).

use aws_lc_rs::signature::{self as aws, EcdsaVerificationAlgorithm, RsaParameters};

use super::TokenFault;

/// An algorithm that is accepted. `none` and those with a shared secret (HS256, HS384, HS512) are not among them: the keys
/// of a set are public.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SignatureAlgorithm {
    /// Its name in `alg`.
    pub(super) name: &'static str,
    /// What it takes to check one.
    pub(super) check: SignatureCheck,
}

/// Kinds of algorithms, by the keys that they work with.
#[derive(Debug, Clone, Copy)]
pub(super) enum SignatureCheck {
    /// RSA, with PKCS#1 v1.5 or PSS; keys of 2048 to 8192 bits.
    Rsa(&'static RsaParameters),
    /// ECDSA on one curve.
    Ecdsa(EcCurve, &'static EcdsaVerificationAlgorithm),
    /// EdDSA on Ed25519.
    Ed25519,
}

/// Curves of ECDSA (RFC 7518 §6.2.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EcCurve {
    /// P-256.
    P256,
    /// P-384.
    P384,
    /// P-521.
    P521,
}

impl PartialEq for SignatureCheck {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Rsa(own), Self::Rsa(others)) => std::ptr::eq(*own, *others),
            (Self::Ecdsa(own, _), Self::Ecdsa(others, _)) => own == others,
            (Self::Ed25519, Self::Ed25519) => true,
            _ => false,
        }
    }
}

impl Eq for SignatureCheck {}

const fn rsa(name: &'static str, parameters: &'static RsaParameters) -> SignatureAlgorithm {
    SignatureAlgorithm {
        name,
        check: SignatureCheck::Rsa(parameters),
    }
}

const fn ecdsa(
    name: &'static str,
    curve: EcCurve,
    algorithm: &'static EcdsaVerificationAlgorithm,
) -> SignatureAlgorithm {
    SignatureAlgorithm {
        name,
        check: SignatureCheck::Ecdsa(curve, algorithm),
    }
}

/// Every accepted algorithm.
const ACCEPTED: [SignatureAlgorithm; 11] = [
    rsa("RS256", &aws::RSA_PKCS1_2048_8192_SHA256),
    rsa("RS384", &aws::RSA_PKCS1_2048_8192_SHA384),
    rsa("RS512", &aws::RSA_PKCS1_2048_8192_SHA512),
    rsa("PS256", &aws::RSA_PSS_2048_8192_SHA256),
    rsa("PS384", &aws::RSA_PSS_2048_8192_SHA384),
    rsa("PS512", &aws::RSA_PSS_2048_8192_SHA512),
    ecdsa("ES256", EcCurve::P256, &aws::ECDSA_P256_SHA256_FIXED),
    ecdsa("ES384", EcCurve::P384, &aws::ECDSA_P384_SHA384_FIXED),
    ecdsa("ES512", EcCurve::P521, &aws::ECDSA_P521_SHA512_FIXED),
    SignatureAlgorithm {
        name: "EdDSA",
        check: SignatureCheck::Ed25519,
    },
    // EdDSA by its newer, fully specified name (RFC 9864).
    SignatureAlgorithm {
        name: "Ed25519",
        check: SignatureCheck::Ed25519,
    },
];

impl SignatureAlgorithm {
    /// The algorithm of this name.
    ///
    /// # Errors
    /// [`TokenFault::Algorithm`]
    pub(super) fn named(name: &str) -> Result<Self, TokenFault> {
        let found = ACCEPTED.iter().find(|accepted| accepted.name == name);
        found.copied().ok_or_else(|| TokenFault::algorithm(name))
    }
}
