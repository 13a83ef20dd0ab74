//! What is known of a virtual cluster at one moment, as numbers. Pure.

use crate::session::counters::{HistogramCounts, LatencyBounds};

/// Counters of a virtual cluster since it came to run, or their growth in a period.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::control) struct ClusterSample {
    /// Sessions that have begun.
    pub(super) begun: u64,
    /// Sessions that have left because a drain asked them to.
    pub(super) drained: u64,
    /// Sessions that have failed.
    pub(super) failed: FailedSessions,
    /// Times from requests to their answers.
    pub(super) latency: HistogramCounts<LatencyBounds>,
}

/// Sessions that have failed, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::control) struct FailedSessions {
    /// No connection to a broker could be made.
    pub(super) unconnected: u64,
    /// TLS failed, on either side.
    pub(super) tls: u64,
    /// The broker did not accept the client's credentials.
    pub(super) authentication: u64,
    /// The client gave up waiting for an answer, or the broker answered the beginning of the session with an error.
    pub(super) unanswered: u64,
    /// Another error.
    pub(super) errors: u64,
}

/// The brokers of a virtual cluster at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::control) struct BrokersSample {
    /// Brokers that are known.
    pub(super) known: usize,
    /// Brokers that several attempts in a row did not reach.
    pub(super) unreachable: usize,
    /// Brokers that the newest attempt did not reach.
    pub(super) failing: usize,
    /// One of these, and why.
    pub(super) example: Option<String>,
}

/// Everything that is known of a virtual cluster at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::control) struct ClusterFacts {
    pub(super) counted: ClusterSample,
    pub(super) brokers: BrokersSample,
    /// Live sessions that have waited long for their first answer.
    pub(super) waiting: u64,
}

impl FailedSessions {
    pub(super) fn total(self) -> u64 {
        let Self {
            unconnected,
            tls,
            authentication,
            unanswered,
            errors,
        } = self;
        unconnected + tls + authentication + unanswered + errors
    }

    fn since(self, before: Self) -> Self {
        Self {
            unconnected: self.unconnected.saturating_sub(before.unconnected),
            tls: self.tls.saturating_sub(before.tls),
            authentication: self.authentication.saturating_sub(before.authentication),
            unanswered: self.unanswered.saturating_sub(before.unanswered),
            errors: self.errors.saturating_sub(before.errors),
        }
    }
}

impl ClusterSample {
    /// The growth since `before`.
    pub(super) fn since(&self, before: &Self) -> Self {
        Self {
            begun: self.begun.saturating_sub(before.begun),
            drained: self.drained.saturating_sub(before.drained),
            failed: self.failed.since(before.failed),
            latency: self.latency.since(&before.latency),
        }
    }
}
