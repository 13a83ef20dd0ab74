//! Promise 9.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, LazyLock};

use kproxy::control::{PlanReport, PlanVerdict, PlannedAction};
use kproxy::model::{BindIp, ClientAuth, DownstreamTls, Gateway, ProxyModel, VirtualCluster};
use kproxy::pki::{Identity, Negotiation, TrustStore};
use kproxy::reload::Outcome;
use proptest::prelude::*;
use testkit::certificates::{self, Authority, Leaf};
use testkit::client::Client;
use testkit::cluster::Cluster;
use testkit::frames::{self, HEARTBEAT};
use testkit::proxy::{Setup, TestProxy, servers};
use testkit::running::ports;
use testkit::tls_client::{Dialer, TlsClient, TlsEnd};

use super::models::{cluster, gateway, node};

/// Virtual clusters that there may be; each has ports of its own.
const SLOTS: usize = 3;
/// Ports of one gateway: two places for a bootstrap with two nodes.
const GATEWAY_PORTS: u16 = 6;

/// A virtual cluster of a generated configuration.
#[derive(Debug, Clone)]
struct Spec {
    is_there: bool,
    /// Which of the two names of its slot it has.
    name: usize,
    target: usize,
    limit: Option<usize>,
    gateways: [Option<GatewaySpec>; 2],
}

#[derive(Debug, Clone)]
struct GatewaySpec {
    /// Which of its two places it listens at.
    place: u16,
    bind: usize,
    nodes: i32,
    advertised: usize,
    /// Plain; with a certificate; and asking clients for one of the first authority, of either, or of the second.
    tls: usize,
}

prop_compose! {
    fn any_gateway()(place in 0u16..2, bind in 0usize..3, nodes in 0i32..3, advertised in 0usize..2, tls in 0usize..5) -> GatewaySpec {
        GatewaySpec { place, bind, nodes, advertised, tls }
    }
}

prop_compose! {
    fn any_spec()(
        is_there in prop::bool::weighted(0.8),
        name in 0usize..2,
        target in 0usize..2,
        limit in prop::option::of(100usize..102),
        first in any_gateway(),
        second in prop::option::weighted(0.4, any_gateway()),
    ) -> Spec {
        Spec { is_there, name, target, limit, gateways: [Some(first), second] }
    }
}

prop_compose! {
    /// A virtual cluster, and what it is after an edit that leaves most of it as it is.
    fn any_edit()(
        old in any_spec(),
        other in any_spec(),
        edits in prop::collection::vec(prop::bool::weighted(0.2), 10),
    ) -> (Spec, Spec) {
        let mut new = old.clone();
        let mut edits = edits.into_iter();
        let mut is_edited = || edits.next().unwrap();
        if is_edited() { new.is_there = other.is_there; }
        if is_edited() { new.name = other.name; }
        if is_edited() { new.target = other.target; }
        if is_edited() { new.limit = other.limit; }
        if is_edited() { new.gateways[1] = other.gateways[1].clone(); }
        let edited = other.gateways[0].as_ref().unwrap();
        let gateway = new.gateways[0].as_mut().unwrap();
        if is_edited() { gateway.place = edited.place; }
        if is_edited() { gateway.bind = edited.bind; }
        if is_edited() { gateway.nodes = edited.nodes; }
        if is_edited() { gateway.advertised = edited.advertised; }
        if is_edited() { gateway.tls = edited.tls; }
        (old, new)
    }
}

/// Certificates of the gateways and their clients.
struct Material {
    identity: Arc<Identity>,
    /// Trust in the first authority, in either, and in the second.
    stores: [Arc<TrustStore>; 3],
    dialer: Dialer,
}

static MATERIAL: LazyLock<Material> = LazyLock::new(|| {
    let (first, second) = (Authority::new("first"), Authority::new("second"));
    let server = first.issue(&Leaf::server(&["localhost"]).on_loopback());
    let client = first.issue(&Leaf::client("billing"));
    let store = |pem: String| Arc::new(TrustStore::from_pem(pem.as_bytes()).unwrap());
    Material {
        identity: Arc::new(identity(&server)),
        stores: [
            store(first.pem.clone()),
            store(format!("{}{}", first.pem, second.pem)),
            store(second.pem.clone()),
        ],
        dialer: Dialer::showing(&first.pem, &client),
    }
});

fn identity(leaf: &certificates::Identity) -> Identity {
    Identity::from_pem(leaf.chain.as_bytes(), leaf.key.as_bytes(), None).unwrap()
}

