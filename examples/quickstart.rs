//! The main job of kproxy in one command, on a machine that has nothing but Rust and a C compiler.
//!
//! ```text
//! cargo run --example quickstart                       # stays up for your own client until Ctrl-C
//! cargo run --example quickstart -- --exit-when-done
//! ```
//!
//! It starts a three-node Kafka-compatible cluster in this process, runs kproxy in front of it with
//! `examples/quickstart.yaml`, produces and consumes through it, and shows which address everything went through.
#![expect(clippy::print_stdout, reason = "it is for people")]

mod support;

use std::error::Error;
use std::path::Path;

use krafka::testing::FakeBroker;

const TOPIC: &str = "greetings";
const PARTITIONS: i32 = 6;
const RECORDS: usize = 30;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let broker = FakeBroker::start_cluster(3).await?;
    broker.create_topic(TOPIC, PARTITIONS);
    let servers = broker.bootstrap_servers();
    println!("1. A Kafka-compatible cluster of three nodes listens on {servers}.");

    let file = support::with_bootstrap_servers(Path::new("examples/quickstart.yaml"), &servers)?;
    println!("2. kproxy runs in front of it with {}:\n", file.display());
    support::show(&file)?;
    let (proxy, _log) = support::start(&file)?;

    println!("3. A client connects to kproxy and is told of these brokers:");
    let bootstrap = support::bootstrap(&proxy)?;
    let seen = support::brokers_seen_by_client(&bootstrap)?;
    for (id, address) in &seen {
        let behind = broker
            .broker_addr(*id)
            .map_or_else(|| "?".into(), |address| address.to_string());
        println!("     node {id} at {address}   (kproxy; the broker itself is {behind})");
    }

    println!("4. It produces {RECORDS} records to `{TOPIC}` and consumes them again:");
    let counts = support::produce_and_consume(&bootstrap, TOPIC, RECORDS).await?;
    for (partition, count) in counts {
        println!("     partition {partition}: {count} records");
    }
    support::report(&proxy);

    if support::exits_when_done() {
        return support::shut_down(proxy);
    }
    println!(
        "\nIt stays up: point a client of your own at {bootstrap} (topic `{TOPIC}`), edit {} and watch what becomes of \
         it; Ctrl-C to end.",
        file.display()
    );
    tokio::signal::ctrl_c().await?;
    support::shut_down(proxy)
}
