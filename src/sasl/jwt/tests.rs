use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use testkit::tokens::{SigningKey, key_set};

use super::*;

const NOW: u64 = 1_795_900_000;

const ALGORITHMS: [&str; 10] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
];

fn rules() -> TokenRules {
    TokenRules {
        audiences: vec!["kafka".into(), "events".into()],
        issuer: Some("https://issuer.example".into()),
        ..TokenRules::default()
    }
}

fn claims() -> Value {
    json!({
        "iss": "https://issuer.example", "aud": "kafka", "sub": "billing", "scope": "read write",
        "iat": NOW - 10, "nbf": NOW - 10, "exp": NOW + 300,
    })
}

/// The claims with these in place of theirs; `null` leaves one out.
fn claims_with(changed: Value) -> Value {
    let mut claims = claims();
    for (name, value) in changed.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

fn keys<'k>(keys: impl IntoIterator<Item = &'k SigningKey>) -> VerificationKeys {
    VerificationKeys::from_json(key_set(keys).to_string().as_bytes()).unwrap()
}

fn key() -> SigningKey {
    SigningKey::generate("ES256", "k1")
}

fn judged(token: &str, keys: &VerificationKeys) -> Result<ValidToken, TokenFault> {
    validate(token, keys, &rules(), Duration::from_secs(NOW))
}

fn rejected(token: &str, keys: &VerificationKeys) -> TokenFault {
    judged(token, keys).unwrap_err()
}

/// The fault of a token with these claims, whose signature is valid.
fn rejected_with(changed: Value) -> TokenFault {
    let key = key();
    rejected(&key.token(&claims_with(changed)), &keys([&key]))
}

#[test]
fn a_token_of_every_algorithm_is_accepted_by_its_own_key_alone() {
    let pairs = ALGORITHMS.map(|algorithm| SigningKey::generate(algorithm, algorithm));
    let all = keys(&pairs);
    assert_eq!(all.len(), ALGORITHMS.len());
    for pair in &pairs {
        let token = pair.token(&claims());
        let valid = judged(&token, &all).unwrap();
        assert_eq!(
            (&*valid.subject, valid.expires_at.as_secs()),
            ("billing", NOW + 300)
        );
        assert_eq!(valid.scopes, ["read".into(), "write".into()]);
        let other = SigningKey::generate(pair.algorithm, &pair.id);
        assert_eq!(rejected(&token, &keys([&other])), TokenFault::WrongSignature);
    }
}

#[test]
fn should_reject_token_signed_by_unknown_key() {
    let (known, unknown) = (key(), SigningKey::generate("ES256", "k2\u{1b}[2J"));
    let fault = rejected(&unknown.token(&claims()), &keys([&known]));
    assert_eq!(fault, TokenFault::UnknownKey("k2\u{fffd}[2J".into()));
    let empty = VerificationKeys::default();
    assert_eq!(rejected(&known.token(&claims()), &empty), TokenFault::NoKeys);
}

#[test]
fn should_reject_token_with_no_key_id_unless_there_is_one_key() {
    let (one, two) = (key(), SigningKey::generate("ES256", "k2"));
    let token = one.token_with_header(&json!({"alg": "ES256"}), &claims());
    assert_eq!(
        rejected(&token, &keys([&one, &two])),
        TokenFault::NoKeyId { keys: 2 }
    );
    assert!(judged(&token, &keys([&one])).is_ok());
}

#[test]
fn should_reject_token_with_wrong_audience() {
    for (aud, found) in [(json!("other"), "other"), (json!(["a", "b"]), "a b")] {
        let found = found.into();
        assert_eq!(
            rejected_with(json!({ "aud": aud })),
            TokenFault::Audience { found }
        );
    }
    for missing in [Value::Null, json!([])] {
        assert_eq!(
            rejected_with(json!({ "aud": missing })),
            TokenFault::ClaimMissing("aud".into())
        );
    }
    for unsound in [json!(7), json!(["kafka", 7])] {
        assert_eq!(
            rejected_with(json!({ "aud": unsound })),
            TokenFault::ClaimUnsound("aud".into())
        );
    }
    let key = key();
    let token = key.token(&claims_with(json!({"aud": ["x", "events"]})));
    assert!(judged(&token, &keys([&key])).is_ok());
}

