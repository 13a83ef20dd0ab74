//! The storm once more, with names, TLS and real clients: Java producers and groups of a real Kafka come by name over TLS
//! to virtual clusters that share a port, while the file and the certificates change.
//!
//! 1. Clients of a cluster that only gets new certificates, and whose neighbours come, change and go, notice nothing: no
//!    error, no closed connection, nothing lost, doubled or out of order.
//! 2. Clients of one that is sent from brokers in plain text to brokers with certificates on both sides and back see clean
//!    ends between requests, and lose nothing either.
//!
//! `KPROXY_STORM_RELOADS` sets how many edits (60), `KPROXY_STORM_SEED` which.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    thread,
    time::{Duration, SystemTime},
};

use crate::checker::{Found, Kind, judge, unseen};
use crate::java_clients::JavaClients;
use crate::journal::{Connections, Entries, Journal};
use crate::pace::{Deadline, Pace};
use crate::rng::{Rng, setting};
use testkit::edge::{DOMAIN, Edge, block, by_name, certificates, cluster, key, target, trust, with_tls_key};
use testkit::{
    certificates::{Files, Identity, Leaf},
    kafka::{KafkaCluster, Listener, Options},
    kafka_tls::client_properties,
    maven::{KafkaVersion, require},
    replace::Mount,
    topics,
};

/// The cluster that moves, and the one whose clients are to notice nothing.
const MOVES: &str = "orders";
const STAYS: &str = "payments";
/// What Java runs at each, and what its groups read of it.
const PRODUCERS: [(&str, Kind); 3] = [
    ("java-idempotent", Kind::Idempotent),
    ("java-retries0", Kind::NoRetries),
    ("java-transactional", Kind::Transactional),
];
const GROUPS: [(&str, &[&str]); 2] = [
    ("java-consumer", &["java-idempotent", "java-transactional"]),
    ("java-share", &["java-idempotent"]),
];
/// Guests at the shared port at a time.
const GUESTS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(100);

/// What the file says.
struct Topology<'k> {
    kafka: &'k KafkaCluster,
    port: u16,
    own: Own,
    secured: bool,
    guests: Vec<u64>,
    named: u64,
}

impl Topology<'_> {
    fn lasting(&self, name: &str, target: &str) -> String {
        let gateway = by_name(self.port, "");
        let cluster = cluster(name, target, &[with_tls_key(&gateway, &key(&self.own.paths()))]);
        // No drain is cut short because the machine is slow.
        cluster.replace(
            "logNetwork: true",
            "logNetwork: true, drain: {timeout: 120s, hardTimeout: 300s}",
        )
    }

    fn clusters(&self) -> Vec<String> {
        let plain = target(self.kafka, Listener::Plaintext, None);
        let tls = &self.kafka.tls;
        let secured = format!("{}, {}", trust(&tls.broker_trust, ""), key(&tls.client));
        let secured = target(self.kafka, Listener::MutualSsl, Some(&secured));
        let guests = self
            .guests
            .iter()
            .map(|number| cluster(&format!("guest-{number}"), &plain, &[by_name(self.port, "")]));
        let lasting = [
            self.lasting(MOVES, if self.secured { &secured } else { &plain }),
            self.lasting(STAYS, &plain),
        ];
        lasting.into_iter().chain(guests).collect()
    }

    fn guest(&mut self) -> u64 {
        self.named += 1;
        self.named
    }

    /// Changes the topology; what was done.
    fn change(&mut self, rng: &mut Rng) -> &'static str {
        match rng.below(4) {
            0 if self.guests.len() < GUESTS => {
                let guest = self.guest();
                self.guests.push(guest);
                "guest added"
            }
            1 if !self.guests.is_empty() => {
                self.guests.remove(rng.below(self.guests.len()));
                "guest removed"
            }
            2 if !self.guests.is_empty() => {
                let index = rng.below(self.guests.len());
                self.guests[index] = self.guest();
                "guest renamed"
            }
            _ => {
                self.secured = !self.secured;
                "upstream changed"
            }
        }
    }
}

/// The certificate of the two lasting clusters, which is replaced with its key in one step.
struct Own(Mount);

impl Own {
    fn new(directory: &Path) -> Self {
        let first = Self::issue();
        Self(Mount::new(directory, &Self::files(&first)))
    }

    fn issue() -> Identity {
        let names =
            [MOVES, STAYS].map(|cluster| [format!("{cluster}.{DOMAIN}"), format!("*.{cluster}.{DOMAIN}")]);
        let names: Vec<&str> = names.as_flattened().iter().map(String::as_str).collect();
        certificates().edge.issue(&Leaf::server(&names))
    }

