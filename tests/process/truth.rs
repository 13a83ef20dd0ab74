//! What an operator is told is what is:
//!
//! 1. A limit that is reached is one line in the log, a metric and a mark in `status` for as long as it is, and one
//!    more line when it is over: `maxConnections` of the process and of a cluster, descriptors, `dynamicNodePorts`.
//! 2. Brokers that do not answer make their cluster `degraded`, with the reason and since when, in `status`, on the page
//!    and in metrics, from the start on; when they answer again it serves, without a client. `/readyz` stays as it is.
//! 3. `check` warns of brokers that do not answer, and says the file is fine.
//! 4. Warnings stand in `status`, on the page and in metrics as long as they are in force: a certificate that expires
//!    becomes one without a reload, and one that is renewed is none any more.

mod brokers;
mod limits;
mod warnings;

use std::path::Path;
use std::process::Command;

use testkit::deployment::Deployment;

/// What `kproxy status` prints.
fn printed_status(deployment: &Deployment) -> String {
    let output = kproxy(&deployment.path("control.sock"), &["status"]);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn kproxy(socket: &Path, arguments: &[&str]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kproxy"));
    command.arg("--control").arg(socket).args(arguments);
    command.output().unwrap()
}
