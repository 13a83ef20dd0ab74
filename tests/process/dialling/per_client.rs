//! `maxConnectionsPerClient`.

use std::net::SocketAddr;

use kproxy::model::{Network, PerClient, ProxyProtocolMode};
use kproxy::session::cause::CloseCause;

use super::{ALIVE, heartbeat, is_served};
use testkit::broker::Broker;
use testkit::client::Client;
use testkit::proxy::Setup;

fn of(limit: usize) -> Option<PerClient> {
    Some(PerClient {
        limit,
        ipv4: 32,
        ipv6: 64,
    })
}

#[track_caller]
fn is_refused(mut client: Client) {
    client.expect_fin();
}

fn served(address: SocketAddr) -> Client {
    let mut client = Client::connect(address);
    is_served(&mut client);
    client
}

#[test]
fn a_client_has_as_many_connections_as_it_may_in_the_process_and_in_a_cluster() {
    let broker = Broker::echoing(ALIVE);
    let process = |network: &mut Network| network.max_connections_per_client = of(3);
    let setup = Setup::to(&[broker.address])
        .network(process)
        .cluster(|cluster| cluster.max_connections_per_client = of(2))
        .and("other", &[broker.address]);
    let proxy = setup.start();
    let mut here: Vec<Client> = (0..2).map(|_| served(proxy.bootstrap())).collect();
    is_refused(proxy.client());
    proxy.expect_closes(CloseCause::ClientConnectionLimit, 1);
    let other = proxy.bootstrap_of("other");
    let there = served(other);
    is_refused(Client::connect(other));
    // A client that leaves makes room.
    drop(here.pop());
    proxy.expect_sessions(2);
    drop(there);
    proxy.expect_sessions(1);
    here.push(served(proxy.bootstrap()));
    // Live: a wider one at once, a narrower one closes nobody and counts those who are there.
    let wide = setup
        .clone()
        .cluster(|cluster| cluster.max_connections_per_client = None);
    proxy.apply(&wide);
    here.push(served(proxy.bootstrap()));
    is_refused(proxy.client());
    let narrow = wide.network(|network| network.max_connections_per_client = of(1));
    proxy.apply(&narrow);
    here.iter_mut().for_each(is_served);
    is_refused(proxy.client());
}

/// Behind a load balancer it is the address in the header that counts.
#[test]
fn the_address_in_the_proxy_header_is_the_client() {
    let broker = Broker::echoing(ALIVE);
    let proxy = Setup::to(&[broker.address])
        .cluster(|cluster| cluster.max_connections_per_client = of(1))
        .gateway(|gateway| gateway.proxy_protocol.mode = ProxyProtocolMode::Required)
        .start();
    let client = |source: &str| {
        let mut client = proxy.client();
        client.send(format!("PROXY TCP4 {source} 10.9.9.9 4000 9092\r\n").as_bytes());
        client
    };
    let mut first = client("10.0.0.1");
    is_served(&mut first);
    let mut other = client("10.0.0.2");
    is_served(&mut other);
    let mut again = client("10.0.0.1");
    again.send(&heartbeat(1));
    again.expect_fin();
    drop(again);
    proxy.expect_closes(CloseCause::ClientConnectionLimit, 1);
    is_served(&mut first);
}
