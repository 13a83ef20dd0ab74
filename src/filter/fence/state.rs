//! What fences keep of a session.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use super::tally::HeldRequest;
use crate::filter::authorization::questions;
use crate::filter::{TopicNameMap, TopicUuid};

/// What fences keep of a session. A request may meet several of them, when one takes the place of another while it waits.
#[derive(Debug, Default)]
pub(super) struct FencedSession {
    /// The request that is being decided about, by its correlation id.
    request: Option<i32>,
    asked: bool,
    /// Names that the broker has told about the request.
    told: HashMap<TopicUuid, Arc<str>>,
    held: Option<(Instant, HeldRequest)>,
    /// Ids of the topics of a fence, for answers that name topics by ids, with the fence that they are for.
    pub(super) fetched: Option<(u64, HashSet<TopicUuid>)>,
}

impl FencedSession {
    /// Turns to this request.
    pub(super) fn about(&mut self, correlation_id: i32) {
        if self.request != Some(correlation_id) {
            self.decided();
            self.request = Some(correlation_id);
        }
    }

    /// Forgets the request.
    pub(super) fn decided(&mut self) {
        self.request = None;
        self.asked = false;
        self.told.clear();
        self.held = None;
    }

    /// Notes that the broker is asked for the names of its topics.
    pub(super) fn ask(&mut self) {
        self.asked = true;
    }

    /// Whether the broker was asked.
    pub(super) fn has_asked(&self) -> bool {
        self.asked
    }

    /// Takes in an answer of the broker, if it was asked.
    pub(super) fn take_in(&mut self, names: &TopicNameMap, answer: &[u8]) {
        if self.asked {
            self.told.extend(questions::read_names(names, answer));
        }
    }

    /// The name of an id that the broker has told.
    pub(super) fn told(&self, id: &TopicUuid) -> Option<Arc<str>> {
        self.told.get(id).cloned()
    }

    /// All names that the broker has told about the request.
    pub(super) fn all_told(&self) -> impl Iterator<Item = (&TopicUuid, &Arc<str>)> {
        self.told.iter()
    }

    /// Since when the request is held, and whether that is now.
    pub(super) fn held_since(
        &mut self,
        now: Instant,
        begin: impl FnOnce() -> HeldRequest,
    ) -> (Instant, bool) {
        match &self.held {
            Some((since, _)) => (*since, false),
            None => {
                self.held = Some((now, begin()));
                (now, true)
            }
        }
    }
}
