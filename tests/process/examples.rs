//! What stands in `examples/` works as it is written there, but for ports and the address of Kafka.
//!
//! 1. `sni_mtls`: its certificates are good enough for `kproxy check` to have no warning, and its secrets are nobody
//!    else's to read.
//! 2. Two clusters on one port, each with its own certificate; who has no certificate, or asks for a name that is
//!    nobody's, is refused and told why; nodes have the names that the hosts file resolves.
//! 3. `certificates.sh server` renews under a live session; `certificates.sh revoke` ends what the revoked client has
//!    and nothing else.
//! 4. A third cluster comes to the port and goes again; existing sessions stay.
//! 5. With a `subjectBuilder` its clients are listed by the names that it makes of their certificates; another builder
//!    drains those that have other names now.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use testkit::binary::Binary;
use testkit::certificates::Files;
use testkit::cluster::Cluster;
use testkit::kcat::{self, Kcat};
use testkit::openssl::SClient;
use testkit::wait::eventually;

/// A copy of the example, with its certificates, in front of a cluster of three.
struct Example {
    directory: TempDir,
    port: u16,
    cluster: Cluster,
}

fn read(file: &Path) -> String {
    String::from_utf8(fs::read(file).unwrap()).unwrap()
}

fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

#[track_caller]
fn succeeds(command: &mut Command) -> String {
    let output = run(command);
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success(), "{command:?}: {err}");
    assert_eq!(err, "", "{command:?}");
    out
}

impl Example {
    fn sni_mtls() -> Self {
        let directory = tempfile::tempdir().unwrap();
        for file in ["certificates.sh", "proxy.yaml", "hosts", "client.properties"] {
            let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/sni_mtls");
            fs::copy(original.join(file), directory.path().join(file)).unwrap();
        }
        let (cluster, port) = (Cluster::start(0..3), testkit::running::ports());
        let example = Self {
            directory,
            port,
            cluster,
        };
        let file = example.path("proxy.yaml");
        let mut text = read(&file);
        for (written, here) in [
            (":9443", format!(":{port}")),
            ("port: 9190", format!("port: {}", port + 1)),
            ("127.0.0.1:9092", example.cluster.address(0).to_string()),
        ] {
            assert!(text.contains(written), "{written} in {text}");
            text = text.replace(written, &here);
        }
        fs::write(file, text).unwrap();
        example.certificates(&[]);
        example
    }

    fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    #[track_caller]
    fn certificates(&self, arguments: &[&str]) {
        succeeds(Command::new(self.path("certificates.sh")).args(arguments));
    }

    fn serve(&self) -> Binary {
        let binary = Binary::at(&self.path("proxy.yaml"));
        binary.expect_log("kproxy serves");
        binary
    }

    fn kproxy(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kproxy"));
        command.current_dir(self.directory.path()).args(arguments);
        command
    }

    /// `openssl s_client` as the README has it.
    fn openssl(&self, name: &str) -> SClient {
        SClient::named(self.port, name)
            .trust(&self.path("tls/ca.crt"))
            .args(["-verify_hostname", name])
    }

    fn identity(&self, client: &str) -> Files {
        Files {
            certificate: self.path(&format!("tls/{client}.crt")),
            key: self.path(&format!("tls/{client}.key")),
            both: self.path(&format!("tls/{client}.pem")),
        }
    }

    fn kcat(&self, name: &str, client: &str) -> Kcat {
        Kcat::to(format!("{name}:{}", self.port))
            .tls(&self.path("tls/ca.crt"))
            .identity(&self.identity(client))
            .resolving(&self.path("hosts"))
    }

    /// The subjects of the clients that are there, in order.
    fn subjects(&self) -> Vec<String> {
        self.listed("client_subject")
    }

    /// One field of the clients that are there, in order.
    fn listed(&self, field: &str) -> Vec<String> {
        let arguments = ["--json", "--control", "kproxy.sock", "connections"];
        let listed: Value = serde_json::from_str(&succeeds(&mut self.kproxy(&arguments))).unwrap();
        let subject = |session: &Value| session[field].as_str().unwrap_or_default().to_owned();
        let mut subjects: Vec<String> = listed.as_array().unwrap().iter().map(subject).collect();
        subjects.sort_unstable();
        subjects
    }

    /// The serial number of the certificate that clients are shown.
    fn serial(&self) -> String {
        let shown = self
            .openssl("orders.kafka.test")
            .identity(&self.identity("other"));
        let shown = shown.run();
        assert!(shown.served, "{shown:?}");
        let (_, rest) = shown.stdout.split_once("-----BEGIN CERTIFICATE-----").unwrap();
        rest.split_once("-----END").unwrap().0.to_owned()
    }
}

/// Promise 1.
#[test]
fn the_files_of_sni_mtls_are_without_fault() {
    let example = Example::sni_mtls();
    let told = succeeds(&mut example.kproxy(&["check", "-c", "proxy.yaml"]));
    assert_eq!(told, "proxy.yaml is fine: 2 clusters, 2 gateways, 1 address\n");
    let secrets = [
        "orders.key",
        "payments.key",
        "app.key",
        "app.pem",
        "authority/ca.key",
    ];
    for secret in secrets {
        let mode = fs::metadata(example.path("tls").join(secret))
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o600, "{secret}");
    }
}

