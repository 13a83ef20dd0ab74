//! Answers that say that a whole request failed: for every API and version, in the place where that version has it.
//!
//! They are what the Java client's `AbstractRequest.getErrorResponse` builds. Where an answer has no place for an error of
//! its own, each element has the error, with the names and ids of the request.

mod layout;

use layout::{Fixed, IDENTITY, Repeated};

use crate::wire::api::{Api, ApiKey};
use crate::wire::error_code::ErrorCode;
use crate::wire::schema::{Direction, Draft, FieldValue, Message, Structure};

/// Most elements of an answer. A request that names more is not answered, because its answer could be many times as large.
const MOST_ELEMENTS: usize = 65_536;

/// The body of an answer to a request, in the version of the request, in which everything failed with `code`.
///
/// `None`: the request is not well-formed, nobody answers it (Produce with `acks=0`), or it names more than 65 536 elements. A
/// session that cannot be answered has to end.
pub fn error_answer(api: &Api, version: i16, request: &[u8], code: i16) -> Option<Vec<u8>> {
    let request = Message::read(api.key, Direction::Request, version, request).ok()?;
    if api.key == ApiKey::PRODUCE && request.root().int("acks") == Some(0) {
        return None;
    }
    let mut draft = Draft::new(api.key, Direction::Response, version)?;
    let mut answer = ErrorAnswer {
        request: request.root(),
        api_key: api.key,
        version,
        code,
        elements: 0,
    };
    answer.fill(&mut draft);
    answer.repeat(layout::repeated(api.key), request.root(), &mut draft)?;
    Some(draft.encode())
}

/// The body of an answer as [`error_answer`] makes it, in which each element failed, but not the request as a whole: also where
/// a newer version has a place for an error of the whole.
pub fn error_answer_by_element(api: &Api, version: i16, request: &[u8], code: i16) -> Option<Vec<u8>> {
    let request = Message::read(api.key, Direction::Request, version, request).ok()?;
    let mut draft = Draft::new(api.key, Direction::Response, version)?;
    let mut answer = ErrorAnswer {
        request: request.root(),
        api_key: api.key,
        version: 0,
        code,
        elements: 0,
    };
    answer.repeat(layout::repeated(api.key), request.root(), &mut draft)?;
    Some(draft.encode())
}

/// The body of an answer in which everything failed with `code`, in place of `answer`, the one of a broker. The elements are
/// those of `answer`.
///
/// `None`: `answer` is not well-formed, or has more than 65 536 elements.
pub fn error_in_place_of(api: &Api, version: i16, answer: &[u8], code: i16) -> Option<Vec<u8>> {
    let answer = Message::read(api.key, Direction::Response, version, answer).ok()?;
    let mut draft = Draft::new(api.key, Direction::Response, version)?;
    let mut failed = ErrorAnswer {
        request: answer.root(),
        api_key: api.key,
        version,
        code,
        elements: 0,
    };
    failed.fill(&mut draft);
    failed.replace(layout::repeated(api.key), answer.root(), &mut draft)?;
    Some(draft.encode())
}

/// An answer while it is being built.
struct ErrorAnswer<'a> {
    /// The request, or the answer that this one takes the place of.
    request: Structure<'a>,
    api_key: i16,
    /// Version whose elements are repeated.
    version: i16,
    code: i16,
    elements: usize,
}

impl<'a> ErrorAnswer<'a> {
    /// Sets the error and the other values of one structure.
    fn fill(&self, draft: &mut Draft) {
        for name in ["error_code", "partition_error_code"] {
            if draft.knows(name) {
                draft.set(name, self.code);
            }
        }
        if draft.knows("error_message") {
            self.set_text(draft);
        }
        for (name, fixed) in layout::fixed(self.api_key) {
            if draft.knows(name) {
                self.set_fixed(draft, name, *fixed);
            }
        }
    }

    fn set_text(&self, draft: &mut Draft) {
        let text = ErrorCode::text_of(self.code).filter(|_| layout::has_text(self.api_key));
        if text.is_some() || draft.allows_null("error_message") {
            draft.set("error_message", text);
        }
    }

