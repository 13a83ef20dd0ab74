//! What a session does, for whoever looks at it from outside.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Written by the session's own task alone, read by anybody. Nothing here is locked or awaited.
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

/// The numbers of a session at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionProgress {
    pub in_flight: u64,
    /// Read from the client, and from the broker.
    pub client_bytes: u64,
    pub broker_bytes: u64,
    /// Written to the client, and to the broker.
    pub client_written: u64,
    pub broker_written: u64,
    pub requests: u64,
}

impl SessionProgress {
    /// Both together.
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
    /// Notes the client id of the first request that has one.
    pub fn identify(&self, client_id: &str) {
        self.client_id.get_or_init(|| client_id.into());
    }

    /// Notes name and version of the client's software (KIP-511).
    pub fn identify_software(&self, name: &str, version: &str) {
        self.software.get_or_init(|| format!("{name} {version}").into());
    }

    pub fn client_id(&self) -> Option<&str> {
        self.client_id.get().map(AsRef::as_ref)
    }

    pub fn software(&self) -> Option<&str> {
        self.software.get().map(AsRef::as_ref)
    }

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
