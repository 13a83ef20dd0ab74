//! kproxy in front of a real Apache Kafka.
//!
//! ```text
//! cargo run --example apache_kafka                       # stays up for your own client until Ctrl-C
//! cargo run --example apache_kafka -- --exit-when-done
//! ```
//!
//! It fetches Apache Kafka from Maven Central (a JDK 17 or later and Maven are needed; the second run finds it in the
//! cache), starts three nodes of it, runs kproxy in front of them with `examples/apache_kafka.yaml`, produces and
//! consumes through it, and shows which address everything went through.

#![expect(clippy::print_stdout, reason = "it is for people")]

mod support;

use std::error::Error;
use std::path::Path;

use testkit::kafka::{KafkaCluster, Listener, Options};
use testkit::maven::{KafkaVersion, require};
use testkit::topics;

const TOPIC: &str = "greetings";
const RECORDS: usize = 30;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!(
        "1. Apache Kafka {} starts: this takes a while.",
        KafkaVersion::V4_4.name()
    );
    let install = require(KafkaVersion::V4_4).ok_or("a JDK and Maven are needed")?;
    let kafka = KafkaCluster::start(&install, 3, Options::default());
    topics::create_spread(&kafka, TOPIC);
    let broker = |id| kafka.address(id, Listener::Plaintext).to_string();
    let servers: Vec<String> = kafka.ids().into_iter().map(broker).collect();
    println!("   Its three nodes listen on {}.", servers.join(", "));

    let file = support::with_bootstrap_servers(Path::new("examples/apache_kafka.yaml"), &servers.join(","))?;
    println!("2. kproxy runs in front of it with {}:\n", file.display());
    support::show(&file)?;
    let (proxy, _log) = support::start(&file)?;

    println!("3. A client connects to kproxy and is told of these brokers:");
    let bootstrap = support::bootstrap(&proxy)?;
    for (id, address) in support::brokers_seen_by_client(&bootstrap)? {
        println!(
            "     node {id} at {address}   (kproxy; the broker itself is {})",
            broker(id)
        );
    }

    println!("4. It produces {RECORDS} records to `{TOPIC}` and consumes them again:");
    for (partition, count) in support::produce_and_consume(&bootstrap, TOPIC, RECORDS).await? {
        println!("     partition {partition}: {count} records");
    }
    support::report(&proxy);

    if !support::exits_when_done() {
        println!(
            "\nIt stays up: point a client of your own at {bootstrap} (topic `{TOPIC}`), Ctrl-C to end."
        );
        tokio::signal::ctrl_c().await?;
    }
    support::shut_down(proxy)
}