#[test]
fn a_token_for_somebody_is_rejected_where_nothing_says_who_kproxy_is() {
    let key = key();
    let judged = |claims: &Value| {
        let open = TokenRules::default();
        validate(&key.token(claims), &keys([&key]), &open, Duration::from_secs(NOW))
    };
    let found = "kafka".into();
    assert_eq!(judged(&claims()), Err(TokenFault::AudienceNotExpected { found }));
    assert!(judged(&claims_with(json!({"aud": null, "iss": "anybody"}))).is_ok());
}

#[test]
fn should_reject_token_with_wrong_issuer() {
    let found = "https://evil.example".into();
    let wrong = json!({"iss": "https://evil.example"});
    assert_eq!(rejected_with(wrong), TokenFault::Issuer { found });
    assert_eq!(
        rejected_with(json!({"iss": null})),
        TokenFault::ClaimMissing("iss".into())
    );
    assert_eq!(
        rejected_with(json!({"iss": ["x"]})),
        TokenFault::ClaimUnsound("iss".into())
    );
}

#[test]
fn should_reject_expired_token_after_the_skew_of_clocks() {
    let key = key();
    let keys = keys([&key]);
    let judged_at = |now: u64| {
        validate(&key.token(&claims()), &keys, &rules(), Duration::from_secs(now))
            .map(|valid| valid.expires_at)
    };
    assert_eq!(judged_at(NOW + 329), Ok(Duration::from_secs(NOW + 300)));
    assert_eq!(judged_at(NOW + 330), Err(TokenFault::Expired { ago: 30 }));
    assert_eq!(judged_at(NOW - 40), Ok(Duration::from_secs(NOW + 300)));
    assert_eq!(judged_at(NOW - 41), Err(TokenFault::NotYetValid { ahead: 31 }));
    assert_eq!(
        rejected_with(json!({"exp": null})),
        TokenFault::ClaimMissing("exp".into())
    );
    for unsound in [json!("soon"), json!(-1), json!({}), json!([1])] {
        assert_eq!(
            rejected_with(json!({ "exp": unsound })),
            TokenFault::ClaimUnsound("exp".into())
        );
    }
    // A NumericDate may have a fraction, and may be absurd.
    for far in [json!(NOW as f64 + 0.5), json!(1e300), json!(u64::MAX)] {
        assert!(judged(&key.token(&claims_with(json!({ "exp": far }))), &keys).is_ok());
    }
}

#[test]
fn a_subject_has_to_be_a_name() {
    assert_eq!(
        rejected_with(json!({"sub": null})),
        TokenFault::ClaimMissing("sub".into())
    );
    for unsound in [
        json!(""),
        json!(7),
        json!("a\nb"),
        json!("n".repeat(257)),
        json!(["billing"]),
    ] {
        assert_eq!(
            rejected_with(json!({ "sub": unsound })),
            TokenFault::ClaimUnsound("sub".into())
        );
    }
    assert_eq!(
        rejected_with(json!({"scope": 7})),
        TokenFault::ClaimUnsound("scope".into())
    );
}

#[test]
fn subject_and_scopes_come_from_the_claims_that_the_rules_name() {
    let key = key();
    let rules = TokenRules {
        subject_claim: "azp".into(),
        scope_claim: "scp".into(),
        ..rules()
    };
    let token = key.token(&claims_with(json!({"azp": "app", "scp": ["a", "b c"]})));
    let valid = validate(&token, &keys([&key]), &rules, Duration::from_secs(NOW)).unwrap();
    assert_eq!(
        (&*valid.subject, valid.scopes),
        ("app", vec!["a".into(), "b c".into()])
    );
}

