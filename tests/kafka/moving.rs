//! Promise 20: the target of a virtual cluster changes under its clients, to other addresses and to TLS and back, while all
//! sorts of clients produce and consume: no session is closed, and no record is lost, doubled or out of order.
//!
//! `KPROXY_MOVES` says how often (30).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use kproxy::app::Proxy;
use kproxy::model::{ProxyModel, TargetCluster};
use testkit::entry_point::{self, Route};
use testkit::kafka::{KafkaCluster, Listener, wait_for};

use crate::load::{Load, SETTLE};
use crate::modern;

fn change(model: &mut ProxyModel, target: TargetCluster) {
    for cluster in model.clusters.values_mut() {
        Arc::make_mut(cluster).target = target.clone();
    }
}

/// A target as an operator would write it.
fn target(cluster: &KafkaCluster, listener: Listener, first: usize) -> TargetCluster {
    let ids = cluster.ids();
    let servers = (0..ids.len()).map(|turn| ids[(first + turn) % ids.len()]);
    let servers: Vec<_> = servers
        .map(|id| cluster.address(id, listener).to_string())
        .collect();
    let trust = cluster.tls.broker_trust.display();
    let tls = match listener {
        Listener::Ssl => format!(", tls: {{trust: {{storeFile: '{trust}', storeType: PEM}}}}"),
        _ => String::new(),
    };
    let yaml = format!(
        "virtualClusters:
  - name: other
    targetCluster: {{bootstrapServers: '{}'{tls}}}
    gateways: [{{name: default, portIdentifiesNode: {{bootstrapAddress: 127.0.0.1:0}}}}]
",
        servers.join(",")
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), yaml).unwrap();
    let model = kproxy::model::load(file.path()).unwrap_or_else(|errors| panic!("{errors:?}"));
    model.clusters["other"].target.clone()
}

#[test]
fn a_target_moves_under_all_sorts_of_clients_and_no_session_is_closed() {
    if Route::chosen() == Route::Direct {
        return;
    }
    let Some(cluster) = modern() else { return };
    let rounds = std::env::var("KPROXY_MOVES").map_or(30, |rounds| rounds.parse().unwrap());
    let mut model = entry_point::model(cluster, Listener::Plaintext);
    let proxy = Proxy::start(model.clone()).unwrap();
    let bootstrap = proxy.bootstrap("orders", "default").unwrap().to_string();
    let counters = proxy.counters("orders").unwrap();
    let load = Load::start(cluster, &bootstrap, "moving");
    for round in 0..rounds {
        let listener = if round % 2 == 0 {
            Listener::Ssl
        } else {
            Listener::Plaintext
        };
        change(&mut model, target(cluster, listener, round));
        let moved = counters.moved.load(Ordering::Relaxed);
        proxy.reload(model.clone()).unwrap();
        wait_for("all sessions have moved", SETTLE, || {
            let status = proxy.status().unwrap();
            status.drains.is_empty() && counters.moved.load(Ordering::Relaxed) > moved
        });
    }
    let moved = counters.moved.load(Ordering::Relaxed);
    eprintln!("{rounds} changes, {moved} sessions moved");
    load.finish(&counters);
}
