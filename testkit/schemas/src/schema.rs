//! Kafka's message schemas as they stand in its jars (`common/message/*.json`).

use std::{fs::File, io::Read as _, path::Path};

use serde::Deserialize;

/// One message.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Schema {
    /// Number of the API; absent from what is neither request nor answer.
    pub api_key: Option<i16>,
    #[serde(rename = "type")]
    pub kind: String,
    pub name: String,
    #[serde(default)]
    pub valid_versions: String,
    #[serde(default)]
    pub flexible_versions: String,
    #[serde(default)]
    pub fields: Vec<SchemaField>,
    #[serde(default)]
    pub common_structs: Vec<CommonStruct>,
}

/// Fields that several places of a message share.
#[derive(Clone, Debug, Deserialize)]
pub struct CommonStruct {
    pub name: String,
    pub fields: Vec<SchemaField>,
}

/// One field.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SchemaField {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub versions: String,
    #[serde(default)]
    pub nullable_versions: Option<String>,
    #[serde(default)]
    pub tagged_versions: Option<String>,
    #[serde(default)]
    pub flexible_versions: Option<String>,
    /// A number, in one file as text.
    #[serde(default, deserialize_with = "number")]
    pub tag: Option<u8>,
    #[serde(default)]
    pub default: serde_json::Value,
    #[serde(default)]
    pub entity_type: Option<String>,
    #[serde(default)]
    pub fields: Vec<Self>,
}

fn number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u8>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

/// Versions from the first to the last; [`Span::LAST`] is no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub first: u8,
    pub last: u8,
}

impl Span {
    /// The end of a span that has none.
    pub const LAST: u8 = u8::MAX;
    /// No version.
    pub const NONE: Self = Self {
        first: Self::LAST,
        last: 0,
    };

    /// Reads `3`, `3-5`, `3+`, `none`.
    ///
    /// # Errors
    /// Returns what was not understood.
    pub fn parse(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse::<u8>().map_err(|_| format!("versions {text:?}"));
        if text.is_empty() || text == "none" {
            return Ok(Self::NONE);
        }
        if let Some(first) = text.strip_suffix('+') {
            return Ok(Self {
                first: number(first)?,
                last: Self::LAST,
            });
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        Ok(Self {
            first: number(first)?,
            last: number(last)?,
        })
    }

    pub fn contains(self, version: u8) -> bool {
        self.first <= version && version <= self.last
    }

    /// Whether one of these versions is also one of the others.
    pub fn overlaps(self, other: Self) -> bool {
        self.first.max(other.first) <= self.last.min(other.last)
    }
}

/// The requests and answers of one jar.
///
/// # Errors
/// Returns why the jar cannot be read.
pub fn read_jar(jar: &Path) -> Result<Vec<Schema>, String> {
    let mut schemas = Vec::new();
    for (name, text) in texts(jar).map_err(|error| format!("{}: {error}", jar.display()))? {
        // By way of a value: one of Kafka's files names a key twice.
        let schema: Schema = serde_json::from_str(&without_comments(&text))
            .and_then(|value: serde_json::Value| serde_json::from_value(value))
            .map_err(|error| format!("{}: {name}: {error}", jar.display()))?;
        let is_message = matches!(schema.kind.as_str(), "request" | "response");
        if is_message && schema.api_key.is_some() && schema.valid_versions != "none" {
            schemas.push(schema);
        }
    }
    if schemas.is_empty() {
        return Err(format!("{}: no schemas of messages", jar.display()));
    }
    schemas.sort_by_key(|schema| (schema.api_key, schema.kind.clone()));
    Ok(schemas)
}

/// Names and contents of the schema files of a jar.
fn texts(jar: &Path) -> Result<Vec<(String, String)>, zip::result::ZipError> {
    let mut archive = zip::ZipArchive::new(File::open(jar)?)?;
    let mut texts = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let name = entry.name()?.into_owned();
        if name.starts_with("common/message/") && name.ends_with(".json") {
            let mut text = String::new();
            entry.read_to_string(&mut text)?;
            texts.push((name, text));
        }
    }
    Ok(texts)
}

/// The comments of these files have lines of their own.
fn without_comments(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}
