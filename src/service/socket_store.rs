//! Listening sockets on their way into the service manager's store of descriptors, or out of it.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};

/// What the store is to do with the socket of one name. A later request for the name replaces an earlier one.
#[derive(Debug)]
pub(super) enum StoreRequest {
    /// Keep this socket.
    Keep(TcpListener),
    /// Forget the socket that has the name, and keep this one.
    Replace(TcpListener),
    /// Forget the socket that has the name.
    Forget,
}

/// Requests that have not been sent, by name. There are no more than names of sockets that are kept.
#[derive(Debug, Default)]
pub(super) struct StoreRequests(BTreeMap<String, StoreRequest>);

impl StoreRequests {
    /// Asks to keep `socket` under `name`.
    pub(super) fn keep(&mut self, name: String, socket: TcpListener) {
        let request = match self.0.remove(&name) {
            Some(StoreRequest::Forget | StoreRequest::Replace(_)) => StoreRequest::Replace(socket),
            Some(StoreRequest::Keep(_)) | None => StoreRequest::Keep(socket),
        };
        self.0.insert(name, request);
    }

    /// Asks to forget the socket that has `name`.
    pub(super) fn forget(&mut self, name: String) {
        self.0.insert(name, StoreRequest::Forget);
    }

    /// Takes the next request.
    pub(super) fn next(&mut self) -> Option<(String, StoreRequest)> {
        self.0.pop_first()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Name in the store of the socket that listens on `address`. systemd allows no colon.
pub(super) fn store_name(address: SocketAddr) -> String {
    format!("kproxy-{address}").replace(':', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_allowed_by_systemd_and_differ_by_address() {
        let names = ["127.0.0.1:9092", "[::1]:9092", "[::]:9092", "0.0.0.0:9092"]
            .map(|address| store_name(address.parse().unwrap()));
        assert_eq!(
            names,
            [
                "kproxy-127.0.0.1_9092",
                "kproxy-[__1]_9092",
                "kproxy-[__]_9092",
                "kproxy-0.0.0.0_9092"
            ]
        );
    }

    #[test]
    fn a_socket_kept_again_before_its_removal_was_sent_replaces_the_old_one() {
        let socket = || TcpListener::bind("127.0.0.1:0").unwrap();
        let mut requests = StoreRequests::default();
        requests.keep("a".into(), socket());
        requests.forget("a".into());
        requests.keep("a".into(), socket());
        assert!(matches!(requests.next(), Some((_, StoreRequest::Replace(_)))));
        assert!(requests.is_empty());
    }
}
