//! Servers that do not answer: a port whose backlog is full, to which connecting takes for ever.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use kproxy::model::{BootstrapSelection, Network};
use socket2::{Domain, Socket, Type};

use super::{ALIVE, is_served};
use testkit::broker::Broker;
use testkit::proxy::Setup;

struct BlackHole {
    address: SocketAddr,
    _listener: TcpListener,
    _queued: Vec<TcpStream>,
}

impl BlackHole {
    fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        socket.bind(&any.into()).unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let mut queued = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            queued.push(stream);
            assert!(queued.len() < 64, "the backlog is never full");
        }
        Self {
            address,
            _listener: socket.into(),
            _queued: queued,
        }
    }
}

/// With a time-out so long that one that is waited for fails the test.
fn setup(targets: &[SocketAddr]) -> Setup {
    let network = |network: &mut Network| network.connect_timeout = Duration::from_secs(300);
    Setup::to(targets).network(network)
}

#[test]
fn a_bootstrap_server_that_does_not_answer_costs_no_connect_timeout() {
    for selection in [BootstrapSelection::RoundRobin, BootstrapSelection::Random] {
        let (hole, other) = (BlackHole::new(), BlackHole::new());
        let broker = Broker::echoing(ALIVE);
        let setup = setup(&[hole.address, other.address, broker.address]);
        let proxy = setup
            .cluster(|cluster| cluster.target.selection = selection)
            .start();
        let began = Instant::now();
        for _ in 0..20 {
            is_served(&mut proxy.client());
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
        assert_eq!(broker.connections(), 20);
    }
}

/// Nobody waits twice for the same.
#[test]
fn a_bootstrap_server_that_did_not_answer_is_tried_last() {
    let hole = BlackHole::new();
    let broker = Broker::echoing(ALIVE);
    let proxy = setup(&[hole.address, broker.address]).start();
    // Both have been the first by then.
    for _ in 0..2 {
        is_served(&mut proxy.client());
    }
    let dialled = || {
        let peers = testkit::dialled::peers_of(std::process::id());
        peers.into_iter().filter(|&peer| peer == hole.address).count()
    };
    let before = dialled();
    let mut clients: Vec<_> = (0..10).map(|_| proxy.client()).collect();
    clients.iter_mut().for_each(is_served);
    assert_eq!(
        dialled(),
        before,
        "attempts that lost are given up, and none is made anew"
    );
}

/// Asking for the brokers goes the same way: over all servers, the next a moment after the one before.
#[test]
fn a_node_is_found_though_the_first_server_to_be_asked_is_silent() {
    let hole = BlackHole::new();
    // It takes connections and says nothing.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let cluster = testkit::cluster::Cluster::start([0]);
    let servers = [hole.address, mute.local_addr().unwrap(), cluster.address(0)];
    let proxy = setup(&servers).start();
    let began = Instant::now();
    for _ in 0..3 {
        let mut client = testkit::client::Client::connect(proxy.node(0));
        client.send(&super::heartbeat(1));
        client.frame();
    }
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}