#[test]
fn a_token_without_a_signature_is_rejected() {
    let key = key();
    let keys = keys([&key]);
    let part = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
    let payload = part(&claims().to_string());
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let header = part(&json!({"alg": alg, "kid": "k1"}).to_string());
        for token in [format!("{header}.{payload}."), format!("{header}.{payload}.AA")] {
            assert_eq!(rejected(&token, &keys), TokenFault::Algorithm(alg.into()));
        }
    }
    let empty = key.token(&claims());
    let (signed, _) = empty.rsplit_once('.').unwrap();
    assert_eq!(rejected(&format!("{signed}."), &keys), TokenFault::WrongSignature);
    assert_eq!(rejected(signed, &keys).outcome(), TokenOutcome::Malformed);
}

/// The oldest trick: the public key of the issuer, which everybody has, as the secret of an HMAC.
#[test]
fn a_token_signed_with_the_public_key_as_a_secret_is_rejected() {
    let key = SigningKey::generate("RS256", "k1");
    let jwk = key.jwk();
    let modulus = BASE64URL_NOPAD
        .decode(jwk["n"].as_str().unwrap().as_bytes())
        .unwrap();
    let part = |json: &Value| BASE64URL_NOPAD.encode(json.to_string().as_bytes());
    for (alg, hash) in [
        ("HS256", aws_lc_rs::hmac::HMAC_SHA256),
        ("HS512", aws_lc_rs::hmac::HMAC_SHA512),
    ] {
        let signed = format!("{}.{}", part(&json!({"alg": alg, "kid": "k1"})), part(&claims()));
        for secret in [modulus.as_slice(), jwk.to_string().as_bytes()] {
            let secret = aws_lc_rs::hmac::Key::new(hash, secret);
            let tag = aws_lc_rs::hmac::sign(&secret, signed.as_bytes());
            let token = format!("{signed}.{}", BASE64URL_NOPAD.encode(tag.as_ref()));
            assert_eq!(rejected(&token, &keys([&key])), TokenFault::Algorithm(alg.into()));
        }
    }
    // A secret in the set is no key of it.
    let secret = json!({"keys": [{"kty": "oct", "kid": "k1", "k": "c2VjcmV0"}]});
    let read = VerificationKeys::from_json(secret.to_string().as_bytes());
    assert_eq!(read, Err(KeySetFault::NoUsableKey));
}

#[test]
fn a_key_checks_only_what_it_is_for() {
    let rsa = SigningKey::generate("RS256", "k1");
    let as_pss = SigningKey::generate("PS256", "k1");
    let token = as_pss.token(&claims());
    assert_eq!(
        rejected(&token, &keys([&rsa])),
        TokenFault::KeyForOther("PS256".into())
    );
    // Without `alg` the key may check both.
    let set_of = |changes: Value| {
        let mut jwk = as_pss.jwk();
        for (name, value) in changes.as_object().unwrap() {
            jwk[name] = value.clone();
        }
        VerificationKeys::from_json(json!({"keys": [jwk]}).to_string().as_bytes())
    };
    assert!(judged(&token, &set_of(json!({"alg": null})).unwrap()).is_ok());
    assert!(
        judged(
            &token,
            &set_of(json!({"use": null, "key_ops": ["verify"]})).unwrap()
        )
        .is_ok()
    );
    for other in [
        json!({"use": "enc"}),
        json!({"use": null, "key_ops": ["encrypt"]}),
    ] {
        assert_eq!(set_of(other), Err(KeySetFault::NoUsableKey));
    }
    let ec = SigningKey::generate("ES384", "k1");
    assert_eq!(
        rejected(&token, &keys([&ec])),
        TokenFault::KeyForOther("PS256".into())
    );
}

