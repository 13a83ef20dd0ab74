//! What the configuration promises:
//!
//! 1. Every file in `fixtures/valid`, and `config/proxy.yaml`, loads; defaults are those of the contract.
//! 2. Every file in `fixtures/invalid` is rejected with exactly the diagnostics that stand beside it: all
//!    violations at once, each `FILE:LINE:COL: error: WHAT`, none with a secret in it.
//! 3. What is no configuration at all (directory, named pipe, device, bomb, 33 MiB, other encodings) is a clear
//!    error, quickly.
//! 4. No bytes make the parser panic or dawdle.
//! 5. Ten thousand clusters load, and so does a file that wraps them in Windows' line ends and a BOM.
//! 6. Files that say the same, in whatever words and order, are equal models; a list without clusters and an empty
//!    file are models that no start takes.
//! 7. Whether anything changed on disk is told by content, without parsing; a part of a file is never read.
//! 8. Included files are read as if they stood in the main one, and each violation names the file it is in.
//! 9. Keys, certificates, trust and revocation lists are read in every promised form and count by content; what is
//!    wrong with one is said with its file and no byte of a secret.
//! 10. TLS, host names that identify nodes and the PROXY protocol resolve as the contract has them.
//! 11. What is odd but usable is a warning, by the time that is given.
//! 12. Files of Kroxylicious without filters that are not there, stores and forms of old releases load; what they say in vain is a warning,
//!     and what they say as it was said before 0.11 is told with what to write.
//! 13. Filters are those of Kroxylicious, each with the keys of its type; what is wrong with one is said at its place.
//! 14. Names of clients are made as Kroxylicious and Kafka make them; what is wrong with a rule is said at its place.
//!
//! `KPROXY_BLESS=1` writes the diagnostics of point 2 anew.

use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use kproxy::config::Diagnostic;
use kproxy::model::{self, BindIp, BootstrapSelection, DrainStrategy, Gateway, LogFormat, ProxyModel};
use proptest::prelude::*;

mod filters;
mod foreign;
mod include;
mod keys;
mod meaning;
mod merged;
mod secured;
mod sources;
mod subjects;
mod warned;

/// Stands wherever a fixture has a password.
const CANARY: &str = "s3cret";

/// For one hostile file in an unoptimised build on a busy machine; a release build takes milliseconds. What is
/// quadratic, exponential or blocked takes longer than this.
const QUICKLY: Duration = Duration::from_secs(20);

fn fixtures(kind: &str) -> Vec<PathBuf> {
    let directory = Path::new("tests/fixtures").join(kind);
    let mut files: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no fixtures in {kind}");
    files
}

fn text(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().fold(String::new(), |mut text, diagnostic| {
        writeln!(text, "{diagnostic}").unwrap();
        text
    })
}

fn errors(yaml: impl AsRef<[u8]>) -> String {
    let started = Instant::now();
    let text = text(&model::parse(yaml.as_ref(), "f.yaml").expect_err("accepted"));
    assert!(
        started.elapsed() < QUICKLY,
        "took {:?}: {text}",
        started.elapsed()
    );
    text
}

fn load_errors(path: &Path) -> String {
    text(&model::load(path).expect_err("accepted"))
}

fn loads(yaml: impl AsRef<[u8]>) -> ProxyModel {
    model::parse(yaml.as_ref(), "f.yaml").unwrap_or_else(|diagnostics| panic!("{}", text(&diagnostics)))
}

fn pki_file(name: &str) -> ProxyModel {
    let path = Path::new("tests/fixtures/valid").join(name);
    model::load(&path).unwrap_or_else(|diagnostics| panic!("{}", text(&diagnostics)))
}

fn ports(gateway: &Gateway) -> Vec<(i32, u16)> {
    gateway
        .nodes
        .iter()
        .map(|node| (node.node_id, node.port))
        .collect()
}

#[test]
fn valid_fixtures_load() {
    for path in fixtures("valid") {
        if let Err(diagnostics) = model::load(&path) {
            panic!("{}", text(&diagnostics));
        }
    }
}

