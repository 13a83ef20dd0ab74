//! Promises 1, 2, 3 and 5.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use testkit::binary::program;
use testkit::running::{Running, ask, cluster};

use super::fixture::{Ran, UNWATCHED, run};

#[test]
fn a_file_that_means_what_runs_is_nothing_to_do() {
    let running = Running::with(UNWATCHED, &["a", "b"]);
    running.write(format!("# a comment\n{}", running.text(&["a", "b"])));
    for command in ["plan", "plan -c proxy.yaml"] {
        let ran = run(running.directory.path(), command);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        assert_eq!(
            ran.out,
            "nothing to do: the file means the same as generation 1\n"
        );
    }
}

#[test]
fn the_plan_of_a_change_is_what_its_reload_does() {
    let running = Running::with(UNWATCHED, &["a", "b", "c"]);
    let (_on_a, mut on_b, _on_c) = (running.client(0), running.client(1), running.client(2));
    // `a` has another target, `c` is another name at the same address, `d` is new.
    let other = running.text(&["a", "b", "x@2", "d@3"]);
    let target = running.broker.address.to_string();
    running.write(other.replacen(&target, "127.0.0.1:1", 1));
    let mark = running.mark();
    let ran = run(running.directory.path(), "plan");
    assert_eq!((ran.code, ran.err.as_str()), (4, ""), "{ran:?}");
    assert_eq!(
        ran.out,
        "a reload would change generation 1, and drain 2 connections of 3
  clusters     2 added, 1 modified, 1 removed (1 of them moved), 1 unchanged
  classes      2 bind, 1 drain, 1 upstream
  connections  2 drained, 1 stay
  listeners    2 bound, 0 released

CLUSTER  ACTION  CLASS     LIVE  DRAINED  CAUSE
c        remove  drain     1     1        moved to x
a        modify  upstream  1     1        targetCluster.bootstrapServers
d        add     bind      -     -
x        add     bind      -     -
"
    );
    assert_eq!(running.news(mark), [""; 0], "a plan leaves no trace in the log");
    ask(&mut on_b);
    let reloaded = run(running.directory.path(), "reload");
    assert_eq!(reloaded.code, 0, "{reloaded:?}");
    assert!(
        reloaded
            .out
            .ends_with("  added     d, x\n  modified  a\n  removed   c\n"),
        "{reloaded:?}"
    );
    ask(&mut on_b);
}

#[test]
fn what_disturbs_nobody_is_told_apart() {
    let running = Running::with(UNWATCHED, &["a", "b"]);
    let _client = running.client(0);
    running.write(running.text(&["a", "c@4"]));
    let ran = run(running.directory.path(), "plan");
    assert_eq!((ran.code, ran.err.as_str()), (3, ""), "{ran:?}");
    assert!(
        ran.out
            .starts_with("a reload would change generation 1, and drain no connection\n"),
        "{}",
        ran.out
    );
    let with_client = running.text(&["b@1", "c@4"]);
    running.write(with_client);
    let ran = run(running.directory.path(), "plan --details");
    assert_eq!(ran.code, 4);
    let base = running.base;
    let (released, next, bound, behind) = (base, base + 1, base + 8, base + 9);
    assert!(
        ran.out.ends_with(&format!(
            "
remove a
  1 connection drained: the virtual cluster is removed
    test: 1 connection
  releases 127.0.0.1:{released}, 127.0.0.1:{next}

add c
  binds 127.0.0.1:{bound}, 127.0.0.1:{behind}
"
        )),
        "{}",
        ran.out
    );
}

