//! `${env:NAME}` in a file, as a process reads it.

use std::fs;

use tempfile::TempDir;

use super::commands::command;
use testkit::command::Ran;

const FILE: &str = "logging: {level: \"${env:KPROXY_T_LEVEL:-info}\"}
reload: {include: [more.yaml]}
virtualClusters:
  - name: ${env:KPROXY_T_NAME}
    targetCluster: {bootstrapServers: \"${env:KPROXY_T_HOST:-127.0.0.1}:9092\"}
    logNetwork: ${env:KPROXY_T_LOG:-}
    gateways:
      - name: main
        portIdentifiesNode: {bootstrapAddress: \"127.0.0.1:0\"}
";

const MORE: &str = "virtualClusters:
  - name: included
    targetCluster: {bootstrapServers: \"127.0.0.1:9092\"}
    gateways:
      - name: main
        portIdentifiesNode:
          bootstrapAddress: 127.0.0.1:0
          nodeStartPort: ${env:KPROXY_T_PORT}
";

/// `check` of these files with these variables.
fn check(file: &str, variables: &[(&str, &str)]) -> Ran {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("proxy.yaml"), file).unwrap();
    fs::write(directory.path().join("more.yaml"), MORE).unwrap();
    let mut command = command(
        &directory.path().join("s"),
        directory.path(),
        "check -c proxy.yaml",
    );
    Ran::of(command.envs(variables.iter().copied()))
}

#[test]
fn variables_are_read_in_every_file() {
    let good = [
        ("KPROXY_T_NAME", "orders"),
        ("KPROXY_T_PORT", "0"),
        ("KPROXY_T_LOG", "true"),
    ];
    let ran = check(FILE, &good);
    // There is no broker, which is a warning.
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!ran.err.contains("error:"), "{ran:?}");
    let absent = check(FILE, &good[..2]);
    assert_eq!(
        absent.code, 0,
        "nothing is what an empty plain value says: {absent:?}"
    );
}

#[test]
fn a_variable_that_is_not_set_is_named_where_it_stands() {
    let ran = check(
        FILE,
        &[("KPROXY_T_LOG", "perhaps"), ("KPROXY_T_HOST", "not a host")],
    );
    assert_eq!(ran.code, 2);
    assert_eq!(
        ran.err,
        "proxy.yaml:4:11: error: the environment variable `KPROXY_T_NAME` is not set; write \
         `${env:KPROXY_T_NAME:-DEFAULT}` to give it a default\n\
         proxy.yaml:5:39: error: invalid host name in `not a host:9092`\n\
         proxy.yaml:6:17: error: expected `true` or `false`, found `perhaps`\n\
         more.yaml:8:26: error: the environment variable `KPROXY_T_PORT` is not set; write \
         `${env:KPROXY_T_PORT:-DEFAULT}` to give it a default\n"
    );
}

/// The kind of a plain value is what it is with its variables; a value in quotes stays a string.
#[test]
fn quotes_decide_as_without_variables() {
    let quoted = FILE.replace(
        "logNetwork: ${env:KPROXY_T_LOG:-}",
        "logNetwork: \"${env:KPROXY_T_LOG:-}\"",
    );
    let set = [
        ("KPROXY_T_NAME", "orders"),
        ("KPROXY_T_PORT", "0"),
        ("KPROXY_T_LOG", "true"),
    ];
    let ran = check(&quoted, &set);
    assert_eq!(
        ran.err,
        "proxy.yaml:6:17: error: expected `true` or `false`, found a string, remove the quotes\n"
    );
}

#[test]
fn secrets_from_the_environment_are_not_shown() {
    let tls = "        tls: {key: {certificateFile: c.pem, privateKeyFile: k.pem, keyPassword: {password: \"${env:KPROXY_T_SECRET}\", \
               passwordFile: x}}}\n";
    let ran = check(
        &format!("{FILE}{tls}"),
        &[
            ("KPROXY_T_NAME", "orders"),
            ("KPROXY_T_PORT", "0"),
            ("KPROXY_T_SECRET", "hunter2"),
        ],
    );
    assert_eq!(ran.code, 2);
    assert!(
        ran.err
            .contains("`password` and `passwordFile` exclude each other"),
        "{}",
        ran.err
    );
    assert!(!format!("{ran:?}").contains("hunter2"), "{ran:?}");
}
