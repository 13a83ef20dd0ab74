//! What tests of filters need.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use super::{ClientSession, SessionFacts};
use crate::drain::ConnectionTracker;

/// A session of an anonymous client with nothing behind it.
pub fn session() -> ClientSession {
    let tracker = Arc::new(ConnectionTracker::default());
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000));
    let guard = tracker.register(1, peer, 1, None);
    let facts = SessionFacts {
        cluster: "demo".into(),
        gateway: "default".into(),
        node: None,
    };
    ClientSession::new(Arc::clone(guard.handle()), facts)
}
