//! Users of a directory service that others have written (LDAP): `LdapBind`.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use kafka_protocol::messages::{
    ProduceRequest, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest,
};
use kafka_protocol::protocol::StrBytes;
use testkit::binary::program;
use testkit::certificates::{Authority, Identity, Leaf};
use testkit::client::Client;
use testkit::cluster::Cluster;
use testkit::deployment::{self, Deployment};
use testkit::directory_service::LdapServer;
use testkit::entry_point::Route;
use testkit::frames;
use testkit::running::local;

const PRODUCE: i16 = 0;

/// Error code of a login that is refused.
const REFUSED: i16 = 58;

/// How kproxy reaches the directory service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    InClear,
    StartTls,
    Ldaps,
}

/// kproxy in front of a cluster, with users of a directory service.
struct Gate {
    cluster: Cluster,
    deployment: Deployment,
    port: u16,
}

impl Gate {
    /// kproxy trusts `trusted`, where there is TLS.
    fn start(server: &LdapServer, way: Way, trusted: &Authority) -> Self {
        let url = match way {
            Way::InClear | Way::StartTls => server.ldap(),
            Way::Ldaps => server.ldaps(),
        };
        let tls = match way {
            Way::InClear => "",
            Way::StartTls | Way::Ldaps => ", tls: {trust: {storeFile: directory.pem}}",
        };
        let head = format!(
            "filterDefinitions:
  - name: login
    type: SaslTermination
    config:
      fixedAuthDelay: 10ms
      mechanisms:
        - mechanism: PLAIN
          credentialStore: LdapBind
          credentialStoreConfig: {{url: \"{url}\", bindDn: \"{}\"{tls}}}
          allowPlaintext: true
defaultFilters: [login]
",
            LdapServer::BIND_DN
        );
        let (cluster, mut port) = (Cluster::start([0]), 0);
        let deployment = Deployment::start(&head, |directory, first| {
            port = first;
            fs::write(directory.join("directory.pem"), &trusted.pem).unwrap();
            let cluster = deployment::cluster("demo", first, cluster.address(0), "", "");
            format!("virtualClusters:\n{cluster}")
        });
        Self {
            cluster,
            deployment,
            port,
        }
    }

    /// The client, and the answer to its login.
    #[track_caller]
    fn authenticate(&self, name: &str, password: &str) -> (Client, SaslAuthenticateResponse) {
        let mut client = Client::connect(local(self.port));
        let mechanism = StrBytes::from_static_str("PLAIN");
        let handshake = SaslHandshakeRequest::default().with_mechanism(mechanism);
        assert_eq!(client.call(1, 1, &handshake).error_code, 0);
        let token = format!("\0{name}\0{password}").into_bytes();
        let token = SaslAuthenticateRequest::default().with_auth_bytes(token.into());
        let answer = client.call(2, 2, &token);
        (client, answer)
    }

    /// The error of a login and its message. A client that is let in has produced.
    #[track_caller]
    fn log_in(&self, name: &str, password: &str) -> (i16, String) {
        let (mut client, answer) = self.authenticate(name, password);
        match answer.error_code {
            0 => self.produce(&mut client),
            _ => client.expect_fin(),
        }
        let message = answer.error_message.map(|text| text.to_string());
        (answer.error_code, message.unwrap_or_default())
    }

    #[track_caller]
    fn produce(&self, client: &mut Client) {
        let before = self.cluster.asked(PRODUCE).len();
        let answer = client.ask(&frames::request(9, 3, &ProduceRequest::default().with_acks(-1)));
        assert_eq!(frames::correlation_id(&answer), 3);
        assert_eq!(self.cluster.asked(PRODUCE).len(), before + 1);
    }

    /// The login is refused, and the log says why.
    #[track_caller]
    fn expect_refused(&self, name: &str, password: &str, why: &str) {
        let mark = self.deployment.mark();
        assert_eq!(self.log_in(name, password).0, REFUSED, "{name}");
        let line = self.deployment.line(mark, &["authentication_failed"]);
        assert!(line.contains(why), "{line}");
        assert!(!line.contains(password), "{line}");
    }
}

/// A service with a certificate of `authority`; `None` where this machine has none, and where tests go straight to brokers.
fn serving(authority: &Authority, users: &[(&str, &str)]) -> Option<LdapServer> {
    if Route::chosen() == Route::Direct {
        return None;
    }
    LdapServer::start(&of_loopback(authority), users)
}

fn of_loopback(authority: &Authority) -> Identity {
    authority.issue(&Leaf::server(&["directory.test"]).on_loopback())
}

#[test]
fn users_of_a_directory_service_are_let_in_and_others_are_refused_alike() {
    let authority = Authority::new("directory");
    let Some(server) = serving(&authority, &[("alice", "pencil"), ("bob", "eraser")]) else {
        return;
    };
    for way in [Way::InClear, Way::StartTls, Way::Ldaps] {
        let gate = Gate::start(&server, way, &authority);
        let before = server.binds().len();
        assert_eq!(
            gate.log_in("alice", "pencil").0,
            0,
            "{way:?}: {}",
            gate.deployment.log(0)
        );
        assert_eq!(gate.log_in("bob", "eraser").0, 0, "{way:?}");
        let wrong = gate.log_in("alice", "eraser");
        let unknown = gate.log_in("carol", "pencil");
        assert_eq!(wrong.0, REFUSED, "{way:?}");
        assert_eq!(wrong, unknown, "{way:?}");
        // Many services accept a bind without a password for any name (RFC 4513 §5.1.2).
        assert_eq!(gate.log_in("alice", ""), wrong, "{way:?}");
        assert_eq!(gate.log_in("", "pencil"), wrong, "{way:?}");
        assert_eq!(gate.log_in("alice", "pencil").0, 0, "{way:?}");
        let bound = ["alice", "bob", "alice", "carol", "alice"]
            .map(|name| LdapServer::BIND_DN.replace("$(username)", name));
        let binds = server.binds()[before..].to_vec();
        assert!(
            binds.iter().map(|(_, name)| name).eq(&bound),
            "{way:?}: {binds:?}"
        );
        assert!(
            binds.iter().all(|(connection, _)| *connection == binds[0].0),
            "{binds:?}"
        );
        let log = gate.deployment.log(0);
        assert!(!log.contains("pencil") && !log.contains("eraser"), "{log}");
    }
    let connections: BTreeSet<_> = server.binds().iter().map(|(connection, _)| *connection).collect();
    // Each of its two ports counts for itself.
    assert_eq!(connections.len(), 2);
}

#[test]
fn a_name_stays_one_value_at_a_directory_service() {
    let authority = Authority::new("directory");
    let strange = [
        "a,b",
        "a=b",
        "*",
        "(",
        "a)(uid=*",
        "żółw",
        "ポ🦀",
        "a+cn=b",
        "\"a\"",
        "a\\2cb",
        "<a;b>",
        "#a",
        "$(username)",
    ];
    let mut users: Vec<_> = strange.iter().map(|name| (*name, "pencil")).collect();
    users.extend([("alice", "pencil"), ("admins/mallory", "pencil")]);
    let Some(server) = serving(&authority, &users) else {
        return;
    };
    let gate = Gate::start(&server, Way::Ldaps, &authority);
    for (name, password) in &users {
        let expected = if name.contains('/') { REFUSED } else { 0 };
        assert_eq!(gate.log_in(name, password).0, expected, "{name}");
        assert_eq!(gate.log_in(name, "eraser").0, REFUSED, "{name}");
    }
    for name in [
        "mallory,ou=admins",
        "mallory\\,ou=admins",
        "mallory\\2cou\\3dadmins",
        "alice,ou=people,dc=example,dc=com",
        "al*",
        "alice)(uid=*",
        "a\\,b",
        "a\\2c",
        "alice+cn=a user",
        "cn=a user",
    ] {
        assert_eq!(gate.log_in(name, "pencil").0, REFUSED, "{name}");
    }
    let log = gate.deployment.log(0);
    assert!(!log.contains("answers with code"), "{log}");
}

#[test]
fn without_its_directory_service_a_login_is_refused_until_it_is_back() {
    let authority = Authority::new("directory");
    let Some(mut server) = serving(&authority, &[("alice", "pencil")]) else {
        return;
    };
    for way in [Way::InClear, Way::StartTls, Way::Ldaps] {
        let gate = Gate::start(&server, way, &authority);
        for _ in 0..2 {
            assert_eq!(gate.log_in("alice", "pencil").0, 0, "{way:?}");
            server.stop();
            gate.expect_refused("alice", "pencil", "Connection refused");
            server.resume();
        }
        assert_eq!(gate.log_in("alice", "pencil").0, 0, "{way:?}");
        server.freeze();
        gate.expect_refused("alice", "pencil", "does not answer in time");
        server.thaw();
        assert_eq!(gate.log_in("alice", "pencil").0, 0, "{way:?}");
    }
}

#[test]
fn a_directory_service_that_is_not_trusted_gets_no_password() {
    let (authority, other) = (Authority::new("directory"), Authority::new("another"));
    let Some(server) = serving(&authority, &[("alice", "pencil")]) else {
        return;
    };
    for way in [Way::StartTls, Way::Ldaps] {
        let gate = Gate::start(&server, way, &other);
        gate.expect_refused("alice", "pencil", "UnknownIssuer");
    }
    let elsewhere = authority.issue(&Leaf::server(&["directory.test"]));
    let Some(elsewhere) = LdapServer::start(&elsewhere, &[("alice", "pencil")]) else {
        return;
    };
    for way in [Way::StartTls, Way::Ldaps] {
        let gate = Gate::start(&elsewhere, way, &authority);
        gate.expect_refused("alice", "pencil", "not valid for name");
    }
    assert!(server.binds().is_empty() && elsewhere.binds().is_empty());
}

#[test]
fn long_names_and_passwords_and_many_logins_are_understood_by_a_directory_service() {
    let authority = Authority::new("directory");
    let (long, longer) = ("n".repeat(200), "ż".repeat(300));
    let users = [
        (long.as_str(), "ż=, \"pencil\""),
        ("alice", longer.as_str()),
        ("bob", " "),
    ];
    let Some(server) = serving(&authority, &users) else {
        return;
    };
    let gate = Gate::start(&server, Way::InClear, &authority);
    for (name, password) in users {
        assert_eq!(gate.log_in(name, password).0, 0, "{name}");
        assert_eq!(gate.log_in(name, &format!("{password}.")).0, REFUSED, "{name}");
    }
    // The numbers of requests begin again behind 127.
    for _ in 0..130 {
        assert_eq!(gate.log_in("bob", " ").0, 0);
    }
    let binds = server.binds();
    assert_eq!(binds.len(), 136);
    assert!(
        binds.iter().all(|(connection, _)| *connection == binds[0].0),
        "{binds:?}"
    );
}

#[test]
fn a_client_has_the_name_that_it_has_written_however_a_directory_service_compares_names() {
    let authority = Authority::new("directory");
    let Some(server) = serving(&authority, &[("alice", "pencil")]) else {
        return;
    };
    let gate = Gate::start(&server, Way::InClear, &authority);
    for name in ["ALICE", " alice", "alice"] {
        let (mut client, answer) = gate.authenticate(name, "pencil");
        assert_eq!(answer.error_code, 0, "{name}");
        gate.produce(&mut client);
        let said = Command::new(program())
            .current_dir(gate.deployment.directory.path())
            .args(["connections", "--control", "control.sock", "--json"])
            .output()
            .unwrap();
        let listed: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
        let principals: Vec<_> = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["principal"])
            .collect();
        assert!(
            principals.iter().any(|principal| **principal == name),
            "{name:?}: {listed}"
        );
    }
}
