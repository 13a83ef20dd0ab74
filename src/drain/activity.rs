//! Counters and names of one session, readable from other threads.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The activity of one session. The session's own task is the only writer; any thread may read. Nothing here is
/// locked or awaited.
#[derive(Debug, Default)]
pub struct Activity {
    client_id: OnceLock<Box<str>>,
    software: OnceLock<Box<str>>,
    in_flight: AtomicU64,
    client_bytes: AtomicU64,
    broker_bytes: AtomicU64,
    client_written: AtomicU64,
    broker_written: AtomicU64,
    requests: AtomicU64,
}

/// A snapshot of a session's counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionProgress {
    /// Requests that wait for an answer.
    pub in_flight: u64,
    /// Bytes read from the client since the session began.
    pub client_bytes: u64,
    /// Bytes read from the broker since the session began.
    pub broker_bytes: u64,
    /// Bytes written to the client since the session began.
    pub client_written: u64,
    /// Bytes written to the broker since the session began.
    pub broker_written: u64,
    /// Requests read from the client since the session began.
    pub requests: u64,
}

impl SessionProgress {
    /// Adds the counters of `other`.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            in_flight: self.in_flight + other.in_flight,
            client_bytes: self.client_bytes + other.client_bytes,
            broker_bytes: self.broker_bytes + other.broker_bytes,
            client_written: self.client_written + other.client_written,
            broker_written: self.broker_written + other.broker_written,
            requests: self.requests + other.requests,
        }
    }
}

impl Activity {
    /// Stores the client id (request header v1+, KIP-511 clients included) of the first request that has one.
    pub fn identify(&self, client_id: &str) {
        self.client_id.get_or_init(|| client_id.into());
    }

    /// Stores name and version of the client's software (`ApiVersions` v3+, KIP-511).
    pub fn identify_software(&self, name: &str, version: &str) {
        self.software.get_or_init(|| format!("{name} {version}").into());
    }

    /// Client id, once a request has brought one.
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.get().map(AsRef::as_ref)
    }

    /// Name and version of the client's software, once `ApiVersions` has brought them.
    pub fn software(&self) -> Option<&str> {
        self.software.get().map(AsRef::as_ref)
    }

    /// Stores the current counters.
    pub fn note(&self, progress: SessionProgress) {
        self.in_flight.store(progress.in_flight, Ordering::Relaxed);
        self.client_bytes.store(progress.client_bytes, Ordering::Relaxed);
        self.broker_bytes.store(progress.broker_bytes, Ordering::Relaxed);
        self.client_written
            .store(progress.client_written, Ordering::Relaxed);
        self.broker_written
            .store(progress.broker_written, Ordering::Relaxed);
        self.requests.store(progress.requests, Ordering::Relaxed);
    }

    /// Reads the current counters.
    pub fn progress(&self) -> SessionProgress {
        SessionProgress {
            in_flight: self.in_flight.load(Ordering::Relaxed),
            client_bytes: self.client_bytes.load(Ordering::Relaxed),
            broker_bytes: self.broker_bytes.load(Ordering::Relaxed),
            client_written: self.client_written.load(Ordering::Relaxed),
            broker_written: self.broker_written.load(Ordering::Relaxed),
            requests: self.requests.load(Ordering::Relaxed),
        }
    }
}
