//! Every key by its path.

use super::super::decode::{Decode, Schema};
use super::Root;

/// The paths of all keys, such as `virtualClusters[].gateways[].bindAddress`, in the order of the file: those that
/// hold a value, and those that hold a list, in front of the keys of its items. A mapping is only a prefix.
pub fn key_paths() -> Vec<String> {
    let mut found = Vec::new();
    walk(Root::schema(), String::new(), &mut found);
    found
}

fn walk(schema: Schema, path: String, found: &mut Vec<String>) {
    match schema {
        Schema::Value => found.push(path),
        Schema::List(item) => {
            if let item @ Schema::Record(_) = item() {
                let items = format!("{path}[]");
                found.push(path);
                walk(item, items, found);
            } else {
                found.push(path);
            }
        }
        // `prometheus: {}` is all that can be said there.
        Schema::Record([]) => found.push(path),
        Schema::Record(keys) => {
            let prefix = if path.is_empty() { path } else { path + "." };
            keys.iter()
                .for_each(|(key, schema)| walk(schema(), format!("{prefix}{key}"), found));
        }
    }
}