#[test]
fn the_example_loads() {
    let model = model::load(Path::new("config/proxy.yaml")).unwrap_or_else(|d| panic!("{}", text(&d)));
    let inside = &model.clusters["orders"].gateways[0];
    assert_eq!(inside.advertised_bootstrap_port, Some(19292));
    assert_eq!(inside.nodes[6].node_id, 100);
    assert_eq!(
        (inside.nodes[6].port, inside.nodes[6].advertised_port),
        (9299, Some(19299))
    );
    assert_eq!(model.clusters["orders"].drain.timeout, Duration::from_secs(45));
    assert_eq!(
        model.clusters["orders"].drain.hard_timeout,
        Duration::from_secs(60)
    );
    assert_eq!(model.clusters["lab"].drain.timeout, Duration::from_secs(10));
}

#[test]
fn invalid_fixtures_are_rejected_with_all_their_violations() {
    for path in fixtures("invalid") {
        let name = path.file_name().unwrap().to_str().unwrap();
        let bytes = fs::read(&path).unwrap();
        let found = text(&model::parse(&bytes, name).expect_err(name));
        assert!(!found.contains(CANARY), "{name} shows a secret:\n{found}");
        let beside = path.with_extension("expected");
        if std::env::var_os("KPROXY_BLESS").is_some() {
            fs::write(&beside, &found).unwrap();
        }
        let expected = String::from_utf8(fs::read(&beside).unwrap_or_default()).unwrap();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn defaults_are_those_of_the_contract() {
    let model = pki_file("smallest.yaml");
    assert_eq!(model.network.worker_threads, None);
    assert_eq!(model.network.shutdown_timeout, Duration::from_secs(30));
    assert_eq!(
        model.network.unauthenticated_idle_timeout,
        Some(Duration::from_secs(600))
    );
    assert_eq!(model.network.authenticated_idle_timeout, None);
    assert_eq!(model.network.connect_timeout, Duration::from_secs(10));
    assert_eq!(model.network.max_frame_size, 100 * 1024 * 1024);
    assert_eq!(model.network.max_connections, None);
    assert_eq!(
        (model.logging.level.as_str(), model.logging.format),
        ("info", LogFormat::Text)
    );
    assert_eq!(model.state_directory, None);
    let orders = &model.clusters["orders"];
    assert_eq!(orders.drain.strategy, DrainStrategy::Graceful);
    assert_eq!(orders.drain.timeout, Duration::from_secs(30));
    assert_eq!(orders.drain.hard_timeout, Duration::from_secs(60));
    assert_eq!(orders.drain.rate, 50);
    assert_eq!(
        (orders.max_connections, orders.log_network, orders.log_frames),
        (None, false, false)
    );
    assert_eq!(orders.target.selection, BootstrapSelection::RoundRobin);
    assert_eq!(orders.target.bootstrap_servers.len(), 2);
    let gateway = &orders.gateways[0];
    assert_eq!(gateway.bind, BindIp::Loopback);
    assert_eq!(
        (gateway.bootstrap_host.as_str(), gateway.bootstrap_port),
        ("localhost", 9192)
    );
    assert_eq!(gateway.advertised_bootstrap_port, None);
    assert_eq!(gateway.node_host_pattern, "localhost");
    assert_eq!(ports(gateway), [(0, 9193), (1, 9194), (2, 9195)]);
    assert!(gateway.nodes.iter().all(|node| node.advertised_port.is_none()));
    assert_eq!(gateway.dynamic_ports, None);
}

#[test]
fn kroxylicious_files_mean_the_same_here() {
    let model = pki_file("kroxylicious.yaml");
    assert_eq!(model.network.worker_threads, Some(4));
    assert_eq!(
        model.network.authenticated_idle_timeout,
        Some(Duration::from_secs(900))
    );
    let orders = &model.clusters["orders"];
    assert_eq!(orders.drain.timeout, Duration::from_secs(45));
    assert!(orders.log_frames);
    assert_eq!(orders.gateways[0].bind, BindIp::Any);
    let expected = [
        (0, 9193),
        (1, 9194),
        (2, 9195),
        (3, 9196),
        (4, 9197),
        (5, 9198),
        (100, 9199),
        (101, 9200),
        (102, 9201),
    ];
    assert_eq!(ports(&orders.gateways[0]), expected);
    let lab = &model.clusters["lab"];
    assert_eq!(lab.target.selection, BootstrapSelection::Random);
    assert_eq!(ports(&lab.gateways[0]), [(0, 9300), (1, 9301), (2, 9302)]);
    assert_eq!(lab.gateways[0].node_host_pattern, "broker-$(nodeId).lab");
    // Its two minutes stand, and the hard deadline, not given, makes room.
    assert_eq!(lab.drain.hard_timeout, Duration::from_secs(120));
}

#[test]
fn ipv6_port_zero_and_dynamic_ports() {
    let model = pki_file("ipv6-and-any-port.yaml");
    let six = &model.clusters["Six"];
    let hosts: Vec<&str> = six
        .target
        .bootstrap_servers
        .iter()
        .map(|server| server.host.as_str())
        .collect();
    assert_eq!(hosts, ["10.0.0.1", "::1", "fe80::1"]);
    assert_eq!(six.gateways[0].bind, BindIp::Ip("::1".parse::<IpAddr>().unwrap()));
    assert_eq!(ports(&six.gateways[1]), [(0, 0), (1, 0), (2, 0)]);
    assert_eq!(six.gateways[2].bind, BindIp::Any);
    assert!(six.gateways[2].nodes.is_empty());
    assert_eq!(
        six.gateways[2]
            .dynamic_ports
            .map(|range| (range.start, range.end)),
        Some((9300, 9399))
    );
}

#[test]
fn ids_of_all_ranges_are_sorted() {
    let model = pki_file("same-port-other-address.yaml");
    assert_eq!(
        ports(&model.clusters["a"].gateways[2]),
        [(3, 9193), (4, 9194), (7, 9195)]
    );
}

#[test]
fn bind_address_follows_the_bootstrap_host() {
    let bind = |host: &str| {
        let yaml = SMALLEST.replace("localhost:9192", &format!("'{host}:9192'"));
        loads(yaml).clusters["orders"].gateways[0].bind
    };
    let ip = |text: &str| BindIp::Ip(text.parse::<IpAddr>().unwrap());
    assert_eq!(bind("localhost"), BindIp::Loopback);
    assert_eq!(bind("kafka.LOCALHOST"), BindIp::Loopback);
    assert_eq!(bind("127.0.0.9"), ip("127.0.0.9"));
    assert_eq!(bind("[::1]"), ip("::1"));
    assert_eq!(bind("kafka.example.com"), BindIp::Any);
    assert_eq!(bind("10.0.0.1"), BindIp::Any);
    assert_eq!(bind("notlocalhost"), BindIp::Any);
}

/// A gateway whose clients are told another host is meant for others.
#[test]
fn bind_address_follows_every_host_that_clients_are_told() {
    let bind = |bootstrap: &str, pattern: &str, more: &str| {
        let gateway = format!(
            "'{bootstrap}:9192'\n          advertisedBrokerAddressPattern: '{pattern}'\n        {more}"
        );
        let yaml = SMALLEST.replace("localhost:9192", &gateway);
        loads(yaml).clusters["orders"].gateways[0].bind
    };
    let ip = |text: &str| BindIp::Ip(text.parse::<IpAddr>().unwrap());
    assert_eq!(bind("localhost", "kafka.example.com", ""), BindIp::Any);
    assert_eq!(bind("127.0.0.1", "192.0.2.1", ""), BindIp::Any);
    assert_eq!(bind("kafka.example.com", "localhost", ""), BindIp::Any);
    assert_eq!(
        bind("localhost", "kafka.example.com", "bindAddress: 127.0.0.1"),
        ip("127.0.0.1")
    );
    assert_eq!(
        bind("localhost", "broker$(nodeId).localhost", ""),
        BindIp::Loopback
    );
    assert_eq!(bind("localhost", "127.0.0.1", ""), BindIp::Loopback);
    assert_eq!(bind("127.0.0.1", "localhost", ""), BindIp::Loopback);
    assert_eq!(bind("127.0.0.1", "::1", ""), BindIp::Loopback);
    assert_eq!(bind("127.0.0.2", "127.0.0.2", ""), ip("127.0.0.2"));
    // Two addresses of 127.0.0.0/8 give a warning.
    assert_eq!(bind("127.0.0.2", "localhost", ""), ip("127.0.0.2"));
}

#[test]
fn relative_paths_are_relative_to_the_file() {
    let yaml = SMALLEST.to_owned() + "stateDirectory: state\n";
    let model = model::parse(yaml.as_bytes(), "etc/kproxy/proxy.yaml").unwrap();
    assert_eq!(model.state_directory, Some(PathBuf::from("etc/kproxy/state")));
}

const SMALLEST: &str = "virtualClusters:
  - name: orders
    targetCluster: {bootstrapServers: 'k:1'}
    gateways:
      - name: default
        portIdentifiesNode:
          bootstrapAddress: localhost:9192
";

#[test]
fn bom_and_windows_line_ends_are_fine() {
    let windows = format!("\u{feff}{}", SMALLEST.replace('\n', "\r\n"));
    assert_eq!(loads(windows), loads(SMALLEST));
    let wrong = format!(
        "\u{feff}{}",
        SMALLEST.replace('\n', "\r\n").replace("gateways", "gatways")
    );
    assert_eq!(
        errors(wrong),
        "f.yaml:4:5: error: unknown key `gatways`, did you mean `gateways`?\n"
    );
    let first_line = format!("\u{feff}x: 1\n{SMALLEST}");
    assert!(errors(first_line).starts_with("f.yaml:1:1: error: unknown key `x`"));
}

#[test]
fn other_encodings_are_named() {
    let mut bytes = SMALLEST.as_bytes().to_vec();
    let at = SMALLEST.find("orders").unwrap();
    bytes[at + 2] = 0xff;
    assert_eq!(errors(&bytes), "f.yaml:2:13: error: invalid UTF-8\n");
    assert_eq!(
        errors(b"\xff\xfea\0"),
        "f.yaml:1:1: error: the file is UTF-16; save it as UTF-8\n"
    );
    assert_eq!(errors(b"caf\xc3\xa9: \xc3"), "f.yaml:1:7: error: invalid UTF-8\n");
}

#[test]
fn alias_bombs_are_refused() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        writeln!(bomb, "a{level}: &a{level} [{aliases}]").unwrap();
    }
    bomb.push_str("virtualClusters: *a9\n");
    assert!(errors(bomb).contains("error: aliases expand to more than"));
}

