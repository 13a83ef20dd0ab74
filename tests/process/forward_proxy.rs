//! Targets that are reached through a forward proxy (`via`).
//!
//! 1. Every connection to brokers goes through it: sessions at the bootstrap and at nodes, and kproxy's own. Names of brokers
//!    are resolved there. TLS inside the tunnel is with the broker, by the broker's name.
//! 2. What it says, and what it does not say, costs a session its connect time-out at most; the reason names the forward proxy,
//!    the broker, and why. Its answers are bounded.
//! 3. Its address is part of the target. Other credentials apply to new connections, from a file that is watched.
//! 4. Credentials are in no log, no status, no plan and no error.

mod doctor;
mod failures;
mod reload;

use std::net::SocketAddr;
use std::sync::Arc;

use kproxy::config::Secret;
use kproxy::model::{ForwardProxy, ForwardProxyProtocol, HostPort, UpstreamTls, UpstreamTrust, UserLogin};
use kproxy::pki::{Negotiation, TrustStore};
use kproxy::session::cause::CloseCause;

use testkit::certificates::{Authority, Leaf};
use testkit::client::Client;
use testkit::cluster::Cluster;
use testkit::forward_proxy::TestForwardProxy;
use testkit::frames::heartbeat;
use testkit::proxy::{Setup, TestProxy};
use testkit::tls_broker::{TlsBroker, settings};

/// A name that no resolver of this machine knows (RFC 6761 §6.2).
const NAME: &str = "b0.kafka.test";
const USER: &str = "svc-kproxy";
const PASSWORD: &str = "hunter2";

const PROTOCOLS: [ForwardProxyProtocol; 2] = ForwardProxyProtocol::ALL;

fn start(protocol: ForwardProxyProtocol) -> TestForwardProxy {
    match protocol {
        ForwardProxyProtocol::Socks5 => TestForwardProxy::socks5(),
        ForwardProxyProtocol::Http => TestForwardProxy::http(),
    }
}

fn via(
    protocol: ForwardProxyProtocol,
    address: SocketAddr,
    password: Option<&str>,
) -> Option<Arc<ForwardProxy>> {
    let credentials = password.map(|password| UserLogin {
        username: USER.to_owned(),
        password: Secret::new(password),
    });
    Some(Arc::new(ForwardProxy {
        protocol,
        address: HostPort {
            host: address.ip().to_string(),
            port: address.port(),
        },
        credentials,
    }))
}

/// A target at `name:port` behind the forward proxy.
fn setup(name: &str, port: u16, via: Option<Arc<ForwardProxy>>) -> Setup {
    Setup::to(&[]).cluster(|cluster| {
        cluster.target.bootstrap_servers = vec![HostPort {
            host: name.to_owned(),
            port,
        }];
        cluster.target.via = via;
    })
}

#[track_caller]
fn is_served(address: SocketAddr) {
    let mut client = Client::connect(address);
    client.send(&heartbeat(1));
    client.frame();
}

#[track_caller]
fn is_closed(address: SocketAddr) {
    let mut client = Client::connect(address);
    client.send(&heartbeat(1));
    client.expect_fin();
}

/// The newest failure at the only broker that was tried.
#[track_caller]
fn detail(proxy: &TestProxy) -> String {
    let status = proxy.proxy.status().unwrap();
    status.clusters[0].upstream[0].detail.clone().unwrap()
}

#[test]
fn sessions_reach_bootstrap_and_nodes_by_names_that_only_the_forward_proxy_knows() {
    for protocol in PROTOCOLS {
        for credentials in [None, Some(PASSWORD)] {
            let cluster = Cluster::start([0, 1]);
            cluster.name(0, NAME);
            cluster.name(1, "b1.kafka.test");
            let forward = start(protocol)
                .knowing(NAME, cluster.address(0))
                .knowing("b1.kafka.test", cluster.address(1));
            if credentials.is_some() {
                forward.demand(USER, PASSWORD);
            }
            let via = via(protocol, forward.address(), credentials);
            let port = cluster.address(0).port();
            let proxy = setup(NAME, port, via).start();
            is_served(proxy.bootstrap());
            is_served(proxy.node(0));
            is_served(proxy.node(1));
            let bootstrap = format!("{NAME}:{port}");
            let node = format!("b1.kafka.test:{}", cluster.address(1).port());
            let asked = forward.asked();
            assert!(asked.contains(&bootstrap) && asked.contains(&node), "{asked:?}");
            let reached = cluster.connections(0) + cluster.connections(1);
            assert_eq!(reached, asked.len(), "nothing goes another way");
            let shown = forward.authenticated();
            let expected = if credentials.is_some() { asked.len() } else { 0 };
            assert_eq!(shown, vec![USER; expected]);
        }
    }
}

