//! Point 13: credentials of each client at the broker.

use kproxy::config::Secret;
use kproxy::model::{BrokerLogin, BrokerMechanism, ClientLogins, LoginSource, UserLogin};
use testkit::sasl_broker::{Rules, SaslBroker};
use testkit::wait::eventually;

use super::*;

fn user(name: &str, password: &str) -> LoginSource {
    LoginSource::User(UserLogin {
        username: name.to_owned(),
        password: Secret::new(password),
    })
}

/// In front of `broker`, where alice and bob have credentials of their own, and carol has none.
fn start(broker: &SaslBroker) -> TestProxy {
    let clients = [("alice", "svc-alice", "a"), ("bob", "svc-bob", "b")]
        .map(|(client, name, password)| (client.to_owned(), user(name, password)));
    let login = BrokerLogin {
        mechanism: BrokerMechanism::Plain,
        own: Some(user("svc-kproxy", "k")),
        clients: ClientLogins::PerClient(Arc::new(clients.into())),
    };
    let setup = Setup::to(&[broker.address()]);
    let setup = setup.cluster(|cluster| cluster.target.login = Some(Arc::new(login)));
    let users = [("alice", "pencil"), ("bob", "eraser"), ("carol", "ruler")];
    with(setup, settings(&users)).start()
}

fn broker() -> SaslBroker {
    let broker = SaslBroker::start(Rules::of("PLAIN", "svc-kproxy", "k"));
    broker.change(|rules| {
        for (name, password) in [("svc-alice", "a"), ("svc-bob", "b")] {
            rules.users.insert(name.to_owned(), password.to_owned());
        }
    });
    broker
}

#[track_caller]
fn log_in(client: &mut Client, mechanism: &str, name: &str, password: &str) -> i16 {
    let answer = match ScramHash::of_mechanism(mechanism) {
        Some(hash) => scram(client, hash, name, password),
        None => plain(client, name, password),
    };
    answer.error_code
}

#[test]
fn a_client_that_has_authenticated_has_the_credentials_of_its_line_by_every_mechanism() {
    let broker = broker();
    let proxy = start(&broker);
    let mut expected = Vec::new();
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        for (name, password, at_broker) in [("alice", "pencil", "svc-alice"), ("bob", "eraser", "svc-bob")] {
            let mut client = proxy.client();
            assert_eq!(log_in(&mut client, mechanism, name, password), 0, "{mechanism}");
            expect_served(&mut client);
            expected.push(at_broker);
            let logins = broker.logins(false);
            let of_clients = logins.iter().filter(|name| *name != "svc-kproxy");
            assert!(of_clients.eq(&expected), "{mechanism}: {logins:?}");
        }
    }
    assert_eq!(broker.refused(), 0);
    broker.expect_no_violation();
}

#[test]
fn a_client_without_a_line_is_closed_and_nobody_logs_in_for_it() {
    let broker = broker();
    let proxy = start(&broker);
    let mut alice = proxy.client();
    assert_eq!(log_in(&mut alice, "PLAIN", "alice", "pencil"), 0);
    expect_served(&mut alice);
    for (count, mechanism) in (1..).zip(["PLAIN", "SCRAM-SHA-512"]) {
        let mut carol = proxy.client();
        assert_eq!(log_in(&mut carol, mechanism, "carol", "ruler"), 0, "{mechanism}");
        carol.send(&heartbeat(1));
        assert_eq!(carol.rest().0.len(), 0, "{mechanism}");
        proxy.expect_closes(CloseCause::UpstreamCredentialsMissing, count);
    }
    let status = format!("{:?}", proxy.proxy.status().unwrap());
    let why = "`clientsFile` has no credentials for the client `carol`";
    assert!(status.contains(why), "{status}");
    eventually("only the client with a line has logged in", || {
        let logins = broker.logins(false);
        logins
            .iter()
            .filter(|name| *name != "svc-kproxy")
            .eq(["svc-alice"])
    });
    // One who has a line stays.
    expect_served(&mut alice);
}