/// The second authority has issued no certificate of a client: nobody could connect before the edit.
fn connectable(mut spec: Spec) -> Spec {
    for gateway in spec.gateways.iter_mut().flatten() {
        gateway.tls = gateway.tls.min(3);
    }
    spec
}

impl Spec {
    fn cluster(&self, slot: usize, base: u16, targets: &[Cluster; 2]) -> VirtualCluster {
        let mut made = cluster(&format!("{}{slot}", ["a", "b"][self.name]), 1);
        made.target.bootstrap_servers = servers(&[targets[self.target].address(0)]);
        made.max_connections = self.limit;
        let first = base + slot as u16 * 2 * GATEWAY_PORTS;
        let gateways = self.gateways.iter().zip(["g", "h"]).enumerate();
        made.gateways = gateways
            .filter_map(|(index, (spec, name))| {
                let port = first + index as u16 * GATEWAY_PORTS;
                Some(spec.as_ref()?.gateway(name, port))
            })
            .collect();
        made
    }
}

impl GatewaySpec {
    fn gateway(&self, name: &str, first: u16) -> Gateway {
        let port = first + self.place * GATEWAY_PORTS / 2;
        let loopback = |last| BindIp::Ip(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)));
        Gateway {
            bind: [loopback(1), loopback(2), BindIp::Any][self.bind],
            node_host_pattern: ["localhost", "127.0.0.1"][self.advertised].into(),
            nodes: (0..self.nodes).map(|id| node(id, port + 1 + id as u16)).collect(),
            tls: self.tls(),
            ..gateway(name, port)
        }
    }

    fn tls(&self) -> Option<DownstreamTls> {
        let store = |index: usize| Arc::clone(&MATERIAL.stores[index]);
        let client_auth = match self.tls {
            0 => return None,
            1 => ClientAuth::None,
            kind => ClientAuth::Required(store(kind - 2)),
        };
        Some(DownstreamTls {
            identity: Arc::clone(&MATERIAL.identity),
            client_auth,
            revoked: None,
            negotiation: Negotiation::default(),
            end_sessions_on_expiry: false,
        })
    }
}

fn model(specs: &[Spec], base: u16, targets: &[Cluster; 2]) -> ProxyModel {
    let there = specs.iter().enumerate().filter(|(_, spec)| spec.is_there);
    super::models::model(there.map(|(slot, spec)| spec.cluster(slot, base, targets)))
}

/// A client of either kind.
enum Connected {
    Plain(Client),
    Tls(Box<TlsClient>),
}

impl Connected {
    fn to(address: SocketAddr, gateway: &Gateway) -> Self {
        match gateway.tls {
            None => Self::Plain(Client::connect(address)),
            Some(_) => Self::Tls(Box::new(
                MATERIAL.dialer.forgetful().dial(address, "localhost").unwrap(),
            )),
        }
    }

    fn ask(&mut self, client_id: &str) {
        let request = heartbeat(client_id);
        let answer = match self {
            Self::Plain(client) => client.ask(&request),
            Self::Tls(client) => {
                client.tls.write_all(&request).unwrap();
                client.frame().unwrap()
            }
        };
        assert_eq!(frames::correlation_id(&answer), 7, "{client_id}");
    }

    fn expect_end(mut self) {
        match &mut self {
            Self::Plain(client) => client.expect_fin(),
            Self::Tls(client) => assert_eq!(client.end(), (0, TlsEnd::Clean)),
        }
    }
}

fn heartbeat(client_id: &str) -> Vec<u8> {
    let mut content = [HEARTBEAT.to_be_bytes(), 0i16.to_be_bytes()].concat();
    content.extend(7i32.to_be_bytes());
    content.extend((client_id.len() as i16).to_be_bytes());
    content.extend(client_id.as_bytes());
    frames::framed(&content)
}

/// A client at every endpoint, by its client id.
fn clients(model: &ProxyModel) -> BTreeMap<String, Connected> {
    let mut clients = BTreeMap::new();
    for (name, cluster) in &model.clusters {
        for gateway in &cluster.gateways {
            let ip = match gateway.bind {
                BindIp::Ip(ip) => ip,
                BindIp::Any | BindIp::Loopback => Ipv4Addr::LOCALHOST.into(),
            };
            let nodes = gateway.nodes.iter().map(|node| node.port);
            for port in std::iter::once(gateway.bootstrap_port).chain(nodes) {
                let client_id = format!("{name}.{}.{port}", gateway.name);
                let mut client = Connected::to(SocketAddr::new(ip, port), gateway);
                client.ask(&client_id);
                clients.insert(client_id, client);
            }
        }
    }
    clients
}

