//! Warnings about a configuration that can be used.

use std::collections::BTreeMap;

use crate::config::{Diagnostic, Errors, Pos};

const DAY: i64 = 24 * 60 * 60;

/// Warnings, some of which depend on the time.
#[derive(Debug, Clone, Default)]
pub struct Warnings {
    standing: Errors,
    dated: Vec<Expiring>,
}

/// Something with a limited validity. Times are seconds since 1970-01-01 UTC.
#[derive(Debug, Clone)]
pub(super) struct Expiring {
    pub(super) at: Pos,
    pub(super) what: String,
    pub(super) not_before: Option<i64>,
    pub(super) not_after: Option<i64>,
    /// Start of the warning before the end; `None` for no warning before the end.
    pub(super) ends_soon: Option<i64>,
    /// Text of the warning after `not_after`.
    pub(super) over: &'static str,
}

impl Warnings {
    pub(super) fn within(standing: Errors) -> Self {
        Self {
            standing,
            dated: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, at: Pos, message: impl FnOnce() -> String) {
        self.standing.push_with(at, message);
    }

    /// Whether there is none, at any time.
    pub(super) fn is_empty(&self) -> bool {
        self.standing.is_empty() && self.dated.is_empty()
    }

    pub(super) fn push_dated(&mut self, dated: Expiring) {
        self.dated.push(dated);
    }

    /// Warnings that apply at `now`, in seconds since 1970-01-01 UTC, in the order of the files.
    pub fn at(&self, now: i64) -> Vec<Diagnostic> {
        let mut found = self.standing.clone();
        for (dated, validity) in self.dated_at(now) {
            found.push(dated.at, dated.message(validity));
        }
        found.into_warnings()
    }

    /// Warnings that depend on the time and apply at `now`. Their keys stay the same while the message counts the
    /// days.
    pub fn timely_at(&self, now: i64) -> BTreeMap<String, String> {
        let keyed = |(dated, validity): (&Expiring, Validity)| {
            let key = format!("{} {}", validity.name(), dated.what);
            (key, dated.message(validity))
        };
        self.dated_at(now).map(keyed).collect()
    }

    fn dated_at(&self, now: i64) -> impl Iterator<Item = (&Expiring, Validity)> {
        self.dated
            .iter()
            .filter_map(move |dated| Some((dated, dated.validity(now)?)))
    }
}

/// Reason for a warning about limited validity, with the seconds until or since.
#[derive(Debug, Clone, Copy)]
enum Validity {
    NotYet(i64),
    EndsSoon(i64),
    Over(i64),
}

impl Validity {
    fn name(self) -> &'static str {
        match self {
            Self::NotYet(_) => "not yet valid:",
            Self::EndsSoon(_) => "ends soon:",
            Self::Over(_) => "over:",
        }
    }
}

impl Expiring {
    fn validity(&self, now: i64) -> Option<Validity> {
        if let Some(begins) = self.not_before.filter(|begins| *begins > now) {
            return Some(Validity::NotYet(begins - now));
        }
        let ends = self.not_after?;
        if ends < now {
            return Some(Validity::Over(now - ends));
        }
        let soon = self.ends_soon.is_some_and(|soon| soon <= now);
        soon.then_some(Validity::EndsSoon(ends - now))
    }

    fn message(&self, validity: Validity) -> String {
        let Self { what, over, .. } = self;
        match validity {
            Validity::NotYet(left) => format!("{what} is not valid for another {}", span(left)),
            Validity::EndsSoon(left) => format!("{what} expires in {}", span(left)),
            Validity::Over(gone) => format!("{what} {over} {} ago", span(gone)),
        }
    }
}

/// Start of the warning about an expiry: 14 days before, or the last third of the validity if that is shorter. So a
/// certificate that is renewed every day is not always about to expire.
pub(super) fn soon(not_before: i64, not_after: i64) -> i64 {
    not_after - (not_after.saturating_sub(not_before) / 3).clamp(0, 14 * DAY)
}

fn span(seconds: i64) -> String {
    let (count, unit) = match seconds {
        DAY.. => (seconds / DAY, "day"),
        3600.. => (seconds / 3600, "hour"),
        60.. => (seconds / 60, "minute"),
        _ => (seconds, "second"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_applies_now() {
        let mut warnings = Warnings::default();
        warnings.push(Pos::START, || "always".to_owned());
        warnings.push_dated(Expiring {
            at: Pos::START,
            what: "x".to_owned(),
            not_before: Some(100),
            not_after: Some(200),
            ends_soon: Some(180),
            over: "expired",
        });
        let at = |now| -> Vec<String> { warnings.at(now).into_iter().map(|found| found.message).collect() };
        assert_eq!(at(150), ["always"]);
        assert_eq!(at(99), ["always", "x is not valid for another 1 second"]);
        assert_eq!(at(190), ["always", "x expires in 10 seconds"]);
        let keys = |now| warnings.timely_at(now).into_keys().collect::<Vec<_>>();
        assert_eq!(keys(150), Vec::<String>::new());
        assert_eq!(keys(185), keys(195));
        assert_ne!(keys(195), keys(205), "it is over");
        assert_eq!(at(200 + 2 * DAY), ["always", "x expired 2 days ago"]);
    }
    #[test]
    fn what_is_valid_for_a_short_time_is_not_always_about_to_expire() {
        assert_eq!(soon(0, 300 * DAY), 286 * DAY);
        assert_eq!(soon(0, 3 * DAY), 2 * DAY);
        assert_eq!(soon(5, 5), 5);
    }
}
