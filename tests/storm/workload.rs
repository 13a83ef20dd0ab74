//! All clients of a storm: who they are, when they start and when they stop.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{
    checker::{Found, Kind, unseen},
    clients::{self, Scribe},
    connect_storm::{self, Tally},
    java_clients::JavaClients,
    journal::Journal,
    pace::Deadline,
    topology::ClusterPorts,
};
use testkit::maven::Install;

/// Longest time until every client has begun, and until every group has seen everything.
const PATIENCE: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(200);
/// Number of connections that stay, for each cluster.
const STAYING: usize = 2;

/// What librdkafka's producers are.
const LIB: [Kind; 4] = [Kind::Idempotent, Kind::NoRetries, Kind::Fire, Kind::Transactional];
/// What Java's producers are.
const JAVA: [Kind; 3] = [Kind::Idempotent, Kind::NoRetries, Kind::Transactional];
/// librdkafka's groups, with their protocols.
const GROUPS: [(&str, &str); 2] = [("lib-classic", "classic"), ("lib-consumer", "consumer")];

/// All topics of a cluster, with the kind of their producer.
pub fn topics_of(cluster: &str) -> Vec<(String, Kind)> {
    let of = |client: &'static str, kinds: &'static [Kind]| {
        let cluster = cluster.to_owned();
        kinds
            .iter()
            .map(move |kind| (format!("{cluster}-{client}-{}", kind.name()), *kind))
    };
    of("lib", &LIB).chain(of("java", &JAVA)).collect()
}

/// All groups of a cluster, with the topics they are to see.
pub fn groups_of(cluster: &str) -> Vec<(String, Vec<String>)> {
    let all: Vec<String> = topics_of(cluster).into_iter().map(|(topic, _)| topic).collect();
    let some = |kinds: &[&str]| kinds.iter().map(|kind| format!("{cluster}-{kind}")).collect();
    let lib = GROUPS.map(|(group, _)| (format!("{cluster}-{group}"), all.clone()));
    let java = [
        (
            format!("{cluster}-java-consumer"),
            some(&["java-idempotent", "java-transactional", "lib-idempotent"]),
        ),
        (
            format!("{cluster}-java-share"),
            some(&["java-idempotent", "lib-idempotent"]),
        ),
    ];
    lib.into_iter().chain(java).collect()
}

/// The clients at work. Dropping it stops those of this process.
pub struct Workload {
    pub journal: Arc<Journal>,
    /// Counts of new and staying connections, by cluster; the new ones of all clusters come first.
    pub connecting: Arc<Tally>,
    pub staying: BTreeMap<&'static str, Arc<Tally>>,
    clusters: Vec<&'static str>,
    producers: Crowd,
    consumers: Crowd,
    others: Crowd,
    java: JavaClients,
}

/// Threads that stop together.
#[derive(Default)]
struct Crowd {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Crowd {
    fn add(&mut self, work: impl FnOnce(&AtomicBool) + Send + 'static) {
        let stop = Arc::clone(&self.stop);
        self.threads.push(thread::spawn(move || work(&stop)));
    }

    fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().expect("a client does not panic");
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Workload {
    /// Starts everybody at the clusters, each given by its name and the ports it is found at.
    pub fn start(
        install: &Install,
        directory: &Path,
        brokers: &str,
        clusters: &[(&'static str, ClusterPorts)],
    ) -> Self {
        let bootstraps: Vec<(&str, String)> = clusters
            .iter()
            .map(|(name, place)| (*name, place.at.bootstrap().to_string()))
            .collect();
        let java = JavaClients::start(install, directory.join("stop-producing"), brokers, &bootstraps);
        let mut workload = Self {
            journal: Arc::default(),
            connecting: Arc::default(),
            staying: BTreeMap::new(),
            clusters: clusters.iter().map(|(name, _)| *name).collect(),
            producers: Crowd::default(),
            consumers: Crowd::default(),
            others: Crowd::default(),
            java,
        };
        for (cluster, bootstrap) in &bootstraps {
            workload.librdkafka(cluster, bootstrap);
        }
        workload.connections(clusters);
        workload
    }

    fn librdkafka(&mut self, cluster: &str, bootstrap: &str) {
        let scribe = |client: String| Scribe {
            journal: Arc::clone(&self.journal),
            client,
        };
        for kind in LIB {
            let scribe = scribe(format!("{cluster}-lib-{}", kind.name()));
            let bootstrap = bootstrap.to_owned();
            self.producers
                .add(move |stop| clients::produce(scribe, &bootstrap, kind, stop));
        }
        let topics: Vec<String> = topics_of(cluster).into_iter().map(|(topic, _)| topic).collect();
        for (group, protocol) in GROUPS {
            let scribe = scribe(format!("{cluster}-{group}"));
            let (bootstrap, topics) = (bootstrap.to_owned(), topics.clone());
            self.consumers
                .add(move |stop| clients::consume(scribe, &bootstrap, protocol, &topics, stop));
        }
    }

    fn connections(&mut self, clusters: &[(&'static str, ClusterPorts)]) {
        let places: Vec<ClusterPorts> = clusters.iter().map(|(_, place)| *place).collect();
        for index in 0..connect_storm::THREADS {
            let (places, tally) = (places.clone(), Arc::clone(&self.connecting));
            self.others
                .add(move |stop| connect_storm::run(&places, index, &tally, stop));
        }
        for &(cluster, place) in clusters {
            let tally = Arc::<Tally>::default();
            for _ in 0..STAYING {
                let tally = Arc::clone(&tally);
                self.others
                    .add(move |stop| connect_storm::stay(place, &tally, stop));
            }
            self.staying.insert(cluster, tally);
        }
    }

    /// Waits until every producer has something acknowledged and every group has seen something.
    pub fn wait_until_all_work(&mut self) {
        let deadline = Deadline::after(PATIENCE);
        loop {
            self.java.enter(&self.journal);
            let idle = self.idle();
            if idle.is_empty() {
                return;
            }
            let java = self.java.log();
            assert!(!deadline.is_over(), "these do nothing: {idle:?}\n{java}");
            thread::sleep(POLL);
        }
    }

    fn idle(&self) -> Vec<String> {
        let entries = self.journal.open();
        let works = |topic: &String| entries.ledgers.get(topic).is_some_and(|ledger| ledger.good() > 0);
        let sees = |group: &String| entries.seen.keys().any(|(seen, _)| seen == group);
        let producers = self.clusters.iter().flat_map(|cluster| topics_of(cluster));
        let groups = self.clusters.iter().flat_map(|cluster| groups_of(cluster));
        let silent = producers.map(|(topic, _)| topic).filter(|topic| !works(topic));
        let blind = groups.map(|(group, _)| group).filter(|group| !sees(group));
        silent.chain(blind).collect()
    }

    /// Ends the connections and the producers; every message has an outcome then.
    pub fn stop_producing(&mut self) {
        self.others.stop();
        self.producers.stop();
        self.java.stop_producing();
        self.java.enter(&self.journal);
    }

    /// Waits until the groups have seen what is there, as long as it takes within reason, and ends them.
    pub fn finish(mut self, there: &BTreeMap<String, Vec<Found>>) {
        let deadline = Deadline::after(PATIENCE);
        while !deadline.is_over() {
            self.java.enter(&self.journal);
            if self.all_seen(there) {
                break;
            }
            thread::sleep(POLL);
        }
        self.consumers.stop();
        self.java.finish(&self.journal);
    }

    fn all_seen(&self, there: &BTreeMap<String, Vec<Found>>) -> bool {
        let entries = self.journal.open();
        let mut groups = self.clusters.iter().flat_map(|cluster| groups_of(cluster));
        groups.all(|(group, topics)| {
            topics.into_iter().all(|topic| {
                let found = &there[&topic];
                let seen = entries.seen.get(&(group.clone(), topic));
                seen.map_or(found.is_empty(), |seen| unseen(found, seen).is_empty())
            })
        })
    }
}
