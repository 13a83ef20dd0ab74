//! Promises 3 and 4, with the real binary.

use std::fs;
use std::process::Command;

use super::{NAME, PASSWORD, USER};
use testkit::broker::Broker;
use testkit::client::Client;
use testkit::deployment::Deployment;
use testkit::forward_proxy::TestForwardProxy;
use testkit::replace::atomically;
use testkit::running::{ask, local};
use testkit::wait::eventually;

fn document(port: u16, broker: &Broker, via: &str) -> String {
    format!(
        "virtualClusters:
- name: a
  targetCluster: {{bootstrapServers: '{NAME}:{}', via: '{via}', viaCredentialsFile: via.txt}}
  gateways:
  - name: main
    portIdentifiesNode: {{bootstrapAddress: '127.0.0.1:{port}', nodeIdRanges: [{{start: 0, end: 0}}]}}
",
        broker.address.port()
    )
}

fn client(port: u16) -> Client {
    let mut client = Client::connect(local(port));
    ask(&mut client);
    client
}

#[test]
fn renewed_credentials_apply_to_new_connections_and_another_forward_proxy_is_another_target() {
    let broker = Broker::echoing(b"ok");
    let (first, second) = (TestForwardProxy::socks5(), TestForwardProxy::http());
    let (first, second) = (
        first.knowing(NAME, broker.address),
        second.knowing(NAME, broker.address),
    );
    first.demand(USER, PASSWORD);
    let url = |scheme: &str, forward: &TestForwardProxy| format!("{scheme}://{}", forward.address());
    let mut port = 0;
    let deployment = Deployment::start("", |directory, at| {
        port = at;
        fs::write(directory.join("via.txt"), format!("{USER}:{PASSWORD}\n")).unwrap();
        document(at, &broker, &url("socks5", &first))
    });
    // kproxy's own look at the bootstrap servers went the same way.
    deployment.line(0, &["bootstrap servers were tried out", "answered=1"]);
    let mut there = client(port);

    // Other credentials: nobody is disturbed.
    let mark = deployment.mark();
    first.demand(USER, "correct horse");
    atomically(&deployment.path("via.txt"), &format!("{USER}:correct horse"));
    deployment.line(mark, &["reload applied"]);
    deployment.line(mark, &["viaCredentialsFile", "live"]);
    ask(&mut there);
    client(port);
    assert_eq!(first.authenticated().len(), first.asked().len());

    // Another way: sessions are asked to leave.
    let mark = deployment.mark();
    second.demand(USER, "correct horse");
    let planned = plan(&deployment, &document(port, &broker, &url("http", &second)));
    assert!(planned.contains("targetCluster.via"), "{planned}");
    deployment.configure(&document(port, &broker, &url("http", &second)));
    deployment.line(mark, &["reload applied"]);
    deployment.line(mark, &["targetCluster.via", "upstream"]);
    there.expect_fin();
    client(port);
    eventually("the second forward proxy is used", || !second.asked().is_empty());

    let shown = show(&deployment);
    let told = [deployment.log(0), shown, planned, deployment.status().to_string()].concat();
    for secret in [PASSWORD, "correct horse"] {
        assert!(!told.contains(secret), "{told}");
    }
}

#[test]
fn wrong_credentials_are_an_error_that_repeats_none_of_them() {
    let directory = tempfile::tempdir().unwrap();
    let broker = Broker::echoing(b"ok");
    let file = directory.path().join("proxy.yaml");
    let check = |via: &str, credentials: &str| {
        fs::write(directory.path().join("via.txt"), credentials).unwrap();
        fs::write(&file, document(9192, &broker, via)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_kproxy"));
        let output = command.arg("check").arg("--config").arg(&file).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    };
    for (via, credentials, why) in [
        (
            "socks5://p.test:1080",
            "hunter2",
            "`viaCredentialsFile`: its first line is not `USER:PASSWORD`",
        ),
        (
            "socks5://p.test:1080",
            ":hunter2",
            "`viaCredentialsFile`: its first line is not `USER:PASSWORD`",
        ),
        (
            "socks5://u:hunter2@p.test:1080",
            "u:p",
            "credentials belong in `viaCredentialsFile`",
        ),
        ("socks5h://p.test:1080", "u:p", "write `socks5://`"),
        (
            "https://p.test:1080",
            "u:p",
            "TLS to a forward proxy is not supported",
        ),
        (
            "ftp://p.test:1080",
            "u:p",
            "expected `socks5://` or `http://`, found `ftp://`",
        ),
        (
            "http://127.0.0.1:9192",
            "u:p",
            "forward proxy `127.0.0.1:9192` is kproxy itself",
        ),
    ] {
        let (code, text) = check(via, credentials);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(why) && !text.contains("hunter2"), "{text}");
    }
    let (code, text) = check("socks5://127.0.0.1:1", "u:hunter2");
    assert_eq!(code, Some(0), "{text}");
    let why = format!(
        "bootstrap server {NAME}:{} of virtual cluster `a` does not answer: forward proxy socks5://127.0.0.1:1: Connection refused",
        broker.address.port()
    );
    assert!(text.contains(&why), "{text}");
    assert!(
        !text.contains("does not resolve") && !text.contains("hunter2"),
        "names of brokers are looked up elsewhere: {text}"
    );
}

fn command(deployment: &Deployment, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_kproxy"))
        .arg("--control")
        .arg(deployment.path("control.sock"))
        .args(arguments)
        .output()
        .unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

fn plan(deployment: &Deployment, text: &str) -> String {
    let path = deployment.path("next.yaml");
    fs::write(&path, deployment.with_head(text)).unwrap();
    command(
        deployment,
        &["plan", "--details", "--config", path.to_str().unwrap()],
    )
}

fn show(deployment: &Deployment) -> String {
    command(deployment, &["show"])
}
