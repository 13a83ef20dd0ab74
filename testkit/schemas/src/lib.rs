//! Writes `src/wire/schema/table.rs` from the message schemas in Kafka's own jars.
//!
//! The first jar is the newest: its schemas hold for all versions they know. Each further one adds the versions that newer
//! ones have dropped, so that brokers and clients of before Kafka 4.0 are understood too.

pub mod marks;
pub mod render;
pub mod schema;

use std::path::PathBuf;

use schema::{Schema, Span, read_jar};

/// Versions of one message that one schema describes.
#[derive(Clone, Debug)]
pub struct Era {
    pub schema: Schema,
    pub versions: Span,
}

/// The text of the tables.
///
/// # Errors
/// Returns what in the jars cannot be read or is not understood.
pub fn tables(jars: &[PathBuf]) -> Result<String, String> {
    if jars.is_empty() {
        return Err("name the jars of kafka-clients, the newest first".to_owned());
    }
    let mut eras: Vec<Era> = Vec::new();
    for (index, jar) in jars.iter().enumerate() {
        for schema in read_jar(jar)? {
            let is_known = |era: &Era| era.schema.api_key == schema.api_key;
            // An API that the newest release has dropped as a whole was one between brokers.
            if (index == 0 || eras.iter().any(is_known))
                && let Some(era) = era(&eras, schema)?
            {
                eras.push(era);
            }
        }
    }
    eras.sort_by_key(|era| (era.schema.api_key, era.schema.kind.clone(), era.versions.first));
    render::render(&eras)
}

/// What a schema adds to those of newer jars: versions below theirs.
fn era(newer: &[Era], schema: Schema) -> Result<Option<Era>, String> {
    let mut versions = Span::parse(&schema.valid_versions)?;
    for known in newer {
        if known.schema.api_key == schema.api_key && known.schema.kind == schema.kind {
            if known.versions.first == 0 {
                return Ok(None);
            }
            versions.last = versions.last.min(known.versions.first - 1);
        }
    }
    Ok((versions.first <= versions.last).then_some(Era { schema, versions }))
}
