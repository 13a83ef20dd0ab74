//! The commands, run as processes.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kproxy::admin::{Admin, SocketPath};
use kproxy::control::handle::Progress;
use kproxy::reload::{Outcome, Trigger};
use serde_json::Value;
use tempfile::TempDir;

use super::fake::{Fake, connection};
use super::http::get;
use testkit::binary::{Binary, configuration};
use testkit::command::Ran;
use testkit::wait::eventually;

pub(crate) struct Served {
    pub(crate) fake: Fake,
    pub(crate) directory: TempDir,
    admin: Admin,
}

impl Served {
    pub(crate) fn start() -> Self {
        let (fake, directory) = (Fake::start(), TempDir::new().unwrap());
        let admin = fake
            .admin(None, SocketPath::At(directory.path().join("s")))
            .unwrap();
        Self {
            fake,
            directory,
            admin,
        }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("s")
    }

    pub(crate) fn http(&self) -> SocketAddr {
        self.admin.http().unwrap()
    }

    pub(crate) fn run(&self, arguments: &str) -> Ran {
        run(&self.socket(), self.directory.path(), arguments)
    }
}

pub(crate) fn command(socket: &Path, directory: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kproxy"));
    command
        .arg("--control")
        .arg(socket)
        .args(arguments.split_whitespace())
        .current_dir(directory);
    command
}

#[track_caller]
pub(crate) fn run(socket: &Path, directory: &Path, arguments: &str) -> Ran {
    Ran::of(&mut command(socket, directory, arguments))
}

/// Promise 9.
#[test]
fn status_is_told_to_people_and_to_programs() {
    let served = Served::start();
    served.fake.with(|facts| facts.clusters[0].0 = "orders".into());
    let people = served.run("status --nodes");
    assert_eq!((people.code, people.err.as_str()), (0, ""));
    for expected in [
        "kproxy 9.9.9, process 42, up 1m1s, generation 3\n",
        "orders",
        "localhost:9192",
        "localhost:9194",
    ] {
        assert!(people.out.contains(expected), "{}", people.out);
    }
    let programs = served.run("status --json");
    let status: Value = serde_json::from_str(&programs.out).unwrap();
    assert_eq!((programs.code, &status["generation"]), (0, &Value::from(3)));
}

/// Promise 9.
#[test]
fn whoever_is_not_there_is_told_by_exit_code_one() {
    let directory = TempDir::new().unwrap();
    let socket = directory.path().join("nobody");
    for arguments in ["status", "reload", "connections", "wait", "watch"] {
        let ran = run(&socket, directory.path(), arguments);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{arguments}");
        assert!(ran.err.contains(socket.to_str().unwrap()), "{}", ran.err);
    }
}

/// Promise 9.
#[test]
fn reload_says_what_came_of_it() {
    let served = Served::start();
    let applied = served.run("reload -c other.yaml --force");
    assert_eq!((applied.code, applied.err.as_str()), (0, ""));
    assert_eq!(
        applied.out,
        "applied: generation 4 runs, took 12ms\n  added     payments\n"
    );
    let (trigger, force, file) = served.fake.with(|facts| facts.reloads.pop().unwrap());
    assert_eq!((trigger, force), (Trigger::Control, true));
    let directory = served.directory.path().canonicalize().unwrap();
    let file = file.unwrap();
    assert!(file.is_absolute(), "the running process may stand elsewhere");
    assert_eq!(
        file.parent().unwrap().canonicalize().unwrap().join("other.yaml"),
        directory.join("other.yaml")
    );
    for (outcome, code) in [
        (Outcome::Unchanged, 0),
        (Outcome::Rejected, 2),
        (Outcome::RolledBack, 1),
        (Outcome::Failed, 1),
    ] {
        served.fake.with(|facts| facts.outcome = outcome);
        let ran = served.run("reload");
        assert_eq!(ran.code, code, "{outcome:?}");
        assert!(ran.out.starts_with(outcome.name()), "{}", ran.out);
        assert_eq!(ran.err.is_empty(), code == 0, "{}", ran.err);
        let json = served.run("reload --json");
        let report: Value = serde_json::from_str(&json.out).unwrap();
        assert_eq!(
            (json.code, &report["outcome"]),
            (code, &Value::from(outcome.name()))
        );
    }
    assert_eq!(
        served.fake.with(|facts| facts.reloads.pop().unwrap()),
        (Trigger::Control, false, None)
    );
}

