//! Point 4: warnings about secrets.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::*;

/// What is warned of below.
const WARNINGS: [&str; 4] = [
    "`sasl` with PLAIN and without `tls`: the password is sent to brokers in clear",
    "`sasl` with OAUTHBEARER and without `tls`: the token is sent to brokers in clear",
    "every user of this machine may read the secret in",
    "every user of this machine may replace the token in",
];

fn write(directory: &Path, name: &str, mode: u32) {
    let path = directory.join(name);
    fs::write(&path, format!("{OLD}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A cluster with these credentials, on `port`.
fn cluster(name: &str, port: u16, target: &str, sasl: &str) -> String {
    format!(
        "  - name: {name}\n    targetCluster: {{bootstrapServers: '{target}', sasl: {{{sasl}}}}}\n    gateways:\n      - name: g\n        \
         portIdentifiesNode: {{bootstrapAddress: 'localhost:{port}', nodeIdRanges: [{{name: n, start: 0, end: 0}}]}}\n"
    )
}

/// kproxy in front of a broker that wants PLAIN, with secrets in files of these modes.
fn start(broker: &SaslBroker, password: u32, token: u32, mechanism: &str) -> Deployment {
    let target = broker.address().to_string();
    Deployment::start("", |directory, port| {
        write(directory, "password", password);
        write(directory, "token", token);
        let user = format!("mechanism: {mechanism}, username: kproxy, passwordFile: password");
        let token = "mechanism: OAUTHBEARER, tokenFile: token";
        format!(
            "virtualClusters:\n{}{}",
            cluster("by-password", port, &target, &user),
            cluster("by-token", port + 2, &target, token)
        )
    })
}

/// How often each of the warnings is in `text`.
fn counted(text: &str) -> [usize; 4] {
    WARNINGS.map(|warning| text.matches(warning).count())
}

#[test]
fn secrets_in_clear_and_files_that_everybody_can_read_are_warned_of_once_at_a_start_and_by_check() {
    let broker = SaslBroker::start(Rules::of("PLAIN", "kproxy", OLD));
    let deployment = start(&broker, 0o644, 0o602, "PLAIN");
    for warning in WARNINGS {
        deployment.line(0, &["the configuration has a warning", warning]);
    }
    let log = deployment.log(0);
    assert_eq!(counted(&log), [1; 4], "{log}");
    let (code, said) = deployment.run(&["check", "-c", "proxy.yaml"]);
    assert_eq!((code, counted(&said)), (0, [1; 4]), "{said}");
    assert!(!(log + &said).contains(OLD));
}

#[test]
fn secrets_that_are_kept_well_are_not_warned_of() {
    let broker = SaslBroker::start(Rules::of("SCRAM-SHA-512", "kproxy", OLD));
    let deployment = start(&broker, 0o640, 0o600, "SCRAM-SHA-512");
    let (code, said) = deployment.run(&["check", "-c", "proxy.yaml"]);
    assert_eq!((code, counted(&said)), (0, [0, 1, 0, 0]), "{said}");
    assert_eq!(counted(&deployment.log(0)), [0, 1, 0, 0]);
}
