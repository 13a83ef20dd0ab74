//! What clients outside see of kproxy: names, certificates, load balancers in between. Real Kafka, Java clients,
//! librdkafka, OpenSSL and HAProxy.
//!
//! 0. The parts the other promises are shown with do what they are said to (`exposure/parts.rs`).
//! 1. TLS on either side, on both or on none, with ports and with names for nodes, moves records; where it is not
//!    expected, or plaintext is not, connections end at once and the log says why (`exposure/sides.rs`).
//! 2. Any number of clusters and gateways share a port by name, in any case, behind a load balancer, and with
//!    certificates and rules of their own; a name that is nobody's is told so; a node's name alone is enough for a
//!    kproxy that knows nothing yet (`exposure/names.rs`).
//! 3. Client certificates are required, requested or not looked at as configured, and a bad one is refused with its
//!    reason; a TLS session opens no other gateway, and is not resumed under stricter rules (`exposure/clients.rs`).
//! 4. Only the protocol versions and cipher suites that are allowed are spoken, on either side
//!    (`exposure/agreement.rs`).
//! 5. Brokers are believed as configured, by authority and by name, and get the certificate they want; TLS sessions
//!    with them are resumed (`exposure/brokers.rs`).
//! 6. PROXY headers are demanded, taken or refused as configured, before TLS and without; the address in them is the
//!    client's everywhere, and brokers are told of it (`exposure/balancers.rs`).
//! 7. Certificates and keys are taken in every usual form, and what is wrong with them is told at load, with file and
//!    reason (`exposure/keys.rs`).
//! 8. Renewed certificates are shown within a second and disturb nobody; a pair that does not fit changes nothing; a
//!    revocation ends what the revoked have, also their TLS sessions, and nothing else (`exposure/renewal.rs`).

mod acks_0;
mod agreement;
mod balancers;
mod brokers;
mod clients;
mod keys;
mod names;
mod parts;
mod renewal;
mod sides;

use std::sync::OnceLock;

use testkit::{
    kafka::{KafkaCluster, Options},
    kcat,
    maven::{KafkaVersion, require, shared},
};

/// A name that no DNS knows; the brokers' certificate covers it, and the address 127.0.0.1, but not `localhost`.
const BROKER_NAME: &str = "kafka.test";

/// Three nodes of the newest Kafka, shared by all; `None` where there is no Kafka or no kcat.
fn kafka() -> Option<&'static KafkaCluster> {
    static CLUSTER: OnceLock<Option<KafkaCluster>> = OnceLock::new();
    let cluster = CLUSTER.get_or_init(|| {
        let install = require(KafkaVersion::V4_4)?;
        let options = Options {
            names: vec![BROKER_NAME.to_owned()],
            ..Options::default()
        };
        kcat::require().then(|| KafkaCluster::start(&install, 3, options))
    });
    shared(cluster.as_ref())
}

/// One more node, of a cluster of its own. Its TLS is version 1.2 with one cipher suite.
fn other() -> Option<&'static KafkaCluster> {
    static CLUSTER: OnceLock<Option<KafkaCluster>> = OnceLock::new();
    let cluster = CLUSTER.get_or_init(|| {
        let install = require(KafkaVersion::V4_4)?;
        let property = |key: &str, value: &str| (format!("listener.name.ssl.{key}"), value.to_owned());
        let options = Options {
            properties: vec![
                property("ssl.enabled.protocols", "TLSv1.2"),
                property("ssl.cipher.suites", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
            ],
            ..Options::default()
        };
        kcat::require().then(|| KafkaCluster::start(&install, 1, options))
    });
    shared(cluster.as_ref())
}
