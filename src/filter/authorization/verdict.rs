//! What the functions of the APIs decide.

use super::access::Access;
use crate::wire::schema::{Direction, Editable};

/// Completes the answer to a request: adds what was denied, or takes out what the client may not see.
pub(super) type Merge = Box<dyn FnOnce(&mut Access<'_>, &mut Editable<'_>) + Send>;

/// A decision about a request.
pub(super) enum Verdict {
    /// It goes on as it is, and its answer passes unread.
    Allow,
    /// It goes on as it is, and its answer is completed.
    Look(Merge),
    /// It goes on with what was denied taken out, and its answer is completed.
    Part(Merge),
    /// kproxy answers it.
    Answer(Editable<'static>),
    /// No answer can say that it was denied.
    Close(&'static str),
    /// No answer can say that a part was denied, which was taken out.
    ClosePart(&'static str),
    /// First kproxy has to know which of these topics exist.
    WhichExist(Vec<String>),
    /// First kproxy has to know all topics.
    AllTopics,
}

/// The request that a function decides about.
pub(super) struct AskedRequest<'r, 'a> {
    pub(super) api_key: i16,
    pub(super) version: i16,
    pub(super) body: &'r mut Editable<'a>,
    /// What kproxy was told when it asked which topics exist.
    pub(super) existing: Option<Vec<String>>,
}

impl AskedRequest<'_, '_> {
    /// An answer with the default of every field.
    pub(super) fn answer(&self) -> Editable<'static> {
        match Editable::new(self.api_key, Direction::Response, self.version) {
            Some(answer) => answer,
            None => unreachable!("the table of this filter has no version that the schemas do not have"),
        }
    }

    /// Takes the elements out of a list of the request for which `refuse` has a result.
    pub(super) fn take_out(
        &mut self,
        list: &str,
        mut refuse: impl FnMut(&Editable<'_>) -> Option<Editable<'static>>,
    ) -> TakenOut {
        let mut denied = Vec::new();
        let mut left = 0;
        if let Some(elements) = self.body.list(list) {
            elements.retain(|element| {
                let refused = refuse(element);
                let allowed = refused.is_none();
                denied.extend(refused);
                allowed
            });
            left = elements.len();
        }
        TakenOut { denied, left }
    }

    /// An answer with an error code of its own.
    pub(super) fn error(&self, code: i16) -> Editable<'static> {
        let mut answer = self.answer();
        answer.set_int("error_code", code.into());
        answer
    }
}

/// What was taken out of a list of a request.
pub(super) struct TakenOut {
    /// The results of the elements that are denied.
    pub(super) denied: Vec<Editable<'static>>,
    /// Number of the others.
    pub(super) left: usize,
}

impl TakenOut {
    /// The decision about the request, to which `answer` has the results in the list `results`.
    pub(super) fn verdict(self, mut answer: Editable<'static>, results: &'static str) -> Verdict {
        if self.denied.is_empty() {
            return Verdict::Allow;
        }
        if self.left == 0 {
            answer.set_list(results, self.denied);
            return Verdict::Answer(answer);
        }
        Verdict::Part(append(results, self.denied))
    }
}

/// Appends elements to an array of the answer.
pub(super) fn append(list: &'static str, elements: Vec<Editable<'static>>) -> Merge {
    Box::new(move |_, answer| answer.extend(list, elements.into_iter().map(Editable::owned)))
}
