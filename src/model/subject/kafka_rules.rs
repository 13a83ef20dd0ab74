//! Kafka's `ssl.principal.mapping.rules` (KIP-371).

use super::mapping::{LetterCase, MappingRule, NameMapping, ReplaceMatch};
use crate::config::quoted;

/// Reads rules, separated by commas: `RULE:EXPRESSION/REPLACEMENT/` with `L` or `U` behind it, and `DEFAULT`.
///
/// # Errors
/// What is wrong with the first rule that is.
pub fn principal_mapping_rules(written: &str) -> Result<NameMapping, String> {
    let mut rules = Vec::new();
    let mut rest = written;
    loop {
        rest = rest.trim_start_matches(|c: char| c == ',' || c.is_whitespace());
        if rest.is_empty() {
            return Ok(NameMapping::new(rules));
        }
        let (rule, behind) = match rest.strip_prefix("RULE:") {
            Some(body) => replace(rest, body)?,
            None => match rest.strip_prefix("DEFAULT") {
                Some(behind) => (MappingRule::Identity, behind),
                None => return Err(not_a_rule(rest)),
            },
        };
        let ends = behind.trim_start();
        if !ends.is_empty() && !ends.starts_with(',') {
            return Err(not_a_rule(rest));
        }
        rules.push(rule);
        rest = ends;
    }
}

fn not_a_rule(rest: &str) -> String {
    let shown = rest.split(',').next().unwrap_or_default();
    format!(
        "{} is no rule: a rule is `DEFAULT`, or `RULE:EXPRESSION/REPLACEMENT/` and `L` or `U` behind it",
        quoted(shown.trim())
    )
}

fn replace<'r>(rule: &'r str, body: &'r str) -> Result<(MappingRule, &'r str), String> {
    let parts = part(body).and_then(|(pattern, rest)| {
        let (replacement, rest) = part(rest)?;
        Some((pattern, replacement, rest))
    });
    let Some((pattern, replacement, rest)) = parts else {
        return Err(not_a_rule(rule));
    };
    let (case, rest) = match rest.as_bytes().first() {
        Some(b'L') => (LetterCase::Lower, &rest[1..]),
        Some(b'U') => (LetterCase::Upper, &rest[1..]),
        _ => (LetterCase::AsIs, rest),
    };
    let written = &rule[..rule.len() - rest.len()];
    let rule = ReplaceMatch::new(written, pattern, replacement, case)
        .map_err(|why| format!("{}: {why}", quoted(written)))?;
    Ok((MappingRule::Replace(rule), rest))
}

/// The text before the next slash that no backslash stands before, and what follows the slash.
fn part(text: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'/' if !escaped => return Some((&text[..at], &text[at + 1..])),
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    None
}
