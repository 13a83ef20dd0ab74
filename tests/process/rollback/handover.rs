//! Promise 7.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Mutex, mpsc};

use kproxy::app::Exit;
use kproxy::control::Word;
use kproxy::endpoint::BindAddr;
use kproxy::model::{BindIp, Gateway, NodePort, ProxyModel};
use kproxy::reload::Outcome;

use super::fixture::Fixture;
use testkit::broker::Broker;
use testkit::client::Client;
use testkit::cluster::Cluster;
use testkit::frames;
use testkit::proxy::{CLUSTER, Setup};
use testkit::running::{local, ports, refuses};
use testkit::wait::eventually;

const LOOPBACK: BindIp = BindIp::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
const EVERYWHERE: BindIp = BindIp::Ip(IpAddr::V4(Ipv4Addr::UNSPECIFIED));

/// A cluster whose gateway moves from one address to another that overlaps it, beside one that is left alone.
struct Moving {
    fixture: Fixture,
    kafka: Cluster,
    base: u16,
}

impl Moving {
    fn start() -> Self {
        let (kafka, base) = (Cluster::start([0, 1]), ports());
        let fixture = Fixture::start(model(kafka.address(0), LOOPBACK, base));
        Self { fixture, kafka, base }
    }

    fn at(&self, bind: BindIp) -> ProxyModel {
        model(self.kafka.address(0), bind, self.base)
    }

    /// The bootstrap's port is the first, those of two nodes follow it.
    fn address(bind: BindIp, port: u16) -> BindAddr {
        BindAddr { ip: bind, port }
    }

    fn client(&self, place: u16) -> Client {
        let mut client = Client::connect(local(self.base + place));
        ask(&mut client);
        client
    }

    fn other(&self) -> Client {
        let mut client = Client::connect(self.fixture.running.bootstrap_of("other"));
        ask(&mut client);
        client
    }

    /// State and cause of the moving cluster.
    fn state(&self) -> (&'static str, Option<String>) {
        let status = self.fixture.running.proxy.status().unwrap();
        let clusters = status.clusters.into_iter();
        let moving = clusters
            .into_iter()
            .find(|cluster| cluster.name == CLUSTER)
            .unwrap();
        let Word::Borrowed(state) = moving.state else {
            panic!("the state comes from the process itself");
        };
        (state, moving.cause)
    }
}

/// Whether a request is answered on this connection, by whichever node.
#[track_caller]
fn ask(client: &mut Client) {
    let answer = client.ask(&frames::heartbeat(5));
    assert_eq!(frames::correlation_id(&answer), 5);
}

fn model(target: SocketAddr, bind: BindIp, base: u16) -> ProxyModel {
    let place = |gateway: &mut Gateway| {
        gateway.bind = bind;
        gateway.bootstrap_port = base;
        let port = |node_id, port| NodePort {
            node_id,
            port,
            advertised_port: None,
        };
        gateway.nodes = vec![port(0, base + 1), port(1, base + 2)];
    };
    Setup::to(&[target])
        .gateway(place)
        .and("other", &[target])
        .model()
}

#[test]
fn an_address_is_handed_over_and_sessions_leave_between_requests() {
    let (answer, told) = mpsc::channel::<()>();
    let (kept, arrived) = mpsc::channel::<()>();
    let told = Mutex::new((told, kept));
    let broker = Broker::start(move |mut connection| {
        while let Some(asked) = connection.request() {
            // The one request with this number is kept until the test says so.
            if asked.correlation_id == 77 {
                let (told, kept) = &*told.lock().unwrap();
                kept.send(()).unwrap();
                told.recv().unwrap();
            }
            connection.send(&frames::raw_response(asked.correlation_id, b"ok"));
        }
    });
    let base = ports();
    let fixture = Fixture::start(model(broker.address, LOOPBACK, base));
    let connect = || {
        let mut client = Client::connect(local(base));
        ask(&mut client);
        client
    };
    let (mut quiet, mut asking) = (connect(), connect());
    let mut other = Client::connect(fixture.running.bootstrap_of("other"));
    ask(&mut other);
    asking.send(&frames::heartbeat(77));
    arrived.recv().unwrap();
    let report = fixture.reload(model(broker.address, EVERYWHERE, base));
    assert_eq!(
        (report.outcome, report.generation),
        (Outcome::Applied, 2),
        "{report:?}"
    );
    connect();
    quiet.expect_fin();
    answer.send(()).unwrap();
    assert_eq!(frames::correlation_id(&asking.frame()), 77);
    asking.expect_fin();
    ask(&mut other);
    drop((quiet, asking));
    // And back.
    let report = fixture.reload(model(broker.address, LOOPBACK, base));
    assert_eq!(report.outcome, Outcome::Applied, "{report:?}");
    connect();
    ask(&mut other);
}