#[test]
fn many_aliases_to_a_broken_cluster_stay_bounded() {
    let yaml = format!("virtualClusters: [&c {{a: 1}}{}]\n", ", *c".repeat(5_000));
    assert!(errors(yaml).lines().count() < 10);
}

#[test]
fn depth_bombs_are_refused() {
    for bomb in ["[", "{a: ", "- ", "a:\n", "? "] {
        let text = match bomb {
            "a:\n" => (0..2_000)
                .map(|depth| format!("{}a:\n", " ".repeat(depth)))
                .collect(),
            _ => bomb.repeat(20_000),
        };
        let found = errors(&text);
        assert!(found.contains("nested more than 32 levels"), "{bomb:?}: {found}");
    }
}

#[test]
fn huge_scalars_are_refused() {
    for (open, close) in [("", ""), ("'", "'"), ("\"\\n", "\""), ("|\n ", "")] {
        let yaml = format!("stateDirectory: {open}{}{close}\n", "x".repeat(4 << 20));
        assert_eq!(errors(&yaml).lines().count(), 1);
        assert!(
            errors(yaml).contains("error: value is longer than 64 KiB"),
            "{open}"
        );
    }
    let key = format!("{}: 1\n", "k".repeat(1 << 20));
    assert!(errors(key).len() < 300);
}