#[test]
fn a_header_cannot_bring_its_own_key() {
    let (known, own) = (key(), key());
    let header = json!({"alg": "ES256", "kid": "k1", "jwk": own.jwk(), "jku": "https://evil.example"});
    let token = own.token_with_header(&header, &claims());
    assert_eq!(rejected(&token, &keys([&known])), TokenFault::WrongSignature);
    for demanded in [json!({"crit": ["exp"]}), json!({"b64": false})] {
        let mut header = json!({"alg": "ES256", "kid": "k1"});
        header
            .as_object_mut()
            .unwrap()
            .append(&mut demanded.as_object().unwrap().clone());
        let fault = rejected(&known.token_with_header(&header, &claims()), &keys([&known]));
        assert!(
            matches!(fault, TokenFault::Unreadable { part: "header", .. }),
            "{fault}"
        );
    }
}

#[test]
fn a_token_that_was_touched_is_rejected() {
    let key = key();
    let keys = keys([&key]);
    let token = key.token(&claims());
    for at in 0..token.len() {
        let mut touched = token.clone().into_bytes();
        touched[at] = if touched[at] == b'A' { b'B' } else { b'A' };
        let touched = String::from_utf8(touched).unwrap();
        assert!(judged(&touched, &keys).is_err(), "{at}");
    }
}

#[test]
fn garbage_is_rejected_and_never_shown() {
    let key = key();
    let keys = keys([&key]);
    let secret = "c4nary-s3cret";
    let large = "a".repeat(MAX_TOKEN_LEN + 1);
    assert_eq!(
        rejected(&large, &keys),
        TokenFault::TooLarge {
            len: MAX_TOKEN_LEN + 1
        }
    );
    for garbage in [
        secret.to_owned(),
        format!("{secret}.{secret}"),
        format!("{secret}.{secret}.{secret}"),
        format!("{secret}.a.b.c.d"),
        format!("e30.{secret}.x"),
        format!("{}.{secret}.x", BASE64URL_NOPAD.encode(b"[1]")),
        format!("{}=.{secret}.x", BASE64URL_NOPAD.encode(b"{\"alg\":\"ES256\"}")),
        format!("{}.{secret}.x", BASE64URL_NOPAD.encode(&b"[".repeat(9000))),
        String::new(),
        "..".to_owned(),
    ] {
        let fault = rejected(&garbage, &keys);
        assert!(!fault.to_string().contains(secret), "{fault}");
        assert!(!fault.for_client().is_empty() && fault.outcome() != TokenOutcome::Accepted);
    }
}

#[test]
fn a_set_keeps_the_keys_that_it_can_use() {
    let key = key();
    let read = |json: Value| VerificationKeys::from_json(json.to_string().as_bytes());
    let strange = json!([{"kty": "AKP", "kid": "pq"}, {"kid": 7}, 7, {"kty": "RSA", "n": "!", "e": "AQAB"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, key.jwk()]);
    assert_eq!(read(json!({ "keys": strange })).unwrap().len(), 1);
    assert_eq!(read(json!({"keys": []})), Err(KeySetFault::NoUsableKey));
    let many = vec![key.jwk(); MAX_KEYS + 1];
    assert_eq!(
        read(json!({ "keys": many })),
        Err(KeySetFault::TooMany(MAX_KEYS + 1))
    );
    for garbage in [json!([]), json!({}), json!("<html>"), json!({"keys": {}})] {
        assert!(matches!(read(garbage), Err(KeySetFault::NotASet(_))));
    }
}

/// Some issuers write leading zeros, which aws-lc would refuse.
#[test]
fn a_modulus_may_have_leading_zeros() {
    let key = SigningKey::generate("RS256", "k1");
    let mut jwk = key.jwk();
    let modulus = BASE64URL_NOPAD
        .decode(jwk["n"].as_str().unwrap().as_bytes())
        .unwrap();
    jwk["n"] = json!(BASE64URL_NOPAD.encode(&[&[0], modulus.as_slice()].concat()));
    let keys = VerificationKeys::from_json(json!({"keys": [jwk]}).to_string().as_bytes()).unwrap();
    assert!(judged(&key.token(&claims()), &keys).is_ok());
}
