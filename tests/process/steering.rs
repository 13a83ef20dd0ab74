//! `kproxy drain`, `resume` and `close`, with sessions of a running process.
//!
//! 1. A drained virtual cluster asks its sessions to leave, closes new connections at once, keeps its listeners, and is
//!    `draining` in the status until it is resumed. Other virtual clusters notice nothing.
//! 2. `--wait` waits for the sessions of that virtual cluster, at most `--timeout`.
//! 3. It stays drained through reloads, also one that replaces its target; removed and added again, it takes sessions.
//! 4. `close` asks the sessions with a number, client id or principal to leave, and says how many.
//! 5. A command that names something unknown changes nothing and has exit code 1.
//! 6. Each command is told in the log and in `kproxy watch`, with the user who gave it.
//! 7. Over HTTP a command needs the token.
//! 8. `log` sets a level that falls back by itself, at the end of its time or with another `logging.level`, and is shown.
//! 9. `status --watch` shows the overview again and again: in place on a terminal, else block after block.
//! 10. `bench reload` measures reloads and changes, counts and disturbs nothing.
//! 11. On a terminal, kproxy says once where clients connect to.
//! 12. `fence` sets, shows and waits for a fence by topic, `unfence` lifts it; the file may have one, which is a live change.
//! 13. `pause` has requests wait, those of new connections too, and refuses nothing; they go on by `resume` or by themselves.

mod fences;
pub(crate) mod fixture;
mod looking;
mod pauses;

use serde_json::{Value, json};
use testkit::broker::Broker;
use testkit::client::Client;
use testkit::frames;
use testkit::running::{Running, ask, cluster};
use testkit::wait::eventually;

use fixture::{HEAD, refused, run, sessions, status};

/// Promise 1.
#[test]
fn a_drained_cluster_takes_no_sessions_until_it_is_resumed() {
    let running = Running::with(HEAD, &["a", "b"]);
    let (mut here, mut there) = (running.client(0), running.client(1));
    let drained = run(&running, "drain a");
    assert_eq!((drained.code, &*drained.err), (0, ""));
    assert_eq!(
        drained.out,
        "a takes no new sessions; asked to leave: 1 session\n"
    );
    here.expect_fin();
    ask(&mut there);
    for _ in 0..3 {
        refused(running.address(0));
    }
    drop(here);
    eventually("its session has left", || {
        status(&running)["clusters"][0]["connections"] == 0
    });
    let cluster = &status(&running)["clusters"][0];
    assert_eq!(cluster["state"], "draining");
    assert!(
        cluster["drained"]["by"].as_str().unwrap().starts_with("user "),
        "{cluster}"
    );
    assert_eq!(status(&running)["clusters"][1]["state"], "serving");
    let people = run(&running, "status").out;
    assert!(people.contains("drained        a, since "), "{people}");
    let again = run(&running, "drain a");
    assert_eq!(
        (again.code, &*again.out),
        (
            0,
            "a takes no new sessions (as before); asked to leave: 0 sessions\n"
        )
    );
    let resumed = run(&running, "resume a");
    assert_eq!(
        (resumed.code, &*resumed.out, &*resumed.err),
        (0, "a takes new sessions\n", "")
    );
    running.client(0);
    assert_eq!(status(&running)["clusters"][0]["state"], "serving");
    assert_eq!(status(&running)["clusters"][0]["drained"], Value::Null);
    assert_eq!(run(&running, "resume a").out, "a was not drained\n");
    ask(&mut there);
}

/// Promise 1.
#[test]
fn a_drain_is_told_to_programs() {
    let running = Running::with(HEAD, &["a"]);
    let _client = running.client(0);
    let drained: Value = serde_json::from_str(&run(&running, "drain a --json").out).unwrap();
    let expected = json!({"command": "drain", "outcome": "done", "cluster": "a", "state": "draining", "sessions": 1,
        "clusters": {"a": 1}, "already_leaving": 0});
    assert_eq!(drained, expected);
    let resumed: Value = serde_json::from_str(&run(&running, "resume a --json").out).unwrap();
    let expected = json!({"command": "resume", "outcome": "done", "cluster": "a", "state": "serving", "sessions": 0,
        "clusters": {}, "already_leaving": 0});
    assert_eq!(resumed, expected);
}

