//! Which requests and answers a filter reads.

use std::ops::RangeInclusive;

use crate::wire::api::HIGHEST_KEY;

/// How much of a frame a filter reads before it decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing: the frame passes the filter unread.
    #[default]
    None,
    /// Its header; of a request the client id too. The body is not shown.
    Head,
    /// Its beginning, as long as the filter wants it: it is called as soon as the header has arrived, and again with more when it
    /// returns [`FilterStep::More`](super::FilterStep::More).
    Part,
    /// The complete frame.
    Whole,
}

/// What a filter reads of one API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiInterest {
    request: Level,
    response: Level,
    /// Lowest and highest version of requests and of responses.
    request_versions: (i16, i16),
    response_versions: (i16, i16),
    rechecks: bool,
}

impl ApiInterest {
    const NONE: Self = Self {
        request: Level::None,
        response: Level::None,
        request_versions: (0, -1),
        response_versions: (0, -1),
        rechecks: false,
    };

    /// How much of a request of this version is read.
    #[inline]
    pub fn request(&self, version: i16) -> Level {
        level(self.request, self.request_versions, version)
    }

    /// How much of an answer of this version is read.
    #[inline]
    pub fn response(&self, version: i16) -> Level {
        level(self.response, self.response_versions, version)
    }

    /// Whether answers to requests that an earlier chain has seen are shown to this one as well.
    #[inline]
    pub fn rechecks(&self) -> bool {
        self.rechecks
    }

    /// Whether anything of the API is read.
    pub fn is_any(&self) -> bool {
        *self != Self::NONE
    }

    fn join(&mut self, other: &Self) {
        self.request = self.request.max(other.request);
        self.response = self.response.max(other.response);
        self.request_versions = union(self.request_versions, other.request_versions);
        self.response_versions = union(self.response_versions, other.response_versions);
        self.rechecks |= other.rechecks;
    }
}

#[inline]
fn level(level: Level, (lowest, highest): (i16, i16), version: i16) -> Level {
    if lowest <= version && version <= highest {
        level
    } else {
        Level::None
    }
}

/// The smallest range that holds both.
fn union(one: (i16, i16), other: (i16, i16)) -> (i16, i16) {
    match (one.0 <= one.1, other.0 <= other.1) {
        (false, _) => other,
        (_, false) => one,
        _ => (one.0.min(other.0), one.1.max(other.1)),
    }
}

/// What a filter, or a whole chain, reads, by API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interest(Box<[ApiInterest; HIGHEST_KEY + 1]>);

impl Default for Interest {
    fn default() -> Self {
        Self(Box::new([ApiInterest::NONE; HIGHEST_KEY + 1]))
    }
}

impl Interest {
    /// Reads requests of these versions of an API. Of several calls for one API the highest level and the union of
    /// the versions count.
    pub fn requests(&mut self, api_key: i16, versions: RangeInclusive<i16>, level: Level) {
        self.join_api(
            api_key,
            &ApiInterest {
                request: level,
                request_versions: versions.into_inner(),
                ..ApiInterest::NONE
            },
        );
    }

    /// Reads answers of these versions of an API, as [`Self::requests`].
    pub fn responses(&mut self, api_key: i16, versions: RangeInclusive<i16>, level: Level) {
        self.join_api(
            api_key,
            &ApiInterest {
                response: level,
                response_versions: versions.into_inner(),
                ..ApiInterest::NONE
            },
        );
    }

    /// Reads requests of every API and version.
    pub fn every_request(&mut self, level: Level) {
        for key in 0..=HIGHEST_KEY as i16 {
            self.requests(key, 0..=i16::MAX, level);
        }
    }

    /// Reads answers of an API also where the request passed before a reload brought the filter, or its newer version:
    /// the answer is complete when it is shown, and there is no note.
    pub fn recheck_responses(&mut self, api_key: i16) {
        self.join_api(
            api_key,
            &ApiInterest {
                rechecks: true,
                ..ApiInterest::NONE
            },
        );
    }

    /// The interest in an API.
    #[inline]
    pub fn of(&self, api_key: i16) -> &ApiInterest {
        self.0.get(api_key as u16 as usize).unwrap_or(&ApiInterest::NONE)
    }

    /// Adds everything that `other` reads.
    pub fn join(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(&*other.0) {
            mine.join(theirs);
        }
    }

    fn join_api(&mut self, api_key: i16, interest: &ApiInterest) {
        if let Some(mine) = self.0.get_mut(api_key as u16 as usize) {
            mine.join(interest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::api::ApiKey;

    #[test]
    fn a_level_holds_for_the_versions_that_were_named() {
        let mut interest = Interest::default();
        interest.requests(ApiKey::FETCH, 4..=12, Level::Part);
        interest.responses(ApiKey::FETCH, 13..=13, Level::Whole);
        let fetch = interest.of(ApiKey::FETCH);
        assert_eq!(
            [3, 4, 12, 13].map(|version| fetch.request(version)),
            [Level::None, Level::Part, Level::Part, Level::None]
        );
        assert_eq!(fetch.response(12), Level::None);
        assert_eq!(fetch.response(13), Level::Whole);
        assert_eq!(interest.of(ApiKey::PRODUCE).request(9), Level::None);
        assert_eq!(interest.of(-1).request(0), Level::None);
    }

    #[test]
    fn a_chain_reads_the_most_that_one_of_its_filters_reads() {
        let mut head = Interest::default();
        head.every_request(Level::Head);
        let mut whole = Interest::default();
        whole.requests(ApiKey::METADATA, 0..=9, Level::Whole);
        whole.recheck_responses(ApiKey::FETCH);
        head.join(&whole);
        assert_eq!(head.of(ApiKey::METADATA).request(5), Level::Whole);
        assert_eq!(head.of(ApiKey::PRODUCE).request(5), Level::Head);
        assert!(head.of(ApiKey::FETCH).rechecks());
    }
}
