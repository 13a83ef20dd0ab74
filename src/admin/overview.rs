//! The overview that `/overview` and the status page are made from.
//!
//! All viewers share one look at the process, however many there are and however often they ask: the next look is taken
//! when the last one is old enough, and the longer it took, the older that is. So viewers cost the process a bounded share of
//! a core by construction. What was made of a look for one viewer is kept for the others who ask for the same.

mod look;
mod view;

pub(super) use look::Look;
pub(super) use view::{STATES, ViewQuery, link};

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::body::Bytes;

use super::query::BadQuery;
use crate::control::{Observe, Overview, ShownDifference};

/// Least time between two looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// Longest time between two looks that somebody asks for.
const LONGEST: Duration = Duration::from_secs(10);

/// Time between two looks, in multiples of what the last one and its answers took: at most 1/200 of a core.
const SPARING: u32 = 200;

/// Differences that are kept.
const DIFFERENCES: usize = 4;

/// Longest difference that is shown, in bytes.
const MAX_DIFFERENCE: usize = 64 * 1024;

/// Answers that are kept of one look.
const KEPT: usize = 32;

/// Looks at the process, shared by everybody who asks. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Viewers(Arc<Mutex<SharedLook>>);

#[derive(Debug, Default)]
struct SharedLook {
    look: Option<Arc<Look>>,
    /// Time that the look and the answers made of it took.
    took: Duration,
    answers: Vec<(OverviewRequest, OverviewBody)>,
    /// Differences that were shown lately. They never change.
    differences: Vec<ShownDifference>,
}

/// What a viewer asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OverviewRequest {
    pub(super) query: ViewQuery,
    /// The changing part of the status page, not JSON.
    pub(super) html: bool,
}

/// A body, and the tag (RFC 9110 §8.8.3) that tells whether a viewer has it already.
#[derive(Debug, Clone)]
pub(super) struct OverviewBody {
    pub(super) body: Bytes,
    pub(super) tag: String,
}

impl OverviewBody {
    fn of(body: Vec<u8>) -> Self {
        use std::hash::{DefaultHasher, Hasher as _};
        let mut hash = DefaultHasher::new();
        hash.write(&body);
        Self {
            tag: format!("\"{:016x}\"", hash.finish()),
            body: body.into(),
        }
    }
}

impl OverviewRequest {
    pub(super) fn parse(query: &str, html: bool) -> Result<Self, BadQuery> {
        let query = ViewQuery::parse(query)?;
        Ok(Self { query, html })
    }
}

impl Viewers {
    /// Returns what `make` writes of the overview that is wanted, or what it wrote of the same look before.
    pub(super) fn answer(
        &self,
        observed: &dyn Observe,
        wanted: &OverviewRequest,
        make: impl FnOnce(&Overview) -> Vec<u8>,
    ) -> OverviewBody {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let began = Instant::now();
        let look = shared.look(observed, began);
        if let Some((_, made)) = shared.answers.iter().find(|(kept, _)| kept == wanted) {
            return made.clone();
        }
        let mut overview = look.overview(observed, &wanted.query);
        let mut known = shared.differences.iter();
        overview.difference = known
            .find(|known| Some(known.generation) == wanted.query.generation)
            .cloned();
        let made = OverviewBody::of(make(&overview));
        if shared.answers.len() < KEPT {
            shared.answers.push((wanted.clone(), made.clone()));
        }
        shared.took += began.elapsed();
        made
    }
}

impl Viewers {
    /// Returns the generation to compare with for a difference that is asked for and not known yet.
    pub(super) fn lacks(&self, observed: &dyn Observe, wanted: &OverviewRequest) -> Option<(u64, u64)> {
        let generation = wanted.query.generation()?;
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = |known: &ShownDifference| known.generation == generation;
        if shared.differences.iter().any(is_known) {
            return None;
        }
        let before = shared.look(observed, Instant::now()).before(generation)?;
        Some((generation, before))
    }

    /// Keeps a difference in place of the oldest one.
    pub(super) fn keep(&self, generation: u64, mut text: String) {
        text.truncate(text.floor_char_boundary(MAX_DIFFERENCE));
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.differences.len() >= DIFFERENCES {
            shared.differences.remove(0);
        }
        shared.differences.push(ShownDifference { generation, text });
    }
}

impl SharedLook {
    /// Returns the last look, or a new one if that is too old.
    fn look(&mut self, observed: &dyn Observe, now: Instant) -> Arc<Look> {
        let lasts = self.took.saturating_mul(SPARING).clamp(INTERVAL, LONGEST);
        if let Some(look) = &self.look
            && now.saturating_duration_since(look.at) < lasts
        {
            return Arc::clone(look);
        }
        let look = Arc::new(Look::take(observed, now, self.look.as_deref()));
        self.look = Some(Arc::clone(&look));
        self.answers.clear();
        self.took = Duration::ZERO;
        look
    }
}
