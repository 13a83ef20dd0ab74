//! `kproxy fence` and `kproxy unfence`.

use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use serde_json::Value;
use testkit::broker::Broker;
use testkit::client::Client;
use testkit::frames;
use testkit::running::{Running, ask, cluster};
use testkit::topics::topic_name;
use testkit::wait::eventually;

use super::fixture::{HEAD, run, status};

/// A write to partition 0 of a topic.
fn write(client: &mut Client, topic: &str) -> i16 {
    let partition = PartitionProduceData::default().with_records(Some(b"records"[..].into()));
    let topic = TopicProduceData::default()
        .with_name(topic_name(topic))
        .with_partition_data(vec![partition]);
    let request = ProduceRequest::default()
        .with_acks(1)
        .with_topic_data(vec![topic]);
    let answer = client.call(9, 7, &request);
    answer.responses[0].partition_responses[0].error_code
}

fn json(running: &Running, command: &str) -> Value {
    serde_json::from_str(&run(running, command).out).unwrap()
}

/// Promise 12.
#[test]
fn a_fence_is_set_shown_and_lifted() {
    let running = Running::with(HEAD, &["a"]);
    let mut client = running.client(0);
    let set = run(&running, "fence a --topics orders-*,pay --wait --timeout 30s");
    assert_eq!((set.code, &*set.err), (0, ""), "{set:?}");
    let begins = "a is fenced: produce of pay, orders-*, answer retriable, since ";
    assert!(set.out.starts_with(begins), "{}", set.out);
    let ends = "\nevery request from before the fence is answered\n";
    assert!(set.out.ends_with(ends), "{}", set.out);
    assert_eq!(write(&mut client, "orders-1"), 6);
    let shown = &status(&running)["clusters"][0]["fence"];
    assert!(shown["by"].as_str().unwrap().starts_with("user "), "{shown}");
    assert_eq!((&shown["answered"], &shown["unsettled"]), (&1.into(), &0.into()));
    let people = run(&running, "status").out;
    assert!(people.contains("fenced         a: produce of pay, orders-*, answer retriable, since "));
    assert!(
        people.contains("0 requests wait, 0 have waited, 1 answered"),
        "{people}"
    );
    let again = run(&running, "fence a --topics orders-*,pay").out;
    assert!(again.starts_with("a is fenced (as before): "), "{again}");
    let lifted = run(&running, "unfence a");
    assert_eq!(
        (lifted.code, &*lifted.out, &*lifted.err),
        (0, "a is not fenced any more\n", "")
    );
    assert_eq!(run(&running, "unfence a").out, "a was not fenced\n");
    ask(&mut client);
    let news = running.news(0);
    for told in ["a fence has begun", "a fence has ended"] {
        assert!(news.iter().any(|line| line.contains(told)), "{told}: {news:?}");
    }
}

/// Promise 12.
#[test]
fn a_fence_is_told_to_programs_and_ends_by_itself() {
    let running = Running::with(HEAD, &["a"]);
    let set = json(
        &running,
        "fence a --topics * --operations produce,fetch --answer hold --hold-for 2s --for 200ms --json",
    );
    assert_eq!(
        (&set["command"], &set["outcome"]),
        (&"fence".into(), &"done".into())
    );
    let fence = &set["fence"];
    assert_eq!(fence["topics"], serde_json::json!(["*"]));
    assert_eq!(fence["operations"], serde_json::json!(["produce", "fetch"]));
    assert_eq!(
        (&fence["answer"], &fence["hold_for_ms"]),
        (&"hold".into(), &2000.into())
    );
    assert_eq!(set["detail"], "produce, fetch of *, answer hold");
    // The log, the audit and the events say what was fenced.
    running.binary.expect_log("command=fence object=a by=\"user ");
    assert!(running.binary.log().contains("produce, fetch of *, answer hold"));
    assert!(fence["until"].is_string(), "{fence}");
    eventually("it has ended", || {
        status(&running)["clusters"][0]["fence"].is_null()
    });
    let audited = |line: &String| line.contains("steering command") && line.contains("unfence");
    eventually("the end is told", || running.news(0).iter().any(audited));
}

/// Promise 12.
#[test]
fn a_fence_that_is_none_changes_nothing_and_says_why() {
    let running = Running::with(HEAD, &["a"]);
    for (command, code, why) in [
        ("fence b --topics x", 1, "there is no virtual cluster called `b`"),
        (
            "fence a --topics x*y",
            1,
            "is neither a name nor the beginning of names",
        ),
        (
            "fence a --topics x --operations write",
            1,
            "`write` is none of `produce`, `fetch`, `all`",
        ),
        (
            "fence a --topics x --answer later",
            1,
            "`later` is none of `retriable`, `hold`",
        ),
        (
            "fence a --topics x --hold-for 31s",
            1,
            "`holdFor` must be from 1s to 30s",
        ),
        ("fence a --topics x --for 8d", 1, "a duration of at most 7d"),
        ("fence a", 2, "--topics"),
        ("fence a --topics x --timeout 1s", 2, "--wait"),
        ("unfence b", 1, "there is no virtual cluster called `b`"),
    ] {
        let refused = run(&running, command);
        assert_eq!(refused.code, code, "{command}: {refused:?}");
        assert!(refused.err.contains(why), "{command}: {}", refused.err);
    }
    assert!(status(&running)["clusters"][0]["fence"].is_null());
}

/// Promise 12.
#[test]
fn a_wait_for_requests_from_before_a_fence_has_an_end() {
    let running = Running::with(HEAD, &["a"]);
    let silent = Broker::start(|mut connection| while connection.request().is_some() {});
    let beside = cluster("b", running.address(1).port(), silent.address, "");
    assert_eq!(
        running.reload_with(running.text(&["a"]) + &beside).outcome,
        "applied"
    );
    let mut stays = Client::connect(running.address(1));
    stays.send(&frames::heartbeat(1));
    eventually("a request is in flight", || {
        status(&running)["clusters"][1]["in_flight"] == 1
    });
    let late = run(&running, "fence b --topics x --wait --timeout 300ms");
    assert_eq!(late.code, 1);
    let why = "kproxy: error: the timeout passed, and requests from before the fence are unanswered; the fence stays in force\n";
    assert_eq!(late.err, why);
    assert_eq!(status(&running)["clusters"][1]["fence"]["unsettled"], 1);
    drop(stays);
    assert_eq!(run(&running, "fence b --topics x --wait --timeout 30s").code, 0);
}

/// Promise 12.
#[test]
fn a_fence_of_the_file_is_a_live_change() {
    let running = Running::with(HEAD, &["a"]);
    let mut client = running.client(0);
    let plain = running.text(&["a"]);
    let fenced = plain.replacen(
        "targetCluster: {",
        "fence: {topics: [orders], operations: [all]}\n    targetCluster: {",
        1,
    );
    assert_ne!(plain, fenced);
    running.write(&fenced);
    let planned = run(&running, "plan");
    assert_eq!(planned.code, 3, "{planned:?}");
    assert!(planned.out.contains("fence"), "{}", planned.out);
    assert_eq!(running.reload().outcome, "applied");
    assert_eq!(write(&mut client, "orders"), 6);
    let refused = run(&running, "unfence a");
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("is in the configuration"), "{}", refused.err);
    assert_eq!(running.reload_with(&plain).outcome, "applied");
    ask(&mut client);
    assert!(status(&running)["clusters"][0]["fence"].is_null());
}
