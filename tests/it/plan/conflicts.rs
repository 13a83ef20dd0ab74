//! Addresses that have to be released before others can be bound.

use kproxy::model::{BindIp, IdentifiedBy, ProxyModel, VirtualCluster};
use kproxy::reload::Plan;

use super::models::{LOOPBACK, cluster, model};

#[test]
fn only_overlapping_addresses_are_handed_over() {
    let at = |name: &str, bind: BindIp, port: u16| {
        let mut cluster = cluster(name, port);
        cluster.gateways[0].bind = bind;
        cluster.gateways[0].nodes.clear();
        cluster
    };
    let other = BindIp::Ip("127.0.0.2".parse().unwrap());
    let handovers = |old: VirtualCluster, new: VirtualCluster| {
        let plan = Plan::between(&model([old]), &model([new]));
        plan.conflicts.len()
    };
    let loopback = at("c", LOOPBACK, 9000);
    assert_eq!(handovers(loopback.clone(), at("c", BindIp::Any, 9000)), 1);
    assert_eq!(handovers(at("c", BindIp::Any, 9000), loopback.clone()), 1);
    assert_eq!(handovers(loopback.clone(), at("d", BindIp::Any, 9000)), 1);
    // Another port, another address that excludes nobody, and the same address in other hands need none.
    assert_eq!(handovers(loopback.clone(), at("c", BindIp::Any, 9001)), 0);
    assert_eq!(handovers(loopback.clone(), at("c", other, 9000)), 0);
    assert_eq!(handovers(loopback.clone(), at("d", LOOPBACK, 9000)), 0);
    // A port the operating system chooses collides with nothing.
    assert_eq!(handovers(at("c", LOOPBACK, 0), at("c", BindIp::Any, 0)), 0);
}

/// Promise 6.
#[test]
fn an_address_that_host_names_share_is_not_handed_over_while_anybody_is_left() {
    let on = |name: &str, bind: BindIp, host: &str| {
        let mut cluster = cluster(name, 9443);
        let advertised_port = None;
        let gateway = &mut cluster.gateways[0];
        gateway.nodes.clear();
        (gateway.bind, gateway.bootstrap_host) = (bind, host.into());
        gateway.identified_by = IdentifiedBy::SniHost { advertised_port };
        cluster
    };
    let old = model([on("a", LOOPBACK, "a"), on("b", LOOPBACK, "b")]);
    let handovers = |new: &ProxyModel| Plan::between(&old, new).conflicts.len();
    // One goes, one changes, one comes: the address stays.
    assert_eq!(handovers(&model([on("a", LOOPBACK, "a")])), 0);
    assert_eq!(
        handovers(&model([on("a", LOOPBACK, "x"), on("c", LOOPBACK, "c")])),
        0
    );
    // Both move to an overlapping address: one hand-over.
    assert_eq!(
        handovers(&model([on("a", BindIp::Any, "a"), on("b", BindIp::Any, "b")])),
        1
    );
    // No file can ask for this; were it asked for, the remaining cluster keeps its address.
    assert_eq!(
        handovers(&model([on("a", BindIp::Any, "a"), on("b", LOOPBACK, "b")])),
        0
    );
}