    fn set_fixed(&self, draft: &mut Draft, name: &str, fixed: Fixed) {
        match fixed {
            Fixed::Number(number) => drop(draft.set(name, number)),
            Fixed::Text(text) => drop(draft.set(name, text)),
            Fixed::Null if draft.allows_null(name) => drop(draft.set(name, None::<i64>)),
            Fixed::Null => {}
            Fixed::FromRequest => {
                if let Some(number) = self.request.int(name) {
                    draft.set(name, number);
                }
            }
        }
    }

    /// Adds the elements that repeat those of the request. `None`: there are too many.
    fn repeat(
        &mut self,
        arrays: &'static [Repeated],
        request: Structure<'a>,
        draft: &mut Draft,
    ) -> Option<()> {
        let version = self.version;
        for repeated in arrays.iter().filter(|repeated| version <= repeated.until) {
            match repeated.within {
                None => self.repeat_array(repeated, request, draft)?,
                Some(outer) => {
                    for element in request.array(outer) {
                        self.repeat_array(repeated, element, draft)?;
                    }
                }
            }
        }
        Some(())
    }

    fn repeat_array(
        &mut self,
        repeated: &'static Repeated,
        request: Structure<'a>,
        draft: &mut Draft,
    ) -> Option<()> {
        if !draft.knows(repeated.answer) || !request.knows(repeated.request) {
            return Some(());
        }
        let Some(array) = request.field(repeated.request) else {
            return Some(());
        };
        for element in array.elements() {
            self.count()?;
            let into = self.add(repeated, draft);
            identify(into, &element, repeated.renamed);
            self.repeat(repeated.inner, element, into)?;
        }
        for value in array.values() {
            self.count()?;
            let into = self.add(repeated, draft);
            if let Some(field) = repeated.value {
                copy(into, field, &value);
            }
        }
        Some(())
    }

    /// Adds an element for each of an answer. `None`: there are too many.
    fn replace(
        &mut self,
        arrays: &'static [Repeated],
        answer: Structure<'a>,
        draft: &mut Draft,
    ) -> Option<()> {
        let version = self.version;
        let mut before = None;
        for repeated in arrays.iter().filter(|repeated| version <= repeated.until) {
            // An array of which the request has two.
            if before.replace(repeated.answer) == Some(repeated.answer)
                || !draft.knows(repeated.answer)
                || !answer.knows(repeated.answer)
            {
                continue;
            }
            let Some(array) = answer.field(repeated.answer) else {
                continue;
            };
            for element in array.elements() {
                self.count()?;
                let into = self.add(repeated, draft);
                let named = repeated
                    .value
                    .into_iter()
                    .chain(repeated.renamed.map(|(name, _)| name));
                for name in IDENTITY.iter().copied().chain(named) {
                    if into.knows(name)
                        && element.knows(name)
                        && let Some(value) = element.field(name)
                    {
                        copy(into, name, &value);
                    }
                }
                self.replace(repeated.inner, element, into)?;
            }
        }
        Some(())
    }

    /// Counts an element; `None` if there are too many.
    fn count(&mut self) -> Option<()> {
        self.elements += 1;
        (self.elements <= MOST_ELEMENTS).then_some(())
    }

    fn add<'d>(&self, repeated: &Repeated, draft: &'d mut Draft) -> &'d mut Draft {
        let element = draft.push(repeated.answer);
        self.fill(element);
        element
    }
}

/// Copies what says which element of the request an element of the answer is about.
fn identify(into: &mut Draft, element: &Structure<'_>, renamed: Option<(&str, &str)>) {
    let same = IDENTITY.iter().map(|name| (*name, *name));
    for (answer, request) in same.chain(renamed) {
        if into.knows(answer)
            && element.knows(request)
            && let Some(value) = element.field(request)
        {
            copy(into, answer, &value);
        }
    }
}

/// Copies a number, an id or a text.
fn copy(into: &mut Draft, field: &str, value: &FieldValue<'_>) {
    if let Some(number) = value.int() {
        into.set(field, number);
    } else if let Some(id) = value.uuid() {
        into.set(field, id);
    } else if let Some(text) = value.content() {
        into.set(field, text);
    } else if into.allows_null(field) {
        into.set(field, None::<i64>);
    }
}

#[cfg(test)]
mod tests;
