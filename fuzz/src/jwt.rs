//! Tokens, their headers and claims with a valid signature, and sets of keys. The first byte says which.

use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use data_encoding::BASE64URL_NOPAD;
use kproxy::sasl::jwt::{MAX_KEYS, TokenFault, TokenRules, ValidToken, VerificationKeys, validate};
use serde_json::Value;

const NOW: Duration = Duration::from_secs(1_800_000_000);
const HEADER: &[u8] = br#"{"alg":"EdDSA","kid":"k"}"#;
const CLAIMS: &[u8] = br#"{"sub":"a","exp":1800000001,"aud":"kafka","iss":"i"}"#;

/// Longest text of a fault, in bytes: what it quotes is cut.
const MAX_TEXT: usize = 700;

pub(crate) fn run(input: &[u8]) {
    let [which, rest @ ..] = input else { return };
    let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("32 bytes");
    match which % 4 {
        0 => {
            let Ok(token) = std::str::from_utf8(rest) else {
                return;
            };
            check(token, &keys_of(&key)).ok();
        }
        1 => {
            if let Ok(keys) = VerificationKeys::from_json(rest) {
                assert!((1..=MAX_KEYS).contains(&keys.len()));
                let verdict = check(&signed(&key, HEADER, CLAIMS), &keys);
                // Nobody writes the key of this target down by chance, but its seed has it.
                assert!(verdict.is_err() || contains(rest, &public(&key)));
            }
        }
        2 => {
            if let Ok(valid) = check(&signed(&key, HEADER, rest), &keys_of(&key)) {
                keeps_the_rules(rest, &valid);
            }
        }
        _ => {
            if check(&signed(&key, rest, CLAIMS), &keys_of(&key)).is_ok() {
                let header: Value = serde_json::from_slice(rest).expect("it was read");
                assert!(["EdDSA", "Ed25519"].map(Value::from).contains(&header["alg"]));
                assert!(["k"].map(Value::from).contains(&header["kid"]) || header["kid"].is_null());
            }
        }
    }
}

fn check(token: &str, keys: &VerificationKeys) -> Result<ValidToken, TokenFault> {
    let rules = TokenRules {
        audiences: vec!["kafka".into()],
        issuer: Some("i".into()),
        ..TokenRules::default()
    };
    let verdict = validate(token, keys, &rules, NOW);
    assert_eq!(verdict, validate(token, keys, &rules, NOW));
    if let Err(fault) = &verdict {
        let text = fault.to_string();
        assert!(
            text.len() <= MAX_TEXT && !text.chars().any(char::is_control),
            "{text}"
        );
        assert!(token.len() < 100 || !text.contains(token));
    }
    verdict
}

/// What was accepted keeps the rules in the eyes of a plain reader, too.
fn keeps_the_rules(claims: &[u8], valid: &ValidToken) {
    let claims: Value = serde_json::from_slice(claims).expect("it was read");
    assert_eq!(claims["sub"].as_str(), Some(&*valid.subject));
    assert_eq!(claims["iss"].as_str(), Some("i"));
    let is_ours = |aud: &Value| aud.as_str() == Some("kafka");
    assert!(
        is_ours(&claims["aud"])
            || claims["aud"]
                .as_array()
                .is_some_and(|all| all.iter().any(is_ours))
    );
    assert!(
        claims["exp"]
            .as_f64()
            .is_some_and(|exp| exp > NOW.as_secs_f64() - 30.0)
    );
    assert!(
        claims["nbf"]
            .as_f64()
            .is_none_or(|nbf| nbf <= NOW.as_secs_f64() + 30.0)
    );
}

fn public(key: &Ed25519KeyPair) -> String {
    BASE64URL_NOPAD.encode(key.public_key().as_ref())
}

fn keys_of(key: &Ed25519KeyPair) -> VerificationKeys {
    let set = format!(
        r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"k","x":"{}"}}]}}"#,
        public(key)
    );
    VerificationKeys::from_json(set.as_bytes()).expect("a sound set")
}

fn signed(key: &Ed25519KeyPair, header: &[u8], claims: &[u8]) -> String {
    let signed = format!(
        "{}.{}",
        BASE64URL_NOPAD.encode(header),
        BASE64URL_NOPAD.encode(claims)
    );
    let signature = BASE64URL_NOPAD.encode(key.sign(signed.as_bytes()).as_ref());
    format!("{signed}.{signature}")
}

fn contains(text: &[u8], wanted: &str) -> bool {
    text.windows(wanted.len())
        .any(|window| window == wanted.as_bytes())
}