#[test]
fn addresses_are_asked_for_as_addresses() {
    for protocol in PROTOCOLS {
        let cluster = Cluster::start([0]);
        let forward = start(protocol);
        let port = cluster.address(0).port();
        let proxy = setup("127.0.0.1", port, via(protocol, forward.address(), None)).start();
        is_served(proxy.bootstrap());
        assert_eq!(forward.asked(), [format!("127.0.0.1:{port}")]);
        let proxy = setup("::1", port, via(protocol, forward.address(), None)).start();
        // Nobody is there.
        is_closed(proxy.bootstrap());
        assert_eq!(forward.asked().last().unwrap(), &format!("[::1]:{port}"));
    }
}

#[test]
fn tls_in_the_tunnel_is_with_the_broker_by_its_name() {
    for protocol in PROTOCOLS {
        let authority = Authority::new("brokers");
        let right = TlsBroker::start(settings(&authority.issue(&Leaf::server(&[NAME])), None));
        let other = TlsBroker::start(settings(&authority.issue(&Leaf::server(&["other.test"])), None));
        for (broker, is_right) in [(&right, true), (&other, false)] {
            let address = broker.broker.address;
            let forward = start(protocol).knowing(NAME, address);
            let via = via(protocol, forward.address(), None);
            let store = TrustStore::from_pem(authority.pem.as_bytes()).unwrap();
            let setup = setup(NAME, address.port(), via).cluster(|cluster| {
                cluster.target.tls = Some(UpstreamTls {
                    trust: UpstreamTrust::Store(Arc::new(store)),
                    identity: None,
                    server_name: None,
                    revoked: None,
                    negotiation: Negotiation::default(),
                });
            });
            let proxy = setup.start();
            match is_right {
                true => {
                    is_served(proxy.bootstrap());
                    assert_eq!(broker.full(), 1);
                }
                false => {
                    is_closed(proxy.bootstrap());
                    proxy.expect_closes(CloseCause::UpstreamNameMismatch, 1);
                }
            }
        }
    }
}

#[test]
fn allowed_brokers_are_told_by_name_where_the_forward_proxy_resolves_it() {
    let protocol = ForwardProxyProtocol::Socks5;
    let cluster = Cluster::start([0, 1, 2]);
    cluster.name(0, NAME);
    cluster.name(1, "b1.kafka.test");
    cluster.name(2, "b2.elsewhere.test");
    let forward = start(protocol)
        .knowing(NAME, cluster.address(0))
        .knowing("b1.kafka.test", cluster.address(1))
        .knowing("b2.elsewhere.test", cluster.address(2));
    let text = "virtualClusters: [{name: a, targetCluster: {bootstrapServers: 'b:1', allowedBrokers: ['*.kafka.test']}, \
                gateways: [{name: g, portIdentifiesNode: {bootstrapAddress: 'localhost:9192'}}]}]";
    let parsed = kproxy::model::parse(text.as_bytes(), "f").unwrap();
    let allowed = parsed.clusters["a"].target.allowed_brokers.clone();
    let setup = setup(
        NAME,
        cluster.address(0).port(),
        via(protocol, forward.address(), None),
    )
    .cluster(|cluster| cluster.target.allowed_brokers = allowed);
    let proxy = setup.start();
    is_served(proxy.node(0));
    is_served(proxy.node(1));
    is_closed(proxy.node(2));
    proxy.expect_closes(CloseCause::BrokerNotAllowed, 1);
    assert_eq!(cluster.connections(2), 0);
    // Metadata services of clouds are as far away as before.
    cluster.name(1, "169.254.169.254");
    let reserved = setup
        .clone()
        .cluster(|cluster| cluster.target.allowed_brokers = Default::default());
    let proxy = reserved.start();
    is_closed(proxy.node(1));
    proxy.expect_closes(CloseCause::BrokerNotAllowed, 1);
    assert!(!forward.asked().iter().any(|asked| asked.starts_with("169.254")));
}
