//! Promises 3 and 4.

use std::fs;
use std::time::Duration;

use super::{Examined, doctor, read};
use testkit::binary::Binary;
use testkit::certificates::{Authority, Leaf};
use testkit::cluster::Cluster;
use testkit::running::ports;

/// kproxy with TLS towards clients.
struct Secured {
    directory: tempfile::TempDir,
    authority: Authority,
    _cluster: Cluster,
    _binary: Binary,
}

impl Secured {
    fn start(leaf: &Leaf) -> Self {
        Self::start_with(leaf, "")
    }

    /// `keys` are further keys of the gateway's `tls`.
    fn start_with(leaf: &Leaf, keys: &str) -> Self {
        let (cluster, base) = (Cluster::start([0]), ports());
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new("servers");
        authority.issue(leaf).write(directory.path(), "s");
        fs::write(directory.path().join("ca.pem"), &authority.pem).unwrap();
        let clients = Authority::new("clients");
        clients
            .issue(&Leaf::client("doctor"))
            .write(directory.path(), "c");
        fs::write(directory.path().join("clients.pem"), &clients.pem).unwrap();
        let text = format!(
            "control: {{socket: control.sock}}
virtualClusters:
  - name: orders
    targetCluster: {{bootstrapServers: \"{}\"}}
    gateways:
      - name: main
        portIdentifiesNode: {{bootstrapAddress: \"localhost:{base}\", nodeIdRanges: [{{name: n, start: 0, end: 0}}]}}
        tls: {{key: {{certificateFile: s.crt, privateKeyFile: s.key}}{keys}}}
",
            cluster.address(0)
        );
        let file = directory.path().join("proxy.yaml");
        fs::write(&file, text).unwrap();
        let binary = Binary::at(&file);
        binary.expect_log("kproxy serves");
        Self {
            directory,
            authority,
            _cluster: cluster,
            _binary: binary,
        }
    }

    #[track_caller]
    fn examine(&self, arguments: &[&str]) -> Examined {
        let mut all = vec!["-c", "proxy.yaml", "--json"];
        all.extend(arguments);
        doctor(self.directory.path(), &all)
    }
}

fn lasting(leaf: Leaf) -> Leaf {
    leaf.lasting(Duration::from_secs(100 * 24 * 3600))
}

/// Promise 3.
#[test]
fn a_certificate_that_clients_accept_has_no_findings() {
    let scene = Secured::start(&lasting(Leaf::server(&["localhost"])));
    let examined = scene.examine(&["--ca", "ca.pem"]);
    assert_eq!((examined.code, examined.kinds()), (0, vec![]), "{}", examined.out);
    // Without the clients' trust store the file says what the certificate is.
    let examined = scene.examine(&[]);
    assert_eq!(
        (examined.code, examined.kinds()),
        (0, vec!["issuer_unchecked".to_owned()])
    );
    let other = Authority::new("others");
    fs::write(scene.directory.path().join("other.pem"), &other.pem).unwrap();
    let examined = scene.examine(&["--ca", "other.pem"]);
    assert_eq!(
        (examined.code, examined.kinds()),
        (4, vec!["certificate_untrusted".to_owned()])
    );
    // The file names another certificate than the process has.
    let again = scene.authority.issue(&lasting(Leaf::server(&["localhost"])));
    let text = read(scene.directory.path(), "proxy.yaml");
    again.write(scene.directory.path(), "t");
    fs::write(
        scene.directory.path().join("next.yaml"),
        text.replace("s.crt", "t.crt").replace("s.key", "t.key"),
    )
    .unwrap();
    let examined = doctor(scene.directory.path(), &["-c", "next.yaml", "--json"]);
    assert_eq!(
        (examined.code, examined.kinds()),
        (4, vec!["certificate_other".to_owned()])
    );
}

/// Promise 3.
#[test]
fn names_and_dates_of_certificates_are_judged() {
    let other = Secured::start(&lasting(Leaf::server(&["kafka.example.com"])));
    for arguments in [&["--ca", "ca.pem"][..], &["--insecure"], &[]] {
        let examined = other.examine(arguments);
        assert_eq!(examined.code, 4, "{arguments:?}");
        let (_, kind, what) = &examined.findings()[0];
        assert_eq!(kind, "certificate_name");
        let expected =
            "the certificate of CN=kafka.example.com does not cover localhost, but kafka.example.com";
        assert_eq!(what, expected);
    }
    for (leaf, kind, code) in [
        (Leaf::server(&["localhost"]).expired(), "certificate_expired", 4),
        (
            Leaf::server(&["localhost"]).not_yet_valid(),
            "certificate_not_yet_valid",
            4,
        ),
        (Leaf::server(&["localhost"]), "certificate_expires", 0),
    ] {
        let scene = Secured::start(&leaf);
        let examined = scene.examine(&["--ca", "ca.pem"]);
        assert_eq!(
            (examined.code, examined.kinds()),
            (code, vec![kind.to_owned()]),
            "{}",
            examined.out
        );
    }
}

/// Promise 3.
#[test]
fn a_certificate_of_the_client_is_shown_where_one_is_required() {
    let scene = Secured::start_with(
        &lasting(Leaf::server(&["localhost"])),
        ", trust: {storeFile: clients.pem}",
    );
    let examined = scene.examine(&["--ca", "ca.pem"]);
    assert_eq!(
        (examined.code, examined.kinds()),
        (4, vec!["tls_failed".to_owned()]),
        "{}",
        examined.out
    );
    let examined = scene.examine(&["--ca", "ca.pem", "--cert", "c.crt", "--key", "c.key"]);
    assert_eq!((examined.code, examined.kinds()), (0, vec![]), "{}", examined.out);
}

/// Promise 3.
#[test]
fn tls_where_there_is_none_is_told() {
    let cluster = Cluster::start([0]);
    let directory = tempfile::tempdir().unwrap();
    let address = cluster.address(0).to_string();
    fs::write(directory.path().join("ca.pem"), &Authority::new("servers").pem).unwrap();
    let examined = doctor(
        directory.path(),
        &[
            &address,
            "--tls",
            "--ca",
            "ca.pem",
            "--timeout",
            "500ms",
            "--json",
        ],
    );
    assert_eq!(examined.code, 4);
    // The broker waits for the rest of what it takes for a request, or closes.
    let kinds = examined.kinds();
    assert!(
        ["no_answer", "tls_failed"].contains(&kinds[0].as_str()),
        "{kinds:?}"
    );
}

/// Promise 4.
#[test]
fn logins_are_those_of_clients() {
    let cluster = Cluster::with_sasl([0]);
    let directory = tempfile::tempdir().unwrap();
    let bootstrap = cluster.address(0).to_string();
    let write = |name: &str, password: &str| fs::write(directory.path().join(name), password).unwrap();
    write("right", "secret\n");
    write("wrong", "other");
    write("empty", "\n");
    let login = |file: &str| {
        let arguments = ["--sasl", "PLAIN", "--username", "alice", "--password-file", file];
        doctor(
            directory.path(),
            &[&[bootstrap.as_str(), "--json"][..], &arguments].concat(),
        )
    };
    let right = login("right");
    assert_eq!(right.code, 0, "{}", right.out);
    assert_eq!(right.kinds(), ["password_readable", "addresses_unjudged"]);
    let wrong = login("wrong");
    assert_eq!((wrong.code, wrong.kinds()), (4, vec!["login_failed".to_owned()]));
    assert!(!wrong.out.contains("other") && !right.out.contains("secret"));
    let none = doctor(directory.path(), &[&bootstrap, "--json"]);
    assert_eq!(none.code, 4);
    assert_eq!(none.kinds()[0], "login_required");
    let empty = login("empty");
    assert_eq!(
        (empty.code, empty.err.as_str()),
        (1, "kproxy: error: empty: the file is empty\n")
    );
    assert_eq!(doctor(directory.path(), &[&bootstrap, "--sasl", "PLAIN"]).code, 2);
    assert_eq!(
        doctor(directory.path(), &[&bootstrap, "--sasl", "GSSAPI"]).code,
        2
    );
}

/// kproxy authenticates to the brokers, and the walk does so where it compares with them.
#[test]
fn brokers_are_asked_with_the_credentials_of_the_file() {
    let (cluster, base) = (Cluster::with_sasl([0]), ports());
    let directory = tempfile::tempdir().unwrap();
    let text = |password: &str| {
        format!(
            "control: {{socket: control.sock}}
virtualClusters:
  - name: orders
    targetCluster: {{bootstrapServers: \"{}\", sasl: {{mechanism: PLAIN, username: alice, password: {password}}}}}
    gateways:
      - name: main
        portIdentifiesNode: {{bootstrapAddress: \"localhost:{base}\", nodeIdRanges: [{{name: n, start: 0, end: 0}}]}}
",
            cluster.address(0)
        )
    };
    let file = directory.path().join("proxy.yaml");
    fs::write(&file, text("secret")).unwrap();
    let binary = Binary::at(&file);
    binary.expect_log("kproxy serves");
    let sound = doctor(directory.path(), &["-c", "proxy.yaml"]);
    assert_eq!(sound.code, 0, "{}{}", sound.out, sound.err);
    fs::write(directory.path().join("wrong.yaml"), text("hunter2")).unwrap();
    let wrong = doctor(directory.path(), &["-c", "wrong.yaml", "--json"]);
    assert_eq!(wrong.code, 4, "{}{}", wrong.out, wrong.err);
    assert!(
        wrong.out.contains("the broker refuses the credentials"),
        "{}",
        wrong.out
    );
    assert!(!wrong.out.contains("hunter2") && !wrong.err.contains("hunter2"));
}
