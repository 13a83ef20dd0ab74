//! The verdicts beside those of `jsonwebtoken`, which shares only the cryptography with this code.

use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};
use testkit::tokens::{SigningKey, key_set, now};

use super::*;

/// What the other library has an algorithm for: all but ES512.
const ALGORITHMS: [(&str, Algorithm); 9] = [
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
];

fn accepted_by_the_other(token: &str, key: &SigningKey, algorithm: Algorithm) -> bool {
    let jwk = serde_json::from_value(key.jwk()).unwrap();
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&["kafka"]);
    validation.set_issuer(&["i"]);
    validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
    validation.validate_nbf = true;
    validation.leeway = 30;
    jsonwebtoken::decode::<Value>(token, &DecodingKey::from_jwk(&jwk).unwrap(), &validation).is_ok()
}

fn accepted(token: &str, key: &SigningKey) -> bool {
    let keys = VerificationKeys::from_json(key_set([key]).to_string().as_bytes()).unwrap();
    let rules = TokenRules {
        audiences: vec!["kafka".into()],
        issuer: Some("i".into()),
        ..TokenRules::default()
    };
    validate(token, &keys, &rules, Duration::from_secs(now())).is_ok()
}

#[test]
fn both_accept_and_reject_the_same_tokens() {
    let now = now();
    let sound = json!({"iss": "i", "aud": "kafka", "sub": "a", "exp": now + 60, "nbf": now});
    let changes = [
        json!({}),
        json!({"aud": "x"}),
        json!({"aud": ["x", "kafka"]}),
        json!({"aud": null}),
        json!({"iss": "j"}),
        json!({"iss": null}),
        json!({"exp": now - 10}),
        json!({"exp": now - 60}),
        json!({"exp": null}),
        json!({"nbf": now + 20}),
        json!({"nbf": now + 60}),
        json!({"nbf": null}),
        json!({"sub": null}),
    ];
    let mut verdicts = [0; 2];
    for (name, algorithm) in ALGORITHMS {
        let (key, other) = (SigningKey::generate(name, "k"), SigningKey::generate(name, "k"));
        for change in &changes {
            let mut claims = sound.clone();
            for (claim, value) in change.as_object().unwrap() {
                match value {
                    Value::Null => drop(claims.as_object_mut().unwrap().remove(claim)),
                    value => claims[claim] = value.clone(),
                }
            }
            let token = key.token(&claims);
            let cut = &token[..token.len() - 4];
            let long = format!("{token}AAAA");
            for (token, key) in [(&*token, &key), (&*token, &other), (cut, &key), (&*long, &key)] {
                let verdict = accepted(token, key);
                assert_eq!(
                    verdict,
                    accepted_by_the_other(token, key, algorithm),
                    "{name} {change}"
                );
                verdicts[usize::from(verdict)] += 1;
            }
        }
    }
    assert!(
        verdicts.iter().all(|count| *count >= ALGORITHMS.len()),
        "{verdicts:?}"
    );
}
