//! Edits of a message: another body, in which what was not edited is as it was.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::super::cursor::Writer;
use super::Message;
use super::draft::{Draft, DraftValue, write_value};
use super::row::FieldType;
use super::view::{FieldValue, Structure};
use super::walk::{Observer, ShapeWalk};

/// Edits of one message that have not been made yet.
///
/// Counts of arrays and sizes of tagged fields follow from the edits. Of two edits of one place the later holds; what is
/// inside something that is removed or replaced is gone with it.
#[derive(Clone, Debug)]
pub struct Splice<'a> {
    message: Message<'a>,
    edits: Vec<Edit>,
    /// Edited arrays by the position of their counts.
    arrays: BTreeMap<usize, ArrayEdit>,
}

#[derive(Clone, Debug)]
struct Edit {
    range: Range<usize>,
    bytes: Vec<u8>,
    /// Place of the count of the array to which it adds an element.
    count: Option<Range<usize>>,
}

#[derive(Clone, Debug, Default)]
struct ArrayEdit {
    /// Bytes of the count.
    length: usize,
    count: usize,
    /// Positions of the elements that are removed.
    removed: BTreeSet<usize>,
    added: usize,
}

/// Where a tagged field has its size, and where its content.
type Tagged = (Range<usize>, Range<usize>);

impl<'a> Splice<'a> {
    /// No edits of this message.
    pub const fn new(message: &Message<'a>) -> Self {
        Self {
            message: *message,
            edits: Vec::new(),
            arrays: BTreeMap::new(),
        }
    }

    /// Whether nothing has been edited.
    pub const fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Puts other bytes in the place of these. They have to be what the schema wants there.
    pub fn replace(&mut self, range: Range<usize>, bytes: Vec<u8>) {
        self.edits.push(Edit {
            range,
            bytes,
            count: None,
        });
    }

    /// Gives a place another value. One that does not fit its type, or null where null is not allowed, changes nothing and
    /// is `false`.
    pub fn set(&mut self, place: &FieldValue<'_>, value: impl Into<DraftValue>) -> bool {
        let mut bytes = Vec::new();
        let written = write_value(
            place.row,
            place.array.is_some(),
            place.encoding,
            &value.into(),
            &mut bytes,
        );
        if written.is_some() {
            self.replace(place.range(), bytes);
        }
        written.is_some()
    }

    /// Gives a number another value.
    pub fn set_int(&mut self, place: &FieldValue<'_>, value: i64) -> bool {
        self.set(place, value)
    }

    /// Gives a text another value.
    pub fn set_text(&mut self, place: &FieldValue<'_>, text: &str) -> bool {
        self.set(place, text)
    }

    /// Makes a text, bytes, an array or a structure null. `false` if it may not be null in this version.
    pub fn set_null(&mut self, place: &FieldValue<'_>) -> bool {
        self.set(place, DraftValue::Null)
    }

    /// Takes an element out of its array. `false` for what is no element.
    pub fn remove(&mut self, element: &Structure<'_>) -> bool {
        self.remove_range(element.array, element.range())
    }

    /// Takes an element out of an array of plain values. `false` for what is no element.
    pub fn remove_value(&mut self, element: &FieldValue<'_>) -> bool {
        self.remove_range(element.array, element.range())
    }

    fn remove_range(&mut self, array: Option<super::view::ArrayPlace>, range: Range<usize>) -> bool {
        let Some(array) = array else { return false };
        let edit = self.arrays.entry(array.at).or_default();
        (edit.length, edit.count) = (array.length, array.count.unwrap_or_default());
        if edit.removed.insert(range.start) {
            self.replace(range, Vec::new());
        }
        true
    }

    /// Takes all elements out of an array. `false` for what is no array.
    pub fn clear(&mut self, array: &FieldValue<'_>) -> bool {
        for element in array.elements() {
            self.remove(&element);
        }
        for element in array.values() {
            self.remove_value(&element);
        }
        array.array_place().is_some()
    }

    /// Adds an element at the end of an array of structures. `false` if the draft is not of this array, see
    /// [`Draft::element`].
    pub fn append(&mut self, array: &FieldValue<'_>, element: &Draft) -> bool {
        match array.row.kind {
            FieldType::Struct(row)
                if std::ptr::eq(row, element.row) && array.encoding == element.encoding =>
            {
                self.append_encoded(array, &element.encode())
            }
            _ => false,
        }
    }

