//! Promises 2 to 5.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use serde_json::json;
use testkit::running::{cluster, refuses};
use testkit::wait::eventually;

use super::fixture::Approved;

const UNWATCHED: &str = "watch: false";

/// Stages `other.yaml`, and returns the id.
#[track_caller]
fn stage(approved: &Approved, more: &str) -> String {
    let (code, report) = approved.json(&format!("reload --stage -c other.yaml {more}"));
    assert_eq!((code, &report["outcome"]), (0, &"staged".into()), "{report}");
    report["staged"]["id"].as_str().unwrap().to_owned()
}

fn write_other(approved: &Approved, clusters: &[&str]) {
    let running = &approved.running;
    fs::write(running.path("other.yaml"), running.text(clusters)).unwrap();
}

#[test]
fn what_was_staged_is_what_is_applied_byte_for_byte() {
    let approved = Approved::with(UNWATCHED, &["a"]);
    let running = &approved.running;
    let other = running
        .text(&["a"])
        .replace("watch: false", "watch: false, include: [more.yaml]");
    fs::write(running.path("other.yaml"), other).unwrap();
    let more = |name: &str, place: u16| {
        let item = cluster(name, running.base + 2 * place, running.broker.address, "");
        fs::write(running.path("more.yaml"), format!("virtualClusters:\n{item}")).unwrap();
    };
    more("b", 1);
    let people = approved.run("reload --stage -c other.yaml --within 2h");
    assert_eq!((people.code, people.err.as_str()), (0, ""));
    let id = approved.waiting().unwrap();
    assert!(
        people.out.starts_with(&format!(
            "staged: generation 1 runs on, until somebody else runs `kproxy approve {id}`\n{id} waits for approval for 1h59m more: \
             staged by user "
        )),
        "{}",
        people.out
    );
    assert!(people.out.contains("\nb        add     bind"), "{}", people.out);
    more("c", 2);
    fs::write(running.path("other.yaml"), "nonsense").unwrap();
    assert!(refuses(running.address(1)), "nothing has changed");
    let (code, report) = approved.post(&format!("/approve?id={id}"));
    assert_eq!(
        (code, &report["outcome"], &report["added"]),
        (200, &"applied".into(), &json!(["b"])),
        "{report}"
    );
    assert_eq!(report["by"]["kind"], "token");
    assert_eq!(report["staged"]["by"]["kind"], "user");
    running.client(1);
    assert!(refuses(running.address(2)));
}

#[test]
fn who_staged_it_cannot_approve_it() {
    let approved = Approved::with(UNWATCHED, &["a"]);
    write_other(&approved, &["a", "b"]);
    assert_eq!(approved.run("approve 1a2b").err, "no reload waits for approval\n");
    let id = stage(&approved, "");
    let refused = approved.run(&format!("approve {id}"));
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(
        refused
            .err
            .contains(" has staged this reload: somebody else has to approve it\n"),
        "{refused:?}"
    );
    approved.running.binary.expect_log("an approval is refused");
    let (_, status) = approved.json("status");
    assert_eq!(
        status["config"]["last_reload"]["outcome"], "applied",
        "a refusal is no reload"
    );
    // The token has staged it now: its owner cannot approve, and a user can.
    let (code, report) = approved.post("/reload?stage=true");
    assert_eq!(
        (code, &report["outcome"]),
        (200, &"unchanged".into()),
        "the file means what runs"
    );
    approved.running.write(approved.running.text(&["a", "c"]));
    let (_, report) = approved.post("/reload?stage=true&within=60");
    let id = report["staged"]["id"].as_str().unwrap();
    let (code, report) = approved.post(&format!("/approve?id={id}"));
    assert_eq!((code, &report["outcome"]), (422, &"rejected".into()));
    let done = approved.run(&format!("approve {id}"));
    assert_eq!(done.code, 0, "{done:?}");
    approved.running.client(1);
}

/// Needs a second user.
#[test]
fn another_user_of_the_socket_may_approve_it() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let approved = Approved::with(UNWATCHED, &["a"]);
    write_other(&approved, &["a", "b"]);
    let running = &approved.running;
    for (path, mode) in [
        (running.directory.path().to_owned(), 0o755),
        (running.path("s"), 0o666),
    ] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let id = stage(&approved, "");
    let program = running.path("kproxy");
    fs::copy(env!("CARGO_BIN_EXE_kproxy"), &program).unwrap();
    let output = Command::new(program)
        .args(["approve", &id, "--control"])
        .arg(running.path("s"))
        .uid(65_534)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    running.client(1);
    running.binary.expect_log("user 65534, process ");
}

#[test]
fn what_nobody_approves_is_dropped() {
    let approved = Approved::with(UNWATCHED, &["a"]);
    write_other(&approved, &["a", "b"]);
    let id = stage(&approved, "--within 1s");
    eventually("it is dropped", || approved.waiting().is_none());
    let dropped = format!("a staged reload is dropped id=\"{id}\" reason=\"nobody has approved it in time\"");
    approved.running.binary.expect_log(&dropped);
    let late = approved.post(&format!("/approve?id={id}"));
    assert_eq!(
        (late.0, &late.1["errors"]),
        (422, &json!(["no reload waits for approval"]))
    );
}

#[test]
fn what_would_do_something_else_by_now_is_refused() {
    let approved = Approved::with(UNWATCHED, &["a", "b"]);
    let running = &approved.running;
    write_other(&approved, &["a", "b", "c"]);
    let id = stage(&approved, "");
    // An unrelated change of what runs: the staged file would take it back.
    assert_eq!(
        running.reload_with(running.text(&["a", "b", "d@5"])).outcome,
        "applied"
    );
    let (code, report) = approved.post(&format!("/approve?id={id}"));
    assert_eq!((code, &report["outcome"]), (422, &"rejected".into()), "{report}");
    assert_eq!(
        report["errors"],
        json!([
            "what runs has changed since this reload was staged, so that it would do something else now: stage it again"
        ])
    );
    assert_eq!((approved.generation(), approved.waiting()), (2, None));
    let id = stage(&approved, "");
    let (code, _) = approved.post(&format!("/approve?id={id}"));
    assert_eq!(code, 200);
    running.client(2);
}

#[test]
fn what_cannot_run_is_not_staged() {
    let approved = Approved::with(UNWATCHED, &["a"]);
    fs::write(approved.running.path("other.yaml"), "virtualClusters: 1").unwrap();
    let ran = approved.run("reload --stage -c other.yaml");
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("other.yaml:1:18: error: "), "{ran:?}");
    assert_eq!(approved.waiting(), None);
    let (code, list) = approved.json("approve");
    assert_eq!((code, list), (0, json!([])));
}

#[test]
fn what_waits_is_told_in_json() {
    let approved = Approved::with(UNWATCHED, &["a"]);
    write_other(&approved, &["a", "b"]);
    let id = stage(&approved, "");
    let (code, list) = approved.json("approve");
    assert_eq!(code, 0);
    let staged = &list[0];
    let file = approved.running.path("other.yaml");
    assert_eq!((&staged["id"], &staged["file"]), (&json!(id), &json!(file)));
    assert_eq!(
        (&staged["trigger"], &staged["forced"]),
        (&json!("control"), &json!(false))
    );
    assert_eq!(staged["by"]["uid"], rustix::process::geteuid().as_raw());
    assert!(staged["at"].as_str().unwrap().ends_with('Z') && staged["expires_seconds"].is_f64());
    assert_eq!(staged["plan"]["verdict"], "undisturbed");
    assert_eq!(staged["plan"]["clusters"][0]["name"], "b");
}
