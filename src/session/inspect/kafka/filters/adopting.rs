//! What filters are told of the requests that went on before they came in force.

use super::{FilterTrack, broken_off};
use crate::session::inspect::in_flight::{Expects, InFlightTracker};

impl FilterTrack {
    /// Tells the filters in force how many requests are unanswered that went on before. What they return is dropped with the
    /// last of these.
    pub(super) fn tell_adopted(&mut self, in_flight: &mut InFlightTracker) {
        let Some(chain) = self.chain().cloned() else {
            return;
        };
        let goes_on = |expects| matches!(expects, Expects::Broker(_) | Expects::Filtered(_));
        let unanswered = in_flight.iter().filter(|asked| goes_on(asked.expects)).count();
        let mut kept = Vec::new();
        for chained in chain.filters() {
            match chained.adopted(&self.session, unanswered) {
                Ok(note) => kept.extend(note),
                Err(failure) => self.leaving = Some(broken_off(chained, &self.session, &failure)),
            }
        }
        if !kept.is_empty() {
            self.chains.keep_until_answered(kept, in_flight);
        }
    }
}
