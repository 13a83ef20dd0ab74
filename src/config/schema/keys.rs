//! Every key of the file by its path, with what its reference entry needs.

use super::super::decode::Decode;
use super::super::describe::{KeySchema, RecordSchema, Schema};
use super::Root;

/// A key of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaKey {
    /// Path from the root, such as `virtualClusters[].gateways[].bindAddress`; `[]` stands for every item of a list, and
    /// `config(ApiFilter)` for the `config` of a filter of that type.
    pub path: String,
    /// Name of the record that has the key. Keys of one record in several places have the same meaning.
    pub record: &'static str,
    /// Purpose of the record.
    pub record_meaning: &'static str,
    /// The key as it is written in the file.
    pub name: &'static str,
    /// What the key means. Never empty.
    pub meaning: &'static str,
    /// Type of the value, for people: `duration`, `list of paths`, `mapping`.
    pub kind: String,
    /// The value that an absent key stands for, as it would be written, if it can be written.
    pub default: Option<&'static str>,
    /// Whether its mapping must have the key.
    pub required: bool,
    /// Whether the value is a mapping, whose keys follow.
    pub is_mapping: bool,
}

/// Returns every key, in the order of the file. The keys of a mapping, and those of the items of a list, follow it.
pub fn keys() -> Vec<SchemaKey> {
    let mut found = Vec::new();
    if let Schema::Record(root) = Root::schema() {
        add_record(root, "", &mut found);
    }
    found
}

/// Returns the paths of the keys that hold a value or a list, in the order of the file: the keys that have a reload class
/// of their own. The class of a mapping follows from the keys in it.
pub fn key_paths() -> Vec<String> {
    let keys = keys().into_iter();
    keys.filter(|key| !key.is_mapping).map(|key| key.path).collect()
}

fn add_record(record: &'static RecordSchema, prefix: &str, found: &mut Vec<SchemaKey>) {
    for key in record.keys {
        let path = format!("{prefix}{}", key.name);
        let schema = (key.schema)();
        found.push(entry(record, key, path.clone(), schema));
        match schema {
            Schema::Record(inner) => add_record(inner, &format!("{path}."), found),
            Schema::List(item) => {
                if let Schema::Record(inner) = item() {
                    add_record(inner, &format!("{path}[]."), found);
                }
            }
            Schema::ByType(types) => {
                for (name, schema) in types {
                    if let Schema::Record(inner) = schema() {
                        add_record(inner, &format!("{path}({name})."), found);
                    }
                }
            }
            Schema::Value(_) | Schema::Choice(_) => {}
        }
    }
}

fn entry(record: &'static RecordSchema, key: &KeySchema, path: String, schema: Schema) -> SchemaKey {
    SchemaKey {
        path,
        record: record.name,
        record_meaning: record.meaning.trim(),
        name: key.name,
        meaning: key.meaning.trim(),
        kind: kind(schema),
        default: key.default,
        required: key.required,
        // `prometheus: {}` has no keys, so it counts as a value.
        is_mapping: match schema {
            Schema::Record(record) => !record.keys.is_empty(),
            Schema::ByType(_) => true,
            Schema::Value(_) | Schema::Choice(_) | Schema::List(_) => false,
        },
    }
}

fn kind(schema: Schema) -> String {
    match schema {
        Schema::Value(kind) => kind.name.to_owned(),
        Schema::Choice(words) => {
            let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
            words.join(", ")
        }
        Schema::List(item) => match item() {
            Schema::Record(_) => "list of mappings".to_owned(),
            item => format!("list: {}", kind(item)),
        },
        Schema::Record(_) => "mapping".to_owned(),
        Schema::ByType(_) => "mapping, by `type`".to_owned(),
    }
}
