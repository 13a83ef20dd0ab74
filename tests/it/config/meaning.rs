//! Point 6: what compares equal.

use kproxy::model::{self, ProxyModel};
use proptest::prelude::*;

use super::{loads, text};

const BASE: &str = "
drain: {timeout: 20s}
clusterDefinitions:
  - {name: one, bootstrapServers: 'a:1, b:2, c:3'}
  - {name: two, bootstrapServers: 'd:4'}
virtualClusters:
  - name: orders
    target: {cluster: one}
    gateways:
      - name: inside
        portIdentifiesNode:
          bootstrapAddress: localhost:9192
          nodeIdRanges: [{name: brokers, start: 0, end: 2}, {name: more, start: 10, end: 11}]
      - name: outside
        portIdentifiesNode: {bootstrapAddress: 'kafka.example.com:9292', nodeIdRanges: [{start: 0, end: 0}]}
  - name: lab
    target: {cluster: two}
    gateways: [{name: default, portIdentifiesNode: {bootstrapAddress: 'localhost:9392'}}]
";

/// Two ways to write one configuration.
const REWORDED: &str = "
# A comment
virtualClusters:
  - gateways:
      - portIdentifiesNode:
          bootstrapAddress: \"localhost:9392\"
          nodeStartPort: 9393
          nodeIdRanges: [{start: 0, end: 2}]
          advertisedBrokerAddressPattern: localhost
        name: default
    targetCluster:
      bootstrapServers: d:4
      bootstrapServerSelection: {strategy: round-robin}
    drainTimeout: 20s
    logFrames: false
    name: lab
  - name: 'orders'
    logNetwork: false
    targetCluster: {bootstrapServers: 'c:3,b:2,a:1'}
    gateways:
      - name: outside
        bindAddress: '::'
        portIdentifiesNode: {bootstrapAddress: 'kafka.example.com:9292', nodeIdRanges: [{start: 0, end: 0}]}
      - name: inside
        portIdentifiesNode:
          nodeIdRanges:
            - {start: 10, end: 11}
            - {start: 1, end: 2, name: b}
            - {start: 0, end: 0, name: a}
          bootstrapAddress: localhost:9192
drain: {strategy: graceful, timeout: 20000ms, hardTimeout: 1m, rate: 50}
network: {proxy: {maxFrameSize: 102400KiB, authenticatedIdleTimeout: 0s, connectTimeout: 10s}}
logging: {level: ' info ', format: text}
proxyProtocol: {mode: disabled}
reload: {watch: true, debounce: 150ms, pollInterval: 10s, maxRemovedPercent: 50}
control: {}
";

#[test]
fn the_same_said_differently_is_the_same_model() {
    assert_eq!(loads(REWORDED), loads(BASE));
}

#[test]
fn spelled_out_defaults_and_rewordings_are_no_change() {
    let with = |line: &str| loads(format!("{BASE}{line}\n"));
    let pairs = [
        (
            "management: {}",
            "management: {bindAddress: 127.0.0.1, port: 9190, endpoints: {prometheus: {}}}",
        ),
        (
            "reload: {pollInterval: 0s}",
            "reload: {pollInterval: 0ms, debounce: 150ms}",
        ),
        ("reload: {debounce: 1s}", "reload: {debounce: 1000ms}"),
        (
            "network: {proxy: {maxFrameSize: 1MiB}}",
            "network: {proxy: {maxFrameSize: 1048576}}",
        ),
        ("control: {socket: k.sock}", "control:\n  socket: 'k.sock' # here"),
        ("stateDirectory: s", "\nstateDirectory: \"s\""),
    ];
    for (one, other) in pairs {
        assert_eq!(with(one), with(other), "{one} and {other}");
        assert_ne!(with(one), loads(BASE), "{one}");
    }
}

#[test]
fn what_means_something_else_is_another_model() {
    for (from, to) in [
        ("timeout: 20s", "timeout: 21s"),
        ("c:3", "c:4"),
        ("name: outside", "name: abroad"),
        ("end: 11", "end: 12"),
        ("localhost:9392", "127.0.0.1:9392"),
        ("d:4'}", "d:4', bootstrapServerSelection: {strategy: random}}"),
        ("name: lab", "name: lab\n    maxConnections: 5"),
    ] {
        let changed = BASE.replace(from, to);
        assert_ne!(changed, BASE, "{from}");
        assert_ne!(loads(changed), loads(BASE), "{from}");
    }
}