#[test]
fn floods_of_values_and_errors_are_bounded() {
    let flood = "[],".repeat(1 << 17);
    assert!(errors(format!("virtualClusters: [{flood}]")).contains("values in a file of this size"));
    let wrong = "orders,".repeat(19_000);
    assert!(errors(format!("virtualClusters: [{wrong}]")).lines().count() <= 1001);
    let keys: String = (0..9_000).fold(String::new(), |mut keys, n| {
        writeln!(keys, "virtualCluster{n}: 1").unwrap();
        keys
    });
    assert!(errors(keys).contains("more errors are not shown"));
}

#[test]
fn what_is_not_a_file_is_named_without_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo.yaml");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let socket = directory.path().join("socket.yaml");
    let _listening = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let cases = [
        (directory.path().to_owned(), "this is a directory, not a file"),
        (fifo, "this is a named pipe, not a file"),
        (PathBuf::from("/dev/zero"), "this is a device, not a file"),
        (
            directory.path().join("missing.yaml"),
            "cannot read the file: No such file or directory",
        ),
        (socket, "cannot read the file: No such device or address"),
        (
            directory.path().join("nul\0.yaml"),
            "cannot read the file: Invalid argument",
        ),
    ];
    for (path, why) in cases {
        let (sender, receiver) = mpsc::channel();
        let asked = path.clone();
        std::thread::spawn(move || sender.send(load_errors(&asked)));
        let found = receiver.recv_timeout(QUICKLY).expect("blocked");
        assert_eq!(found, format!("{}:1:1: error: {why}\n", path.display()));
    }
}

