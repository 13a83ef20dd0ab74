//! Warnings in force.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use super::printed_status;
use testkit::broker::Broker;
use testkit::certificates::{Authority, Leaf};
use testkit::deployment::{Deployment, cluster};
use testkit::replace::atomically;
use testkit::wait::eventually;

const TLS: &str = "{key: {certificateFile: s.crt, privateKeyFile: s.key}}";

fn shown(deployment: &Deployment) -> Vec<String> {
    let status = deployment.status();
    let warnings = status["warnings"].as_array().unwrap().iter();
    warnings
        .map(|warning| warning.as_str().unwrap().to_owned())
        .collect()
}

/// One cluster with this certificate.
fn showing(authority: &Authority, leaf: &Leaf, broker: &Broker, mode: u32) -> Deployment {
    Deployment::start("", |directory, port| {
        let files = authority.issue(leaf).write(directory, "s");
        fs::set_permissions(files.key, fs::Permissions::from_mode(mode)).unwrap();
        format!(
            "virtualClusters:\n{}",
            cluster("a", port, broker.address, "", TLS)
        )
    })
}

/// Promise 4.
#[test]
fn a_certificate_that_expires_while_kproxy_runs_is_a_warning_until_it_is_renewed() {
    let (authority, broker) = (Authority::new("servers"), Broker::echoing(b"ok"));
    let leaf = || Leaf::server(&["kafka.test"]).on_loopback();
    let deployment = showing(
        &authority,
        &leaf().lasting(Duration::from_secs(6)),
        &broker,
        0o600,
    );
    eventually("it is about to expire", || {
        shown(&deployment)
            .iter()
            .any(|warning| warning.contains("expires in"))
    });
    deployment.line(0, &["WARN", "a warning is in force from now on", "expired"]);
    let warnings = shown(&deployment);
    assert!(
        warnings.len() == 1 && warnings[0].contains(" expired "),
        "{warnings:?}"
    );
    deployment.expect_metric("kproxy_warnings", &[], 1.0);
    let printed = printed_status(&deployment);
    assert!(
        printed.contains("\nwarning        ") && printed.contains(" expired "),
        "{printed}"
    );
    assert!(deployment.get("/").contains(" expired "), "the page says it too");
    assert_eq!(deployment.status()["generation"], 1, "nobody has reloaded");

    let renewed = authority.issue(&leaf());
    atomically(&deployment.path("s.key"), &renewed.key);
    fs::set_permissions(deployment.path("s.key"), fs::Permissions::from_mode(0o600)).unwrap();
    atomically(&deployment.path("s.crt"), &renewed.chain);
    deployment.expect_metric("kproxy_warnings", &[], 0.0);
    assert_eq!(shown(&deployment), Vec::<String>::new());
}

/// Promise 4.
#[test]
fn what_is_odd_about_the_files_is_shown_for_as_long_as_it_is() {
    let (authority, broker) = (Authority::new("servers"), Broker::echoing(b"ok"));
    let deployment = showing(&authority, &Leaf::server(&["elsewhere.test"]), &broker, 0o644);
    let expect = |words: &[&str]| {
        eventually(&format!("{words:?}, not {:?}", shown(&deployment)), || {
            let warnings = shown(&deployment);
            warnings.len() == words.len()
                && words
                    .iter()
                    .all(|word| warnings.iter().any(|warning| warning.contains(word)))
        });
    };
    expect(&["may read the private key", "does not cover"]);
    deployment.expect_metric("kproxy_warnings", &[], 2.0);
    // Another certificate for the same key would do as well.
    let renewed = authority.issue(&Leaf::server(&[]).on_loopback());
    atomically(&deployment.path("s.key"), &renewed.key);
    fs::set_permissions(deployment.path("s.key"), fs::Permissions::from_mode(0o644)).unwrap();
    atomically(&deployment.path("s.crt"), &renewed.chain);
    expect(&["may read the private key"]);
    deployment.expect_metric("kproxy_warnings", &[], 1.0);
}
