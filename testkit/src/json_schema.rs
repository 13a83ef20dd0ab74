//! A validator for the part of JSON Schema (draft-07) that `kproxy schema` uses. A keyword that it does not know is a
//! failure, so that the schema cannot say more than is tested.

use regex_lite::Regex;
use serde_json::{Map, Value};

/// Keywords that say something to people and editors only.
const ANNOTATIONS: &[&str] = &[
    "$schema",
    "title",
    "description",
    "markdownDescription",
    "default",
    "deprecationMessage",
    "errorMessage",
    "patternErrorMessage",
    "x-reload",
];

/// Returns where `value` does not match `schema`, as JSON pointers with the keyword; empty if it does.
pub fn violations(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(schema, value, "", &mut found);
    found
}

/// Whether `value` matches `schema`.
pub fn matches(schema: &Value, value: &Value) -> bool {
    violations(schema, value).is_empty()
}

fn check(schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let schema = schema.as_object().expect("a schema is a mapping");
    for (keyword, rule) in schema {
        let holds = match keyword.as_str() {
            "type" => words(rule).any(|name| is(value, name)),
            "enum" => rule.as_array().unwrap().contains(value),
            "anyOf" => rule.as_array().unwrap().iter().any(|form| matches(form, value)),
            "allOf" => {
                for form in rule.as_array().unwrap() {
                    check(form, value, at, found);
                }
                true
            }
            "if" => {
                if matches(rule, value) {
                    check(&schema["then"], value, at, found);
                }
                true
            }
            // Looked at together with `if`.
            "then" => true,
            "not" => !matches(rule, value),
            "pattern" => value
                .as_str()
                .is_none_or(|text| Regex::new(rule.as_str().unwrap()).unwrap().is_match(text)),
            "minLength" => value
                .as_str()
                .is_none_or(|text| text.chars().count() as u64 >= rule.as_u64().unwrap()),
            "minimum" => value
                .as_f64()
                .is_none_or(|number| number >= rule.as_f64().unwrap()),
            "maximum" => value
                .as_f64()
                .is_none_or(|number| number <= rule.as_f64().unwrap()),
            "required" => value
                .as_object()
                .is_none_or(|members| words(rule).all(|name| members.contains_key(name))),
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(rule, item, &format!("{at}/{index}"), found);
                }
                true
            }
            "properties" => {
                members(schema, value, at, found);
                true
            }
            // Looked at together with `properties`.
            "additionalProperties" => *rule == Value::Bool(false),
            other => {
                assert!(
                    ANNOTATIONS.contains(&other),
                    "the validator does not know {other:?}"
                );
                true
            }
        };
        if !holds {
            found.push(format!("{at}: {keyword}"));
        }
    }
}

fn members(schema: &Map<String, Value>, value: &Value, at: &str, found: &mut Vec<String>) {
    let closed = schema.contains_key("additionalProperties");
    for (name, member) in value.as_object().into_iter().flatten() {
        match schema["properties"].get(name) {
            Some(rule) => check(rule, member, &format!("{at}/{name}"), found),
            None if closed => found.push(format!("{at}/{name}: additionalProperties")),
            None => {}
        }
    }
}

/// The word, or each word of the list.
fn words(rule: &Value) -> impl Iterator<Item = &str> {
    let list = rule
        .as_array()
        .map_or_else(|| std::slice::from_ref(rule), Vec::as_slice);
    list.iter().map(|word| word.as_str().unwrap())
}

fn is(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        other => panic!("JSON Schema has no type {other:?}"),
    }
}
