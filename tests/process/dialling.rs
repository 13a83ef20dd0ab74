//! How kproxy finds the way to brokers, and how many connections of one client it makes that way for.
//!
//! 1. A name whose resolver hangs costs one thread, however many clients want it; names that resolve are not behind
//!    it, and the process ends when it is told to.
//! 2. A server that does not answer costs a connection a moment, not `connectTimeout`, and the next connections not
//!    even that. Operators see which servers these are.
//! 3. kproxy never connects to itself: not to an address in the file, nor to one that a name or a broker leads to.
//! 4. It connects to link-local and metadata addresses, and with `allowedBrokers` to all that are not listed, neither
//!    because a broker says so nor because a name leads there.
//! 5. A client has as many connections as `maxConnectionsPerClient` says, and the next is closed.
//! 6. With `strategy: nearest` the bootstrap servers in the rack of kproxy come first.

mod allowed;
mod itself;
mod names;
mod nearest;
mod per_client;
mod silent;

use testkit::frames::{ALIVE, heartbeat};

/// A request is answered.
#[track_caller]
fn is_served(client: &mut testkit::client::Client) {
    client.send(&heartbeat(1));
    assert_eq!(client.frame()[4..], *ALIVE);
}

/// A request is answered, by whatever broker.
#[track_caller]
fn is_served_by_any(address: std::net::SocketAddr) {
    let mut client = testkit::client::Client::connect(address);
    client.send(&heartbeat(1));
    client.frame();
}
