//! What clients outside see of kproxy: names, certificates, load balancers in between. Real Kafka, Java clients,
//! librdkafka, OpenSSL and HAProxy.
//!
//! 0. The parts the other promises are shown with do what they are said to (`exposure/parts.rs`).

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

#[path = "exposure/parts.rs"]
mod parts;

use std::sync::OnceLock;

use common::{
    kafka::{KafkaCluster, Options},
    kcat,
    maven::{KafkaVersion, require},
};

/// Not in anybody's DNS; the brokers' certificate covers it, and the address 127.0.0.1, but not `localhost`.
const BROKER_NAME: &str = "kafka.test";

/// Three nodes of the newest Kafka, shared by all; `None` where there is no Kafka or no kcat.
fn kafka() -> Option<&'static KafkaCluster> {
    static CLUSTER: OnceLock<Option<KafkaCluster>> = OnceLock::new();
    CLUSTER
        .get_or_init(|| {
            let install = require(KafkaVersion::V4_3)?;
            let options = Options {
                names: vec![BROKER_NAME.to_owned()],
                ..Options::default()
            };
            kcat::require().then(|| KafkaCluster::start(&install, 3, options))
        })
        .as_ref()
}
