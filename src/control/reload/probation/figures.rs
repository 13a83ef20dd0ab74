//! Figures of a virtual cluster on probation, and the sentences that tell them. Pure.

use std::fmt;
use std::time::Duration;

use super::judge::{ClusterPeriods, MIN_ANSWERS, p99};
use super::sample::FailedSessions;

/// Figures of one virtual cluster in words, for logs and the status.
pub(super) struct Figures<'p>(pub(super) &'p ClusterPeriods);

impl fmt::Display for Figures<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ClusterPeriods { before, after, .. } = self.0;
        let brokers = &self.0.brokers_after;
        let unreachable = brokers.failing.max(brokers.unreachable);
        write!(f, "{unreachable} of {} brokers unreachable", brokers.known)?;
        if let Some(example) = &brokers.example {
            write!(f, " ({example})")?;
        }
        let failed = after.failed.total() + self.0.waiting;
        write!(f, "; {failed} of {} sessions failed", after.begun)?;
        if failed > 0 {
            let unanswered = after.failed.unanswered + self.0.waiting;
            write!(
                f,
                " ({})",
                Kinds(FailedSessions {
                    unanswered,
                    ..after.failed
                })
            )?;
        }
        match before {
            Some(before) => {
                let (failed, begun) = (before.counted.failed.total(), before.counted.begun);
                write!(f, ", before {failed} of {begun}")?;
            }
            None => f.write_str(", nothing before")?,
        }
        if after.drained > 0 {
            write!(
                f,
                "; {} were drained and {} have begun",
                after.drained, after.begun
            )?;
        }
        let before = before.as_ref().map(|before| &before.counted.latency);
        write!(f, "; p99 of answers {}", Latency(p99(&self.0.settled.latency)))?;
        if let Some(before) = before {
            write!(f, ", before {}", Latency(p99(before)))?;
        }
        Ok(())
    }
}

/// Kinds of failed sessions that have occurred.
struct Kinds(FailedSessions);

impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FailedSessions {
            unconnected,
            tls,
            authentication,
            unanswered,
            errors,
        } = self.0;
        let kinds = [
            ("no broker", unconnected),
            ("TLS", tls),
            ("authentication", authentication),
            ("no answer", unanswered),
            ("other errors", errors),
        ];
        let mut separator = "";
        for (name, count) in kinds.into_iter().filter(|(_, count)| *count > 0) {
            write!(f, "{separator}{name} {count}")?;
            separator = ", ";
        }
        Ok(())
    }
}

/// A percentile: its bucket, if there were enough answers.
struct Latency(Option<(Duration, Duration)>);

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((low, high)) if high == Duration::MAX => write!(f, "above {low:?}"),
            Some((low, high)) => write!(f, "{low:?} to {high:?}"),
            None => write!(f, "unknown (fewer than {MIN_ANSWERS})"),
        }
    }
}