/// Promise 9.
#[test]
fn reload_may_wait_for_the_drains() {
    let served = Served::start();
    let drains = |drains| {
        served.fake.inbox.progress.send_replace(Progress {
            generation: 4,
            drains,
        })
    };
    drains(2);
    let mut reload = command(&served.socket(), served.directory.path(), "reload --wait")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    eventually("it is asked for", || {
        served.fake.with(|facts| facts.reloads.len()) == 1
    });
    assert!(reload.try_wait().unwrap().is_none());
    drains(0);
    assert_eq!(reload.wait().unwrap().code(), Some(0));
    drains(1);
    served.fake.with(|facts| facts.outcome = Outcome::Rejected);
    assert_eq!(
        served.run("reload --wait").code,
        2,
        "what was rejected drains nothing"
    );
}

/// Promise 9.
#[test]
fn connections_are_listed_and_filtered() {
    let served = Served::start();
    assert_eq!(served.run("connections").out, "no connections\n");
    served
        .fake
        .with(|facts| facts.connections = vec![connection(7, "me\u{1b}[2J")]);
    let ran = served.run("connections --cluster orders --client me --generation 3");
    assert_eq!(ran.code, 0);
    assert!(
        ran.out.contains("apache-kafka-java 4.1.0") && !ran.out.contains('\u{1b}'),
        "{}",
        ran.out
    );
    let filter = served.fake.with(|facts| facts.filters.pop().unwrap());
    assert_eq!(
        (
            filter.cluster.as_deref(),
            filter.client_id.as_deref(),
            filter.generation
        ),
        (Some("orders"), Some("me"), Some(3))
    );
    let json: Value = serde_json::from_str(&served.run("connections --json").out).unwrap();
    assert_eq!(json[0]["id"], 7);
}

/// Promise 9: a name that does not exist is not the same as nobody being connected.
#[test]
fn filters_that_match_nothing_known_say_so() {
    let served = Served::start();
    served.fake.with(|facts| facts.clusters[0].0 = "orders".into());
    for (filter, why) in [
        (
            "--cluster order",
            "there is no virtual cluster called `order`, the nearest name is `orders`",
        ),
        (
            "--cluster ORDERS",
            "but one called `orders`: upper and lower case count",
        ),
        (
            "--cluster nowhere",
            "there is no virtual cluster called `nowhere`",
        ),
        ("--generation 99", "there is no generation 99; generation 3 runs"),
        ("--generation 0", "there is no generation 0; generation 3 runs"),
    ] {
        let ran = served.run(&format!("connections {filter}"));
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{filter}");
        assert!(ran.err.contains(why), "{}", ran.err);
    }
    let at = served.http();
    for query in ["cluster=order", "generation=99"] {
        let reply = get(at, &format!("/connections?{query}"));
        assert_eq!(reply.status, 404, "{query}: {}", reply.body);
    }
    assert_eq!(get(at, "/connections?cluster=orders").body, "[]\n");
    // Of what exists nobody may be connected.
    served
        .fake
        .with(|facts| (facts.connections, facts.filtering) = (vec![connection(7, "billing")], true));
    let ran = served.run("connections --client biling --generation 3");
    assert_eq!((ran.code, ran.out.as_str()), (0, "no connections\n"));
    assert!(
        ran.err
            .contains("no session has the client id `biling`, the nearest is `billing`"),
        "{}",
        ran.err
    );
    let ran = served.run("connections --cluster orders --generation 2 --json");
    assert_eq!((ran.code, ran.out.as_str()), (0, "[]\n"));
    assert!(
        ran.err.contains("no session has generation 2; sessions have 3"),
        "{}",
        ran.err
    );
}

