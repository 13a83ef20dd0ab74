//! A target that changes under live sessions, as an operator sees it.
//!
//! 1. `plan` says before how many connections move, and which are drained and why.
//! 2. Log, events, metrics and the list of connections say after what came of it.

use kafka_protocol::messages::{ApiVersionsRequest, MetadataRequest, SaslHandshakeRequest};
use kafka_protocol::protocol::StrBytes;
use testkit::client::Client;
use testkit::cluster::Cluster;
use testkit::frames;
use testkit::running::{Running, cluster};
use testkit::wait::eventually;

use crate::admin::http::get;
use crate::steering::fixture::{HEAD, run, sessions, status};

/// A client that knows the brokers; `logs_in`: it begins to authenticate to them.
fn client(running: &Running, logs_in: bool) -> Client {
    let mut client = Client::connect(running.address(0));
    let software = StrBytes::from_static_str("the-software");
    let asks = ApiVersionsRequest::default()
        .with_client_software_name(software.clone())
        .with_client_software_version(software);
    client.call(3, 1, &asks);
    if logs_in {
        let mechanism = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str("PLAIN"));
        client.call(1, 2, &mechanism);
    }
    client.call(9, 3, &MetadataRequest::default());
    client
}

#[test]
fn sessions_that_move_are_told_before_and_after() {
    let (one, two) = (Cluster::start([0]), Cluster::start([0]));
    let http = testkit::running::local(testkit::running::ports());
    let head = format!("{HEAD}management: {{port: {}}}\n", http.port());
    let running = Running::with(&head, &["a"]);
    let file = |target: &Cluster| {
        let own = cluster("a", running.base, target.address(0), "");
        format!("{head}virtualClusters:\n{own}")
    };
    assert_eq!(running.reload_with(file(&one)).outcome, "applied");
    let mut free = [client(&running, false), client(&running, false)];
    let mut tied = client(&running, true);

    running.replace(file(&two));
    let planned = run(&running, "plan -c proxy.yaml --details");
    assert_eq!(planned.code, 4, "{}", planned.out);
    for says in [
        "drain 1 connection of 3, and move 2",
        "1 drained, 2 moved, 0 stay",
        "2 connections moved to the new target, if it is the same Kafka cluster; drained otherwise",
        "1 connection drained: the target cluster is replaced, and the client has authenticated to the broker itself",
    ] {
        assert!(planned.out.contains(says), "{}", planned.out);
    }
    let json: serde_json::Value =
        serde_json::from_str(&run(&running, "plan -c proxy.yaml --json").out).unwrap();
    let found = &json["clusters"][0]["connections"];
    assert_eq!(
        (&found["moved"], &found["drained"]),
        (&2.into(), &1.into()),
        "{json}"
    );

    let mark = running.mark();
    assert_eq!(running.reload().outcome, "applied");
    tied.expect_fin();
    eventually("the drain has ended", || {
        running.news(mark).iter().any(|line| line.contains("drained"))
    });
    let line = running
        .news(mark)
        .into_iter()
        .find(|line| line.contains("drained"))
        .unwrap();
    assert!(line.contains("sessions=3") && line.contains("moved=2"), "{line}");
    let generation = &status(&running)["generation"];
    let listed = sessions(&running, "a");
    assert_eq!(listed.len(), 2);
    assert!(
        listed.iter().all(|session| session["generation"] == *generation),
        "{listed:?}"
    );
    let metrics = get(http, "/metrics").body;
    assert!(
        metrics.contains("kproxy_sessions_moved_total{virtual_cluster=\"a\"} 2"),
        "{metrics}"
    );
    let gauge = "kproxy_proxy_to_server_active_connections{virtual_cluster=\"a\",node_id=\"bootstrap\"} 2";
    assert!(metrics.contains(gauge), "{metrics}");
    for client in &mut free {
        let answer = client.ask(&frames::heartbeat(7));
        assert_eq!(frames::correlation_id(&answer), 7);
    }
    assert_eq!(two.asked(12).len(), 2);
}

/// A kproxy in front of `one`, with one client; and the same file for another target.
fn with_client(one: &Cluster) -> (Running, Client) {
    let running = Running::with(HEAD, &["a"]);
    assert_eq!(running.reload_with(file(&running, one)).outcome, "applied");
    let client = client(&running, false);
    (running, client)
}

fn file(running: &Running, target: &Cluster) -> String {
    let own = cluster("a", running.base, target.address(0), "");
    format!("{HEAD}virtualClusters:\n{own}")
}

#[test]
fn a_target_may_change_in_a_pause_while_requests_wait() {
    let (one, two) = (Cluster::start([0]), Cluster::start([0]));
    let (running, mut client) = with_client(&one);
    assert_eq!(run(&running, "pause a --for 2m").code, 0);
    (10..40).for_each(|id| client.send(&frames::heartbeat(id)));
    assert_eq!(running.reload_with(file(&running, &two)).outcome, "applied");
    eventually("the session has moved", || {
        let listed = sessions(&running, "a");
        listed[0]["generation"] == status(&running)["generation"]
    });
    assert_eq!(run(&running, "resume a").code, 0);
    for id in 10..40 {
        assert_eq!(frames::correlation_id(&client.frame()), id);
    }
    assert_eq!((one.asked(12).len(), two.asked(12).len()), (0, 30));
}

#[test]
fn a_session_that_cannot_move_yet_is_reached_by_drain_and_close() {
    let one = Cluster::start([0]);
    let mut gone = Cluster::start([0]);
    let (running, mut first) = with_client(&one);
    let mut second = client(&running, false);
    let nowhere = file(&running, &gone);
    gone.kill(0);
    assert_eq!(running.reload_with(nowhere).outcome, "applied");
    first.ask(&frames::heartbeat(7));
    let id = sessions(&running, "a")
        .iter()
        .map(|session| session["id"].as_u64().unwrap())
        .min()
        .unwrap();
    assert_eq!(run(&running, &format!("close {id}")).code, 0);
    first.expect_fin();
    second.ask(&frames::heartbeat(8));
    assert_eq!(run(&running, "drain a").code, 0);
    second.expect_fin();
}