    /// Adds an element at the end of an array, as bytes that an element of this array has in the same version. `false` for
    /// what is no array.
    pub fn append_encoded(&mut self, array: &FieldValue<'_>, element: &[u8]) -> bool {
        let Some((place, _)) = array.array_place() else {
            return false;
        };
        let end = array.range().end;
        let edit = self.arrays.entry(place.at).or_default();
        (edit.length, edit.count) = (place.length, place.count.unwrap_or_default());
        edit.added += 1;
        let count = place.at..place.at + place.length;
        self.edits.push(Edit {
            range: end..end,
            bytes: element.to_vec(),
            count: Some(count),
        });
        true
    }

    /// The edited body.
    pub fn finish(mut self) -> Vec<u8> {
        let body = self.message.body;
        let flexible = self.message.encoding.flexible;
        for (at, array) in std::mem::take(&mut self.arrays) {
            let mut bytes = Vec::new();
            let count = array.count + array.added - array.removed.len();
            Writer::new(&mut bytes, flexible).array_len(count);
            self.replace(at..at + array.length, bytes);
        }
        let mut edits = effective(self.edits);
        resize_tagged(&self.message, &mut edits);
        let mut out = Vec::with_capacity(body.len());
        let mut at = 0;
        for edit in edits {
            out.extend_from_slice(body.get(at..edit.range.start).unwrap_or_default());
            out.extend_from_slice(&edit.bytes);
            at = edit.range.end;
        }
        out.extend_from_slice(body.get(at..).unwrap_or_default());
        out
    }
}

/// The edits in the order of the body, without those that are inside another, and of those of one place the last.
/// Elements that are added to one array keep their order.
fn effective(edits: Vec<Edit>) -> Vec<Edit> {
    let mut ordered: Vec<(usize, Edit)> = edits.into_iter().enumerate().collect();
    // Where several edits begin at one position, additions come first, those to the innermost array before the
    // others; the longest edit follows.
    ordered.sort_by_key(|(index, edit)| {
        let array = edit.count.as_ref().map(|count| Reverse(count.start));
        (
            edit.range.start,
            edit.count.is_none(),
            Reverse(edit.range.end),
            array,
            *index,
        )
    });
    let mut kept: Vec<Edit> = Vec::new();
    for (_, edit) in ordered {
        if edit.count.is_some() && kept.iter().any(|other| other.takes_array_of(&edit)) {
            continue;
        }
        match kept.last_mut() {
            Some(last) if edit.count.is_none() && edit.range == last.range => *last = edit,
            Some(last) if edit.range.start < last.range.end => {}
            _ => kept.push(edit),
        }
    }
    kept
}

impl Edit {
    /// Whether it replaces or removes the whole array to which the other one adds an element.
    fn takes_array_of(&self, addition: &Self) -> bool {
        let Some(count) = &addition.count else {
            return false;
        };
        self.range != *count && self.range.start <= count.start && addition.range.start <= self.range.end
    }
}

/// Adds edits of the sizes of tagged fields whose content changes its length.
fn resize_tagged(message: &Message<'_>, edits: &mut Vec<Edit>) {
    if !message.encoding.flexible || edits.is_empty() {
        return;
    }
    let mut found = TaggedFields(Vec::new());
    let mut walk = ShapeWalk::new(message.body, 0, message.encoding);
    if walk.structure(message.row.root, &mut found).is_err() {
        return;
    }
    // Inner fields end before the outer ones, so that a size counts the changes of the sizes within.
    for (size, content) in found.0 {
        let inside: Vec<&Edit> = edits
            .iter()
            .filter(|edit| content.start <= edit.range.start && edit.range.end <= content.end)
            .collect();
        let gone: usize = inside.iter().map(|edit| edit.range.len()).sum();
        let come: usize = inside.iter().map(|edit| edit.bytes.len()).sum();
        if gone != come {
            let mut bytes = Vec::new();
            Writer::new(&mut bytes, true).uvarint((content.len() + come - gone) as u32);
            edits.push(Edit {
                range: size,
                bytes,
                count: None,
            });
            edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
        }
    }
}

struct TaggedFields(Vec<Tagged>);

impl Observer for TaggedFields {
    fn tagged(&mut self, size: Range<usize>, content: Range<usize>) {
        self.0.push((size, content));
    }
}
