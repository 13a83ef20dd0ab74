//! Promises 2 and 7 where gateways share an address and host names tell them apart.

use std::net::{IpAddr, Ipv4Addr, TcpListener};

use kproxy::control::{ReloadReport, Word};
use kproxy::endpoint::BindAddr;
use kproxy::model::{BindIp, ProxyModel};
use kproxy::reload::Outcome;
use tempfile::TempDir;

use super::fixture::Fixture;
use testkit::certificates::{Authority, Leaf};
use testkit::cluster::Cluster;
use testkit::running::{local, ports, refuses};
use testkit::tls_client::{Dialer, TlsClient, TlsEnd};

const LOOPBACK: &str = "127.0.0.1";
const EVERYWHERE: &str = "0.0.0.0";

/// Clusters with the names of their gateways.
type Clusters = &'static [(&'static str, &'static [&'static str])];

const ONE: Clusters = &[("a", &["a"])];
/// The second has two gateways on the address that it shares with the first.
const TWO: Clusters = &[("a", &["a"]), ("b", &["b", "c"])];

/// What configurations are made of: brokers, certificates, and one port.
struct Place {
    kafka: Cluster,
    authority: Authority,
    directory: TempDir,
    port: u16,
}

impl Place {
    fn new() -> Self {
        let (directory, authority) = (tempfile::tempdir().unwrap(), Authority::new("ca"));
        let leaf = Leaf::server(&["*.kafka.test"]);
        authority.issue(&leaf).write(directory.path(), "server");
        Self {
            kafka: Cluster::start([0, 1]),
            authority,
            directory,
            port: ports(),
        }
    }

    /// Every gateway on this address, known there by its name.
    fn by_name(&self, clusters: Clusters, bind: &str) -> ProxyModel {
        let gateway = |name: &&str| {
            format!(
                "      - name: {name}
        bindAddress: {bind}
        sniHostIdentifiesNode:
          bootstrapAddress: {name}.kafka.test:{}
          advertisedBrokerAddressPattern: {name}-$(nodeId).kafka.test
        tls: {{key: {{certificateFile: server.crt, privateKeyFile: server.key}}}}
",
                self.port
            )
        };
        self.model(clusters, |names| names.iter().map(gateway).collect())
    }

    /// One cluster with the port for itself.
    fn by_port(&self, bind: &str) -> ProxyModel {
        let gateway = format!(
            "      - name: main
        bindAddress: {bind}
        portIdentifiesNode:
          bootstrapAddress: localhost:{}
          nodeIdRanges: [{{name: brokers, start: 0, end: 0}}]
",
            self.port
        );
        self.model(ONE, |_| gateway.clone())
    }

