//! The JSON Schema of the file, for editors: draft-07, which YAML language servers read.
//!
//! It is what can be said of a key without its neighbours, and never stricter than the decoder. That a virtual cluster has
//! one of two keys, or that two ports collide, is a rule of `model`, and `kproxy check` tells it.

use serde_json::{Map, Value, json};

use super::super::decode::Decode;
use super::super::describe::{KeySchema, RecordSchema, ScalarForm, ScalarKind, Schema};
use super::super::environment;
use super::super::foreign::ForeignKeys;
use super::super::yaml::{self, Node, NodeContent};
use super::super::{FileId, foreign};
use super::Root;

/// Returns the schema of the main file, of which an included file has a part. `reload_class` names the reload class of the
/// key at a path such as `virtualClusters[].gateways`; the schema has it as `x-reload`.
pub fn json_schema(reload_class: impl Fn(&str) -> Option<&'static str>) -> Value {
    let writer = SchemaWriter {
        reload_class: &reload_class,
    };
    let mut schema = match Root::schema() {
        Schema::Record(root) => writer.record(root, ""),
        _ => Map::new(),
    };
    schema.insert(
        "$schema".to_owned(),
        json!("http://json-schema.org/draft-07/schema#"),
    );
    schema.insert("title".to_owned(), json!("Configuration of kproxy"));
    Value::Object(schema)
}

/// Returns the value of a YAML document as editors see it, by the core schema of YAML 1.2. `None`: no YAML, or no document.
pub fn yaml_to_json(text: &str) -> Option<Value> {
    let tree = yaml::compose(text, FileId::MAIN).ok()??;
    Some(value_of(tree.root()))
}

struct SchemaWriter<'c> {
    reload_class: &'c dyn Fn(&str) -> Option<&'static str>,
}

impl SchemaWriter<'_> {
    /// The mapping at the end of `prefix`, which is empty or ends with a dot.
    fn record(&self, record: &RecordSchema, prefix: &str) -> Map<String, Value> {
        let mut properties = foreign_keys(record.foreign);
        for key in record.keys {
            properties.insert(
                key.name.to_owned(),
                self.key(key, &format!("{prefix}{}", key.name)),
            );
        }
        let required = record.keys.iter().filter(|key| key.required);
        let required: Vec<&str> = required.map(|key| key.name).collect();
        let mut schema = Map::new();
        schema.insert("type".to_owned(), json!("object"));
        schema.insert("description".to_owned(), json!(flowing(record.meaning)));
        schema.insert("properties".to_owned(), Value::Object(properties));
        schema.insert("additionalProperties".to_owned(), json!(false));
        if !required.is_empty() {
            schema.insert("required".to_owned(), json!(required));
        }
        let by_type: Vec<Value> = record
            .keys
            .iter()
            .flat_map(|key| self.by_type(key, prefix))
            .collect();
        if !by_type.is_empty() {
            schema.insert("allOf".to_owned(), json!(by_type));
        }
        schema
    }

    /// What is said of a mapping whose keys depend on `type`, for each type.
    fn by_type(&self, key: &KeySchema, prefix: &str) -> Vec<Value> {
        let Schema::ByType(types) = (key.schema)() else {
            return Vec::new();
        };
        let conditions = types.iter().map(|(name, schema)| {
            let mut keys = self.value(schema(), &format!("{prefix}{}({name})", key.name));
            allow_nothing(&mut keys);
            let is_type = json!({"properties": {"type": {"pattern": format!("^([a-z.]+\\.)?{name}$")}}});
            json!({"if": is_type, "then": {"properties": {key.name: keys}}})
        });
        conditions.collect()
    }

    fn key(&self, key: &KeySchema, path: &str) -> Value {
        let kind = (key.schema)();
        let mut schema = self.value(kind, path);
        if !key.required {
            allow_nothing(&mut schema);
        }
        let meaning = flowing(key.meaning);
        if let Some(class) = (self.reload_class)(path) {
            schema.insert("x-reload".to_owned(), json!(class));
            let shown = format!("{meaning}\n\nReload class of a change: `{class}`.");
            schema.insert("markdownDescription".to_owned(), json!(shown));
        }
        schema.insert("description".to_owned(), json!(meaning));
        if let Some(default) = key.default.and_then(yaml_to_json) {
            schema.insert("default".to_owned(), default);
        }
        Value::Object(schema)
    }

    fn value(&self, schema: Schema, path: &str) -> Map<String, Value> {
        match schema {
            Schema::Record(record) => self.record(record, &format!("{path}.")),
            Schema::List(item) => {
                let items = self.value(item(), &format!("{path}[]"));
                object(json!({"type": "array", "items": items}))
            }
            Schema::Choice(words) => or_variable(json!({"enum": words})),
            Schema::Value(kind) => scalar(kind),
            // Its keys are told beside it.
            Schema::ByType(_) => Map::new(),
        }
    }
}