    fn files(identity: &Identity) -> [(&'static str, &str); 2] {
        [("tls.crt", &identity.chain), ("tls.key", &identity.key)]
    }

    fn renew(&self) {
        self.0.swap(&Self::files(&Self::issue()));
    }

    fn paths(&self) -> Files {
        Files {
            certificate: self.0.path("tls.crt"),
            key: self.0.path("tls.key"),
            both: self.0.path("tls.crt"),
        }
    }
}

/// What has come of reloads so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Outcomes {
    applied: usize,
    rejected: usize,
    unchanged: usize,
}

impl Outcomes {
    fn of(edge: &Edge) -> Self {
        let log = edge.binary.log();
        let count = |what: &str| log.lines().filter(|line| line.contains(what)).count();
        Self {
            applied: count("reload applied"),
            rejected: count("reload rejected: "),
            unchanged: count("means the same as the running one"),
        }
    }
}

/// Waits until something has come of what `act` does, which must be `expected`.
#[track_caller]
fn expect(edge: &Edge, kind: &str, act: impl FnOnce(), expected: impl Fn(&mut Outcomes)) {
    let before = Outcomes::of(edge);
    act();
    let deadline = Deadline::after(PATIENCE);
    let after = loop {
        let now = Outcomes::of(edge);
        if now != before || deadline.is_over() {
            break now;
        }
        thread::sleep(POLL / 10);
    };
    let mut wanted = before;
    expected(&mut wanted);
    assert_eq!(after, wanted, "{kind}: {}", edge.binary.log());
}

/// Does one thing after the other, and waits for what must come of each.
fn storm(
    edge: &Edge,
    topology: &mut Topology<'_>,
    rng: &mut Rng,
    steps: usize,
) -> BTreeMap<&'static str, usize> {
    let mut done = BTreeMap::new();
    let applied = |outcomes: &mut Outcomes| outcomes.applied += 1;
    for _ in 0..steps {
        let kind = match rng.below(5) {
            0 => {
                expect(edge, "certificate renewed", || topology.own.renew(), applied);
                "certificate renewed"
            }
            1 => {
                let mut clusters = topology.clusters();
                clusters[0] = clusters[0].replace("targetCluster", "targetClster");
                let invalid = || edge.replace(&clusters);
                expect(edge, "invalid file", invalid, |outcomes| outcomes.rejected += 1);
                let mended = || edge.replace(&topology.clusters());
                expect(edge, "mended file", mended, |outcomes| outcomes.unchanged += 1);
                "invalid file"
            }
            _ => {
                let kind = topology.change(rng);
                expect(edge, kind, || edge.replace(&topology.clusters()), applied);
                kind
            }
        };
        *done.entry(kind).or_default() += 1;
        thread::sleep(rng.millis_below(200));
    }
    done
}

/// What is wrong for the clients of one cluster.
fn faults(name: &str, entries: &Entries, there: &BTreeMap<String, Vec<Found>>) -> Vec<String> {
    let mut faults = Vec::new();
    for (producer, kind) in PRODUCERS {
        let topic = format!("{name}-{producer}");
        let ledger = &entries.ledgers[&topic];
        let verdict = judge(kind, ledger, &there[&topic]);
        eprintln!(
            "{topic:<28} good {:>6}, failed {:>3}, there {:>6}",
            ledger.good(),
            ledger.failed.len(),
            there[&topic].len()
        );
        if !verdict.is_clean() {
            faults.push(format!("{topic}: {verdict:?}"));
        }
        // Without retries a request that meets the close of its connection fails, unexecuted.
        if !ledger.failed.is_empty() && (name == STAYS || kind != Kind::NoRetries) {
            faults.push(format!("{topic}: {:?}", ledger.failed));
        }
    }
    for (group, topics) in GROUPS {
        for topic in topics {
            let place = (format!("{name}-{group}"), format!("{name}-{topic}"));
            let missing = unseen(&there[&place.1], &entries.seen[&place]);
            eprintln!(
                "{place:?}: seen {}, unseen {}",
                entries.seen[&place].len(),
                missing.len()
            );
            if !missing.is_empty() {
                faults.push(format!("{place:?} has not seen {missing:?}"));
            }
        }
    }
    let mut sum = Connections::default();
    let belongs = |client: &str| client.starts_with(&format!("{name}-"));
    for (_, one) in entries.connections.iter().filter(|(client, _)| belongs(client)) {
        sum.closed += one.closed;
        sum.refused += one.refused;
        sum.reset += one.reset;
    }
    eprintln!("{name}: {sum:?}");
    if sum.refused > 0 || sum.reset > 0 || (name == STAYS && sum.closed > 0) {
        faults.push(format!("connections of {name}: {sum:?}"));
    }
    // Records of a share session that is gone come again.
    let worth = |what: &&String| name == STAYS || !what.starts_with("acknowledge: ");
    let errors = entries.errors.iter().filter(|(client, _)| belongs(client));
    for (client, errors) in errors {
        faults.extend(
            errors
                .iter()
                .filter(worth)
                .map(|what| format!("{client}: {what}")),
        );
    }
    faults
}

