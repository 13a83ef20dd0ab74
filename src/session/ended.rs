//! Ended sessions, for the export of spans. Without a reader nothing is kept.

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;

/// The reader, once there is one.
static READER: OnceLock<mpsc::Sender<EndedSession>> = OnceLock::new();

/// Sessions that found the queue full.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// A session that has ended.
#[derive(Debug)]
pub struct EndedSession {
    /// Number of the session.
    pub id: u64,
    /// Name of its virtual cluster.
    pub cluster: String,
    /// Name of its gateway.
    pub gateway: String,
    /// Node id, or `bootstrap`.
    pub node: String,
    /// Address of the client.
    pub client: SocketAddr,
    /// Address of the broker; `None` if there was no connection to one.
    pub broker: Option<String>,
    /// Generation that it began with.
    pub generation: u64,
    /// Name of the close cause.
    pub cause: &'static str,
    /// Whether the cause is an error.
    pub is_error: bool,
    /// Requests that were forwarded.
    pub requests: u64,
    /// Bytes read from the client.
    pub client_bytes: u64,
    /// Bytes read from the broker.
    pub broker_bytes: u64,
    /// Time of the accept.
    pub began: SystemTime,
    /// Time from the accept to the close.
    pub duration: Duration,
}

/// Begins to keep ended sessions, at most `capacity` of them. `None` if they are read already.
pub fn subscribe(capacity: usize) -> Option<mpsc::Receiver<EndedSession>> {
    let (sender, receiver) = mpsc::channel(capacity);
    READER.set(sender).is_ok().then_some(receiver)
}

/// Number of sessions that found the queue full, since the last call.
pub fn take_dropped() -> u64 {
    DROPPED.swap(0, Ordering::Relaxed)
}

/// Keeps the session that `ended` makes, if somebody reads it. Never waits.
pub(super) fn note(ended: impl FnOnce() -> EndedSession) {
    let Some(reader) = READER.get() else { return };
    match reader.try_reserve() {
        Ok(place) => place.send(ended()),
        Err(_) => {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }
}
