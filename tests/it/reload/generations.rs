//! Promises 7 to 9: generations, drains that join, and what is left behind.

use std::time::{Duration, Instant};

use kproxy::app::Exit;
use kproxy::control::{ConnectionFilter, ConnectionInfo};
use kproxy::model::DrainStrategy;
use kproxy::session::cause::CloseCause;

use super::retarget;
use testkit::broker::{Broker, Connection};
use testkit::client::Client;
use testkit::frames::{self, heartbeat};
use testkit::proxy::{Setup, TestProxy};
use testkit::wait::eventually;

fn sessions(proxy: &TestProxy, filter: ConnectionFilter) -> Vec<ConnectionInfo> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime
        .block_on(proxy.proxy.handle().connections(filter))
        .unwrap()
}

/// Keeps every request.
fn silent_broker() -> Broker {
    Broker::start(|mut connection: Connection| while connection.request().is_some() {})
}

#[test]
fn sessions_carry_the_generation_they_began_with() {
    let (silent, elsewhere) = (silent_broker(), Broker::echoing(b"ok"));
    let before = Setup::to(&[silent.address]).and("other", &[elsewhere.address]);
    let proxy = before.start();
    let mut untouched = Client::connect(proxy.bootstrap_of("other"));
    untouched.ask(&heartbeat(1));
    let mut old = proxy.client();
    old.send(&heartbeat(1));
    eventually("the request is in flight", || {
        sessions(&proxy, ConnectionFilter::default())
            .iter()
            .any(|session| session.in_flight == 1)
    });
    proxy.apply(
        &before
            .clone()
            .cluster(|cluster| retarget(cluster, elsewhere.address)),
    );
    let mut new = proxy.client();
    new.ask(&heartbeat(1));
    let listed = sessions(&proxy, ConnectionFilter::default());
    let seen: Vec<(&str, u64, &str)> = listed
        .iter()
        .map(|session| (session.cluster.as_str(), session.generation, &*session.state))
        .collect();
    assert_eq!(
        seen,
        [("other", 1, "open"), ("demo", 1, "draining"), ("demo", 2, "open")]
    );
    let second = ConnectionFilter {
        generation: Some(2),
        ..ConnectionFilter::default()
    };
    assert_eq!(sessions(&proxy, second).len(), 1);
    let status = proxy.proxy.status().unwrap();
    assert_eq!(status.generation, 2);
    assert_eq!(status.drains.len(), 1);
    let drain = &status.drains[0];
    assert_eq!(
        (drain.generation, drain.sessions_generation, drain.remaining),
        (2, 1, 1),
        "a drain names the generation that ended the sessions, and theirs"
    );
    let of = |name: &str| {
        status
            .clusters
            .iter()
            .find(|cluster| cluster.name == name)
            .unwrap()
    };
    assert_eq!((of("demo").generation, of("other").generation), (2, 1));
    assert_eq!(
        of("demo").connections,
        2,
        "those that drain are sessions of the cluster"
    );
    drop(old);
    proxy.proxy.wait_drained();
    assert!(proxy.proxy.status().unwrap().drains.is_empty());
}

/// `status` and `connections` mean the same by the generation of a cluster, whatever happens to other clusters.
#[test]
fn sessions_are_found_by_the_generation_that_status_shows() {
    let elsewhere = Broker::echoing(b"ok");
    let before = Setup::to(&[elsewhere.address]).and("other", &[elsewhere.address]);
    let proxy = before.start();
    let mut client = proxy.client();
    client.ask(&heartbeat(1));
    proxy.apply(&before.clone().without("other"));
    let mut later = proxy.client();
    later.ask(&heartbeat(1));
    let shown = || {
        let status = proxy.proxy.status().unwrap();
        assert_eq!(status.clusters.len(), 1);
        (
            status.generation,
            status.clusters[0].generation,
            status.clusters[0].connections,
        )
    };
    let of = |generation| {
        let filter = ConnectionFilter {
            cluster: Some("demo".into()),
            generation: Some(generation),
            ..ConnectionFilter::default()
        };
        sessions(&proxy, filter)
    };
    assert_eq!(shown(), (2, 1, 2), "the second generation has not changed it");
    assert_eq!((of(1).len(), of(2).len()), (2, 0));
    assert!(of(1).iter().all(|session| session.generation == 1));
    // A change that ends no session brings them to its generation.
    proxy.apply(
        &before
            .clone()
            .without("other")
            .cluster(|cluster| cluster.drain.rate += 1),
    );
    assert_eq!(shown(), (3, 3, 2));
    assert_eq!(of(3).len(), 2, "what `status` shows");
    assert_eq!(of(1).len(), 2, "what they began with");
}