    fn model(&self, clusters: Clusters, gateways: impl Fn(&[&str]) -> String) -> ProxyModel {
        let mut text = "virtualClusters:\n".to_owned();
        for (name, names) in clusters {
            let target = self.kafka.address(0);
            text += &format!(
                "  - name: {name}
    targetCluster: {{bootstrapServers: \"{target}\"}}
    gateways:
{}",
                gateways(names)
            );
        }
        let path = self.directory.path().join("proxy.yaml");
        std::fs::write(&path, text).unwrap();
        kproxy::model::load(&path).unwrap()
    }

    fn address(&self, bind: &str) -> BindAddr {
        BindAddr {
            ip: BindIp::Ip(bind.parse::<IpAddr>().unwrap()),
            port: self.port,
        }
    }

    /// A client of this gateway whose session has begun; at a node if it says which.
    #[track_caller]
    fn client(&self, name: &str) -> TlsClient {
        let dialer = Dialer::trusting(&self.authority.pem);
        let name = format!("{name}.kafka.test");
        dialer.greet(local(self.port), &name).unwrap()
    }

    /// One for every gateway, by its bootstrap's name and by a node's.
    #[track_caller]
    fn clients(&self, clusters: Clusters) -> Vec<TlsClient> {
        let names = clusters.iter().flat_map(|(_, names)| *names);
        let names = names.flat_map(|name| [(*name).to_owned(), format!("{name}-1")]);
        names.map(|name| self.client(&name)).collect()
    }

    /// The state of a cluster, with its cause.
    fn state(fixture: &Fixture, name: &str) -> (&'static str, Option<String>) {
        let clusters = fixture.running.proxy.status().unwrap().clusters;
        let found = clusters.into_iter().find(|cluster| cluster.name == name);
        let found = found.unwrap();
        let Word::Borrowed(state) = found.state else {
            panic!("the state comes from the process itself");
        };
        (state, found.cause)
    }

    fn cause(&self) -> String {
        format!("cannot listen on {LOOPBACK}:{}: not this one", self.port)
    }
}

#[track_caller]
fn expect(outcome: Outcome, report: &ReloadReport) {
    assert_eq!(report.outcome, outcome, "{report:?}");
}

#[test]
fn an_address_of_names_is_handed_over_there_and_back() {
    for clusters in [ONE, TWO] {
        let place = Place::new();
        let fixture = Fixture::start(place.by_name(clusters, LOOPBACK));
        for bind in [EVERYWHERE, LOOPBACK] {
            let before = place.clients(clusters);
            expect(Outcome::Applied, &fixture.reload(place.by_name(clusters, bind)));
            place.clients(clusters);
            for mut client in before {
                assert_eq!(client.end(), (0, TlsEnd::Clean));
            }
        }
    }
}

#[test]
fn a_port_of_one_is_handed_over_to_many_names_and_back() {
    let place = Place::new();
    let fixture = Fixture::start(place.by_port(LOOPBACK));
    expect(Outcome::Applied, &fixture.reload(place.by_name(TWO, EVERYWHERE)));
    place.clients(TWO);
    expect(Outcome::Applied, &fixture.reload(place.by_port(LOOPBACK)));
    assert!(!refuses(local(place.port)));
}

#[test]
fn all_names_lead_again_to_an_address_that_could_not_be_handed_over() {
    let place = Place::new();
    let fixture = Fixture::start(place.by_name(TWO, LOOPBACK));
    let mut clients = place.clients(TWO);
    let before = fixture.status();
    fixture.binder.fail(place.address(EVERYWHERE), 1);
    let report = fixture.reload(place.by_name(TWO, EVERYWHERE));
    assert!(fixture.binder.heal(), "it was tried");
    expect(Outcome::RolledBack, &report);
    assert_eq!(report.errors.len(), 1, "told of once: {report:?}");
    drop(place.clients(TWO));
    fixture.expect_status(&before);
    clients.iter_mut().for_each(|client| client.ask().unwrap());
    expect(Outcome::Applied, &fixture.reload(place.by_name(TWO, EVERYWHERE)));
    place.clients(TWO);
}

#[test]
fn every_cluster_of_an_address_that_is_lost_is_failed_until_a_reload_heals_it() {
    let place = Place::new();
    let fixture = Fixture::start(place.by_name(TWO, LOOPBACK));
    fixture.binder.fail(place.address(EVERYWHERE), 1);
    fixture.binder.fail(place.address(LOOPBACK), usize::MAX);
    let report = fixture.reload(place.by_name(TWO, EVERYWHERE));
    expect(Outcome::Failed, &report);
    for name in ["a", "b"] {
        let lost = format!(
            "virtual cluster `{name}` could not be restored: {}",
            place.cause()
        );
        assert!(report.errors.contains(&lost), "{report:?}");
        assert_eq!(Place::state(&fixture, name), ("failed", Some(place.cause())));
    }
    assert!(refuses(local(place.port)));
    fixture.binder.heal();
    expect(Outcome::Unchanged, &fixture.reload(place.by_name(TWO, LOOPBACK)));
    place.clients(TWO);
    for name in ["a", "b"] {
        assert_eq!(Place::state(&fixture, name), ("serving", None));
    }
}

/// The address is had again, but too late for the first of those who share it.
#[test]
fn a_cluster_whose_names_are_lost_gets_them_back_on_an_address_that_others_have_restored() {
    let place = Place::new();
    let fixture = Fixture::start(place.by_name(TWO, LOOPBACK));
    let mut clients = place.clients(TWO);
    fixture.binder.fail(place.address(EVERYWHERE), 1);
    fixture.binder.fail(place.address(LOOPBACK), 1);
    let report = fixture.reload(place.by_name(TWO, EVERYWHERE));
    expect(Outcome::Failed, &report);
    assert!(fixture.binder.heal(), "both were tried");
    let lost = |name: &str| {
        let errors = report.errors.iter();
        errors
            .filter(|error| error.contains(&format!("`{name}` could not be restored")))
            .count()
    };
    assert_eq!((lost("a"), lost("b")), (1, 0), "{report:?}");
    assert_eq!(Place::state(&fixture, "b"), ("serving", None));
    place.client("c");
    expect(Outcome::Unchanged, &fixture.reload(place.by_name(TWO, LOOPBACK)));
    assert_eq!(Place::state(&fixture, "a"), ("serving", None));
    place.clients(TWO);
    clients.iter_mut().for_each(|client| client.ask().unwrap());
}

#[test]
fn a_busy_address_is_tried_once_for_all_who_would_share_it() {
    let place = Place::new();
    let fixture = Fixture::start(ProxyModel::empty());
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, place.port)).unwrap();
    let report = fixture.reload(place.by_name(TWO, LOOPBACK));
    expect(Outcome::Rejected, &report);
    let [error] = report.errors.as_slice() else {
        panic!("one address, one error: {report:?}");
    };
    let reason = format!(
        "virtual cluster `a`: cannot listen on {LOOPBACK}:{}: Address already in use",
        place.port
    );
    assert!(error.starts_with(&reason), "{error}");
    drop(taken);
    expect(Outcome::Applied, &fixture.reload(place.by_name(TWO, LOOPBACK)));
    place.clients(TWO);
}
