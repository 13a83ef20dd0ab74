//! Promise 6.

use std::sync::atomic::Ordering;

use kafka_protocol::messages::MetadataRequest;
use kproxy::session::cause::CloseCause;

use testkit::client::Client;
use testkit::cluster::Cluster;
use testkit::proxy::Setup;
use testkit::wait::eventually;

/// Asks for the brokers; whatever the answer says, kproxy has seen it.
fn ask(client: &mut Client) {
    client.call(1, 1, &MetadataRequest::default());
}

#[test]
fn sessions_that_lead_to_where_a_broker_was_go_on_to_where_it_is() {
    let mut cluster = Cluster::start([0, 1]);
    let proxy = Setup::to(&[cluster.address(0)]).nodes([0, 1]).start();
    let (mut bootstrap, mut other) = (proxy.client(), Client::connect(proxy.node(0)));
    ask(&mut bootstrap);
    ask(&mut other);
    let mut led_astray = Client::connect(proxy.node(1));
    ask(&mut led_astray);
    assert_eq!(cluster.connections(1), 1);

    cluster.move_and_stay(1);
    // The session itself serves on: nobody has said yet that the broker is elsewhere.
    ask(&mut bootstrap);
    eventually("the session has moved", || {
        proxy.counters().moved.load(Ordering::Relaxed) == 1
    });
    ask(&mut led_astray);
    assert_eq!(cluster.connections(1), 1);
    // Nobody else is disturbed.
    ask(&mut bootstrap);
    ask(&mut other);
    eventually("three sessions", || {
        proxy.proxy.status().unwrap().clusters[0].connections == 3
    });
    proxy.expect_closes(CloseCause::Drained, 0);
}
