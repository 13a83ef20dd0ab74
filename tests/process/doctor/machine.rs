//! Promise 6.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::{Examined, doctor};
use testkit::binary::Binary;
use testkit::certificates::{Authority, Leaf};
use testkit::cluster::Cluster;
use testkit::running::ports;

/// kproxy with a key that everybody can read, and a state directory that is not there.
struct Machine {
    directory: tempfile::TempDir,
    _cluster: Cluster,
}

impl Machine {
    fn new() -> Self {
        let (cluster, base) = (Cluster::start([0]), ports());
        let directory = tempfile::tempdir().unwrap();
        let leaf = Leaf::server(&["localhost"]);
        Authority::new("servers")
            .issue(&leaf)
            .write(directory.path(), "s");
        let ephemeral = first_ephemeral();
        let chmod = |file: &str, mode| {
            fs::set_permissions(directory.path().join(file), Permissions::from_mode(mode)).unwrap();
        };
        chmod("s.key", 0o644);
        chmod("s.crt", 0o644);
        let text = format!(
            "control: {{socket: control.sock}}
network: {{proxy: {{workerThreadCount: 2, shutdownTimeout: 40s, shutdownDelay: 5s, maxConnections: 4000000000}}}}
virtualClusters:
  - name: orders
    targetCluster: {{bootstrapServers: \"{}\"}}
    gateways:
      - name: main
        portIdentifiesNode: {{bootstrapAddress: \"localhost:{base}\", advertisedBrokerAddressPattern: no-such-host.invalid,
          nodeIdRanges: [{{name: n, start: 0, end: 0}}], dynamicNodePorts: {{start: {ephemeral}, end: {ephemeral}}}}}
        tls: {{key: {{certificateFile: s.crt, privateKeyFile: s.key}}}}
",
            cluster.address(0)
        );
        fs::write(directory.path().join("proxy.yaml"), text).unwrap();
        Self {
            directory,
            _cluster: cluster,
        }
    }

    fn serve(&self) -> Binary {
        let binary = Binary::at(&self.directory.path().join("proxy.yaml"));
        binary.expect_log("kproxy serves");
        binary
    }

    #[track_caller]
    fn examine(&self, arguments: &[&str]) -> Examined {
        doctor(self.directory.path(), &[&["--json"][..], arguments].concat())
    }
}

/// The first port that the kernel gives to outgoing connections.
fn first_ephemeral() -> u16 {
    let range = fs::read("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
    let range = String::from_utf8(range).unwrap();
    range.split_whitespace().next().unwrap().parse().unwrap()
}

/// Kinds and sentences about this object.
fn about(report: &Value, object: &str) -> Vec<(String, String)> {
    let findings = report["machine"]["findings"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let of = findings
        .iter()
        .filter(|finding| text(&finding["subject"]).ends_with(object));
    of.map(|finding| (text(&finding["finding"]), text(&finding["what"])))
        .collect()
}

fn kind(found: &[(String, String)]) -> &str {
    match found {
        [(kind, _)] => kind,
        _ => panic!("{found:?}"),
    }
}

#[test]
fn the_running_process_and_its_file_are_examined() {
    let machine = Machine::new();
    let binary = machine.serve();
    let socket = machine.directory.path().join("control.sock");
    let examined = machine.examine(&["--control", socket.to_str().unwrap()]);
    let report = examined.json();
    let steps = report["machine"]["steps"].as_array().unwrap();
    assert_eq!(steps[0]["step"], "process");
    assert_eq!(steps[0]["status"], "ok", "{report:#}");
    assert_eq!(steps[1]["step"], "descriptors");
    assert_eq!(steps[1]["address"], "of the process");
    assert_eq!(kind(&about(&report, "of the process")), "descriptors_few");
    assert_eq!(
        about(&report, "s.key"),
        [("secret_readable".to_owned(), "the file has mode 0644".to_owned())]
    );
    assert_eq!(about(&report, "s.crt"), []);
    assert_eq!(about(&report, "control.sock"), []);
    let what = format!("the configuration binds {}", first_ephemeral());
    assert_eq!(
        about(&report, "ip_local_port_range"),
        [("port_ephemeral".to_owned(), what)]
    );
    assert_eq!(kind(&about(&report, "no-such-host.invalid")), "name_unknown");
    fs::set_permissions(&socket, Permissions::from_mode(0o666)).unwrap();
    let examined = machine.examine(&["--machine", "-c", "proxy.yaml"]);
    assert_eq!(examined.code, 4);
    assert_eq!(kind(&about(&examined.json(), "control.sock")), "socket_open");
    drop(binary);
}

#[test]
fn the_time_of_a_supervisor_is_compared_with_that_of_a_stop() {
    let machine = Machine::new();
    let path = |name: &str, text: &str| fs::write(machine.directory.path().join(name), text).unwrap();
    path(
        "short.yaml",
        "spec:\n  terminationGracePeriodSeconds: 45\n  containers: []\n",
    );
    path(
        "long.yaml",
        "spec:\n  terminationGracePeriodSeconds: 47\n  containers: []\n",
    );
    path("kproxy.service", "[Service]\nTimeoutStopSec=30s\n");
    let of = |arguments: &[&str]| {
        let examined = machine.examine(&[&["--machine", "-c", "proxy.yaml"][..], arguments].concat());
        (examined.code, about(&examined.json(), arguments[1]))
    };
    let (code, found) = of(&["--manifest", "short.yaml"]);
    let what = "the supervisor gives 45s, and kproxy may need 47s".to_owned();
    assert_eq!((code, found), (4, vec![("stop_time_short".to_owned(), what)]));
    assert_eq!(of(&["--manifest", "long.yaml"]), (0, vec![]));
    assert_eq!(kind(&of(&["--unit", "./kproxy.service"]).1), "stop_time_short");
    assert_eq!(kind(&of(&["--manifest", "missing.yaml"]).1), "stop_time_unknown");
}

#[test]
fn without_a_process_the_machine_is_examined_by_the_file() {
    let machine = Machine::new();
    let examined = doctor(machine.directory.path(), &["--machine", "-c", "proxy.yaml"]);
    let lines: Vec<&str> = examined.out.lines().collect();
    assert_eq!(
        lines[0], "process and machine",
        "{}{}",
        examined.out, examined.err
    );
    let step = |action: &str| {
        let of = lines[1..]
            .iter()
            .find(|line| line.split_whitespace().any(|word| word == action));
        of.unwrap_or_else(|| panic!("{}", examined.out))
            .split_whitespace()
            .next()
            .unwrap()
    };
    assert_eq!(step("process"), "note");
    assert_eq!(step("secret_file"), "warning");
    let told = "  note: control.sock: no kproxy answers at ";
    assert!(
        lines.iter().any(|line| line.starts_with(told)),
        "{}",
        examined.out
    );
    assert!(
        examined.out.ends_with("warnings\n") || examined.out.ends_with("warning\n"),
        "{}",
        examined.out
    );
    // Without a file there is less to say, and it is said all the same.
    let bare = doctor(machine.directory.path(), &["--json", "--control", "none.sock"]);
    let report = bare.json();
    assert_eq!(report["walks"], serde_json::json!([]));
    assert_eq!(kind(&about(&report, "none.sock")), "no_process");
}