fn scalar(kind: ScalarKind) -> Map<String, Value> {
    match kind.form {
        ScalarForm::Text => object(json!({"type": ["string", "number"]})),
        ScalarForm::Truth => or_variable(json!({"type": "boolean"})),
        ScalarForm::Whole { least, greatest } => {
            or_variable(json!({"type": "integer", "minimum": least, "maximum": greatest}))
        }
        ScalarForm::Pattern(pattern) => or_variable(text_like(pattern, &kind)),
        ScalarForm::PatternOrWhole(pattern) => {
            let whole = json!({"type": "integer", "minimum": 0});
            let mut schema = or_variable(text_like(pattern, &kind));
            if let Some(Value::Array(forms)) = schema.get_mut("anyOf") {
                forms.push(whole);
            }
            schema
        }
    }
}

fn text_like(pattern: &str, kind: &ScalarKind) -> Value {
    let expected = format!("Expected: {}", kind.name);
    json!({"type": "string", "minLength": 1, "pattern": pattern, "patternErrorMessage": expected})
}

/// The value, or a text with an environment variable, whose content no editor knows.
fn or_variable(value: Value) -> Map<String, Value> {
    let variable = format!("\\{}", environment::OPEN).replace('{', "\\{");
    object(json!({"anyOf": [value, {"type": "string", "pattern": variable}]}))
}

/// Allows a key without a value, which counts as absent.
fn allow_nothing(schema: &mut Map<String, Value>) {
    if let Some(Value::Array(forms)) = schema.get_mut("anyOf") {
        forms.push(json!({"type": "null"}));
        return;
    }
    match schema.get_mut("type") {
        Some(Value::Array(types)) => types.push(json!("null")),
        Some(one) => *one = json!([one.take(), "null"]),
        None => {}
    }
}

/// The keys of Kroxylicious that a mapping may contain, each with what kproxy says of it.
fn foreign_keys(keys: &ForeignKeys) -> Map<String, Value> {
    let mut properties = Map::new();
    for (name, why) in keys.inert {
        let said = format!("A key of Kroxylicious without effect: {why}.");
        properties.insert((*name).to_owned(), told(json!({}), &said));
    }
    for name in keys.not_supported {
        let said = "A key of Kroxylicious that is not supported yet: only an empty value is accepted.";
        let empty = json!({"enum": [null, false, [], {}], "errorMessage": said});
        properties.insert((*name).to_owned(), told(empty, said));
    }
    for (name, now) in keys.former {
        let said = foreign::former("This", now);
        let never = json!({"not": {}, "errorMessage": said});
        properties.insert((*name).to_owned(), told(never, &said));
    }
    properties
}

