//! Promises 1 and 2.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Examined, doctor, read};
use testkit::binary::Binary;
use testkit::cluster::Cluster;
use testkit::running::{local, ports};

/// kproxy in front of a cluster, at a port of its own.
struct Scene {
    cluster: Cluster,
    base: u16,
    directory: TempDir,
    _binary: Option<Binary>,
}

impl Scene {
    /// A proxy with ports for nodes 0 to 2; `keys` are further keys of the gateway.
    fn proxied(nodes: &[i32], keys: &str) -> Self {
        let mut scene = Self::unserved(nodes, keys);
        let binary = Binary::at(&scene.directory.path().join("proxy.yaml"));
        binary.expect_log("kproxy serves");
        scene._binary = Some(binary);
        scene
    }

    /// A scene without a running process.
    fn unserved(nodes: &[i32], keys: &str) -> Self {
        let (cluster, base) = (Cluster::start(nodes.iter().copied()), ports());
        let directory = tempfile::tempdir().unwrap();
        let text = format!(
            "control: {{socket: control.sock}}
virtualClusters:
  - name: orders
    targetCluster: {{bootstrapServers: \"{}\"}}
    gateways:
      - name: main
        portIdentifiesNode: {{bootstrapAddress: \"localhost:{base}\"{keys}}}
",
            cluster.address(nodes[0])
        );
        fs::write(directory.path().join("proxy.yaml"), text).unwrap();
        Self {
            cluster,
            base,
            directory,
            _binary: None,
        }
    }

    #[track_caller]
    fn doctor(&self, arguments: &[&str]) -> Examined {
        doctor(self.directory.path(), arguments)
    }

    /// Examines its file.
    #[track_caller]
    fn examine(&self) -> Examined {
        self.doctor(&["-c", "proxy.yaml", "--json"])
    }

    /// Addresses with the names that they have in a snapshot.
    fn names(&self, nodes: &[i32]) -> Vec<(String, &'static str)> {
        const BROKERS: [&str; 3] = ["BROKER-0", "BROKER-1", "BROKER-2"];
        const PORTS: [&str; 4] = ["BASE", "BASE+1", "BASE+2", "BASE+3"];
        let brokers = nodes
            .iter()
            .map(|&node| (self.cluster.address(node).to_string(), BROKERS[node as usize]));
        let ports = (0..4).map(|place| ((self.base + place).to_string(), PORTS[usize::from(place)]));
        // `localhost` has an address in one family, or in both.
        brokers
            .chain(ports)
            .chain([
                ("127.0.0.1, ::1".to_owned(), "127.0.0.1"),
                ("::1, 127.0.0.1".to_owned(), "127.0.0.1"),
            ])
            .collect()
    }
}

/// Promise 1.
#[test]
fn a_sound_virtual_cluster_is_walked_step_by_step() {
    let scene = Scene::proxied(&[0, 1], "");
    let examined = scene.doctor(&["-c", "proxy.yaml"]);
    assert_eq!(
        (examined.code, examined.err.as_str()),
        (0, ""),
        "{}",
        examined.out
    );
    let expected = "\
virtual cluster orders, gateway main, bootstrap localhost:BASE
  ok … ms bootstrap localhost:BASE resolve 127.0.0.1
  ok … ms bootstrap localhost:BASE connect 127.0.0.1:BASE
  ok … ms bootstrap localhost:BASE api_versions 8 APIs
  ok … ms bootstrap localhost:BASE metadata cluster the-cluster, nodes 0 at localhost:BASE+1, 1 at localhost:BASE+2
  ok … ms coordinator localhost:BASE find_coordinator node 0 at localhost:BASE+1
  ok … ms coordinator localhost:BASE+1 resolve 127.0.0.1
  ok … ms coordinator localhost:BASE+1 connect 127.0.0.1:BASE+1
  ok … ms coordinator localhost:BASE+1 api_versions 8 APIs
  ok … ms target BROKER-0 resolve 127.0.0.1
  ok … ms target BROKER-0 connect BROKER-0
  ok … ms target BROKER-0 api_versions 8 APIs
  ok … ms target BROKER-0 metadata cluster the-cluster, nodes 0 at BROKER-0, 1 at BROKER-1
  ok … ms broker 0 BROKER-0 resolve 127.0.0.1
  ok … ms broker 1 BROKER-1 resolve 127.0.0.1
  ok … ms node 0 localhost:BASE+1 resolve 127.0.0.1
  ok … ms node 0 localhost:BASE+1 connect 127.0.0.1:BASE+1
  ok … ms node 0 localhost:BASE+1 api_versions 8 APIs
  ok … ms node 0 localhost:BASE+1 metadata cluster the-cluster, the same nodes
  ok … ms node 0 localhost:BASE+1 identity leads to broker 0
  ok … ms node 1 localhost:BASE+2 resolve 127.0.0.1
  ok … ms node 1 localhost:BASE+2 connect 127.0.0.1:BASE+2
  ok … ms node 1 localhost:BASE+2 api_versions 8 APIs
  ok … ms node 1 localhost:BASE+2 metadata cluster the-cluster, the same nodes
  ok … ms node 1 localhost:BASE+2 identity leads to broker 1

sound: 1 walk, 0 faults, 0 warnings
";
    // The longer ones first: a port may be the beginning of another number.
    let mut names = scene.names(&[0, 1]);
    names.sort_by_key(|(what, _)| std::cmp::Reverse(what.len()));
    // Either family of `localhost` may have answered.
    let text = examined.stable(&names).replace("[::1]:", "127.0.0.1:");
    assert_eq!(text, expected);
}

/// Promise 1. The shape is documented in `docs/operating/doctor.md`.
#[test]
fn the_json_has_the_documented_shape() {
    let scene = Scene::proxied(&[0, 7], "");
    let examined = scene.examine();
    let report = examined.json();
    assert_eq!(examined.code, 4);
    let top = ["version", "sound", "faults", "warnings", "walks", "machine"];
    assert_eq!(keys(&report), sorted(&top));
    assert_eq!(
        (&report["sound"], &report["faults"], &report["warnings"]),
        (&json!(false), &json!(1), &json!(0))
    );
    let walk = &report["walks"][0];
    assert_eq!(
        keys(walk),
        sorted(&["cluster", "gateway", "bootstrap", "took_ms", "steps", "findings"])
    );
    assert_eq!(
        (&walk["cluster"], &walk["gateway"]),
        (&json!("orders"), &json!("main"))
    );
    assert_eq!(walk["bootstrap"], json!([format!("localhost:{}", scene.base)]));
    let step = &walk["steps"][3];
    assert_eq!(
        keys(step),
        sorted(&["subject", "address", "step", "status", "took_ms", "detail"])
    );
    assert_eq!(
        (&step["subject"], &step["step"]),
        (&json!("bootstrap"), &json!("metadata"))
    );
    assert_eq!(
        step["status"],
        json!("fault"),
        "the highest level of the findings of the step"
    );
    let finding = &walk["findings"][0];
    assert_eq!(
        keys(finding),
        sorted(&["level", "finding", "subject", "what", "means", "advice"])
    );
    assert_eq!(
        finding["what"],
        json!("broker 7 of the target cluster is not told to clients: its id is outside `nodeIdRanges`")
    );
}

fn keys(value: &Value) -> Vec<String> {
    let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
    keys.sort();
    keys
}

fn sorted(names: &[&str]) -> Vec<String> {
    let mut names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    names.sort();
    names
}

/// Promise 1.
#[test]
fn the_running_process_says_which_addresses_are_its_own() {
    let scene = Scene::proxied(&[0, 1], "");
    let bootstrap = format!("localhost:{}", scene.base);
    let control = ["--control", "control.sock", "--json"];
    let examined = scene.doctor(&[&[bootstrap.as_str()][..], &control].concat());
    assert_eq!((examined.code, examined.kinds()), (0, vec![]), "{}", examined.out);
    // Nobody says so without the process.
    let examined = scene.doctor(&[&bootstrap, "--json"]);
    assert_eq!(examined.kinds(), ["addresses_unjudged"]);
}

/// Promise 1.
#[test]
fn a_gateway_that_wants_a_proxy_header_gets_one() {
    let scene = Scene::unserved(&[0], "");
    let file = scene.directory.path().join("proxy.yaml");
    let text = read(scene.directory.path(), "proxy.yaml");
    fs::write(
        &file,
        format!("proxyProtocol: {{mode: required, trustedPeers: [127.0.0.0/8, \"::1/128\"]}}\n{text}"),
    )
    .unwrap();
    let binary = Binary::at(&file);
    binary.expect_log("kproxy serves");
    let examined = scene.examine();
    assert_eq!((examined.code, examined.kinds()), (0, vec![]), "{}", examined.out);
}

/// Promise 2. A broker where the file says that kproxy is.
#[test]
fn addresses_of_brokers_lead_past_the_proxy() {
    let scene = Scene::unserved(&[0], "");
    let address = scene.cluster.address(0);
    let text = read(scene.directory.path(), "proxy.yaml");
    // The broker is at the address of the gateway; the target is the same cluster at an address that nobody answers at.
    let text = text.replace(&address.to_string(), "127.0.0.1:1").replace(
        &format!("localhost:{}", scene.base),
        &format!("127.0.0.1:{}", address.port()),
    );
    fs::write(scene.directory.path().join("proxy.yaml"), text).unwrap();
    let examined = scene.examine();
    assert_eq!(examined.code, 4);
    assert_eq!(examined.kinds(), ["address_unexpected", "target_unknown"]);
    // With the target at hand, the fault has its name.
    let bootstrap = address.to_string();
    let examined = scene.doctor(&[&bootstrap, "--target", &bootstrap, "--json"]);
    assert_eq!(examined.code, 4);
    let what = format!("node 0 is told as {address}, which is broker 0 of the target cluster itself");
    assert_eq!(
        examined.findings(),
        [("fault".to_owned(), "leads_past_proxy".to_owned(), what)]
    );
    // Without anything to compare with, that is said.
    let examined = scene.doctor(&[&bootstrap, "--json"]);
    assert_eq!(
        (examined.code, examined.kinds()),
        (0, vec!["addresses_unjudged".to_owned()])
    );
}

/// Promise 2.
#[test]
fn nodes_that_are_swapped_are_found() {
    let scene = Scene::unserved(&[0, 1, 2], "");
    let (first, second) = (scene.cluster.address(0), scene.cluster.address(1));
    scene.cluster.say(0, second);
    scene.cluster.say(1, first);
    let examined = scene.doctor(&[&first.to_string(), "--json"]);
    assert_eq!(examined.code, 4);
    let swapped: Vec<String> = examined
        .findings()
        .into_iter()
        .filter(|(_, kind, _)| kind == "node_swapped")
        .map(|(_, _, what)| what)
        .collect();
    assert_eq!(
        swapped,
        [
            "the address of node 0 leads to broker 1",
            "the address of node 1 leads to broker 0"
        ]
    );
}

/// Promise 2.
#[test]
fn a_node_that_nobody_answers_for_is_unreachable() {
    let scene = Scene::unserved(&[0, 1], "");
    let first = scene.cluster.address(0).to_string();
    scene.cluster.say(1, local(1));
    let examined = scene.doctor(&[&first]);
    assert_eq!(examined.code, 4);
    let expected =
        "  fault: node 1: 127.0.0.1:1: Connection refused (os error 111), at 127.0.0.1:1 (unreachable)
    Clients cannot connect to this address.
    Check that kproxy runs and listens there, and that firewalls and load balancers let the port through.
";
    assert!(examined.out.contains(expected), "{}", examined.out);
    assert!(
        examined
            .out
            .ends_with("\nNOT sound: 1 walk, 1 fault, 0 warnings\n"),
        "{}",
        examined.out
    );
}

/// Promise 2.
#[test]
fn advertised_names_that_do_not_resolve_are_found() {
    let keys = ", advertisedBrokerAddressPattern: \"broker-$(nodeId).no-such-host.invalid\"";
    let scene = Scene::proxied(&[0], keys);
    let examined = scene.examine();
    assert_eq!(examined.code, 4);
    // The coordinator and the node.
    assert_eq!(examined.kinds(), ["name_unresolved", "name_unresolved"]);
    let (_, _, what) = &examined.findings()[1];
    let expected = format!("broker-0.no-such-host.invalid:{}: ", scene.base + 1);
    assert!(what.starts_with(&expected), "{what}");
}

/// Promise 2.
#[test]
fn without_a_process_the_bootstrap_address_is_unreachable() {
    let scene = Scene::unserved(&[0], "");
    let examined = scene.examine();
    assert_eq!(
        (examined.code, examined.kinds()),
        (4, vec!["unreachable".to_owned()])
    );
}

#[test]
fn what_cannot_be_examined_is_told_apart_from_what_is_not_sound() {
    let scene = Scene::unserved(&[0], "");
    let none = scene.doctor(&["-c", "proxy.yaml", "--cluster", "payments"]);
    let why = "kproxy: error: the file has no such virtual cluster or gateway\n";
    assert_eq!((none.code, none.err.as_str(), none.out.as_str()), (1, why, ""));
    fs::write(scene.directory.path().join("bad.yaml"), "virtualClusters: 1\n").unwrap();
    let bad = scene.doctor(&["-c", "bad.yaml"]);
    assert_eq!((bad.code, bad.out.as_str()), (2, ""));
    assert!(bad.err.starts_with("bad.yaml:1:18: error: "), "{}", bad.err);
    assert_eq!(scene.doctor(&["not an address"]).code, 1);
    assert_eq!(scene.doctor(&["localhost:1", "-c", "proxy.yaml"]).code, 2);
}
