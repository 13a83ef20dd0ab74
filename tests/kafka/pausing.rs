//! Promise 22: a virtual cluster is paused for 1, 10 and 25 s under clients of all sorts: no application sees an error, no session
//! is closed, groups keep their members, and no record is lost, doubled or out of order.

use std::time::Duration;

use kproxy::app::Proxy;
use kproxy::control::{Requester, SteeringCommand, SteeringRequest};
use testkit::entry_point::{self, Route};
use testkit::kafka::{Listener, wait_for};

use crate::load::{Load, SETTLE};
use crate::modern;

fn pause(proxy: &Proxy, lasting: Duration, passes_heartbeats: bool) {
    let command = SteeringCommand::Pause {
        cluster: "orders".into(),
        lasting,
        passes_heartbeats,
    };
    let request = SteeringRequest {
        by: Requester::Program,
        command,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let report = runtime.block_on(proxy.handle().steer(request)).unwrap().unwrap();
    assert_eq!(report.outcome, "done");
    wait_for("the pause is over", lasting + SETTLE, || {
        proxy.status().unwrap().clusters[0].paused.is_none()
    });
}

#[test]
fn clients_of_all_sorts_wait_through_a_pause_without_an_error() {
    if Route::chosen() == Route::Direct {
        return;
    }
    let Some(cluster) = modern() else { return };
    let proxy = Proxy::start(entry_point::model(cluster, Listener::Plaintext)).unwrap();
    let bootstrap = proxy.bootstrap("orders", "default").unwrap().to_string();
    let load = Load::start(cluster, &bootstrap, "pausing");
    for (seconds, passes_heartbeats) in [(1, false), (10, false), (25, true)] {
        pause(&proxy, Duration::from_secs(seconds), passes_heartbeats);
    }
    load.finish(&proxy.counters("orders").unwrap());
}
