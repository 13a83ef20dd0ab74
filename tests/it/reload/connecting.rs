//! Promises 4 and 6, for those who connect meanwhile.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use super::retarget;
use testkit::broker::Broker;
use testkit::client::Client;
use testkit::frames;
use testkit::frames::heartbeat;
use testkit::proxy::{Setup, free_ports};
use testkit::wait::eventually;

/// Threads that connect, ask, and expect an answer, over and over.
struct ConnectStorm {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Vec<String>>>,
}

impl ConnectStorm {
    fn at(addresses: &[SocketAddr]) -> Self {
        let (stop, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let threads = addresses.iter().map(|&address| {
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            std::thread::spawn(move || {
                let mut failures = Vec::new();
                while !stop.load(Ordering::SeqCst) {
                    match once(address) {
                        Ok(()) => drop(answered.fetch_add(1, Ordering::SeqCst)),
                        Err(failure) => failures.push(failure),
                    }
                }
                failures
            })
        });
        Self {
            threads: threads.collect(),
            stop,
            answered,
        }
    }

    /// Waits until `count` more have been answered.
    fn expect_answers(&self, count: u64) {
        let wanted = self.answered.load(Ordering::SeqCst) + count;
        eventually("connections are answered", || {
            self.answered.load(Ordering::SeqCst) >= wanted
        });
    }

    /// Ends the storm; nobody may have been refused, reset or left without an answer.
    #[track_caller]
    fn end(self) {
        self.stop.store(true, Ordering::SeqCst);
        let failures: Vec<String> = self
            .threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect();
        assert!(failures.is_empty(), "{} failures: {failures:?}", failures.len());
    }
}

/// A connection whose first request is sent at once is answered, or told to come back by a FIN before it was forwarded:
/// then it comes back.
fn once(address: SocketAddr) -> Result<(), String> {
    let stream = TcpStream::connect(address).map_err(|error| format!("connect: {error}"))?;
    let mut client = Client::over(stream);
    client.send(&heartbeat(7));
    match client.try_frame() {
        Ok(content) if frames::correlation_id(&content) == 7 => Ok(()),
        Ok(content) => Err(format!("answer {content:?}")),
        Err(error) => Err(format!("no answer: {error}")),
    }
}

#[test]
fn a_connect_storm_across_changes_of_the_target_is_answered_to_the_last() {
    let (one, two) = (Broker::echoing(b"one"), Broker::echoing(b"two"));
    let here = Setup::to(&[one.address]).nodes([]);
    let there = Setup::to(&[two.address]).nodes([]);
    let proxy = here.start();
    let storm = ConnectStorm::at(&[proxy.bootstrap(); 4]);
    for round in 0..150 {
        proxy.apply(if round % 2 == 0 { &there } else { &here });
        storm.expect_answers(1);
    }
    storm.end();
}

#[test]
fn clusters_that_swap_ports_under_a_connect_storm_refuse_nobody() {
    let (one, two) = (Broker::echoing(b"one"), Broker::echoing(b"two"));
    let [first, second] = free_ports();
    let with = |own: u16, others: u16| {
        Setup::to(&[one.address])
            .nodes([])
            .gateway(|gateway| gateway.bootstrap_port = own)
            .and("other", &[two.address])
            .other("other", |cluster| {
                cluster.gateways[0].nodes.clear();
                cluster.gateways[0].bootstrap_port = others;
            })
    };
    let (straight, crossed) = (with(first, second), with(second, first));
    let proxy = straight.start();
    let addresses = [proxy.bootstrap(), proxy.bootstrap_of("other")];
    let storm = ConnectStorm::at(&[addresses[0], addresses[1], addresses[0], addresses[1]]);
    for round in 0..100 {
        proxy.apply(if round % 2 == 0 { &crossed } else { &straight });
        storm.expect_answers(1);
    }
    storm.end();
    let mut client = Client::connect(addresses[0]);
    assert_eq!(client.ask(&heartbeat(1))[4..], *b"one");
    let mut client = Client::connect(addresses[1]);
    assert_eq!(client.ask(&heartbeat(1))[4..], *b"two");
}

#[test]
fn a_renamed_cluster_keeps_its_address_open() {
    let broker = Broker::echoing(b"ok");
    let [port] = free_ports();
    let named = |name: &str| {
        Setup::to(&[broker.address])
            .nodes([])
            .gateway(|gateway| gateway.bootstrap_port = port)
            .cluster(|cluster| cluster.name = name.into())
    };
    let proxy = named("before").start();
    let address = proxy.bootstrap_of("before");
    let storm = ConnectStorm::at(&[address; 2]);
    for round in 0..50 {
        proxy.apply(&named(if round % 2 == 0 { "after" } else { "before" }));
        storm.expect_answers(1);
    }
    storm.end();
}

#[test]
fn an_address_that_ends_refuses_and_comes_back_at_once() {
    let broker = Broker::echoing(b"ok");
    let [port] = free_ports();
    let alone = Setup::to(&[broker.address]).nodes([]);
    let both = alone
        .clone()
        .and("other", &[broker.address])
        .other("other", |cluster| {
            cluster.gateways[0].nodes.clear();
            cluster.gateways[0].bootstrap_port = port;
        });
    let proxy = both.start();
    let address = proxy.bootstrap_of("other");
    for _ in 0..20 {
        // A session that stays, so that the address comes back while the old cluster drains.
        let mut client = Client::connect(address);
        client.ask(&heartbeat(1));
        proxy.apply(&alone);
        assert!(TcpStream::connect(address).is_err(), "it goes on accepting");
        client.expect_fin();
        proxy.apply(&both);
        Client::connect(address).ask(&heartbeat(2));
    }
}

/// A connection the kernel has established and kproxy has not seen is served when its listener ends: closing it would
/// reset what is in the queue.
#[test]
fn who_was_waiting_at_an_address_that_ends_is_served() {
    let broker = Broker::echoing(b"ok");
    let alone = Setup::to(&[broker.address]).nodes([]);
    let both = alone.clone().and("other", &[broker.address]);
    for _ in 0..20 {
        let proxy = both.start();
        let address = proxy.bootstrap_of("other");
        let mut clients: Vec<Client> = (0..50).map(|_| Client::connect(address)).collect();
        clients.iter_mut().for_each(|client| client.send(&heartbeat(3)));
        proxy.apply(&alone);
        for client in &mut clients {
            assert_eq!(frames::correlation_id(&client.frame()), 3);
            client.expect_fin();
        }
    }
}

#[test]
fn a_new_target_is_used_by_the_next_connection() {
    let (one, two) = (Broker::echoing(b"one"), Broker::echoing(b"two"));
    let here = Setup::to(&[one.address]);
    let proxy = here.start();
    assert_eq!(proxy.client().ask(&heartbeat(1))[4..], *b"one");
    proxy.apply(&here.clone().cluster(|cluster| retarget(cluster, two.address)));
    assert_eq!(proxy.client().ask(&heartbeat(1))[4..], *b"two");
}