#[test]
fn files_over_32_mib_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("large.yaml");
    fs::File::create(&path).unwrap().set_len(33 << 20).unwrap();
    let started = Instant::now();
    assert_eq!(
        load_errors(&path),
        format!("{}:1:1: error: the file is larger than 32 MiB\n", path.display())
    );
    assert!(started.elapsed() < QUICKLY);
}

#[test]
fn a_missing_file_and_a_relative_one() {
    assert_eq!(
        load_errors(Path::new("no.yaml")),
        "no.yaml:1:1: error: cannot read the file: No such file or directory\n"
    );
}

/// A file such as a generator would write.
fn many_clusters(count: u32) -> String {
    let mut yaml =
        String::from("clusterDefinitions:\n  - {name: shared, bootstrapServers: 'k:1'}\nvirtualClusters:\n");
    for n in 0..count {
        let (ip, port) = (format!("127.{}.{}.1", n / 200 + 1, n % 200 + 1), 9000 + n % 7);
        write!(
            yaml,
            "  - name: cluster-{n}\n    targetCluster:\n      bootstrapServers: broker-0.kafka-{n}.example.com:9092,\
             broker-1.kafka-{n}.example.com:9092\n    drain:\n      timeout: 30s\n    maxConnections: 1000\n    \
             logNetwork: false\n    gateways:\n      - name: default\n        bindAddress: {ip}\n        \
             portIdentifiesNode:\n          bootstrapAddress: cluster-{n}.kafka.example.com:{port}\n          \
             nodeIdRanges:\n            - {{name: brokers, start: 0, end: 2}}\n"
        )
        .unwrap();
    }
    yaml
}

#[test]
fn ten_thousand_clusters_load() {
    let yaml = many_clusters(10_000);
    let started = Instant::now();
    let model = loads(&yaml);
    println!("{} bytes, 10 000 clusters: {:?}", yaml.len(), started.elapsed());
    assert_eq!(model.clusters.len(), 10_000);
    assert!(started.elapsed() < QUICKLY);
}

#[test]
fn ten_thousand_collisions_are_found_in_linear_time() {
    let yaml = many_clusters(10_000).replace("bindAddress: 127.", "bindAddress: 127.0.0.1 # ");
    let started = Instant::now();
    let found = text(&model::parse(yaml.as_bytes(), "f.yaml").unwrap_err());
    assert_eq!(found.lines().count(), 1001);
    assert!(started.elapsed() < QUICKLY);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let started = Instant::now();
        drop(model::parse(&bytes, "f.yaml"));
        prop_assert!(started.elapsed() < QUICKLY);
    }

    #[test]
    fn no_yaml_like_text_panics(text in "([ \n:,?&*!|>'\"%@`#{}\\[\\]-]|[a-c]: |  - |\\PC){0,200}") {
        drop(model::parse(text.as_bytes(), "f.yaml"));
    }

    /// A valid file with one slip in it: most slips end up behind the parser, in the rules.
    #[test]
    fn no_slip_panics(at in any::<prop::sample::Index>(), cut in 0_usize..8, put in "[0-9a-z:$(){}\\[\\],. \n-]{0,6}") {
        let mut text: Vec<char> = include_str!("../../config/proxy.yaml").chars().collect();
        let at = at.index(text.len());
        let end = (at + cut).min(text.len());
        text.splice(at..end, put.chars());
        let text: String = text.into_iter().collect();
        if let Err(diagnostics) = model::parse(text.as_bytes(), "f.yaml") {
            prop_assert!(!diagnostics.is_empty());
            prop_assert!(diagnostics.iter().all(|d| d.line > 0 && d.col > 0 && !d.message.contains('\n')));
        }
    }
}
