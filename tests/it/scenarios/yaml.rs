//! YAML as a value: what scenarios need of it.

use granit_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

/// Key of the only entry of what stands for bytes, which are its value in Base64.
pub(super) const BYTES: &str = "!!binary";

/// A collection whose end has not come.
enum Open {
    List(Vec<Value>),
    Map(Map<String, Value>, Option<String>),
}

/// The first document of a text.
pub(super) fn parse(text: &str) -> Value {
    let mut open: Vec<Open> = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.unwrap_or_else(|error| panic!("{error:?}"));
        let finished = match event {
            Event::SequenceStart(..) => {
                open.push(Open::List(Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Map(Map::new(), None));
                continue;
            }
            Event::Scalar(text, style, _, tag) => {
                let is_bytes = tag.is_some_and(|tag| tag.suffix() == "binary");
                scalar(&text, style == ScalarStyle::Plain, is_bytes)
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop().unwrap() {
                Open::List(items) => Value::Array(items),
                Open::Map(entries, _) => Value::Object(entries),
            },
            Event::Alias(_) => panic!("{span:?}: an alias"),
            _ => continue,
        };
        match open.last_mut() {
            None => return finished,
            Some(Open::List(items)) => items.push(finished),
            Some(Open::Map(entries, key)) => match key.take() {
                Some(key) => drop(entries.insert(key, finished)),
                None => {
                    *key = Some(
                        finished
                            .as_str()
                            .map_or_else(|| finished.to_string(), str::to_owned),
                    )
                }
            },
        }
    }
    Value::Null
}

fn scalar(text: &str, is_plain: bool, is_bytes: bool) -> Value {
    match text {
        _ if is_bytes => serde_json::json!({ BYTES: text }),
        "null" | "~" | "" if is_plain => Value::Null,
        "true" | "false" if is_plain => (text == "true").into(),
        _ if is_plain => text.parse::<i64>().map_or_else(|_| text.into(), Value::from),
        _ => text.into(),
    }
}
