//! Promise 5.

use std::fs;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;

use rustix::process::Signal;

use super::restart::no_nodes;
use testkit::broker::Broker;
use testkit::client::Client;
use testkit::running::{ask, local};
use testkit::service_manager::{ServiceManager, held};

/// A configuration of one cluster at this address.
fn file(directory: &tempfile::TempDir, address: &str, broker: SocketAddr) -> PathBuf {
    let file = directory.path().join("proxy.yaml");
    let text = format!(
        "virtualClusters:
  - name: demo
    targetCluster: {{bootstrapServers: \"{broker}\"}}
    gateways:
      - name: main
        portIdentifiesNode: {{bootstrapAddress: \"{address}\"{}}}
",
        no_nodes(32_000)
    );
    fs::write(&file, text).unwrap();
    file
}

fn listen(address: &str) -> (TcpListener, u16) {
    let socket = TcpListener::bind(address).unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

#[test]
fn an_inherited_socket_is_used_in_place_of_binding() {
    let (manager, directory) = (ServiceManager::start(), tempfile::tempdir().unwrap());
    let broker = Broker::echoing(b"ok");
    for (at, configured) in [("127.0.0.1:0", "127.0.0.1"), ("[::]:0", "kafka.example")] {
        let (socket, port) = listen(at);
        // A client that comes before the process does.
        let mut early = Client::connect(local(port));
        let file = file(&directory, &format!("{configured}:{port}"), broker.address);
        let binary = manager.run(&file, vec![held("kafka", &socket)]);
        binary.expect_log("kproxy serves");
        ask(&mut early);
        ask(&mut Client::connect(local(port)));
        assert!(
            binary.log().contains("an inherited socket is used"),
            "{}",
            binary.log()
        );
        assert!(!binary.log().contains("is closed"), "{}", binary.log());
    }
}

#[test]
fn a_socket_of_localhost_is_used_with_the_other_bound_beside_it() {
    let (manager, directory) = (ServiceManager::start(), tempfile::tempdir().unwrap());
    let broker = Broker::echoing(b"ok");
    let (socket, port) = listen("127.0.0.1:0");
    let file = file(&directory, &format!("localhost:{port}"), broker.address);
    let binary = manager.run(&file, vec![held("kafka", &socket)]);
    binary.expect_log("kproxy serves");
    ask(&mut Client::connect(local(port)));
    ask(&mut Client::connect(format!("[::1]:{port}").parse().unwrap()));
}

#[test]
fn what_no_listener_can_use_is_warned_of_and_closed() {
    let (manager, directory) = (ServiceManager::start(), tempfile::tempdir().unwrap());
    let broker = Broker::echoing(b"ok");
    let file = file(&directory, "127.0.0.1:0", broker.address);
    let (socket, port) = listen("127.0.0.1:0");
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    let inherited = vec![
        held("other", &socket),
        ("dns".to_owned(), datagrams.try_clone().unwrap().into()),
    ];
    let mut binary = manager.run(&file, inherited);
    let closed = format!(
        "an inherited socket is closed: no listener has its address address=127.0.0.1:{port} name=\"other\""
    );
    binary.expect_log(&closed);
    binary.expect_log("an inherited descriptor is closed: dns: is no TCP socket that listens");
    // Nothing else is disturbed, and nobody listens there once its other holder is gone, too.
    drop(socket);
    assert!(std::net::TcpStream::connect(local(port)).is_err());
    ask(&mut Client::connect(binary.bootstrap()));
    binary.signal(Signal::TERM);
    assert_eq!(binary.exit().0, Some(0));
}
