//! Promise 11: a virtual cluster that is drained by command has no session; its clients try on, and what they have to send
//! arrives, once, after it is resumed. A client whose sessions are closed by command notices nothing.

use std::time::Duration;

use kproxy::app::Proxy;
use kproxy::control::{
    ChosenSessions, Requester, SessionChoice, SteeringCommand, SteeringReport, SteeringRequest,
};
use kproxy::session::cause::CloseCause;

use crate::modern;
use testkit::entry_point::{self, Route};
use testkit::kafka::{Listener, wait_for};
use testkit::topics;
use testkit_clients::{TestProducer, read_all, sorted, values};

/// Longest wait for a client to do what it does all the time.
const SETTLE: Duration = Duration::from_secs(40);

const CLIENT_ID: &str = "steered";

fn steer(proxy: &Proxy, command: impl FnOnce(&Proxy) -> SteeringCommand) -> SteeringReport {
    let command = command(proxy);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let by = Requester::Program;
    let answer = proxy.handle().steer(SteeringRequest { by, command });
    runtime.block_on(answer).unwrap().unwrap()
}

fn sessions_of_client(proxy: &Proxy) -> ChosenSessions {
    let choice = SessionChoice {
        client_id: Some(CLIENT_ID.into()),
        ..SessionChoice::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let observed = runtime.block_on(proxy.handle().observed()).unwrap();
    choice.find(&*observed).unwrap()
}

#[test]
fn what_clients_of_a_drained_cluster_have_to_send_arrives_once_it_is_resumed() {
    if Route::chosen() == Route::Direct {
        return;
    }
    let Some(cluster) = modern() else { return };
    let topic = "steered";
    topics::create_spread(cluster, topic);
    let model = entry_point::model(cluster, Listener::Plaintext);
    let name = model.clusters.keys().next().unwrap().clone();
    let gateway = model.clusters[&name].gateways[0].name.clone();
    let proxy = Proxy::start(model).unwrap();
    let bootstrap = proxy.bootstrap(&name, &gateway).unwrap().to_string();
    let counters = proxy.counters(&name).unwrap();
    let settings = [
        ("enable.idempotence", "true"),
        ("acks", "all"),
        ("client.id", CLIENT_ID),
    ];
    let producer = TestProducer::new(&bootstrap, &settings);
    let sent = values("m", 900, 40);
    let send = |part: &[String]| {
        part.iter()
            .for_each(|value| producer.send(topic, value.as_bytes()))
    };
    let connections = || proxy.status().unwrap().clusters[0].connections;
    send(&sent[..300]);
    wait_for("deliveries", SETTLE, || producer.deliveries.delivered() >= 300);

    let drained = steer(&proxy, |_| SteeringCommand::Drain(name.clone()));
    assert_eq!(
        (&*drained.outcome, drained.state.as_deref()),
        ("done", Some("draining"))
    );
    assert!(drained.sessions > 0);
    wait_for("its sessions leave", SETTLE, || connections() == 0);
    send(&sent[300..600]);
    wait_for("it tries again", SETTLE, || {
        counters.closes(CloseCause::ClusterDrained) > 3
    });
    assert_eq!(producer.deliveries.delivered(), 300, "nothing passes");
    assert_eq!(counters.closes(CloseCause::DrainTimeout), 0);

    assert_eq!(
        steer(&proxy, |_| SteeringCommand::Resume(name.clone()))
            .state
            .as_deref(),
        Some("serving")
    );
    wait_for("deliveries", SETTLE, || producer.deliveries.delivered() >= 600);

    let closed = steer(&proxy, |proxy| SteeringCommand::Close {
        object: CLIENT_ID.into(),
        sessions: sessions_of_client(proxy),
    });
    assert!(closed.sessions > 0, "{closed:?}");
    send(&sent[600..]);
    producer.flush();
    producer.deliveries.assert_none_failed();
    assert_eq!(sorted(read_all(&bootstrap, topic)), sorted(sent));
}
