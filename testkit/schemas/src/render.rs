//! The tables as Rust: one line for each field, so that a new release is a diff that can be read.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::Value;

use crate::{
    Era,
    marks::{is_unmarked_on_purpose, mark, sounds_like_a_name},
    schema::{SchemaField, Span},
};

const HEAD: &str = "\
//! Kafka's requests and answers: written by `testkit/schemas` from the schemas in Kafka's jars. Do not edit it;
//! `UPDATE_TABLES=1 cargo test --test kafka schema` writes it again.

use super::row::{FieldType::*, MessageRow, StructRow, field as f, message as m, structure as s};
use super::{Direction::*, row::NameMark::*};

";

/// A struct that has been rendered.
struct Rendered {
    constant: String,
    sizes: Vec<u32>,
    memory: u32,
    has_names: bool,
}

/// One message while its structs are rendered.
struct Renderer<'a> {
    era: &'a Era,
    api: i16,
    flexible: Span,
    prefix: String,
    /// Rendered structs, by name.
    done: BTreeMap<String, Rendered>,
    out: String,
}

/// # Errors
/// Returns what in a schema is not understood.
pub fn render(eras: &[Era]) -> Result<String, String> {
    let mut structs = String::new();
    let mut messages = String::new();
    for era in eras {
        let mut renderer = Renderer::new(era)?;
        let root = renderer
            .structure("", &era.schema.fields)
            .map_err(|why| format!("{}: {why}", era.schema.name))?;
        let direction = if era.schema.kind == "request" {
            "Request"
        } else {
            "Response"
        };
        line(
            &mut messages,
            &format!(
                "    m({}, {direction}, {:?}, {}, {}, {}, &{root}),",
                renderer.api,
                era.schema
                    .name
                    .trim_end_matches("Request")
                    .trim_end_matches("Response"),
                era.versions.first,
                era.versions.last,
                renderer.flexible.first,
            ),
        );
        structs.push_str(&renderer.out);
    }
    Ok(format!(
        "{HEAD}/// Every message by API, direction and version: number, direction, name, versions, first flexible version, layout.\n\
         pub(super) static MESSAGES: &[MessageRow] = &[\n{messages}];\n\n{structs}"
    ))
}

impl<'a> Renderer<'a> {
    fn new(era: &'a Era) -> Result<Self, String> {
        Ok(Self {
            era,
            api: era.schema.api_key.unwrap_or_default(),
            flexible: Span::parse(&era.schema.flexible_versions)?,
            prefix: format!("{}_{}", shout(&era.schema.name), era.versions.first),
            done: BTreeMap::new(),
            out: String::new(),
        })
    }

    fn versions(&self) -> impl Iterator<Item = u8> + use<> {
        self.era.versions.first..=self.era.versions.last
    }

    /// Renders a struct and those in it; returns its constant.
    fn structure(&mut self, name: &str, fields: &[SchemaField]) -> Result<String, String> {
        let mut plain = String::new();
        let mut tagged = Vec::new();
        let mut rendered = Rendered {
            constant: if name.is_empty() {
                self.prefix.clone()
            } else {
                format!("{}_{}", self.prefix, shout(name))
            },
            sizes: self
                .versions()
                .map(|version| u32::from(self.flexible.contains(version)))
                .collect(),
            memory: 24,
            has_names: false,
        };
        for field in fields {
            if !Span::parse(&field.versions)?.overlaps(self.era.versions) {
                continue;
            }
            let row = self
                .field(field, &mut rendered)
                .map_err(|why| format!("{}: {why}", field.name))?;
            match field.tag {
                Some(tag) => tagged.push((tag, Span::parse(&field.versions)?.first, row)),
                None => line(&mut plain, &row),
            }
        }
        tagged.sort();
        let tagged: String = tagged.into_iter().map(|(_, _, row)| row + "\n").collect();
        self.write(&rendered, &plain, &tagged);
        let constant = rendered.constant.clone();
        self.done.insert(name.to_owned(), rendered);
        Ok(constant)
    }

    fn write(&mut self, rendered: &Rendered, plain: &str, tagged: &str) {
        let mut steps = Vec::new();
        let mut last = None;
        for (version, size) in self.versions().zip(&rendered.sizes) {
            if last != Some(*size) {
                steps.push(format!("({version}, {})", (*size).max(1)));
                last = Some(*size);
            }
        }
        let list = |rows: &str| {
            if rows.is_empty() {
                "&[]".to_owned()
            } else {
                format!("&[\n{rows}]")
            }
        };
        line(
            &mut self.out,
            &format!(
                "static {}: StructRow = s({}, {}, &[{}], {}, {});",
                rendered.constant,
                rendered.has_names,
                rendered.memory.next_multiple_of(8),
                steps.join(", "),
                list(plain),
                list(tagged),
            ),
        );
    }