/// Promise 2.
#[test]
fn a_drain_may_be_waited_for() {
    let running = Running::with(
        &format!("{HEAD}drain: {{timeout: 60s, hardTimeout: 120s}}\n"),
        &["a"],
    );
    let silent = Broker::start(|mut connection| while connection.request().is_some() {});
    let beside = cluster("b", running.address(1).port(), silent.address, "");
    assert_eq!(
        running.reload_with(running.text(&["a"]) + &beside).outcome,
        "applied"
    );
    let mut client = running.client(0);
    assert_eq!(
        run(&running, "drain a --wait").out,
        "a takes no new sessions; asked to leave: 1 session\ndrained\n"
    );
    client.expect_fin();
    // A request in flight keeps its session for longer than is waited.
    let mut stays = Client::connect(running.address(1));
    stays.send(&frames::heartbeat(1));
    eventually("a request is in flight", || {
        sessions(&running, "b")[0]["in_flight"] == 1
    });
    let late = run(&running, "drain b --wait --timeout 100ms");
    assert_eq!(
        (late.code, &*late.err),
        (
            1,
            "kproxy: error: the timeout passed, and sessions are left; they go on leaving\n"
        )
    );
    assert_eq!(
        run(&running, "drain a --wait --timeout 10s").code,
        0,
        "the sessions of others are not waited for"
    );
    assert_eq!(run(&running, "drain a --timeout 1s").code, 2);
}

/// Promise 3.
#[test]
fn a_drain_outlives_reloads_that_keep_the_cluster() {
    let running = Running::with(HEAD, &["a", "b"]);
    run(&running, "drain a");
    let other_target = running.text(&["a", "b"]).replacen(
        "targetCluster: {",
        "targetCluster: {bootstrapServerSelection: {strategy: random}, ",
        1,
    );
    assert_eq!(running.reload_with(other_target).outcome, "applied");
    refused(running.address(0));
    let replaced =
        running
            .text(&["a", "b"])
            .replacen("bootstrapServers: \"", "bootstrapServers: \"127.0.0.1:9,", 1);
    assert_eq!(running.reload_with(replaced).outcome, "applied");
    refused(running.address(0));
    assert_eq!(status(&running)["clusters"][0]["state"], "draining");
    assert_eq!(running.reload_with(running.text(&["b@1"])).outcome, "applied");
    assert_eq!(running.reload_with(running.text(&["a", "b"])).outcome, "applied");
    running.client(0);
}

