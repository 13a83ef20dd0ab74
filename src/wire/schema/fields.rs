//! Every field of a structure, and bodies as text for people.

use std::fmt::Write as _;

use super::row::{FieldRow, FieldType};
use super::view::{FieldValue, Structure};
use super::walk::ShapeWalk;

/// The plain fields of a structure, in the order of the wire. Tagged fields are not among them.
#[derive(Clone, Debug)]
pub struct PlainFields<'a> {
    structure: Structure<'a>,
    rows: std::slice::Iter<'static, FieldRow>,
    walk: ShapeWalk<'a>,
}

impl<'a> Structure<'a> {
    /// The plain fields that it has in this version.
    pub fn fields(&self) -> PlainFields<'a> {
        PlainFields {
            structure: *self,
            rows: self.row.plain.iter(),
            walk: self.walk(),
        }
    }
}

impl<'a> Iterator for PlainFields<'a> {
    type Item = FieldValue<'a>;

    fn next(&mut self) -> Option<FieldValue<'a>> {
        let version = self.structure.encoding.version;
        let row = self.rows.by_ref().find(|row| row.is_in(version))?;
        let value = self.structure.place(row, self.walk.at);
        self.walk.field(row, &mut ()).ok()?;
        Some(value)
    }
}

/// A structure as text such as `{topics=[{name=orders}], timeout_ms=5000}`, at most about `limit` bytes of it. Of bytes and
/// records only the length is shown, and nothing of the fields that `withheld` names.
pub fn structure_text(structure: Structure<'_>, withheld: &[&str], limit: usize) -> String {
    let mut text = FieldText {
        out: String::new(),
        withheld,
        limit,
    };
    text.structure(structure);
    if text.is_full() {
        text.out.push('…');
    }
    text.out
}

struct FieldText<'w> {
    out: String,
    withheld: &'w [&'w str],
    limit: usize,
}

impl FieldText<'_> {
    fn is_full(&self) -> bool {
        self.out.len() >= self.limit
    }

    fn structure(&mut self, structure: Structure<'_>) {
        self.out.push('{');
        for (number, field) in structure.fields().enumerate() {
            if self.is_full() {
                return;
            }
            if number > 0 {
                self.out.push_str(", ");
            }
            self.out.push_str(field.name());
            self.out.push('=');
            match self.withheld.contains(&field.name()) {
                true => self.out.push_str("withheld"),
                false => self.value(&field),
            }
        }
        self.out.push('}');
    }

    fn value(&mut self, value: &FieldValue<'_>) {
        if value.is_null() {
            self.out.push_str("null");
        } else if value.is_array() {
            self.array(value);
        } else if let Some(inner) = value.structure() {
            self.structure(inner);
        } else {
            self.plain(value);
        }
    }

    fn array(&mut self, array: &FieldValue<'_>) {
        self.out.push('[');
        let mut first = true;
        for element in array.elements() {
            if !self.next(&mut first) {
                return;
            }
            self.structure(element);
        }
        for value in array.values() {
            if !self.next(&mut first) {
                return;
            }
            self.plain(&value);
        }
        self.out.push(']');
    }

    /// Begins an element. False: the text is long enough.
    fn next(&mut self, first: &mut bool) -> bool {
        if !std::mem::take(first) {
            self.out.push_str(", ");
        }
        !self.is_full()
    }

    fn plain(&mut self, value: &FieldValue<'_>) {
        // Writing to a string cannot fail.
        let written = match value.row.kind {
            FieldType::Text => {
                let text = String::from_utf8_lossy(value.content().unwrap_or_default());
                let left = self.limit.saturating_sub(self.out.len());
                let shown: String = text.chars().take(left).collect();
                write!(self.out, "{shown:?}")
            }
            FieldType::Bytes => write!(self.out, "<{} bytes>", value.content().map_or(0, <[u8]>::len)),
            FieldType::Uuid => {
                let id = value.uuid().unwrap_or_default();
                write!(self.out, "{}", data_encoding::BASE64URL_NOPAD.encode(&id))
            }
            _ => match value.int() {
                Some(number) => write!(self.out, "{number}"),
                None => write!(self.out, "<number>"),
            },
        };
        written.unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Direction, Draft, Message};
    use super::*;

    fn produce() -> Vec<u8> {
        let mut draft = Draft::new(0, Direction::Request, 9).unwrap();
        draft.set("acks", -1_i16);
        let topic = draft.push("topic_data").set("name", "or\"ders");
        topic
            .push("partition_data")
            .set("index", 3)
            .set("records", &[7_u8; 9][..]);
        draft.encode()
    }

    #[test]
    fn a_body_is_shown_without_the_content_of_records() {
        let body = produce();
        let message = Message::read(0, Direction::Request, 9, &body).unwrap();
        assert_eq!(
            structure_text(message.root(), &[], 1000),
            "{transactional_id=null, acks=-1, timeout_ms=0, topic_data=[{name=\"or\\\"ders\", \
             partition_data=[{index=3, records=<9 bytes>}]}]}"
        );
        assert_eq!(
            structure_text(message.root(), &["topic_data"], 1000),
            "{transactional_id=null, acks=-1, timeout_ms=0, topic_data=withheld}"
        );
    }

    #[test]
    fn a_long_body_is_cut_off() {
        let body = produce();
        let message = Message::read(0, Direction::Request, 9, &body).unwrap();
        let text = structure_text(message.root(), &[], 40);
        assert!(text.ends_with('…') && text.len() < 80, "{text}");
    }
}
