//! Promise 1.

use std::fs;

use testkit::running::{ask, refuses};
use testkit::wait::eventually;

use super::fixture::Approved;

const REQUIRED: &str = "requireApproval: true";

#[test]
fn an_edit_waits_for_approval_and_anybody_may_approve_it() {
    let approved = Approved::with(REQUIRED, &["a", "b"]);
    let running = &approved.running;
    let (mut on_a, on_b) = (running.client(0), running.client(1));
    running.replace(running.text(&["a", "c@2"]));
    eventually("the edit is staged", || approved.waiting().is_some());
    let id = approved.waiting().unwrap();
    running.binary.expect_log(&format!(
        "a reload is staged: it waits for `kproxy approve` by somebody else id=\"{id}\""
    ));
    assert!(refuses(running.address(2)) && approved.generation() == 1);
    let status = approved.json("status").1;
    assert_eq!(status["config"]["in_sync"], false);
    let staged = &status["config"]["staged"];
    assert_eq!(
        (&staged["trigger"], &staged["by"]["kind"]),
        (&"watch".into(), &"process".into())
    );
    let left = staged["expires_seconds"].as_f64().unwrap();
    assert!((3500.0..=3600.0).contains(&left), "{left}");
    let people = approved.run("status").out;
    assert!(
        people.contains(&format!(
            "staged         {id} by kproxy, waits for `kproxy approve {id}` for 59m"
        )),
        "{people}"
    );

    let listed = approved.run("approve");
    assert_eq!((listed.code, listed.err.as_str()), (0, ""));
    assert!(
        listed
            .out
            .starts_with(&format!("{id} waits for approval for 59m")),
        "{}",
        listed.out
    );
    assert!(
        listed
            .out
            .contains("a reload would change generation 1, and drain 1 connection of 2\n"),
        "{}",
        listed.out
    );
    let done = approved.run(&format!("approve {id}"));
    assert_eq!((done.code, done.err.as_str()), (0, ""), "{done:?}");
    assert!(
        done.out.ends_with("  added     c\n  removed   b\n"),
        "{}",
        done.out
    );
    drop(on_b);
    running.client(2);
    ask(&mut on_a);
    let status = approved.json("status").1;
    assert_eq!(
        (&status["config"]["in_sync"], &status["config"]["staged"]),
        (&true.into(), &serde_json::Value::Null)
    );
    assert_eq!(approved.run("approve").out, "nothing waits for approval\n");
    running.binary.expect_log("a staged reload is approved");
}

#[test]
fn a_newer_edit_replaces_the_one_that_waits_and_taking_it_back_drops_it() {
    let approved = Approved::with(REQUIRED, &["a"]);
    let running = &approved.running;
    running.replace(running.text(&["a", "b"]));
    eventually("the edit is staged", || approved.waiting().is_some());
    let first = approved.waiting().unwrap();
    running.replace(running.text(&["a", "c"]));
    eventually("the newer one is staged", || {
        approved.waiting().is_some_and(|id| id != first)
    });
    let refused = approved.run(&format!("approve {first}"));
    assert_eq!(refused.code, 2, "{refused:?}");
    let second = approved.waiting().unwrap();
    assert_eq!(
        refused.err,
        format!("no reload `{first}` waits for approval, `{second}` does\n")
    );
    running.replace(running.text(&["a"]));
    eventually("nothing waits", || approved.waiting().is_none());
    assert_eq!(approved.generation(), 1);
    running
        .binary
        .expect_log("reason=\"the configuration file means what runs\"");
}

#[test]
fn an_operator_and_a_renewal_need_no_approval() {
    let approved = Approved::with(REQUIRED, &["a"]);
    let running = &approved.running;
    fs::write(running.path("token"), "another").unwrap();
    running
        .binary
        .expect_log("change the process (live): management.tokenFile");
    assert_eq!((approved.generation(), approved.waiting()), (2, None));
    running.replace(running.text(&["a", "b"]));
    eventually("the edit is staged", || approved.waiting().is_some());
    // A file that the running configuration refers to is renewed beside an edit that waits.
    fs::write(running.path("token"), "third").unwrap();
    eventually("it is renewed", || approved.generation() == 3);
    assert!(approved.waiting().is_some() && refuses(running.address(1)));

    let done = approved.run("reload");
    assert_eq!(done.code, 0, "{done:?}");
    running.client(1);
    assert_eq!(approved.waiting(), None);
    running.write(running.text(&["a", "b", "c"]));
    assert_eq!(
        running.reload().outcome,
        "applied",
        "SIGHUP is an operator's decision"
    );
    running.client(2);
}