/// The schema of a key that editors shall not propose, with what they say where it is used.
fn told(schema: Value, said: &str) -> Value {
    let mut schema = object(schema);
    schema.insert("description".to_owned(), json!(said));
    schema.insert("deprecationMessage".to_owned(), json!(said));
    Value::Object(schema)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// A doc comment as one line.
fn flowing(meaning: &str) -> String {
    meaning.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The value of a node as editors see it.
pub(crate) fn value_of(node: Node<'_>) -> Value {
    match node.content() {
        _ if node.is_null() => Value::Null,
        NodeContent::Scalar { text, plain: true } => plain(text),
        NodeContent::Scalar { text, .. } => json!(text),
        NodeContent::Sequence(items) => items.iter().map(value_of).collect(),
        NodeContent::Mapping(entries) => {
            let named = |(key, value): (Node<'_>, Node<'_>)| {
                (key.scalar().unwrap_or_default().to_owned(), value_of(value))
            };
            Value::Object(entries.iter().map(named).collect())
        }
    }
}

/// A scalar without quotes: a boolean, a number or a text (YAML 1.2, §10.3.2).
fn plain(text: &str) -> Value {
    match text {
        "true" | "True" | "TRUE" => return json!(true),
        "false" | "False" | "FALSE" => return json!(false),
        _ => {}
    }
    if let Ok(number) = text.parse::<i64>() {
        return json!(number);
    }
    let numeric = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    match text.parse::<f64>() {
        Ok(number) if numeric && number.is_finite() => json!(number),
        _ => json!(text),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::diagnostic::Errors;
    use super::*;
    use testkit::json_schema::matches;

    #[test]
    fn scalars_without_quotes_have_the_types_of_the_core_schema() {
        let text =
            "{a: 1, b: 1.5, c: '1', d: true, e: yes, f: , g: ~, h: 1h, i: -3, j: [x], k: 1.2.3, l: inf}";
        let expected = json!({"a": 1, "b": 1.5, "c": "1", "d": true, "e": "yes", "f": null, "g": null, "h": "1h",
            "i": -3, "j": ["x"], "k": "1.2.3", "l": "inf"});
        assert_eq!(yaml_to_json(text), Some(expected));
        assert_eq!(yaml_to_json("# nothing"), None);
        assert_eq!(yaml_to_json("a: ["), None);
    }

    /// Whether the decoder of `T` takes a value, and whether its schema does.
    fn verdicts<T: Decode>(text: &str) -> [bool; 2] {
        let schema = SchemaWriter {
            reload_class: &|_| None,
        }
        .value(T::schema(), "");
        let tree = yaml::compose(text, FileId::MAIN).unwrap().unwrap();
        let decoded = T::decode(tree.root(), &mut Errors::default()).is_some();
        [decoded, matches(&Value::Object(schema), &value_of(tree.root()))]
    }

    #[test]
    fn the_form_of_a_scalar_is_what_its_decoder_takes() {
        use super::super::super::{Address, Percent, Servers, Size};
        use std::time::Duration;
        for text in [
            "1h30m",
            "150ms",
            "5",
            "'5'",
            "1m1h",
            "1h1h",
            "''",
            "h",
            "1.5s",
            "1d2h3m4s5ms",
            " 5s",
            "true",
            "[]",
        ] {
            assert_eq!(
                verdicts::<Duration>(text)[0],
                verdicts::<Duration>(text)[1],
                "duration {text}"
            );
        }
        for text in [
            "64KiB", "100 MiB", "512", "512B", "1KB", "KiB", "-1", "1.5MiB", "''", "'512'",
        ] {
            assert_eq!(
                verdicts::<Size>(text)[0],
                verdicts::<Size>(text)[1],
                "size {text}"
            );
        }
        for text in ["0", "100", "101", "-1", "'5'", "5.5", "x", "true"] {
            assert_eq!(
                verdicts::<Percent>(text)[0],
                verdicts::<Percent>(text)[1],
                "percentage {text}"
            );
        }
        for text in ["true", "False", "'true'", "yes", "1"] {
            assert_eq!(
                verdicts::<bool>(text)[0],
                verdicts::<bool>(text)[1],
                "boolean {text}"
            );
        }
        for text in [
            "a:1",
            "' a:1 '",
            "'[::1]:9092'",
            "a",
            "a:",
            "a:b",
            "1",
            "'a:1,b:2'",
        ] {
            assert_eq!(
                verdicts::<Address>(text)[0],
                verdicts::<Address>(text)[1],
                "address {text}"
            );
        }
        for text in [
            "a:1",
            "'a:1, b:2'",
            "'a:1,'",
            "'a:1 b:2'",
            "a",
            "'[::1]:9092,k:1'",
            "'$(x).k:1'",
        ] {
            assert_eq!(
                verdicts::<Servers>(text)[0],
                verdicts::<Servers>(text)[1],
                "brokers {text}"
            );
        }
    }

    #[test]
    fn a_variable_stands_for_any_scalar() {
        use super::super::super::Percent;
        let schema = SchemaWriter {
            reload_class: &|_| None,
        }
        .value(Percent::schema(), "");
        let schema = Value::Object(schema);
        assert!(matches(&schema, &json!("${env:PERCENT:-5}")));
        assert!(!matches(&schema, &json!("$env:PERCENT")));
    }
}