    /// The row of a field, and what it adds to its struct.
    fn field(&mut self, field: &SchemaField, of: &mut Rendered) -> Result<String, String> {
        let versions = Span::parse(&field.versions)?;
        let element = field.kind.trim_start_matches("[]");
        let is_array = element != field.kind;
        let shape = self.shape(element, field)?;
        let nullable = Span::parse(field.nullable_versions.as_deref().unwrap_or("none"))?;
        self.check(field, versions)?;
        for (version, size) in self.versions().zip(&mut of.sizes) {
            let flexible = self.flexible.contains(version);
            if versions.contains(version) && field.tag.is_none() {
                *size += match (is_array, &shape) {
                    (true, _) => {
                        if flexible {
                            1
                        } else {
                            4
                        }
                    }
                    (false, Shape::Struct(_)) if nullable.contains(version) => 1,
                    (false, Shape::Struct(inner)) => {
                        self.done[inner].sizes[usize::from(version - self.era.versions.first)]
                    }
                    (false, Shape::Fixed(width, _)) => *width,
                    (false, Shape::Text) => {
                        if flexible {
                            1
                        } else {
                            2
                        }
                    }
                    (false, Shape::Bytes) => {
                        if flexible {
                            1
                        } else {
                            4
                        }
                    }
                };
            }
        }
        of.memory += match (is_array, &shape) {
            (true, _) => 24,
            (_, Shape::Struct(inner)) => self.done[inner].memory,
            (_, Shape::Fixed(width, _)) => *width,
            (_, Shape::Text | Shape::Bytes) => 32,
        };
        let kind = match &shape {
            Shape::Struct(inner) => {
                of.has_names |= self.done[inner].has_names;
                format!("Struct(&{})", self.done[inner].constant)
            }
            Shape::Fixed(_, name) => (*name).to_owned(),
            Shape::Text => "Text".to_owned(),
            Shape::Bytes => "Bytes".to_owned(),
        };
        let mut row = format!(
            "    f({:?}, {kind}, {}, {})",
            snake(&field.name),
            versions.first,
            versions.last
        );
        if is_array {
            row += ".array()";
        }
        if nullable.overlaps(self.era.versions) {
            write!(row, ".nullable({}, {})", nullable.first, nullable.last).map_err(|e| e.to_string())?;
        }
        if let Some(tag) = field.tag {
            write!(row, ".tagged({tag})").map_err(|e| e.to_string())?;
        }
        if let Some(mark) = mark(self.api, field) {
            of.has_names = true;
            write!(row, ".mark({mark})").map_err(|e| e.to_string())?;
        }
        row += &default(&field.default)?;
        row.push(',');
        Ok(row)
    }

    fn check(&self, field: &SchemaField, versions: Span) -> Result<(), String> {
        if field.flexible_versions.is_some() {
            return Err("flexible versions of its own".to_owned());
        }
        if let Some(tagged) = &field.tagged_versions
            && Span::parse(tagged)? != versions
        {
            return Err("tagged in some versions only".to_owned());
        }
        if sounds_like_a_name(field)
            && mark(self.api, field).is_none()
            && !is_unmarked_on_purpose(&field.name)
        {
            return Err("is it the name of a topic, group or transaction? See marks.rs".to_owned());
        }
        Ok(())
    }

    fn shape(&mut self, element: &str, field: &SchemaField) -> Result<Shape, String> {
        Ok(match element {
            "bool" => Shape::Fixed(1, "Bool"),
            "int8" => Shape::Fixed(1, "I8"),
            "int16" => Shape::Fixed(2, "I16"),
            "uint16" => Shape::Fixed(2, "U16"),
            "int32" => Shape::Fixed(4, "I32"),
            "uint32" => Shape::Fixed(4, "U32"),
            "int64" => Shape::Fixed(8, "I64"),
            "float64" => Shape::Fixed(8, "F64"),
            "uuid" => Shape::Fixed(16, "Uuid"),
            "string" => Shape::Text,
            "bytes" | "records" => Shape::Bytes,
            name if name.starts_with(|c: char| c.is_ascii_uppercase()) => {
                if !self.done.contains_key(name) {
                    let common = self
                        .era
                        .schema
                        .common_structs
                        .iter()
                        .find(|common| common.name == name);
                    let fields = common.map_or(&field.fields, |common| &common.fields).clone();
                    self.structure(name, &fields)?;
                }
                Shape::Struct(name.to_owned())
            }
            other => return Err(format!("type {other:?}")),
        })
    }
}

/// The type of a field or of the elements of an array.
enum Shape {
    Fixed(u32, &'static str),
    Text,
    Bytes,
    /// The struct of this name.
    Struct(String),
}

/// The part of a row that says its default, if that is not zero or empty.
fn default(value: &Value) -> Result<String, String> {
    let text = match value {
        Value::Null => return Ok(String::new()),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Ok(match text.as_str() {
        "" | "0" | "false" => String::new(),
        "null" => ".default_null()".to_owned(),
        "true" => ".default(1)".to_owned(),
        number => {
            let value = match number.strip_prefix("0x") {
                Some(hex) => i64::from_str_radix(hex, 16),
                None => number.parse(),
            };
            format!(".default({})", value.map_err(|_| format!("default {number:?}"))?)
        }
    })
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

/// `TopicId` as `topic_id`, by the rule of Kafka's own generator.
fn snake(name: &str) -> String {
    let mut out = String::new();
    let mut was_capital = true;
    for c in name.chars() {
        if c.is_ascii_uppercase() && !was_capital {
            out.push('_');
        }
        was_capital = c.is_ascii_uppercase();
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// `TopicId` as `TOPIC_ID`.
fn shout(name: &str) -> String {
    snake(name).to_ascii_uppercase()
}