/// Everything that it listens on, as plans write it.
fn listeners(proxy: &TestProxy) -> BTreeSet<String> {
    let listeners = proxy.proxy.listeners().unwrap();
    let text = |address: SocketAddr| match address.ip().is_unspecified() {
        true => format!("*:{}", address.port()),
        false => address.to_string(),
    };
    listeners.into_iter().map(text).collect()
}

fn names(plan: &PlanReport, action: PlannedAction) -> BTreeSet<&str> {
    let clusters = plan.clusters.iter().filter(|cluster| cluster.action == action);
    clusters.map(|cluster| cluster.name.as_str()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_says_what_its_reload_then_does_to_real_sessions(edits in prop::collection::vec(any_edit(), SLOTS)) {
        static BASE: LazyLock<u16> = LazyLock::new(ports);
        static TARGETS: LazyLock<[Cluster; 2]> = LazyLock::new(|| [(); 2].map(|()| Cluster::start([0, 1])));
        let (old, new): (Vec<Spec>, Vec<Spec>) = edits.into_iter().unzip();
        let old: Vec<Spec> = old.into_iter().map(connectable).collect();
        let (old, new) = (model(&old, *BASE, &TARGETS), model(&new, *BASE, &TARGETS));
        check(old, new);
    }
}

fn check(old: ProxyModel, new: ProxyModel) {
    let mut start = Setup::to(&[]).model();
    start.clusters = old.clusters;
    let next = ProxyModel {
        clusters: new.clusters,
        ..start.clone()
    };
    let proxy = TestProxy {
        proxy: kproxy::app::Proxy::start(start.clone()).unwrap(),
    };
    let mut clients = clients(&start);
    let before = listeners(&proxy);
    let plan = proxy.proxy.plan(next.clone()).unwrap();
    assert_eq!(plan.errors, [""; 0]);
    assert_eq!(listeners(&proxy), before, "a plan binds and releases nothing");
    clients
        .iter_mut()
        .for_each(|(client_id, client)| client.ask(client_id));

    let report = proxy.proxy.reload(next).unwrap();
    let outcome = match plan.verdict {
        PlanVerdict::Unchanged => Outcome::Unchanged,
        PlanVerdict::Undisturbed | PlanVerdict::Drains | PlanVerdict::Rejected => Outcome::Applied,
    };
    assert_eq!(report.outcome, outcome, "{plan:?} {:?}", report.errors);
    for (action, done) in [
        (PlannedAction::Add, &report.added),
        (PlannedAction::Modify, &report.modified),
        (PlannedAction::Remove, &report.removed),
    ] {
        let done: BTreeSet<&str> = done.iter().map(String::as_str).collect();
        assert_eq!(names(&plan, action), done, "{action:?}");
    }
    check_listeners(&plan, &before, &listeners(&proxy));
    check_sessions(&plan, &proxy, clients);
}

fn check_listeners(plan: &PlanReport, before: &BTreeSet<String>, after: &BTreeSet<String>) {
    let planned = |of: fn(&kproxy::control::PlannedCluster) -> &Vec<String>| -> BTreeSet<String> {
        plan.clusters.iter().flat_map(of).cloned().collect()
    };
    let bound: BTreeSet<String> = after.difference(before).cloned().collect();
    let released: BTreeSet<String> = before.difference(after).cloned().collect();
    assert_eq!(planned(|cluster| &cluster.listeners_bound), bound);
    assert_eq!(planned(|cluster| &cluster.listeners_released), released);
    assert_eq!(plan.summary.listeners_bound, bound.len());
    assert_eq!(plan.summary.listeners_released, released.len());
}

fn check_sessions(plan: &PlanReport, proxy: &TestProxy, mut clients: BTreeMap<String, Connected>) {
    let live = clients.len();
    let drained = plan.clusters.iter().flat_map(|cluster| &cluster.clients);
    let drained: Vec<String> = drained.filter_map(|client| client.client_id.clone()).collect();
    let counted = plan.summary.connections.unwrap();
    assert_eq!((counted.live, counted.drained), (live, drained.len()), "{plan:?}");
    let verdict = plan.verdict == PlanVerdict::Drains;
    // Those that move are drained if the new target is another Kafka cluster, which a plan does not ask.
    assert_eq!(verdict, !drained.is_empty() || counted.moved > 0);
    for client_id in &drained {
        clients.remove(client_id).unwrap().expect_end();
    }
    proxy.proxy.wait_drained();
    clients
        .iter_mut()
        .for_each(|(client_id, client)| client.ask(client_id));
}
