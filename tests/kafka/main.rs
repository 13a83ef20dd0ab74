//! Real Apache Kafka behind kproxy: a client cannot tell.
//!
//! 1. What is produced with acks 0, 1, all, idempotently or in transactions is in the log, once, and compression
//!    is as the client asked (`kafka/produce.rs`).
//! 2. Classic, consumer-protocol and share groups consume, rebalance and commit (`kafka/groups.rs`).
//! 3. Admin tools see the cluster they would see without kproxy, but for its addresses (`kafka/admin.rs`).
//! 4. PLAIN, SCRAM and OAUTHBEARER authenticate, also with bare tokens after `SaslHandshake` v0; wrong passwords
//!    do not (`kafka/sasl.rs`).
//! 5. Leaders that move and brokers that die cost no message and duplicate none (`kafka/faults.rs`).
//! 6. No client dials a broker, and one that comes straight to a node's port is served (`kafka/addresses.rs`).
//! 7. The same holds for a cluster of Kafka 3.9, and that of the release before the newest serves clients
//!    (`kafka/old.rs`).
//! 8. Clients leave a kproxy that drains without loss or error, and those that heed a throttle time do so at once
//!    however busy they are (`kafka/drain.rs`).
//! 9. What a plan says of clients is what its reload then does to them (`kafka/plan.rs`).
//! 10. `kproxy doctor` finds a sound virtual cluster sound, and names what is wrong with others (`kafka/doctor.rs`).
//! 11. What clients of a virtual cluster that is drained by command have to send arrives once, after it is resumed
//!     (`kafka/steering.rs`).
//! 12. A target that is really wrong is taken back by itself, and one that is as good as before is not
//!     (`kafka/probation.rs`).
//! 13. Answers of kproxy's own that say that a request failed are the Java client's, byte for byte (`kafka/error_answers.rs`).
//! 14. Clients authenticate at kproxy, produce and consume, and authenticate again on their open connections
//!     (`kafka/termination.rs`).
//! 15. Tokens of an issuer that kproxy checks are good at a broker that checks them, too, over re-authentications as well, and
//!     the others are refused as a broker would (`kafka/tokens.rs`).
//! 16. A cluster that wants SASL is open to clients without it where kproxy has credentials, longer than a login lasts
//!     (`kafka/credentials.rs`).
//! 17. `Authorization` answers as a broker answers that has the same rules itself, call by call and version by version
//!     (`kafka/authorization.rs`).
//! 18. The files of `examples/policy` let clients log in at kproxy and do what their rules say, an edit of the rules reaches
//!     those that are connected, and no secret is shown (`kafka/policy.rs`).
//! 19. Brokers that only a forward proxy reaches, SOCKS5 or CONNECT with TLS, serve clients, and kproxy dials none of them
//!     (`kafka/forward_proxy.rs`).
//! 20. The target changes under clients of all sorts, and no session is closed (`kafka/moving.rs`).
//! 21. Producers and consumers of a topic that is fenced for a while lose, double and reorder nothing, and other topics notice
//!     nothing (`kafka/fences.rs`).
//! 22. A pause of up to 25 s makes no client fail and no member leave its group (`kafka/pausing.rs`).
//!
//! `KPROXY_TEST_FRONT=direct` runs everything against the brokers themselves: what fails then is the test.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod addresses;
mod admin;
mod authorization;
mod credentials;
mod doctor;
mod drain;
mod error_answers;
mod exposure;
mod faults;
mod fences;
mod forward_proxy;
mod groups;
mod load;
mod moving;
mod old;
mod pausing;
mod plan;
mod policy;
mod probation;
mod produce;
mod sasl;
mod schemas;
mod steering;
mod termination;
mod tokens;

use std::sync::OnceLock;

use testkit::{
    entry_point::{EntryPoint, Route},
    kafka::{KafkaCluster, Listener, Options},
    maven::{KafkaVersion, require, shared},
};

/// Three nodes of the newest Kafka, shared by all tests that leave its nodes alone.
fn modern() -> Option<&'static KafkaCluster> {
    static CLUSTER: OnceLock<Option<KafkaCluster>> = OnceLock::new();
    shared(CLUSTER.get_or_init(|| start(KafkaVersion::V4_4, 3)).as_ref())
}

/// One node of Kafka 3.9.
fn old() -> Option<&'static KafkaCluster> {
    static CLUSTER: OnceLock<Option<KafkaCluster>> = OnceLock::new();
    shared(CLUSTER.get_or_init(|| start(KafkaVersion::V3_9, 1)).as_ref())
}

/// One node of the release before the newest.
fn previous() -> Option<&'static KafkaCluster> {
    static CLUSTER: OnceLock<Option<KafkaCluster>> = OnceLock::new();
    shared(CLUSTER.get_or_init(|| start(KafkaVersion::V4_3, 1)).as_ref())
}

fn start(version: KafkaVersion, nodes: usize) -> Option<KafkaCluster> {
    Some(KafkaCluster::start(&require(version)?, nodes, Options::default()))
}

/// A way of the test's own to the shared cluster; `None` where there is no Kafka.
fn plaintext() -> Option<EntryPoint<'static>> {
    Some(Route::chosen().open(modern()?, Listener::Plaintext))
}

/// A cluster behind the listener that requires SASL.
fn sasl() -> Option<EntryPoint<'static>> {
    Some(Route::chosen().open(modern()?, Listener::SaslPlaintext))
}