#[test]
fn a_removed_cluster_is_draining_until_its_sessions_have_left() {
    let (silent, elsewhere) = (silent_broker(), Broker::echoing(b"ok"));
    let alone = Setup::to(&[elsewhere.address]);
    let proxy = alone.clone().and("other", &[silent.address]).start();
    let mut client = Client::connect(proxy.bootstrap_of("other"));
    client.send(&heartbeat(1));
    proxy.expect_sessions(1);
    eventually("the broker has the request", || silent.connections() == 1);
    proxy.apply(&alone);
    let states = || {
        let status = proxy.proxy.status().unwrap();
        let states = status
            .clusters
            .iter()
            .map(|cluster| (cluster.name.clone(), cluster.state.to_string()));
        states.collect::<Vec<_>>()
    };
    assert_eq!(
        states(),
        [("demo", "serving"), ("other", "draining")].map(|(name, state)| (name.into(), state.into()))
    );
    drop(client);
    eventually("it is gone", || {
        states() == [("demo".to_owned(), "serving".to_owned())]
    });
}

#[test]
fn the_hard_deadline_closes_what_nobody_answers_and_counts_it() {
    let (silent, elsewhere) = (silent_broker(), Broker::echoing(b"ok"));
    let before = Setup::to(&[silent.address]).cluster(|cluster| {
        cluster.drain.timeout = Duration::from_millis(100);
        cluster.drain.hard_timeout = Duration::from_millis(300);
    });
    let proxy = before.start();
    let mut client = proxy.client();
    // Produce with acks: it may have been executed, so it is waited for until the end.
    client.send(&frames::raw_request(
        0,
        3,
        1,
        &[0xff, 0xff, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0],
    ));
    proxy.expect_sessions(1);
    eventually("the broker has the request", || silent.connections() == 1);
    proxy.apply(
        &before
            .clone()
            .cluster(|cluster| retarget(cluster, elsewhere.address)),
    );
    client.expect_fin();
    drop(client);
    proxy.expect_closes(CloseCause::DrainTimeout, 1);
    proxy.proxy.wait_drained();
    let status = proxy.proxy.status().unwrap();
    assert!(status.drains.is_empty());
}

