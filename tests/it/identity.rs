//! Who is who: a port stands for one broker, and clients hear of no other addresses. Promises 1, 2 and 4 are in
//! `identity/learning.rs`, 3 and 4 in `sasl.rs`, then `remembered.rs`, `dynamic.rs`, `withheld.rs` and `tokens.rs`.
//!
//! 1. The port of node N leads to broker N and to no other; ids and the cluster id are the cluster's own.
//! 2. A client that comes straight to a node's port is served, though kproxy knows nothing yet: it asks, once for
//!    all who wait. A node that does not exist is a close (`node_unknown`).
//! 3. Where the cluster wants SASL, the client's own authenticated connection asks. It goes on if it leads to the
//!    right broker; else it is closed cleanly, nothing of its requests forwarded, and the next leads there.
//! 4. A broker that moved is served at its new place, with and without SASL.
//! 5. With `stateDirectory` a restart forgets nothing; a file that cannot be read is a warning and no more.
//! 6. With `dynamicNodePorts` a port answers before its name is told. When no port is left a node is withheld,
//!    counted, and not asked for again.
//! 7. A node without an endpoint is withheld from Metadata and DescribeCluster; FindCoordinator reports error 15.
//! 8. Raw SASL tokens (SaslHandshake v0) pass, one round, two, or as many as it takes; then requests are requests.

mod dynamic;
mod learning;
mod log;
mod remembered;
mod sasl;
mod tokens;
mod withheld;

use std::net::SocketAddr;

use kafka_protocol::messages::{
    MetadataRequest, MetadataResponse, SaslAuthenticateRequest, SaslHandshakeRequest,
};
use kafka_protocol::protocol::StrBytes;

use testkit::client::Client;
use testkit::cluster::{Cluster, Logged, METADATA, PLAIN_TOKEN};
use testkit::frames;
use testkit::frames::{HEARTBEAT, heartbeat};

const NOBODY: [i32; 0] = [];

/// The node that answers.
#[track_caller]
fn who(client: &mut Client) -> i32 {
    let answer = client.ask(&heartbeat(77));
    assert_eq!((frames::correlation_id(&answer), answer.len()), (77, 8));
    frames::correlation_id(&answer[4..])
}

/// Questions that kproxy asked on its own account.
fn own_questions(cluster: &Cluster) -> usize {
    let is_own = |logged: &&Logged| logged.own && logged.api_key == METADATA;
    cluster.log().iter().filter(is_own).count()
}

#[track_caller]
fn metadata(client: &mut Client) -> MetadataResponse {
    client.call(12, 5, &MetadataRequest::default().with_topics(None))
}

fn addresses(answer: &MetadataResponse) -> Vec<(i32, String)> {
    let address = |at: &str, port: i32| format!("{at}:{port}");
    let named = answer.brokers.iter();
    named
        .map(|node| (node.node_id.0, address(&node.host, node.port)))
        .collect()
}

#[track_caller]
fn authenticate(client: &mut Client) {
    let mechanism = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str("PLAIN"));
    assert_eq!(client.call(1, 1, &mechanism).error_code, 0);
    let token = SaslAuthenticateRequest::default().with_auth_bytes(PLAIN_TOKEN.into());
    assert_eq!(client.call(2, 2, &token).error_code, 0);
}

#[track_caller]
fn authenticated(address: SocketAddr) -> Client {
    let mut client = Client::connect(address);
    authenticate(&mut client);
    client
}
