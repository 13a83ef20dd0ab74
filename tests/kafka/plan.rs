//! Promise 9: what a plan says of clients of a real Kafka is what its reload then does to them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use kproxy::{
    app::Proxy,
    control::{ConnectionFilter, ConnectionInfo, PlanVerdict, PlannedClient},
    model::ProxyModel,
    session::cause::CloseCause,
};

use crate::{modern, sasl::PLAIN};
use testkit::{
    entry_point::{self, Route},
    kafka::{Listener, USER, wait_for},
    topics,
};
use testkit_clients::{TestProducer, values};

/// Longest wait for clients to have connected.
const SETTLE: Duration = Duration::from_secs(40);

const CHANGED: &str = "changed";
const STAYING: &str = "staying";

/// The cluster twice, under two names.
fn twice(model: &ProxyModel) -> ProxyModel {
    let only = model.clusters.values().next().unwrap();
    let named = |name: &str| {
        let mut cluster = (**only).clone();
        cluster.name = name.into();
        (name.to_owned(), Arc::new(cluster))
    };
    ProxyModel {
        clusters: [CHANGED, STAYING].map(named).into(),
        ..model.clone()
    }
}

fn connections(proxy: &Proxy) -> Vec<ConnectionInfo> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let listed = proxy.handle().connections(ConnectionFilter::default());
    runtime.block_on(listed).unwrap()
}

/// Sessions of a virtual cluster, by client id and principal.
fn clients(proxy: &Proxy, cluster: &str) -> Vec<PlannedClient> {
    let mut found: BTreeMap<(Option<String>, Option<String>), usize> = BTreeMap::new();
    for session in connections(proxy) {
        if session.cluster == cluster {
            let client = (session.client_id, session.known.principal);
            *found.entry(client).or_default() += 1;
        }
    }
    let of = |((client_id, principal), connections)| PlannedClient {
        client_id,
        principal,
        connections,
    };
    let mut clients: Vec<PlannedClient> = found.into_iter().map(of).collect();
    clients.sort_by_key(|client| std::cmp::Reverse(client.connections));
    clients
}

/// A client of the virtual cluster that has produced, so that it has connections to brokers.
fn producer(proxy: &Proxy, cluster: &str, topic: &str) -> TestProducer {
    let bootstrap = proxy.bootstrap(cluster, "default").unwrap().to_string();
    let client_id = [("client.id", cluster)];
    let producer = TestProducer::new(&bootstrap, &[&PLAIN[..], &client_id[..]].concat());
    send(&producer, topic);
    producer
}

fn send(producer: &TestProducer, topic: &str) {
    let values = values("v", 300, 10);
    values
        .iter()
        .for_each(|value| producer.send(topic, value.as_bytes()));
    producer.flush();
}

#[test]
fn a_plan_names_the_clients_whose_connections_its_reload_drains() {
    if Route::chosen() == Route::Direct {
        return;
    }
    let Some(cluster) = modern() else { return };
    let topic = "plan-names-clients";
    topics::create_spread(cluster, topic);
    let model = twice(&entry_point::model(cluster, Listener::SaslPlaintext));
    let proxy = Proxy::start(model.clone()).unwrap();
    let (changed, staying) = (producer(&proxy, CHANGED, topic), producer(&proxy, STAYING, topic));
    let mut next = model;
    let edited = Arc::make_mut(next.clusters.get_mut(CHANGED).unwrap());
    edited.target.bootstrap_servers.truncate(1);

    // Clients connect and leave by themselves: a moment is looked for in which they do not.
    let mut plan = proxy.plan(next.clone()).unwrap();
    wait_for("a moment without new connections", SETTLE, || {
        let before = clients(&proxy, CHANGED);
        plan = proxy.plan(next.clone()).unwrap();
        let is_known = before.iter().all(|client| client.principal.is_some());
        is_known
            && !before.is_empty()
            && before == clients(&proxy, CHANGED)
            && plan.clusters[0].clients == before
    });
    assert_eq!(plan.verdict, PlanVerdict::Drains);
    assert_eq!(plan.clusters.len(), 1, "{plan:?}");
    let planned = &plan.clusters[0];
    assert_eq!(
        (planned.name.as_str(), planned.class.as_ref()),
        (CHANGED, "upstream")
    );
    let [client] = &planned.clients[..] else {
        panic!("{planned:?}")
    };
    assert_eq!(client.client_id.as_deref(), Some(CHANGED));
    assert_eq!(client.principal.as_deref(), Some(USER));

    let counters = [CHANGED, STAYING].map(|name| proxy.counters(name).unwrap());
    let ids = |name: &str| -> Vec<u64> {
        let sessions = connections(&proxy).into_iter();
        sessions
            .filter(|session| session.cluster == name)
            .map(|session| session.id)
            .collect()
    };
    let stayed = ids(STAYING);
    let report = proxy.reload(next).unwrap();
    assert_eq!(report.modified, [CHANGED]);
    proxy.wait_drained();
    let drained = client.connections as u64;
    assert_eq!(
        counters[0].closes(CloseCause::Drained),
        drained,
        "as the plan has said"
    );
    assert_eq!(counters[1].closes(CloseCause::Drained), 0);
    let still_there = ids(STAYING);
    assert!(
        stayed.iter().all(|id| still_there.contains(id)),
        "{stayed:?} {still_there:?}"
    );
    // Neither of them noticed anything.
    send(&changed, topic);
    send(&staying, topic);
}