/// Promise 4.
#[test]
fn sessions_are_closed_by_number_and_client_id() {
    let running = Running::with(HEAD, &["a", "b"]);
    let mut clients: Vec<Client> = (0..2).map(|_| running.client(0)).collect();
    let mut other = running.client(1);
    let id = sessions(&running, "a")[0]["id"].clone();
    let closed = run(&running, &format!("close {id}"));
    assert_eq!(
        (closed.code, &*closed.out, &*closed.err),
        (0, "asked to leave: 1 session\n  a  1\n", "")
    );
    eventually("it has left", || sessions(&running, "a").len() == 1);
    let left = run(&running, &format!("close {id}"));
    assert_eq!(
        (left.code, &*left.err),
        (1, &*format!("kproxy: error: there is no session {id}\n"))
    );
    let client_id = sessions(&running, "a")[0]["client_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let both = run(&running, &format!("close --client {client_id} --json"));
    let report: Value = serde_json::from_str(&both.out).unwrap();
    let expected = json!({"command": "close", "outcome": "done", "sessions": 2, "clusters": {"a": 1, "b": 1}, "already_leaving": 0});
    assert_eq!(report, expected);
    clients.iter_mut().for_each(Client::expect_fin);
    other.expect_fin();
    drop((clients, other));
    eventually("they have left", || sessions(&running, "b").is_empty());
    let mut stays = running.client(0);
    assert_eq!(
        run(&running, &format!("close --client {client_id} --cluster b")).out,
        "asked to leave: 0 sessions\n"
    );
    assert_eq!(
        run(&running, "close --principal nobody").out,
        "asked to leave: 0 sessions\n"
    );
    ask(&mut stays);
}

/// Promise 5.
#[test]
fn commands_about_the_unknown_are_refused() {
    let running = Running::with(HEAD, &["orders"]);
    let mut client = running.client(0);
    for (arguments, why) in [
        (
            "drain order",
            "there is no virtual cluster called `order`, the nearest name is `orders`",
        ),
        (
            "resume Orders",
            "there is no virtual cluster called `Orders`, but one called `orders`: upper and lower case count",
        ),
        (
            "close --client x --cluster payments",
            "there is no virtual cluster called `payments`",
        ),
        ("close 999999999", "there is no session 999999999"),
    ] {
        let ran = run(&running, arguments);
        assert_eq!(
            (ran.code, &*ran.out, &*ran.err),
            (1, "", &*format!("kproxy: error: {why}\n")),
            "{arguments}"
        );
    }
    for wrong in ["drain", "resume", "close", "close --cluster orders", "close x"] {
        assert_eq!(run(&running, wrong).code, 2, "{wrong}");
    }
    ask(&mut client);
}

/// Promise 6.
#[test]
fn who_gave_a_command_is_in_the_log() {
    let running = Running::with(HEAD, &["a"]);
    run(&running, "drain a");
    run(&running, "drain x");
    running
        .binary
        .expect_log("steering command command=drain object=a by=\"user ");
    running.binary.expect_log("command=drain object=x");
    assert!(
        running.binary.log().contains("outcome=refused"),
        "{}",
        running.binary.log()
    );
    let mark = running.mark();
    for _ in 0..100 {
        refused(running.address(0));
    }
    let told = running.binary.log_behind(mark);
    assert!(
        !told.contains("cluster_drained"),
        "clients that come back fill no log: {told}"
    );
}

/// Promise 8.
#[test]
fn a_log_level_holds_for_a_while() {
    let running = Running::with(HEAD, &["a"]);
    let set = run(&running, "log debug");
    assert_eq!((set.code, &*set.err), (0, ""));
    assert!(set.out.starts_with("log level: debug for "), "{}", set.out);
    assert!(set.out.contains(", then info; set by user "), "{}", set.out);
    running
        .binary
        .expect_log("the log level is changed level=\"debug\"");
    let people = run(&running, "status").out;
    assert!(people.contains("log level      debug for "), "{people}");
    let mark = running.mark();
    assert_eq!(running.reload_with(running.text(&["a", "b"])).outcome, "applied");
    assert_eq!(
        status(&running)["log"]["level"],
        "debug",
        "a reload of something else changes nothing of it"
    );
    assert_eq!(run(&running, "log info,kproxy::steer=trace --for 50ms").code, 0);
    eventually("it has fallen back", || status(&running)["log"] == Value::Null);
    assert!(running.binary.log_behind(mark).contains("its time is over"));
    let lasting = run(&running, "log trace --until-restart --json").out;
    let lasting: Value = serde_json::from_str(&lasting).unwrap();
    assert_eq!(
        (&lasting["level"], &lasting["configured"]),
        (&json!("trace"), &json!("info"))
    );
    assert_eq!(lasting["seconds_left"], Value::Null);
    let other = format!(
        "logging: {{level: 'info,kproxy::drain=debug'}}\n{}",
        running.text(&["a", "b"])
    );
    assert_eq!(running.reload_with(other).outcome, "applied");
    assert_eq!(status(&running)["log"], Value::Null);
    assert_eq!(run(&running, "log error").code, 0);
    assert_eq!(
        run(&running, "log --reset").out,
        "log level: info,kproxy::drain=debug, as configured\n"
    );
}

/// Promise 8.
#[test]
fn what_is_no_log_level_is_refused() {
    let running = Running::with(HEAD, &["a"]);
    let wrong = run(&running, "log debgu");
    let why = "kproxy: error: unknown log level `debgu`, did you mean `debug`?\n";
    assert_eq!((wrong.code, &*wrong.err), (1, why));
    assert_eq!(run(&running, "log debug --for 8d").code, 1);
    for arguments in [
        "log",
        "log debug --for 1s --until-restart",
        "log debug --reset",
        "log debug --for 5",
    ] {
        assert_eq!(run(&running, arguments).code, 2, "{arguments}");
    }
    assert_eq!(status(&running)["log"], Value::Null);
}

/// Promise 7.
#[test]
fn over_http_a_command_needs_the_token() {
    let (running, http) = fixture::with_token(&["a"]);
    let post = |target: &str, token: Option<&str>| fixture::post(http, target, token);
    assert_eq!(post("/drain?cluster=a", None).0, 401);
    assert_eq!(post("/close?client=x", Some("wrong")).0, 401);
    running.client(0);
    let (code, body) = post("/drain?cluster=a", Some("secret"));
    assert_eq!(code, 200, "{body}");
    let report: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(report["state"], "draining");
    let by = status(&running)["clusters"][0]["drained"]["by"].clone();
    assert!(
        by.as_str()
            .unwrap()
            .starts_with("the token of management.tokenFile, from 127.0.0.1:"),
        "{by}"
    );
    assert_eq!(post("/drain", Some("secret")).0, 400);
    assert_eq!(post("/close?cluster=a", Some("secret")).0, 400);
    assert_eq!(post("/resume?cluster=x", Some("secret")).0, 404);
    assert_eq!(post("/resume?cluster=a", Some("secret")).0, 200);
    running.client(0);
}
