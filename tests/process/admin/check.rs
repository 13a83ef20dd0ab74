//! `kproxy check`.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use super::commands::{Served, run};
use testkit::broker::Broker;
use testkit::command::Ran;

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Where a broker answers, for as long as the tests run.
fn answering() -> String {
    static BROKER: OnceLock<Broker> = OnceLock::new();
    BROKER.get_or_init(|| Broker::echoing(b"ok")).address.to_string()
}

#[track_caller]
fn check(served: &Served, server: &str, bootstrap: SocketAddr, arguments: &str) -> Ran {
    let file = served.directory.path().join("proxy.yaml");
    let text = format!(
        "virtualClusters:
  - name: orders
    targetCluster: {{bootstrapServers: \"{server}\"}}
    gateways:
      - name: main
        portIdentifiesNode:
          bootstrapAddress: \"{bootstrap}\"
          nodeStartPort: {}
          nodeIdRanges: [{{name: all, start: 0, end: 0}}]
",
        // A port that is never bound by this file's other address, and free a moment ago.
        listener().1.port()
    );
    fs::write(file, text).unwrap();
    served.run(&format!("check -c proxy.yaml {arguments}"))
}

/// Promise 10.
#[test]
fn a_file_that_would_start_is_fine_and_leaves_nothing_bound() {
    let served = Served::start();
    let (free, address) = listener();
    drop(free);
    let ran = check(&served, &answering(), address, "");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(ran.out, "proxy.yaml is fine: 1 cluster, 1 gateway, 2 addresses\n");
    TcpListener::bind(address).unwrap();
}

/// Promise 10.
#[test]
fn an_address_of_somebody_else_is_a_violation_and_one_of_the_running_process_is_not() {
    let served = Served::start();
    let (_taken, address) = listener();
    let ran = check(&served, &answering(), address, "");
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(
        ran.err
            .starts_with("proxy.yaml: error: virtual cluster `orders`: cannot listen on "),
        "{}",
        ran.err
    );
    assert!(ran.err.contains(&address.to_string()), "{}", ran.err);
    served.fake.with(|facts| facts.bound = address);
    assert_eq!(check(&served, &answering(), address, "").code, 0);
}

/// Promise 10.
#[test]
fn a_name_that_does_not_resolve_is_a_warning_and_with_strict_an_error() {
    let served = Served::start();
    let (free, address) = listener();
    drop(free);
    let message = "bootstrap server no-such-host.invalid:9092 of virtual cluster `orders` does not resolve: ";
    for (arguments, code, found, severity) in [
        ("--json", 0, "warnings", "warning"),
        ("--json --strict", 2, "violations", "error"),
    ] {
        let ran = check(&served, "no-such-host.invalid:9092", address, arguments);
        assert_eq!(ran.code, code, "{}", ran.err);
        assert!(
            ran.err.starts_with(&format!("proxy.yaml: {severity}: {message}")),
            "{}",
            ran.err
        );
        let verdict: Value = serde_json::from_str(&ran.out).unwrap();
        let finding = &verdict[found][0];
        assert_eq!(
            (&finding["file"], &finding["severity"]),
            (&"proxy.yaml".into(), &severity.into())
        );
        assert!(
            finding["line"].is_null() && finding["column"].is_null(),
            "{finding}"
        );
        assert!(
            finding["message"].as_str().unwrap().starts_with(message),
            "{finding}"
        );
    }
}

/// Promise 10: ports and TLS settings are tried by the code that starts.
#[test]
fn check_and_start_say_the_same() {
    let served = Served::start();
    let (_taken, address) = listener();
    let told = check(&served, &answering(), address, "").err;
    let directory = served.directory.path();
    let started = run(&directory.join("another"), directory, "-c proxy.yaml");
    assert_eq!(started.code, 1);
    let why = told.trim_end().strip_prefix("proxy.yaml: error: ").unwrap();
    assert!(
        started.err.contains(&format!("kproxy: error: {why}")),
        "{} {told}",
        started.err
    );
}

/// Promise 10.
#[test]
fn what_comes_by_a_pipe_is_checked() {
    let served = Served::start();
    let directory = served.directory.path();
    let (free, address) = listener();
    drop(free);
    check(&served, &answering(), address, "");
    // Relative to the current directory.
    fs::create_dir(directory.join("more")).unwrap();
    let good = format!(
        "reload: {{include: [proxy.yaml]}}\ncontrol: {{socket: more/none}}\n# {}\n",
        "long, ".repeat(100_000)
    );
    let shell = |script: &str, text: &str| {
        let binary = env!("CARGO_BIN_EXE_kproxy");
        let mut shell = Command::new("bash")
            .args(["-c", &script.replace("KPROXY", binary)])
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        shell.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = shell.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let fine = "standard input is fine: 1 cluster, 1 gateway, 2 addresses\n";
    assert_eq!(
        shell("KPROXY check -c -", &good),
        (Some(0), fine.into(), String::new())
    );
    let (code, out, err) = shell("KPROXY check -c <(cat) < /dev/stdin", &good);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    let (code, out, err) = shell("KPROXY check -c - --json", "virtualCluster: []\n");
    assert_eq!(code, Some(2));
    assert!(err.starts_with("-:1:1: error: "), "{err}");
    let verdict: Value = serde_json::from_str(&out).unwrap();
    let finding = &verdict["violations"][0];
    let place = (
        &finding["file"],
        &finding["line"],
        &finding["column"],
        &finding["severity"],
    );
    assert_eq!(
        place,
        (&"-".into(), &1.into(), &1.into(), &"error".into()),
        "{out}"
    );
}

/// Promise 10.
#[test]
fn everything_wrong_with_a_file_is_told_with_its_place() {
    let served = Served::start();
    fs::write(
        served.directory.path().join("bad.yaml"),
        "virtualCluster: []\nnetwork: {prox: {}}\n",
    )
    .unwrap();
    let ran = served.run("check -c bad.yaml");
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(
        ran.err.contains("bad.yaml:1:1: error: ") && ran.err.contains("bad.yaml:2:"),
        "{}",
        ran.err
    );
    assert_eq!(served.run("check -c nowhere.yaml").code, 2);
}

/// Promise 10.
#[test]
fn what_is_odd_is_told_and_no_violation() {
    let served = Served::start();
    let (free, address) = listener();
    drop(free);
    let text = format!(
        "proxyProtocol: {{mode: allowed}}
virtualClusters:
  - name: orders
    targetCluster: {{bootstrapServers: \"{}\"}}
    gateways: [{{name: main, portIdentifiesNode: {{bootstrapAddress: \"{address}\", nodeIdRanges: [{{start: 0, end: 0}}], \
         nodeStartPort: {}}}}}]
",
        answering(),
        listener().1.port()
    );
    fs::write(served.directory.path().join("odd.yaml"), text).unwrap();
    let ran = served.run("check -c odd.yaml");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let warning = "odd.yaml:1:23: warning: `trustedPeers` is empty: every peer may claim any address";
    assert_eq!(ran.err.trim_end(), warning);
    let ran = served.run("check -c odd.yaml --json");
    let verdict: Value = serde_json::from_str(&ran.out).unwrap();
    let found = &verdict["warnings"][0];
    assert_eq!((&found["line"], &found["column"]), (&1.into(), &23.into()));
    assert_eq!(
        (&found["file"], &found["severity"]),
        (&"odd.yaml".into(), &"warning".into())
    );
    assert!(warning.ends_with(found["message"].as_str().unwrap()), "{found}");
    assert_eq!(verdict["violations"], Value::Array(Vec::new()));
}
