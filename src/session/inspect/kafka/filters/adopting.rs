//! What filters are told of the requests that went on before they came in force.

use super::{ExpectedAnswer, FilterTrack, broken_off};
use crate::filter::Note;
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
            self.keep_until_answered(kept, in_flight);
        }
    }

    /// Keeps notes until the newest request that went on to the broker is answered.
    fn keep_until_answered(&mut self, kept: Vec<Note>, in_flight: &mut InFlightTracker) {
        let forwarded = in_flight.iter_mut().filter_map(|asked| match asked.expects {
            Expects::Broker(lift) | Expects::Filtered(lift) => Some((lift, asked)),
            Expects::Token | Expects::Own | Expects::Internal | Expects::Question => None,
        });
        let Some((lift, newest)) = forwarded.last() else {
            return;
        };
        if matches!(newest.expects, Expects::Broker(_)) {
            newest.expects = Expects::Filtered(lift);
            self.expected.push_back(ExpectedAnswer {
                chain: self.newest,
                readers: 0,
                notes: Vec::new(),
                rechecked_by: None,
                kept: Vec::new(),
            });
            if let Some(chain) = self.chains.back_mut() {
                chain.outstanding += 1;
            }
        }
        if let Some(expected) = self.expected.back_mut() {
            expected.kept.extend(kept);
        }
    }
}