fn all_seen(entries: &Entries, there: &BTreeMap<String, Vec<Found>>) -> bool {
    [MOVES, STAYS].iter().all(|name| {
        GROUPS.iter().all(|(group, topics)| {
            topics.iter().all(|topic| {
                let place = (format!("{name}-{group}"), format!("{name}-{topic}"));
                let seen = entries.seen.get(&place);
                seen.is_some_and(|seen| unseen(&there[&place.1], seen).is_empty())
            })
        })
    })
}

/// Takes in what the clients print until `done` holds of it.
fn watch(java: &mut JavaClients, journal: &Journal, what: &str, done: impl Fn(&Entries) -> bool) {
    let deadline = Deadline::after(PATIENCE);
    loop {
        java.enter(journal);
        if done(&journal.open()) {
            return;
        }
        assert!(
            !deadline.is_over(),
            "{what}: never; {:?}\n{}",
            journal.open().errors,
            java.log()
        );
        thread::sleep(POLL);
    }
}

#[test]
fn java_clients_notice_nothing_of_names_and_certificates_that_change() {
    let _alone = crate::alone();
    let Some(install) = require(KafkaVersion::V4_4) else {
        return;
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let seed = setting("KPROXY_STORM_SEED", u64::from(now.subsec_nanos()));
    let steps = setting("KPROXY_STORM_RELOADS", 60);
    eprintln!("storm: KPROXY_STORM_SEED={seed} KPROXY_STORM_RELOADS={steps}");
    let kafka = KafkaCluster::start(&install, 1, Options::default());
    let ids = kafka.ids();
    let all: Vec<String> = [MOVES, STAYS]
        .iter()
        .flat_map(|name| {
            PRODUCERS
                .iter()
                .map(move |(producer, _)| format!("{name}-{producer}"))
        })
        .collect();
    all.iter()
        .for_each(|topic| topics::create(&kafka, topic, &[&ids, &ids]));
    let directory = tempfile::tempdir().unwrap();
    let mut topology = Topology {
        kafka: &kafka,
        port: block(),
        own: Own::new(&directory.path().join("tls")),
        secured: false,
        guests: Vec::new(),
        named: 0,
    };
    let edge = Edge::start(&topology.clusters());

    let properties = client_properties(directory.path(), "clients", &certificates().edge_trust, None);
    let options = [
        format!("-Djdk.net.hosts.file={}", edge.hosts.display()),
        format!("-Dstorm.client.config={}", properties.display()),
    ];
    let broker = kafka.address(ids[0], Listener::Plaintext);
    let _pace = Pace::of(broker);
    let brokers = broker.to_string();
    let places = [MOVES, STAYS].map(|name| (name, format!("{name}.{DOMAIN}:{}", topology.port)));
    let stop = directory.path().join("stop-producing");
    let (mut java, journal) = (
        JavaClients::with(&install, &options, stop, &brokers, &places),
        Journal::default(),
    );
    watch(&mut java, &journal, "all producers and groups work", |entries| {
        let works = |topic: &String| entries.ledgers.get(topic).is_some_and(|ledger| ledger.good() > 0);
        let groups = GROUPS.len() * 2;
        let seeing: BTreeSet<_> = entries.seen.keys().map(|(group, _)| group).collect();
        all.iter().all(works) && seeing.len() == groups
    });

    let done = storm(&edge, &mut topology, &mut Rng::new(seed), steps);
    java.stop_producing();
    let there: BTreeMap<_, _> = all
        .iter()
        .map(|topic| (topic.clone(), crate::logs::read(&brokers, topic)))
        .collect();
    watch(
        &mut java,
        &journal,
        "the groups have seen everything",
        |entries| all_seen(entries, &there),
    );
    java.finish(&journal);
    let entries = journal.open();
    let faults = [MOVES, STAYS].map(|name| faults(name, &entries, &there)).concat();
    eprintln!("steps: {done:?}");
    assert!(
        faults.is_empty(),
        "seed {seed}:\n{}\n{:#?}",
        faults.join("\n"),
        entries.warnings
    );
    let log = edge.binary.log();
    let drained: Vec<_> = log
        .lines()
        .filter(|line| line.contains("cause=\"drained\""))
        .collect();
    assert!(!drained.is_empty());
    for line in drained {
        assert!(
            line.contains("unanswered=0") && line.contains(&format!("cluster={MOVES} ")),
            "{line}"
        );
    }
}
