//! The storm: reloads of all kinds at random instants, while real clients run through three virtual clusters of one
//! real Apache Kafka.
//!
//! 1. Nothing is lost, duplicated or reordered, whatever the producer: idempotent, without retries, `acks=0`,
//!    transactional; librdkafka and Java. No request is forwarded whose answer is withheld.
//! 2. Classic, consumer-protocol (KIP-848) and share (KIP-932) groups see every record.
//! 3. No connection is refused or reset, and each of 50 new ones a second is answered.
//! 4. Clients of `alpha`, whose changes are `live` or `bind`, filters included, notice nothing: no error, no closed connection. Those
//!    of `beta` (other targets) and `gamma` (ports and names that move) notice clean closes between requests.
//! 5. Every edit has the outcome it must have, and one outcome: no prefix of a file is ever taken for the file.
//! 6. Afterwards everything is as it was: the same configuration serves, and no descriptor is left over.
//! 7. The checker finds what it is there for (`storm/checker.rs`; on a broken kproxy: `docs/reliability.md`).
//!
//! `KPROXY_STORM_RELOADS` sets how many reloads (300), `KPROXY_STORM_SEED` which, `KPROXY_STORM_NODES` how many
//! brokers (1). `KPROXY_STORM_BINARY` is another build of kproxy, `KPROXY_STORM_LOG` a file for its log,
//! `KPROXY_STORM_DETAILS` one for what failed and what librdkafka said.

use std::{
    collections::BTreeMap,
    env,
    net::TcpListener,
    thread,
    time::{Duration, Instant, SystemTime},
};

use crate::edit::{ConfigFile, Way};
use crate::pace::{Deadline, Pace};
use crate::process::StormProxy;
use crate::rng::{Rng, setting};
use crate::schedule::Schedule;
use crate::topology::{Block, ClusterPorts, Topology};
use crate::verdict::{Judgement, Promise};
use crate::workload::{Workload, topics_of};
use testkit::{
    descriptors,
    kafka::{KafkaCluster, Listener, Options},
    maven::{KafkaVersion, require},
    topics,
    wait::PATIENCE,
};

const CLUSTERS: [(&str, Promise); 3] = [
    ("alpha", Promise::Nothing),
    ("beta", Promise::CleanCloses),
    ("gamma", Promise::Moves),
];