#[test]
fn an_address_that_cannot_be_handed_over_is_restored() {
    let moving = Moving::start();
    let mut clients = [moving.client(0), moving.client(1), moving.other()];
    let before = moving.fixture.status();
    for place in 0..3 {
        let address = Moving::address(EVERYWHERE, moving.base + place);
        moving.fixture.binder.fail(address, 1);
        let report = moving.fixture.reload(moving.at(EVERYWHERE));
        assert!(moving.fixture.binder.heal());
        assert_eq!(
            (report.outcome, report.generation),
            (Outcome::RolledBack, 1),
            "{report:?}"
        );
        let reason = format!("cannot listen on 0.0.0.0:{}", moving.base + place);
        assert!(report.errors[0].contains(&reason), "{report:?}");
        moving.fixture.expect_status(&before);
        clients.iter_mut().for_each(ask);
        for place in 0..3 {
            moving.client(place);
        }
    }
    assert_eq!(
        moving.fixture.reload(moving.at(EVERYWHERE)).outcome,
        Outcome::Applied
    );
}

/// Hands the address over; neither the new one nor the old one of node 0 can be bound.
fn failed() -> (Moving, [Client; 2]) {
    let moving = Moving::start();
    let mut clients = [moving.client(0), moving.other()];
    moving
        .fixture
        .binder
        .fail(Moving::address(EVERYWHERE, moving.base + 1), 1);
    moving
        .fixture
        .binder
        .fail(Moving::address(LOOPBACK, moving.base + 1), usize::MAX);
    let report = moving.fixture.reload(moving.at(EVERYWHERE));
    assert_eq!(
        (report.outcome, report.generation),
        (Outcome::Failed, 1),
        "{report:?}"
    );
    let lost: Vec<&String> = report
        .errors
        .iter()
        .filter(|error| error.contains("could not be restored"))
        .collect();
    assert_eq!(lost.len(), 1, "{report:?}");
    let cause = format!("cannot listen on 127.0.0.1:{}: not this one", moving.base + 1);
    assert!(lost[0].contains(CLUSTER) && lost[0].contains(&cause), "{lost:?}");
    assert_eq!(moving.state(), ("failed", Some(cause)));
    clients.iter_mut().for_each(ask);
    moving.other();
    (moving, clients)
}

#[test]
fn a_cluster_that_cannot_be_restored_is_failed_with_its_cause_and_the_rest_serves() {
    let (moving, _clients) = failed();
    assert!(refuses(local(moving.base + 1)));
    // Of the cluster itself, what could be restored was.
    moving.client(0);
    moving.client(2);
}

#[test]
fn the_next_reload_heals_a_failed_cluster() {
    let (moving, mut clients) = failed();
    // Nothing has changed for the better yet.
    let report = moving.fixture.reload(moving.at(LOOPBACK));
    assert_eq!(report.outcome, Outcome::Unchanged, "{report:?}");
    assert_eq!(moving.state().0, "failed");
    moving.fixture.binder.heal();
    let report = moving.fixture.reload(moving.at(LOOPBACK));
    assert_eq!(report.outcome, Outcome::Unchanged, "{report:?}");
    assert_eq!(moving.state(), ("serving", None));
    for place in 0..3 {
        moving.client(place);
    }
    clients.iter_mut().for_each(ask);
}

/// Promise 11.
#[test]
fn a_failed_cluster_serves_again_once_its_address_is_free() {
    let (moving, mut clients) = failed();
    moving.fixture.binder.heal();
    eventually("nobody has to ask", || moving.state() == ("serving", None));
    for place in 0..3 {
        moving.client(place);
    }
    clients.iter_mut().for_each(ask);
}

#[test]
fn a_failed_cluster_serves_where_a_reload_puts_it() {
    let (moving, mut clients) = failed();
    // Its old address is still not to be had; the new one is.
    let report = moving.fixture.reload(moving.at(EVERYWHERE));
    assert_eq!(report.outcome, Outcome::Applied, "{report:?}");
    assert_eq!(moving.state(), ("serving", None));
    for place in 0..3 {
        moving.client(place);
    }
    let [left, other] = &mut clients;
    left.expect_fin();
    ask(other);
}

#[test]
fn a_failed_cluster_can_be_removed_and_survives_a_shutdown() {
    let (moving, clients) = failed();
    drop(clients);
    let mut without = moving.at(LOOPBACK);
    without.clusters.remove(CLUSTER).unwrap();
    assert_eq!(moving.fixture.reload(without).outcome, Outcome::Applied);
    moving.fixture.running.proxy.wait_drained();
    let names = moving.fixture.running.proxy.status().unwrap().clusters;
    assert_eq!(names.len(), 1, "{names:?}");
    let (moving, clients) = failed();
    drop(clients);
    assert!(matches!(moving.fixture.running.shutdown(), Exit::Drained(end) if end.forced == 0));
}

#[test]
fn an_address_that_somebody_takes_in_between_rolls_back() {
    let moving = Moving::start();
    let before = moving.fixture.status();
    // Not in the way of loopback, but of every address.
    let taken = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), moving.base + 2)).unwrap();
    let report = moving.fixture.reload(moving.at(EVERYWHERE));
    assert_eq!(report.outcome, Outcome::RolledBack, "{report:?}");
    assert!(report.errors[0].contains("Address already in use"), "{report:?}");
    moving.fixture.expect_status(&before);
    for place in 0..3 {
        moving.client(place);
    }
    drop(taken);
    assert_eq!(
        moving.fixture.reload(moving.at(EVERYWHERE)).outcome,
        Outcome::Applied
    );
}
