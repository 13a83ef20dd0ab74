//! The claims of a token whose signature is valid (RFC 7519 §4).

use std::time::Duration;

use serde_json::{Map, Value};

use super::fault::shown;
use super::{TokenFault, TokenRules, ValidToken};
use crate::wire::sasl::sound_name;

/// Latest end of a life that is told apart from later ones: the year 3000.
const LATEST: f64 = 32_503_680_000.0;

/// Judges the JSON of the claims.
pub(super) fn judge(json: &[u8], rules: &TokenRules, now: Duration) -> Result<ValidToken, TokenFault> {
    let claims: Map<String, Value> = serde_json::from_slice(json).map_err(|_| TokenFault::Unreadable {
        part: "payload",
        why: "it is not a JSON object",
    })?;
    let expires_at = judge_life(&claims, rules, now)?;
    judge_issuer(&claims, rules)?;
    judge_audience(&claims, rules)?;
    Ok(ValidToken {
        subject: subject(&claims, rules)?,
        scopes: scopes(&claims, rules)?,
        expires_at,
    })
}

/// Judges `exp` and `nbf`, and returns the former.
fn judge_life(
    claims: &Map<String, Value>,
    rules: &TokenRules,
    now: Duration,
) -> Result<Duration, TokenFault> {
    let expires_at = time(claims, "exp")?.ok_or_else(|| TokenFault::ClaimMissing("exp".into()))?;
    if now >= expires_at + rules.clock_skew {
        let ago = (now - expires_at).as_secs();
        return Err(TokenFault::Expired { ago });
    }
    if let Some(from) = time(claims, "nbf")?
        && now + rules.clock_skew < from
    {
        let ahead = (from - now).as_secs();
        return Err(TokenFault::NotYetValid { ahead });
    }
    Ok(expires_at)
}

/// A NumericDate: seconds since the Unix epoch, which may have a fraction.
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<Duration>, TokenFault> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let seconds = value.as_f64().filter(|seconds| *seconds >= 0.0);
    let seconds = seconds.ok_or_else(|| TokenFault::ClaimUnsound(name.into()))?;
    Ok(Some(Duration::from_secs_f64(seconds.min(LATEST))))
}

fn judge_issuer(claims: &Map<String, Value>, rules: &TokenRules) -> Result<(), TokenFault> {
    let Some(expected) = &rules.issuer else {
        return Ok(());
    };
    match claims.get("iss") {
        Some(Value::String(found)) if **found == **expected => Ok(()),
        Some(Value::String(found)) => Err(TokenFault::Issuer { found: shown(found) }),
        Some(_) => Err(TokenFault::ClaimUnsound("iss".into())),
        None => Err(TokenFault::ClaimMissing("iss".into())),
    }
}

/// One of the audiences has to be kproxy's. A token for somebody, where nothing says who kproxy is, is for others (RFC 7519
/// §4.1.3); Kafka's validator has the same rule.
fn judge_audience(claims: &Map<String, Value>, rules: &TokenRules) -> Result<(), TokenFault> {
    let unsound = || TokenFault::ClaimUnsound("aud".into());
    let found: Vec<&str> = match claims.get("aud") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => {
            let names = several.iter().map(|one| one.as_str().ok_or_else(unsound));
            names.collect::<Result<_, _>>()?
        }
        Some(_) => return Err(unsound()),
    };
    let is_expected = |name: &&str| rules.audiences.iter().any(|expected| **expected == **name);
    match (found.is_empty(), rules.audiences.is_empty()) {
        (true, true) => Ok(()),
        (true, false) => Err(TokenFault::ClaimMissing("aud".into())),
        _ if found.iter().any(is_expected) => Ok(()),
        (false, none_expected) => {
            let found = shown(&found.join(" "));
            Err(match none_expected {
                true => TokenFault::AudienceNotExpected { found },
                false => TokenFault::Audience { found },
            })
        }
    }
}

fn subject(claims: &Map<String, Value>, rules: &TokenRules) -> Result<Box<str>, TokenFault> {
    let name = &rules.subject_claim;
    match claims.get(&**name) {
        None => Err(TokenFault::ClaimMissing(name.clone())),
        Some(value) => value
            .as_str()
            .and_then(sound_name)
            .ok_or_else(|| TokenFault::ClaimUnsound(name.clone())),
    }
}

/// Scopes: a text with spaces in between (RFC 8693 §4.2), or a list.
fn scopes(claims: &Map<String, Value>, rules: &TokenRules) -> Result<Vec<Box<str>>, TokenFault> {
    let name = &rules.scope_claim;
    match claims.get(&**name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(text.split_whitespace().map(Into::into).collect()),
        Some(Value::Array(list)) => {
            let unsound = || TokenFault::ClaimUnsound(name.clone());
            let scopes = list
                .iter()
                .map(|one| Ok(one.as_str().ok_or_else(unsound)?.into()));
            scopes.collect()
        }
        Some(_) => Err(TokenFault::ClaimUnsound(name.clone())),
    }
}