#[test]
fn management_control_and_reload_have_the_defaults_of_the_contract() {
    let ProxyModel {
        management,
        control_socket,
        reload,
        ..
    } = loads(BASE);
    assert_eq!((management, control_socket), (None, None));
    assert!(reload.watch);
    assert_eq!(reload.debounce.as_millis(), 150);
    assert_eq!(reload.poll_interval.map(|interval| interval.as_secs()), Some(10));
    assert_eq!(reload.max_removed_percent, 50);
    let management = loads(format!("{BASE}management: {{}}\n")).management.unwrap();
    assert_eq!(
        (management.address.to_string().as_str(), management.token),
        ("127.0.0.1:9190", None)
    );
    let written = "management: {bindAddress: '::1', port: 0}\ncontrol: {socket: run/k.sock}\n\
                   reload: {watch: false, debounce: 0s, pollInterval: 0s, maxRemovedPercent: 0}\n";
    let model = model::parse(format!("{BASE}{written}").as_bytes(), "etc/proxy.yaml")
        .unwrap_or_else(|d| panic!("{}", text(&d)));
    assert_eq!(model.management.unwrap().address.to_string(), "[::1]:0");
    assert_eq!(model.control_socket.unwrap().to_str(), Some("etc/run/k.sock"));
    assert_eq!(
        (
            model.reload.watch,
            model.reload.poll_interval,
            model.reload.max_removed_percent
        ),
        (false, None, 0)
    );
}

/// An empty list is a model that a reload may be forced to take, and no start takes; so is an empty file, which leaves
/// the settings of the process open.
#[test]
fn only_an_empty_file_and_an_empty_list_can_be_forced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("proxy.yaml");
    let load = |text: &str| {
        std::fs::write(&path, text).unwrap();
        assert!(model::load(&path).is_err(), "{text:?} would start");
        model::load_all(&path)
    };
    let loaded = load("logging: {level: info}\nvirtualClusters: []\n");
    assert_eq!(loaded.model.unwrap(), ProxyModel::empty());
    let why = loaded.no_clusters.unwrap();
    assert_eq!((why.line, why.col), (2, 18));
    assert!(!loaded.emptied);
    for text in ["", " \n", "# only a comment\n", "---\n"] {
        let loaded = load(text);
        assert_eq!(loaded.model.unwrap(), ProxyModel::empty(), "{text:?}");
        let why = loaded.no_clusters.unwrap().to_string();
        assert!(
            loaded.emptied && why.ends_with("the file is empty, it needs at least `virtualClusters`"),
            "{why}"
        );
    }
    for text in [
        "virtualClusters:\n",
        "logging: {level: info}\n",
        "virtualClusters: [{}]\n",
    ] {
        assert!(load(text).model.is_err(), "{text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Gateways, brokers, ranges, clusters and definitions in any order, with comments anywhere between lines.
    #[test]
    fn no_order_means_anything(
        servers in Just(vec!["a:1", "b:2", "c:3"]).prop_shuffle(),
        ranges in Just(vec!["{start: 0, end: 2}", "{start: 10, end: 11}", "{start: 5, end: 5}"]).prop_shuffle(),
        gateways in Just(vec![1, 2, 3]).prop_shuffle(),
        clusters in Just(vec![1, 2, 3]).prop_shuffle(),
        comment in "( #[ -~]{0,20})?",
    ) {
        let file = |servers: &[&str], ranges: &[&str], gateways: &[u16], clusters: &[u16], comment: &str| {
            let mut yaml = format!("virtualClusters:{comment}\n");
            for cluster in clusters {
                yaml += &format!(
                    "  - name: c{cluster}{comment}\n    targetCluster: {{bootstrapServers: '{}'}}\n    gateways:\n",
                    servers.join(",")
                );
                for gateway in gateways {
                    yaml += &format!(
                        "      - name: g{gateway}\n        portIdentifiesNode:{comment}\n          bootstrapAddress: 'localhost:{}'\n          \
                         nodeIdRanges: [{}]\n",
                        1000 * cluster + 100 * gateway,
                        ranges.join(", ")
                    );
                }
            }
            loads(yaml)
        };
        let straight = file(
            &["a:1", "b:2", "c:3"],
            &["{start: 0, end: 2}", "{start: 10, end: 11}", "{start: 5, end: 5}"],
            &[1, 2, 3],
            &[1, 2, 3],
            "",
        );
        prop_assert_eq!(file(&servers, &ranges, &gateways, &clusters, &comment), straight);
    }
}
