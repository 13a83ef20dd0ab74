//! Ports bound when a node is first named.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Barrier, Mutex};

use kafka_protocol::messages::FindCoordinatorRequest;
use kproxy::model::PortRange;

use super::log::warnings;
use super::{addresses, metadata, who};
use testkit::client::Client;
use testkit::cluster::Cluster;
use testkit::proxy::{Setup, TestProxy};
use testkit::wait::eventually;

/// A range of ports that are free, below those the system hands out.
fn free_ports(count: u16) -> PortRange {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 12_000 + u16::try_from(std::process::id() % 1_500).unwrap() * 10;
    loop {
        let start = first + NEXT.fetch_add(count, Ordering::Relaxed);
        let bound = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if (start..start + count).all(bound) {
            let end = start + count - 1;
            return PortRange { start, end };
        }
    }
}

fn dynamic(cluster: &Cluster, ports: PortRange) -> TestProxy {
    let setup = Setup::to(&[cluster.address(0)]).nodes([0]);
    setup
        .gateway(|gateway| gateway.dynamic_ports = Some(ports))
        .start()
}

#[test]
fn a_dynamic_port_answers_when_the_answer_that_names_it_is_there() {
    let cluster = Cluster::start([0, 1, 2, 1001]);
    let ports = free_ports(3);
    let proxy = dynamic(&cluster, ports);
    let clients: Vec<_> = (0..8).map(|_| proxy.client()).collect();
    let together = Barrier::new(clients.len());
    let told = Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        for mut client in clients {
            let (together, told) = (&together, &told);
            scope.spawn(move || {
                together.wait();
                for (node, address) in addresses(&metadata(&mut client)) {
                    assert_eq!(who(&mut Client::connect(address.parse().unwrap())), node);
                    told.lock().unwrap().insert((node, address));
                }
            });
        }
    });
    // All were told the same.
    let told: Vec<_> = told.into_inner().unwrap().into_iter().collect();
    let ids: Vec<_> = told.iter().map(|(node, _)| *node).collect();
    assert_eq!(ids, [0, 1, 2, 1001]);
    assert_eq!(told[0].1, proxy.node(0).to_string());
    let in_range = |address: &str| {
        let port = address.parse::<SocketAddr>().unwrap().port();
        (ports.start..=ports.end).contains(&port)
    };
    assert!(told[1..].iter().all(|(_, address)| in_range(address)), "{told:?}");
    assert_eq!(proxy.counters().withheld_nodes.load(Ordering::Relaxed), 0);
}

#[test]
fn a_coordinator_may_be_the_first_to_need_a_dynamic_port() {
    let cluster = Cluster::start([5, 6]);
    let setup = Setup::to(&[cluster.address(6)]).nodes([]);
    let proxy = setup
        .gateway(|gateway| gateway.dynamic_ports = Some(free_ports(2)))
        .start();
    let mut client = proxy.client();
    let answer = client.call(3, 6, &FindCoordinatorRequest::default());
    assert_eq!((answer.error_code, answer.node_id.0), (0, 5));
    let address = format!("{}:{}", &*answer.host, answer.port);
    assert_eq!(who(&mut Client::connect(address.parse().unwrap())), 5);
}

#[test]
fn when_no_dynamic_port_is_left_a_node_is_withheld_and_not_asked_for_again() {
    let cluster = Cluster::start([0, 1, 4711]);
    let told = || {
        warnings()
            .filter(|line| line.contains("limit=\"dynamic_ports\""))
            .count()
    };
    assert_eq!(told(), 0);
    let proxy = dynamic(&cluster, free_ports(1));
    for answers in 1..=3 {
        let answer = metadata(&mut proxy.client());
        let ids: Vec<_> = answer.brokers.iter().map(|node| node.node_id.0).collect();
        assert_eq!(ids, [0, 1]);
        assert_eq!(proxy.counters().withheld_nodes.load(Ordering::Relaxed), answers);
        eventually("that no port is left is told", || told() > 0);
        assert_eq!(told(), 1, "after {answers} answers");
    }
}
