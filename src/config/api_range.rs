//! APIs and versions of them, as filters name them.

use std::ops::RangeInclusive;

use super::decode::Decode;
use super::describe::Schema;
use super::diagnostic::{Errors, quoted, suggestion};
use super::yaml::{Node, NodeContent};
use crate::wire::api::{Api, apis};

/// An API, or some versions of it: `DELETE_TOPICS`, `DeleteTopics`, `20`, `Fetch@0-11`, `Fetch@12+`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiRange {
    /// Number of the API.
    pub api_key: i16,
    /// Versions of it.
    pub versions: RangeInclusive<i16>,
}

/// Every version.
const ALL: RangeInclusive<i16> = 0..=i16::MAX;

impl Decode for ApiRange {
    fn schema() -> Schema {
        Schema::text("API (`DeleteTopics`, `20`) or versions of it (`Fetch@0-11`, `Fetch@12+`)")
    }

    fn decode(node: Node<'_>, errors: &mut Errors) -> Option<Self> {
        let NodeContent::Scalar { text, .. } = node.content() else {
            let why = format!("expected an API, found {}", node.describe());
            errors.push(node.at(), why);
            return None;
        };
        let (name, versions) = match text.split_once('@') {
            Some((name, versions)) => (name, Some(versions)),
            None => (text, None),
        };
        let Some(api) = find(name) else {
            errors.push_with(node.at(), || {
                let hint = suggestion(name, apis().map(|api| api.name));
                format!("unknown API {}{hint}", quoted(name))
            });
            return None;
        };
        let Some(versions) = versions.map_or(Some(ALL), parse_versions) else {
            let example = format!("`{0}@3`, `{0}@0-3` or `{0}@3+`", api.name);
            errors.push(
                node.at(),
                format!("expected versions such as {example}, found {}", quoted(text)),
            );
            return None;
        };
        Some(Self {
            api_key: api.key,
            versions,
        })
    }
}

/// The API of this number, or of this name in the form of Kafka's schemas (`DeleteTopics`) or of its code (`DELETE_TOPICS`).
fn find(name: &str) -> Option<&'static Api> {
    if let Ok(key) = name.parse::<i16>() {
        return apis().find(|api| api.key == key);
    }
    let plain = name.replace('_', "");
    apis().find(|api| api.name.eq_ignore_ascii_case(&plain))
}

fn parse_versions(text: &str) -> Option<RangeInclusive<i16>> {
    let number = |text: &str| text.parse::<u8>().ok().map(i16::from);
    if let Some(first) = text.strip_suffix('+') {
        return Some(number(first)?..=i16::MAX);
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let range = number(first)?..=number(last)?;
    (!range.is_empty()).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_has_a_number_and_two_ways_to_write_its_name() {
        let keys =
            ["DELETE_TOPICS", "DeleteTopics", "deletetopics", "20"].map(|name| find(name).map(|api| api.key));
        assert_eq!(keys, [Some(20); 4]);
        assert!(find("DELETE TOPICS").is_none() && find("-1").is_none() && find("").is_none());
    }

    #[test]
    fn versions_are_one_a_range_or_all_from_one_on() {
        assert_eq!(parse_versions("3"), Some(3..=3));
        assert_eq!(parse_versions("0-11"), Some(0..=11));
        assert_eq!(parse_versions("12+"), Some(12..=i16::MAX));
        for wrong in ["", "-", "+", "3-", "-3", "3-1", "a", "300", "1-2-3"] {
            assert_eq!(parse_versions(wrong), None, "{wrong}");
        }
    }
}