#[test]
fn a_progressive_drain_lets_sessions_go_one_after_the_other() {
    const SESSIONS: usize = 10;
    let (one, two) = (Broker::echoing(b"one"), Broker::echoing(b"two"));
    let before = Setup::to(&[one.address]).cluster(|cluster| {
        cluster.drain.strategy = DrainStrategy::Progressive;
        cluster.drain.rate = 20;
    });
    let proxy = before.start();
    let mut clients: Vec<Client> = (0..SESSIONS).map(|_| proxy.client()).collect();
    clients
        .iter_mut()
        .for_each(|client| drop(client.ask(&heartbeat(1))));
    let began = Instant::now();
    proxy.apply(&before.clone().cluster(|cluster| retarget(cluster, two.address)));
    clients.iter_mut().for_each(Client::expect_fin);
    // Ten at twenty a second with jitter of one half: never less than a fifth of a second.
    assert!(
        began.elapsed() > Duration::from_millis(200),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn a_shutdown_tightens_the_drain_that_runs() {
    let (silent, elsewhere) = (silent_broker(), Broker::echoing(b"ok"));
    let before = Setup::to(&[silent.address])
        .cluster(|cluster| {
            cluster.drain.timeout = Duration::from_secs(600);
            cluster.drain.hard_timeout = Duration::from_secs(600);
        })
        .network(|network| network.shutdown_timeout = Duration::from_millis(1200));
    let proxy = before.start();
    let mut client = proxy.client();
    client.send(&frames::raw_request(
        0,
        3,
        1,
        &[0xff, 0xff, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0],
    ));
    eventually("the broker has the request", || silent.connections() == 1);
    let after = before
        .clone()
        .cluster(|cluster| retarget(cluster, elsewhere.address));
    proxy.apply(&after);
    // A second drain of what drains already: it joins.
    proxy.apply(&after.clone().cluster(|cluster| retarget(cluster, silent.address)));
    eventually("what had no sessions has drained", || {
        proxy.proxy.status().unwrap().drains.len() == 1
    });
    let exit = proxy.shutdown();
    client.expect_fin();
    assert!(
        matches!(exit, Exit::Drained(outcome) if outcome.sessions == 1 && outcome.forced == 1),
        "{exit:?}"
    );
}

/// Sessions that have left, or were told by the shutdown, are not paced any more.
#[test]
fn a_shutdown_does_not_wait_for_the_pace_of_a_progressive_drain() {
    let (one, two) = (Broker::echoing(b"one"), Broker::echoing(b"two"));
    let before = Setup::to(&[one.address])
        .cluster(|cluster| {
            cluster.drain.strategy = DrainStrategy::Progressive;
            cluster.drain.rate = 1;
            cluster.drain.timeout = Duration::from_secs(600);
            cluster.drain.hard_timeout = Duration::from_secs(600);
        })
        .network(|network| network.shutdown_timeout = Duration::from_secs(60));
    let proxy = before.start();
    let mut clients: Vec<Client> = (0..30).map(|_| proxy.client()).collect();
    clients
        .iter_mut()
        .for_each(|client| drop(client.ask(&heartbeat(1))));
    proxy.apply(&before.clone().cluster(|cluster| retarget(cluster, two.address)));
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(proxy.shutdown()).unwrap());
    clients.iter_mut().for_each(Client::expect_fin);
    drop(clients);
    let exit = ended.recv_timeout(testkit::wait::PATIENCE).unwrap();
    assert!(
        matches!(exit, Exit::Drained(outcome) if outcome.forced == 0),
        "{exit:?}"
    );
}

#[test]
fn a_thousand_reloads_leave_nothing_behind() {
    let broker = Broker::echoing(b"ok");
    let other: std::net::SocketAddr = ([127, 0, 0, 2], broker.address.port()).into();
    let small = Setup::to(&[broker.address]).nodes(0..2);
    let setups = [
        small.clone().and("other", &[broker.address]),
        small.clone().nodes(0..5),
        small.clone().cluster(|cluster| retarget(cluster, other)),
        small.clone().network(|network| network.max_frame_size = 1000),
        small.clone(),
    ];
    let proxy = small.start();
    let mut client = proxy.client();
    client.ask(&heartbeat(1));
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let before = descriptors();
    let listeners = |proxy: &TestProxy| proxy.proxy.status().unwrap().clusters.len();
    for round in 0..1000 {
        proxy.apply(&setups[round % setups.len()]);
    }
    drop(client);
    proxy.proxy.wait_drained();
    proxy.expect_sessions(0);
    assert_eq!(listeners(&proxy), 1);
    assert_eq!(proxy.proxy.status().unwrap().generation, 1001);
    // Other tests of this process open and close descriptors of their own; what leaks here would be thousands, and stay.
    eventually("its descriptors are closed", || descriptors() < before + 500);
}