#[test]
fn nobody_notices_a_storm_of_reloads() {
    let _alone = crate::alone();
    let Some(install) = require(KafkaVersion::V4_4) else {
        return;
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let seed = setting("KPROXY_STORM_SEED", u64::from(now.subsec_nanos()));
    let reloads = setting("KPROXY_STORM_RELOADS", 300);
    println!("storm: KPROXY_STORM_SEED={seed} KPROXY_STORM_RELOADS={reloads}");

    let options = Options {
        heap: "512m",
        ..Options::default()
    };
    let kafka = KafkaCluster::start(&install, setting("KPROXY_STORM_NODES", 1), options);
    let topics = create_topics(&kafka);
    let mut storm = Storm::prepare(&kafka, seed);
    let idle_descriptors = storm.proxy.descriptors();
    let broker = kafka.address(kafka.ids()[0], Listener::Plaintext);
    let pace = Pace::of(broker);
    let brokers = broker.to_string();
    let mut workload = Workload::start(&install, storm.directory.path(), &brokers, &storm.places());
    workload.wait_until_all_work();

    let (kernel, began) = (crate::kernel::counters(), Instant::now());
    let done = crate::driver::run(&storm.proxy, &mut storm.file, &mut storm.schedule, reloads);
    let took = began.elapsed();
    storm.calm_down();
    workload.stop_producing();
    let kernel = crate::kernel::growth(&kernel);
    let there: BTreeMap<_, _> = topics
        .into_iter()
        .map(|topic| (topic.clone(), crate::logs::read(&brokers, &topic)))
        .collect();
    let mut judgement = judged(workload, &there);
    let outcomes = storm.end(&mut judgement, &idle_descriptors);
    drop(pace);
    judgement.faults.extend(done.surprises);
    println!(
        "{}\nsteps: {:?}\n{outcomes:?}\nin {took:.1?}; longest answer of a broker itself {:.1?}; kernel: {kernel:?}",
        judgement.table,
        done.steps,
        crate::pace::longest()
    );
    let faults = &judgement.faults;
    assert!(
        faults.is_empty(),
        "seed {seed}: {} faults:\n{}",
        faults.len(),
        faults.join("\n"),
    );
}

/// Two partitions each, led by the first and the last node.
fn create_topics(kafka: &KafkaCluster) -> Vec<String> {
    let topics = CLUSTERS.iter().flat_map(|(cluster, _)| topics_of(cluster));
    let topics: Vec<String> = topics.map(|(topic, _)| topic).collect();
    let ids = kafka.ids();
    for topic in &topics {
        topics::create(kafka, topic, &[&ids[..1], &ids[ids.len() - 1..]]);
    }
    topics
}

/// Waits until the groups have seen what is there, and judges what all clients have written down.
fn judged(workload: Workload, there: &BTreeMap<String, Vec<crate::checker::Found>>) -> Judgement {
    let (journal, connecting, staying) = (
        workload.journal.clone(),
        workload.connecting.clone(),
        workload.staying.clone(),
    );
    workload.finish(there);
    let mut judgement = Judgement::default();
    let entries = journal.open();
    if let Some(path) = env::var_os("KPROXY_STORM_DETAILS") {
        std::fs::write(path, entries.details()).unwrap();
    }
    judgement.producers(&CLUSTERS, &entries, there);
    judgement.groups(&CLUSTERS, &entries, there);
    judgement.clients(&CLUSTERS, &entries);
    judgement.connections("new connections", Promise::Nothing, &connecting);
    for (cluster, promise) in CLUSTERS {
        judgement.connections(&format!("staying at {cluster}"), promise, &staying[cluster]);
    }
    judgement
}

/// kproxy and what is done to it.
struct Storm {
    proxy: StormProxy,
    file: ConfigFile,
    schedule: Schedule,
    /// What the file says before and after.
    calm: Topology,
    directory: tempfile::TempDir,
    /// Listens where a cluster is to fail to.
    _taken: TcpListener,
}

impl Storm {
    fn prepare(kafka: &KafkaCluster, seed: u64) -> Self {
        let brokers = kafka.ids().into_iter();
        let brokers = brokers.map(|id| kafka.address(id, Listener::Plaintext).port());
        let mut blocks = Block::pick(10);
        let lasting = [(); 4].map(|()| blocks.pop().unwrap());
        let taken = blocks.pop().unwrap();
        let listener = TcpListener::bind(taken.bootstrap()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("control.sock");
        let calm = Topology::new(brokers.collect(), lasting, socket.display().to_string());
        let file = ConfigFile::create(directory.path(), &calm.yaml());
        Self {
            proxy: StormProxy::serving(file.path()),
            file,
            schedule: Schedule::new(seed, calm.clone(), blocks, taken.0),
            calm,
            directory,
            _taken: listener,
        }
    }

    /// Where clients find the clusters.
    fn places(&self) -> [(&'static str, ClusterPorts); 3] {
        let topology = &self.calm;
        let place = |at, other| ClusterPorts { at, other };
        [
            (CLUSTERS[0].0, place(topology.alpha, None)),
            (CLUSTERS[1].0, place(topology.beta, None)),
            (CLUSTERS[2].0, place(topology.gamma, Some(topology.delta))),
        ]
    }

    /// Back to what it was before, and certainly so.
    fn calm_down(&mut self) {
        let text = self.calm.yaml();
        self.file.save(Way::Rename, &text, &mut Rng::new(0));
        crate::driver::ask(&self.proxy);
    }

    /// The rest of the judgement, once all clients are gone; stops kproxy.
    fn end(mut self, judgement: &mut Judgement, idle_descriptors: &[String]) -> crate::process::Outcomes {
        let proxy = &self.proxy;
        // Connections of clients that have gone, and those to brokers, are being closed.
        let deadline = Deadline::after(PATIENCE);
        while proxy.descriptors().len() > idle_descriptors.len() && !deadline.is_over() {
            thread::sleep(Duration::from_millis(20));
        }
        let descriptors = proxy.descriptors();
        judgement.demand(descriptors.len() <= idle_descriptors.len(), || {
            let (before, after) = (idle_descriptors.len(), descriptors.len());
            let (more, fewer) = (
                descriptors::more(idle_descriptors, &descriptors),
                descriptors::more(&descriptors, idle_descriptors),
            );
            format!("{after} descriptors, {before} before; now also {more:#?}, no longer {fewer:#?}")
        });
        let outcomes = proxy.expect("the end of all drains", |now| now.drains == now.drained);
        let generation = u64::try_from(outcomes.applied).unwrap() + 1;
        judgement.demand(outcomes.generation == generation, || {
            format!("generation {}, not {generation}", outcomes.generation)
        });
        judgement.demand(outcomes.undone == 0, || {
            format!("{} rolled back or failed", outcomes.undone)
        });
        judgement.demand(outcomes.forced == 0, || {
            format!("{} sessions closed by force", outcomes.forced)
        });
        for complaint in proxy.complaints() {
            judgement.faults.push(format!("kproxy: {complaint}"));
        }
        let closes = proxy.closes();
        // The others are clients that went away by themselves, or were told of another address and went there.
        let withheld = closes.get("drained").map_or(0, |drained| drained.unanswered);
        judgement.demand(withheld == 0, || {
            format!("{withheld} requests of drained sessions were not answered")
        });
        println!("sessions: {closes:?}");
        println!(
            "slowest reload {:.1} ms, {} KiB",
            proxy.slowest_ms(),
            proxy.resident_kib()
        );
        let code = self.proxy.stop();
        judgement.demand(code == Some(0), || format!("exit code {code:?}"));
        outcomes
    }
}