/// Promise 9: a command may run in another directory than the process.
#[test]
fn paths_are_absolute_however_they_were_given() {
    let directory = TempDir::new().unwrap();
    let target = (Ipv4Addr::LOCALHOST, 9).into();
    std::fs::write(directory.path().join("proxy.yaml"), configuration(target)).unwrap();
    let mut kproxy = Command::new(env!("CARGO_BIN_EXE_kproxy"));
    kproxy.args(["--control", "s"]).current_dir(directory.path());
    let binary = Binary::start(kproxy, Path::new("proxy.yaml"), None);
    binary.expect_log("kproxy serves");
    let ran = run(Path::new("s"), directory.path(), "status --json");
    let status: Value = serde_json::from_str(&ran.out).unwrap();
    let path = Path::new(status["config"]["path"].as_str().unwrap());
    assert!(path.is_absolute() && path.ends_with("proxy.yaml"), "{path:?}");
    let nobody = run(Path::new("nobody"), directory.path(), "status");
    let told = std::path::absolute(directory.path().canonicalize().unwrap().join("nobody")).unwrap();
    assert!(nobody.err.contains(told.to_str().unwrap()), "{}", nobody.err);
}

/// Promise 9.
#[test]
fn every_help_text_has_defaults_exit_codes_and_an_example() {
    let served = Served::start();
    for command in ["", "check ", "reload ", "status ", "connections ", "wait "] {
        let help = served.run(&format!("{command}--help"));
        assert_eq!(help.code, 0);
        for part in ["Exit codes", "  0  ", "Example:\n  kproxy ", "[default: "] {
            assert!(help.out.contains(part), "{command}: {part}: {}", help.out);
        }
    }
}

/// Promise 9.
#[test]
fn wait_ends_when_it_is_true_or_too_late() {
    let served = Served::start();
    served.fake.inbox.progress.send_replace(Progress {
        generation: 4,
        drains: 1,
    });
    assert_eq!(served.run("wait").code, 0);
    assert_eq!(served.run("wait --generation 3").code, 0);
    assert_eq!(served.run("wait --generation 4 --timeout 20s").code, 0);
    let late = served.run("wait --generation 5 --timeout 20ms");
    assert_eq!(late.code, 5);
    // The fake says so in its status.
    assert!(
        late.err
            .contains("timed out: generation 3 runs, generation 5 was waited for"),
        "{}",
        late.err
    );
    assert_eq!(served.run("wait --drained --timeout 0s").code, 5);
    served.fake.inbox.progress.send_replace(Progress {
        generation: 4,
        drains: 0,
    });
    assert_eq!(served.run("wait --drained --generation 4 --timeout 20s").code, 0);
    assert_eq!(served.run("wait --timeout soon").code, 2, "a usage error");
}

/// Promise 9: a script may start the proxy and wait for it at once.
#[test]
fn wait_with_a_timeout_waits_for_a_process_that_is_still_to_start() {
    let directory = TempDir::new().unwrap();
    let socket = directory.path().join("s");
    assert_eq!(run(&socket, directory.path(), "wait --timeout 30ms").code, 5);
    let mut waiting = command(&socket, directory.path(), "wait --timeout 20s")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let fake = Fake::start();
    let _admin = fake.admin(None, SocketPath::At(socket)).unwrap();
    assert_eq!(waiting.wait().unwrap().code(), Some(0));
}

/// Promise 9.
#[test]
fn the_file_says_where_the_process_answers() {
    let served = Served::start();
    let directory = served.directory.path();
    // The rest of the file need not be right: who looks into what is wrong has it open.
    let text = "control: {socket: s}\nvirtualClusters: 7\n";
    std::fs::write(directory.join("proxy.yaml"), text).unwrap();
    let run = |arguments: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_kproxy"))
            .args(
                arguments
                    .replace("FILE", &directory.join("proxy.yaml").display().to_string())
                    .split_whitespace(),
            )
            .env_remove("XDG_RUNTIME_DIR")
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for command in ["status", "connections", "reload", "wait --timeout 20s"] {
        for line in [format!("-c FILE {command}"), format!("{command} --config FILE")] {
            assert_eq!(run(&line), (Some(0), String::new()), "{line}");
        }
    }
    let (code, err) = run("-c FILE status --control /nowhere");
    assert_eq!(code, Some(1));
    assert!(err.contains("/nowhere"), "{err}");
}
