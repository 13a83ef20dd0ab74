//! `server.properties` of a test node: KRaft, small, quick to start, loopback only.

use std::{fmt::Write, net::TcpListener, path::Path, sync::atomic::AtomicU32, sync::atomic::Ordering};

use super::kafka_tls::KafkaTls;

/// Users that PLAIN and SCRAM-SHA-256 know, beside `admin`.
pub const USER: &str = "alice";
pub const PASSWORD: &str = "alice-secret";

/// The ports of one node, all on 127.0.0.1.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    pub plaintext: u16,
    pub sasl: u16,
    pub ssl: u16,
    pub mutual_ssl: u16,
    pub sasl_ssl: u16,
    pub controller: u16,
}

impl Ports {
    /// Picks ports that are free at this moment. Kafka cannot say what port 0 became, so a clash is possible: the
    /// caller tries again with others.
    pub fn pick() -> Self {
        Self {
            plaintext: free_port(),
            sasl: free_port(),
            ssl: free_port(),
            mutual_ssl: free_port(),
            sasl_ssl: free_port(),
            controller: free_port(),
        }
    }
}

/// Ports below the ephemeral ones, so that no outgoing connection takes one between the pick and the bind; each
/// process starts elsewhere and never picks one twice.
pub fn free_port() -> u16 {
    const FIRST: u32 = 20_000;
    const COUNT: u32 = 12_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let origin = std::process::id().wrapping_mul(97);
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(FIRST + origin.wrapping_add(step) % COUNT).expect("below 32768");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port between {FIRST} and {}", FIRST + COUNT);
}

/// The properties of node `id` among `nodes` (id and ports of each); `extra` is appended, so it wins.
pub fn server_properties(
    id: i32,
    nodes: &[(i32, Ports)],
    data: &Path,
    tls: &KafkaTls,
    extra: &[(String, String)],
) -> String {
    let own = nodes
        .iter()
        .find(|node| node.0 == id)
        .expect("the node is one of them")
        .1;
    let replicas = nodes.len().min(3);
    let voters: Vec<String> = nodes
        .iter()
        .map(|(id, ports)| format!("{id}@127.0.0.1:{}", ports.controller))
        .collect();
    let advertised = format!(
        "PLAINTEXT://127.0.0.1:{},SASL_PLAINTEXT://127.0.0.1:{},SSL://127.0.0.1:{},MUTUAL_SSL://127.0.0.1:{},\
         SASL_SSL://127.0.0.1:{}",
        own.plaintext, own.sasl, own.ssl, own.mutual_ssl, own.sasl_ssl
    );
    let mut properties = format!(
        "process.roles=broker,controller
node.id={id}
broker.rack=rack-{id}
controller.quorum.voters={voters}
listeners={advertised},CONTROLLER://127.0.0.1:{controller}
advertised.listeners={advertised}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT,\
         SSL:SSL,MUTUAL_SSL:SSL,SASL_SSL:SASL_SSL
log.dirs={data}
num.partitions=3
default.replication.factor={replicas}
min.insync.replicas={in_sync}
offsets.topic.num.partitions=10
offsets.topic.replication.factor={replicas}
transaction.state.log.num.partitions=10
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
share.coordinator.state.topic.num.partitions=10
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={in_sync}
group.share.enable=true
group.initial.rebalance.delay.ms=500
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=5000
num.network.threads=2
num.io.threads=4
auto.create.topics.enable=true
replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector
{sasl}{ssl}",
        voters = voters.join(","),
        controller = own.controller,
        data = data.display(),
        in_sync = if replicas > 1 { 2 } else { 1 },
        sasl = sasl_properties(),
        ssl = ssl_properties(tls),
    );
    for (key, value) in extra {
        writeln!(properties, "{key}={value}").expect("a String takes everything");
    }
    properties
}

fn sasl_properties() -> String {
    let module = "org.apache.kafka.common.security";
    let of = |listener| {
        format!(
            "{listener}.plain.sasl.jaas.config={module}.plain.PlainLoginModule required username=\"admin\" \
             password=\"admin-secret\" user_admin=\"admin-secret\" user_{USER}=\"{PASSWORD}\";
{listener}.scram-sha-256.sasl.jaas.config={module}.scram.ScramLoginModule required;
{listener}.oauthbearer.sasl.jaas.config={module}.oauthbearer.OAuthBearerLoginModule required \
             unsecuredLoginStringClaim_sub=\"admin\";
"
        )
    };
    format!(
        "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,OAUTHBEARER\n{}{}",
        of("listener.name.sasl_plaintext"),
        of("listener.name.sasl_ssl")
    )
}

/// One certificate for all TLS listeners; only `MUTUAL_SSL` asks the client for one.
fn ssl_properties(tls: &KafkaTls) -> String {
    format!(
        "ssl.keystore.type=PEM
ssl.keystore.location={}
ssl.truststore.type=PEM
ssl.truststore.location={}
listener.name.mutual_ssl.ssl.client.auth=required
",
        tls.broker.both.display(),
        tls.client_trust.display()
    )
}