#[test]
fn what_would_be_rejected_is_told_with_every_reason() {
    let running = Running::with("control: {socket: s}\nreload: {watch: false}\n", &["a", "b"]);
    let text = running.text(&["a", "b"]);
    let plan = |text: String, arguments: &str| {
        running.write(text);
        run(running.directory.path(), &format!("plan {arguments}"))
    };
    let misspelt = plan(text.replace("targetCluster", "targetClutser"), "");
    assert_eq!(misspelt.code, 2);
    assert_eq!(misspelt.out, "a reload would be rejected: 2 reasons\n");
    assert!(
        misspelt.err.contains("proxy.yaml:5:5: error:") && misspelt.err.lines().count() == 2,
        "{}",
        misspelt.err
    );
    let restart = plan(format!("{text}logging: {{format: json}}\n"), "");
    assert_eq!(restart.code, 2);
    assert!(
        restart
            .err
            .starts_with("`logging.format` cannot change while kproxy runs"),
        "{restart:?}"
    );
    assert!(
        restart.out.contains("  process      logging.format (restart)\n"),
        "{}",
        restart.out
    );
    let emptied = plan(String::new(), "");
    assert_eq!(emptied.code, 2);
    assert!(emptied.err.contains("the file is empty"), "{emptied:?}");
    let forced = plan(String::new(), "--force");
    assert_eq!((forced.code, forced.err.as_str()), (3, ""));
    assert!(forced.out.contains("2 removed, 0 unchanged"), "{}", forced.out);
    let rejected = run(running.directory.path(), "reload");
    assert_eq!(
        (rejected.code, rejected.err),
        (2, emptied.err),
        "as the plan has said"
    );
}

#[test]
fn one_screen_shows_a_change_of_any_size() {
    let running = Running::with(UNWATCHED, &["a"]);
    let mut text = running.text(&["a"]);
    for number in 0..200 {
        let port = 1000 + number * 2;
        let item = cluster(&format!("c{number}"), port, running.broker.address, "");
        write!(text, "{}", item.replace("127.0.0.1:", "127.9.9.9:")).unwrap();
    }
    text += "network: {proxy: {maxConnections: 999, connectTimeout: 3s, shutdownTimeout: 9s, maxFrameSize: 1MiB, \
             unauthenticatedIdleTimeout: 1m}}\n";
    running.write(text);
    let ran = run(running.directory.path(), "plan");
    assert_eq!(ran.code, 3);
    assert!(ran.out.lines().count() <= 35, "{}", ran.out);
    assert!(
        ran.out.contains("(live)\n               and 2 more\n"),
        "{}",
        ran.out
    );
    assert!(
        ran.out
            .ends_with("and 180 virtual clusters more; --details shows all\n"),
        "{}",
        ran.out
    );
    let details = run(running.directory.path(), "plan --details").out;
    assert!(details.contains("\nadd c199\n"));
}

/// The process stands in another directory than the command, and its environment is its own.
#[test]
fn the_running_process_reads_the_file() {
    let running = Running::with(UNWATCHED, &["a"]);
    let elsewhere = tempfile::tempdir().unwrap();
    fs::create_dir(running.path("new")).unwrap();
    let included = "reload: {watch: false, maxRemovedPercent: 100, include: [more.yaml]}\n";
    let main = running
        .text(&["a"])
        .replace("reload: {watch: false, maxRemovedPercent: 100}\n", included)
        .replace(
            "{socket: s}",
            &format!("{{socket: {}}}", running.path("s").display()),
        );
    fs::write(running.path("new/proxy.yaml"), main).unwrap();
    let item = cluster("b", running.base + 2, running.broker.address, "");
    fs::write(running.path("new/more.yaml"), format!("virtualClusters:\n{item}")).unwrap();
    let mut command = Command::new(program());
    command
        .arg("--control")
        .arg(running.path("s"))
        .args(["plan", "-c"])
        .arg(running.path("new/proxy.yaml"))
        .current_dir(elsewhere.path());
    let ran = Ran::of(&mut command);
    assert_eq!(ran.code, 3, "{ran:?}");
    let counts = "  clusters     1 added, 0 modified, 0 removed, 1 unchanged\n";
    assert!(ran.out.contains(counts), "{}", ran.out);
}

#[test]
fn without_a_process_there_is_no_plan() {
    let directory = tempfile::tempdir().unwrap();
    let ran = run(directory.path(), "plan");
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(
        ran.err.starts_with("kproxy: error: no kproxy answers at "),
        "{}",
        ran.err
    );
}
