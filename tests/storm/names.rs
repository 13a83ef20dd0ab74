//! The storm once more, with names and TLS in the mix: clusters come to an address that they share, change and go, a
//! hundred times and more, while clients of them and of their neighbours are at work.
//!
//! 1. Neighbours are never disturbed: no session of theirs ends, no handshake with them fails, whether they share the
//!    address or not, and whatever changes of their own are `live`, new certificates among them.
//! 2. Clients of clusters that change see clean ends between requests, and names that nobody has are answered with an
//!    alert; nobody is reset, cut off or left without an answer that is due.
//! 3. Every edit has the outcome it must have, and the shared listener is the same one all the time.
//! 4. Afterwards everything is as it was, down to the descriptors.
//!
//! `KPROXY_STORM_RELOADS` sets how many reloads (150), `KPROXY_STORM_SEED` which.

mod topology;
mod workload;

use std::fs;
use std::time::SystemTime;

use crate::rng::{Rng, setting};
use testkit::certificates::{Authority, Leaf};
use testkit::cluster::Cluster;
use testkit::deployment::Deployment;
use testkit::replace::atomically;
use testkit::running::local;
use testkit::tls_broker::{TlsBroker, settings};
use testkit::tls_client::Dialer;
use testkit::wait::eventually;
use topology::{Expected, HOSTS, Topology, host};
use workload::Workload;

/// The listening socket at this port.
fn listener(port: u16) -> String {
    let table = String::from_utf8(fs::read("/proc/net/tcp").unwrap()).unwrap();
    let listening = |line: &&str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields[1].ends_with(&format!(":{port:04X}")) && fields[3] == "0A"
    };
    let line = table.lines().skip(1).find(listening).unwrap();
    line.split_whitespace().nth(9).unwrap().to_owned()
}

/// Everybody's certificates.
struct Issuers {
    servers: Authority,
    clients: Authority,
}

impl Issuers {
    fn new() -> Self {
        Self {
            servers: Authority::new("servers"),
            clients: Authority::new("clients"),
        }
    }

    fn server(&self) -> testkit::certificates::Identity {
        let wildcards: Vec<String> = (0..HOSTS).map(|index| format!("*.{}", host(index))).collect();
        let mut names = vec!["*.kafka.test", "*.alpha.kafka.test", "*.beta.kafka.test"];
        names.extend(wildcards.iter().map(String::as_str));
        self.servers.issue(&Leaf::server(&names))
    }
}

#[test]
fn neighbours_of_names_that_come_and_go_notice_nothing() {
    let _alone = crate::alone();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let seed = setting("KPROXY_STORM_SEED", u64::from(now.subsec_nanos()));
    let reloads = setting("KPROXY_STORM_RELOADS", 150);
    eprintln!("storm: KPROXY_STORM_SEED={seed} KPROXY_STORM_RELOADS={reloads}");
    let issuers = Issuers::new();
    let kafkas = [Cluster::start([0]), Cluster::start([0])];
    let secured = TlsBroker::start(settings(&issuers.server(), None));
    let mut topology = None;
    let head = "logging: {level: debug}\nreload: {debounce: 20ms, target: 60s}\n";
    let deployment = Deployment::start(head, |directory, port| {
        for name in ["alpha", "beta", "gamma", "c0", "c1"] {
            issuers.server().write(directory, name);
        }
        fs::write(directory.join("clients.pem"), &issuers.clients.pem).unwrap();
        fs::write(directory.join("brokers.pem"), &issuers.servers.pem).unwrap();
        let targets = kafkas.each_ref().map(|kafka| kafka.address(0));
        let calm = Topology::new(port, targets, secured.broker.address);
        topology.insert(calm).yaml()
    });
    let calm = topology.unwrap();
    let idle = deployment.binary.descriptors().len();
    let shared = listener(calm.port);

    let dialer = Dialer::showing(
        &issuers.servers.pem,
        &issuers.clients.issue(&Leaf::client("alice")),
    );
    let mut workload = Workload::default();
    for name in [
        "alpha.kafka.test",
        "b0.alpha.kafka.test",
        "beta.kafka.test",
        "b0.beta.kafka.test",
    ] {
        workload.neighbour(&dialer, local(calm.port), name);
    }
    workload.neighbour(&dialer, local(calm.gamma_port()), "gamma.kafka.test");
    for index in 0..HOSTS {
        workload.visitor(&dialer, local(calm.port), host(index));
    }

    let (mut topology, mut rng) = (calm.clone(), Rng::new(seed));
    for _ in 0..reloads {
        let mark = deployment.mark();
        let (kind, expected) = topology.step(&mut rng);
        match expected {
            Expected::Renewed => {
                let renewed = issuers.server();
                atomically(&deployment.path(format!("{kind}.crt")), &renewed.chain);
                atomically(&deployment.path(format!("{kind}.key")), &renewed.key);
                deployment.line(mark, &["reload applied"]);
                deployment.line(mark, &[&format!("modify `{kind}` (live): tls.key")]);
            }
            Expected::Applied => {
                deployment.configure(&topology.yaml());
                deployment.line(mark, &["reload applied"]);
            }
            Expected::Rejected => {
                deployment.configure(&topology.invalid_yaml());
                deployment.line(mark, &["reload rejected: generation"]);
                let mark = deployment.mark();
                deployment.configure(&topology.yaml());
                deployment.line(mark, &["means the same as the running one"]);
            }
        }
        assert_eq!(listener(calm.port), shared, "after {kind}");
    }
    deployment.configure(&calm.yaml());
    deployment.line(0, &["drained cluster="]);
    let told = workload.end();
    eprintln!("{told}");
    eventually("no drain is left", || {
        deployment.metric("kproxy_drains_running", &[]) == 0.0
    });
    eventually("the descriptors are those it had", || {
        deployment.binary.descriptors().len() <= idle
    });
    assert_eq!(listener(calm.port), shared);
    let log = deployment.log(0);
    for line in log.lines().filter(|line| line.contains("cause=\"drained\"")) {
        assert!(line.contains("unanswered=0"), "{line}");
    }
    let unexpected = |line: &&str| line.contains(" ERROR ") && !line.contains("kproxy::reload");
    assert_eq!(log.lines().find(unexpected), None);
    assert_eq!(deployment.metric("kproxy_drain_forced_total", &[]), 0.0);
    for cluster in ["alpha", "beta", "gamma"] {
        let label = format!("virtual_cluster=\"{cluster}\"");
        let errors = [
            "kproxy_client_to_proxy_errors_total",
            "kproxy_proxy_to_server_errors_total",
        ]
        .map(|name| deployment.metric(name, &[&label]));
        assert_eq!(errors, [0.0; 2], "{cluster}");
        let drained = [label.as_str(), "cause=\"drained\""];
        assert_eq!(
            deployment.metric("kproxy_client_to_proxy_disconnects_total", &drained),
            0.0
        );
    }
    let failed = ["rolled_back", "failed"].map(|outcome| {
        let label = format!("outcome=\"{outcome}\"");
        deployment.metric("kproxy_reconfigure_total", &[&label])
    });
    assert_eq!(failed, [0.0; 2]);
}