/// Promise 2.
#[test]
fn sni_mtls_tells_clusters_apart_by_name_and_clients_by_certificate() {
    let example = Example::sni_mtls();
    let binary = example.serve();
    for name in [
        "orders.kafka.test",
        "PAYMENTS.kafka.test",
        "broker-2.orders.kafka.test",
    ] {
        let served = example.openssl(name).identity(&example.identity("app")).run();
        assert!(served.served && served.verified(), "{served:?}");
    }

    let nameless = example.openssl("orders.kafka.test").run();
    assert!(!nameless.served, "{nameless:?}");
    assert_eq!(nameless.alert(), Some("certificate required"), "{nameless:?}");
    binary.expect_log("cause=\"client_certificate_missing\"");

    let unknown = example
        .openssl("order.kafka.test")
        .identity(&example.identity("app"))
        .run();
    assert!(!unknown.served, "{unknown:?}");
    assert_eq!(unknown.alert(), Some("unrecognized name"), "{unknown:?}");
    binary.expect_log("no gateway has the host `order.kafka.test`, the nearest known is `orders.kafka.test`");
}

/// Promise 2.
#[test]
fn sni_mtls_gives_nodes_names_that_resolve() {
    if !kcat::require() {
        return;
    }
    let example = Example::sni_mtls();
    let _binary = example.serve();
    for cluster in ["orders", "payments"] {
        let listed = example.kcat(&format!("{cluster}.kafka.test"), "app").brokers();
        let node = |id| (id, format!("broker-{id}.{cluster}.kafka.test:{}", example.port));
        assert_eq!(listed, [0, 1, 2].map(node));
    }
}

/// Promise 3.
#[test]
fn sni_mtls_renews_and_revokes_under_live_sessions() {
    let example = Example::sni_mtls();
    example.certificates(&["client", "other"]);
    let binary = example.serve();
    let hold = |client: &str| {
        example
            .openssl("orders.kafka.test")
            .identity(&example.identity(client))
            .hold()
    };
    let (app, other) = (hold("app"), hold("other"));
    assert_eq!(example.subjects(), ["CN=app", "CN=other"]);

    let before = example.serial();
    example.certificates(&["server", "orders"]);
    eventually("the new certificate is shown", || example.serial() != before);
    assert!(app.is_open() && other.is_open(), "{}", binary.log());

    example.certificates(&["revoke", "app"]);
    eventually("the revoked client is gone", || !app.is_open());
    assert!(other.is_open(), "{}", binary.log());
    assert_eq!(example.subjects(), ["CN=other"]);
    let refused = example
        .openssl("payments.kafka.test")
        .identity(&example.identity("app"))
        .run();
    assert!(!refused.served, "{refused:?}");
    assert_eq!(refused.alert(), Some("certificate revoked"), "{refused:?}");
    binary.expect_log("the certificate of the client is revoked");
}

/// Promise 4.
#[test]
fn sni_mtls_takes_another_cluster_in_and_lets_it_go_under_live_sessions() {
    let example = Example::sni_mtls();
    let binary = example.serve();
    let app = || example.identity("app");
    let held = example.openssl("orders.kafka.test").identity(&app()).hold();

    let file = example.path("proxy.yaml");
    let two = read(&file);
    let (_, item) = two.split_once("  - name: payments\n").unwrap();
    let item = item.replace("tls/payments", "tls/shipping");
    example.certificates(&["server", "shipping"]);
    fs::write(&file, format!("{two}\n  - name: shipping\n{item}")).unwrap();
    binary.expect_log("reload applied trigger=\"watch\" generation=2");
    let shipping = || example.openssl("shipping.kafka.test").identity(&app()).run();
    let served = shipping();
    assert!(served.served && served.verified(), "{served:?}");

    fs::write(&file, two).unwrap();
    binary.expect_log("reload applied trigger=\"watch\" generation=3");
    let refused = shipping();
    assert_eq!(refused.alert(), Some("unrecognized name"), "{refused:?}");
    assert!(held.is_open(), "{}", binary.log());
    assert_eq!(example.subjects(), ["CN=app"]);
}

/// Promise 5.
#[test]
fn sni_mtls_names_its_clients_by_their_certificates() {
    let example = Example::sni_mtls();
    let file = example.path("proxy.yaml");
    let before = read(&file);
    let with = |builder: &str| {
        let builder = format!("  - name: orders\n    subjectBuilder: {builder}\n");
        before.replace("  - name: orders\n", &builder)
    };
    let map = "map: [{replaceMatch: '/^CN=([^,]+).*$/$1/U'}]";
    let transport = "type: DefaultTransportSubjectBuilderService";
    fs::write(
        &file,
        with(&format!(
            "{{{transport}, config: {{addPrincipals: [{{from: clientTlsSubject, {map}}}]}}}}"
        )),
    )
    .unwrap();
    let binary = example.serve();
    let hold = || {
        let client = example.openssl("orders.kafka.test");
        client.identity(&example.identity("app")).hold()
    };
    let app = hold();
    assert_eq!(example.listed("principal"), ["APP"]);
    let rules = "{type: SslPrincipalMapper, config: {rules: 'RULE:^CN=(a.*)$/$1@shop/,DEFAULT'}}";
    fs::write(&file, with(rules)).unwrap();
    binary.expect_log("reload applied trigger=\"watch\" generation=2");
    eventually("the client with the old name is gone", || !app.is_open());
    let _app = hold();
    assert_eq!(example.listed("principal"), ["app@shop"]);
}
