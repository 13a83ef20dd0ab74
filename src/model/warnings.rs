//! What is odd about a configuration that can be used.

use crate::config::{Diagnostic, Errors, Pos};

const DAY: i64 = 24 * 60 * 60;

/// Warnings, some of which depend on the time.
#[derive(Debug, Clone, Default)]
pub struct Warnings {
    standing: Errors,
    dated: Vec<Dated>,
}

/// Something that is only valid for a while. Times are seconds since 1970.
#[derive(Debug, Clone)]
pub(super) struct Dated {
    pub(super) at: Pos,
    pub(super) what: String,
    pub(super) not_before: Option<i64>,
    pub(super) not_after: Option<i64>,
    /// What it is after `not_after`.
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

    pub(super) fn push_dated(&mut self, dated: Dated) {
        self.dated.push(dated);
    }

    /// Those that apply at this time, in seconds since 1970, in the order of the files.
    pub fn at(&self, now: i64) -> Vec<Diagnostic> {
        let mut found = self.standing.clone();
        for Dated {
            at,
            what,
            not_before,
            not_after,
            over,
        } in &self.dated
        {
            if let Some(begins) = not_before.filter(|begins| *begins > now) {
                found.push(
                    *at,
                    format!("{what} is not valid for another {}", span(begins - now)),
                );
            }
            if let Some(ended) = not_after.filter(|ends| *ends < now) {
                found.push(*at, format!("{what} {over} {} ago", span(now - ended)));
            }
        }
        found.into_warnings()
    }
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
        warnings.push_dated(Dated {
            at: Pos::START,
            what: "x".to_owned(),
            not_before: Some(100),
            not_after: Some(200),
            over: "expired",
        });
        let at = |now| -> Vec<String> { warnings.at(now).into_iter().map(|found| found.message).collect() };
        assert_eq!(at(150), ["always"]);
        assert_eq!(at(99), ["always", "x is not valid for another 1 second"]);
        assert_eq!(at(200 + 2 * DAY), ["always", "x expired 2 days ago"]);
    }
}
