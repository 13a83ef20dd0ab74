//! Commands beside a running kproxy.

use std::net::SocketAddr;

use serde_json::Value;
use testkit::client::Client;
use testkit::command::Ran;
use testkit::running::{Running, ports};

use crate::admin::http::request;

/// What stands above the clusters of a file whose process commands can ask, and which is read when it is asked to.
pub(crate) const HEAD: &str = "control: {socket: s}\nreload: {watch: false, maxRemovedPercent: 100}\n";

/// Runs a command with the socket of the process.
#[track_caller]
pub(crate) fn run(running: &Running, arguments: &str) -> Ran {
    testkit::command::run(running.directory.path(), arguments)
}

fn json(running: &Running, arguments: &str) -> Value {
    let ran = run(running, arguments);
    assert_eq!((ran.code, &*ran.err), (0, ""), "{arguments}");
    ran.json()
}

/// What `status` says.
#[track_caller]
pub(crate) fn status(running: &Running) -> Value {
    json(running, "status --json")
}

/// The sessions of a virtual cluster.
#[track_caller]
pub(crate) fn sessions(running: &Running, cluster: &str) -> Vec<Value> {
    let sessions = json(running, &format!("connections --cluster {cluster} --json"));
    sessions.as_array().unwrap().clone()
}

/// Expects that a connection is accepted by the kernel, and closed without a byte.
#[track_caller]
pub(super) fn refused(address: SocketAddr) {
    Client::connect(address).expect_fin();
}

/// A process with management whose token is `secret`; its address is that of the place behind the clusters.
pub(super) fn with_token(clusters: &[&str]) -> (Running, SocketAddr) {
    let http = testkit::running::local(ports());
    let head = format!("{HEAD}management: {{port: {}, tokenFile: token}}\n", http.port());
    let running = Running::laid_out(&head, clusters, |directory, text| {
        std::fs::write(directory.join("token"), "secret\n").unwrap();
        let file = directory.join("proxy.yaml");
        std::fs::write(&file, text).unwrap();
        file
    });
    (running, http)
}

/// The status code and the body of the answer to a `POST`.
#[track_caller]
pub(super) fn post(http: SocketAddr, target: &str, token: Option<&str>) -> (u16, String) {
    let token = token.map_or_else(String::new, |token| format!("\nAuthorization: Bearer {token}"));
    let reply = request(http, &format!("POST {target} HTTP/1.1{token}"));
    (reply.status, reply.body)
}
