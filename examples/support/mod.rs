//! What the examples share: a file with the cluster's real address, a proxy, a client.

#![allow(
    dead_code,
    clippy::print_stdout,
    reason = "each example uses its part, and speaks to people"
)]

use std::collections::BTreeMap;
use std::error::Error;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use kafka_protocol::messages::MetadataRequest;
use kproxy::admin::SocketPath;
use kproxy::app::{Exit, Options, Proxy};
use kproxy::model::{LogFormat, Logging};
use kproxy::session::counters::ClusterCounters;
use kproxy::telemetry::LogGuard;
use krafka::consumer::AutoOffsetReset;
use krafka::producer::Acks;
use krafka::{Kafka, Record};
use testkit::raw::Raw;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(30);

const METADATA_VERSION: i16 = 12;

/// The address the example files name in place of a cluster that does not listen yet.
const PLACEHOLDER: &str = "127.0.0.1:19092";

/// A copy of `template` that names the servers of a running cluster.
pub(crate) fn with_bootstrap_servers(template: &Path, servers: &str) -> Result<PathBuf> {
    let text = String::from_utf8(std::fs::read(template)?)?;
    if !text.contains(PLACEHOLDER) {
        return Err(format!("{} does not name {PLACEHOLDER}", template.display()).into());
    }
    let directory = Path::new("target/examples-run");
    std::fs::create_dir_all(directory)?;
    let file = directory.join(template.file_name().ok_or("no file name")?);
    std::fs::write(&file, text.replace(PLACEHOLDER, servers))?;
    Ok(file)
}

/// Prints a file without its comments.
pub(crate) fn show(file: &Path) -> Result<()> {
    let text = String::from_utf8(std::fs::read(file)?)?;
    for line in text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        println!("     {}", line.split(" #").next().unwrap_or(line).trim_end());
    }
    println!();
    Ok(())
}

/// Starts kproxy as its binary does: it follows the file and takes commands at the control socket.
pub(crate) fn start(file: &Path) -> Result<(Proxy, LogGuard)> {
    let (model, sources) = kproxy::model::load_all(file).for_start().map_err(|diagnostics| {
        diagnostics
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    })?;
    let logging = Logging {
        level: "warn,kproxy::reload=info,kproxy::drain=info".into(),
        format: LogFormat::Text,
    };
    let log = kproxy::telemetry::start(&logging)?;
    let options = Options {
        source: Some((file.to_owned(), sources)),
        socket: model
            .control_socket
            .clone()
            .map_or(SocketPath::Off, SocketPath::At),
        ..Options::default()
    };
    Ok((Proxy::start_with(model, options)?, log))
}

/// What clients bootstrap from.
pub(crate) fn bootstrap(proxy: &Proxy) -> Result<String> {
    let status = proxy.status().ok_or("the proxy has ended")?;
    let gateway = status
        .clusters
        .first()
        .and_then(|cluster| cluster.gateways.first());
    Ok(gateway.ok_or("no gateway")?.bootstrap.clone())
}

async fn client(bootstrap: &str) -> Result<Kafka> {
    Ok(Kafka::builder(bootstrap).connect().await?)
}

/// The brokers of the cluster, as a client sees them.
pub(crate) fn brokers_seen_by_client(bootstrap: &str) -> Result<Vec<(i32, String)>> {
    // kproxy listens on 127.0.0.1 where the host is `localhost`.
    let address = bootstrap.to_socket_addrs()?.find(SocketAddr::is_ipv4);
    let mut client = Raw::connect(address.ok_or("no address")?)?;
    let metadata = client.call(METADATA_VERSION, &MetadataRequest::default())?;
    let brokers = metadata.brokers.iter();
    let mut brokers: Vec<_> = brokers
        .map(|broker| (broker.node_id.0, format!("{}:{}", &*broker.host, broker.port)))
        .collect();
    brokers.sort();
    Ok(brokers)
}

/// Produces `count` records, reads the topic from its beginning until all of them are back, and counts them by
/// partition.
pub(crate) async fn produce_and_consume(
    bootstrap: &str,
    topic: &str,
    count: usize,
) -> Result<BTreeMap<i32, usize>> {
    let run = format!("run {}", std::process::id());
    let kafka = client(bootstrap).await?;
    let producer = kafka.producer().acks(Acks::All).build().await?;
    let mut written = BTreeMap::<i32, usize>::new();
    for number in 0..count {
        let record = Record::new(topic, format!("{run}: hello {number}")).key(format!("key-{number}"));
        let delivered = producer.send(record).await?;
        *written.entry(delivered.partition).or_default() += 1;
    }
    producer.close().await?;
    let read = tokio::time::timeout(PATIENCE, consume(&kafka, topic, &run, count)).await??;
    if read != written {
        return Err(format!("written {written:?}, read {read:?}").into());
    }
    Ok(read)
}

/// Counts the first `count` records of this `run` by partition.
async fn consume(kafka: &Kafka, topic: &str, run: &str, count: usize) -> Result<BTreeMap<i32, usize>> {
    let consumer = kafka
        .consumer_without_group()
        .auto_offset_reset(AutoOffsetReset::Earliest)
        .build()
        .await?;
    consumer.subscribe([topic]).await?;
    let mut read = BTreeMap::<i32, usize>::new();
    while read.values().sum::<usize>() < count {
        for record in consumer.poll(Duration::from_millis(200)).await? {
            if record.value_str().is_some_and(|value| value.starts_with(run)) {
                *read.entry(record.partition).or_default() += 1;
            }
        }
    }
    consumer.close().await?;
    Ok(read)
}

/// What went through kproxy.
pub(crate) fn report(proxy: &Proxy) {
    let Some(status) = proxy.status() else { return };
    for cluster in &status.clusters {
        let Some(counters) = proxy.counters(&cluster.name) else {
            continue;
        };
        let ClusterCounters {
            accepted,
            rewritten_addresses,
            withheld_nodes,
            ..
        } = &*counters;
        let [accepted, rewritten, withheld] = [accepted, rewritten_addresses, withheld_nodes]
            .map(|c| c.load(std::sync::atomic::Ordering::Relaxed));
        println!(
            "5. Virtual cluster `{}`: {accepted} connections accepted, {rewritten} broker addresses rewritten, \
             {withheld} withheld.",
            cluster.name
        );
    }
}

pub(crate) fn exits_when_done() -> bool {
    std::env::args().any(|argument| argument == "--exit-when-done")
}

/// Drains and ends.
pub(crate) fn shut_down(proxy: Proxy) -> Result<()> {
    match proxy.shutdown() {
        Some(Exit::Drained(outcome)) => {
            println!(
                "kproxy drained {} sessions and ended, {} of them forced.",
                outcome.sessions, outcome.forced
            );
            Ok(())
        }
        other => Err(format!("kproxy ended with {other:?}").into()),
    }
}
