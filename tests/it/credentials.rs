//! Credentials of kproxy to the cluster (`sasl` of a target): its sessions, and its own connections, log in by them.
//!
//! 1. By every mechanism a client without SASL reaches a broker that wants it, at its bootstrap and at its nodes.
//! 2. A broker that refuses, breaks off, is silent, says too much, asks for more, or cannot show that it knows the password
//!    ends the session, with a cause and a reason in which no secret stands.
//! 3. A client that begins SASL anyway is answered as on a listener without it, and the broker hears nothing of that.
//! 4. Another secret of the same user is live: new connections have it at once, open ones when they next authenticate.
//!    Another user is another target.
//! 5. With `perClient` a session has the credentials of its client, and a client without any is refused.

mod renewal;
mod sources;

use std::sync::Arc;

use kafka_protocol::messages::{SaslAuthenticateRequest, SaslHandshakeRequest};
use kafka_protocol::protocol::StrBytes;
use kproxy::config::Secret;
use kproxy::model::{BrokerLogin, BrokerMechanism, ClientLogins, LoginSource, UserLogin};
use kproxy::reload::{Plan, ReloadClass};
use kproxy::session::cause::CloseCause;

use testkit::client::Client;
use testkit::frames::{self, heartbeat};
use testkit::proxy::{Setup, TestProxy};
use testkit::sasl_broker::{Rules, SaslBroker, Trick};
use testkit::wait::eventually;

const USER: &str = "svc-kproxy";
const PASSWORD: &str = "hunter2";

/// Every mechanism with a password.
const MECHANISMS: [BrokerMechanism; 3] = [
    BrokerMechanism::Plain,
    BrokerMechanism::ScramSha256,
    BrokerMechanism::ScramSha512,
];

fn shared(mechanism: BrokerMechanism, own: LoginSource) -> Option<Arc<BrokerLogin>> {
    Some(Arc::new(BrokerLogin {
        mechanism,
        own: Some(own),
        clients: ClientLogins::Shared,
    }))
}

fn user(username: &str, password: &str) -> LoginSource {
    LoginSource::User(UserLogin {
        username: username.to_owned(),
        password: Secret::new(password),
    })
}

/// A proxy in front of the broker that logs in so.
fn setup(broker: &SaslBroker, login: Option<Arc<BrokerLogin>>) -> Setup {
    Setup::to(&[broker.address()]).cluster(|cluster| cluster.target.login = login)
}

fn with_password(broker: &SaslBroker, mechanism: BrokerMechanism, password: &str) -> Setup {
    setup(broker, shared(mechanism, user(USER, password)))
}

/// The keys that differ, each with its reload class.
fn changes(old: &Setup, new: &Setup) -> Vec<(String, ReloadClass)> {
    let plan = Plan::between(&old.model(), &new.model());
    let changed = plan.modified().flat_map(|plan| plan.changed.clone());
    changed.map(|key| (key.path.to_string(), key.class())).collect()
}

/// Whether a client that only asks is answered.
#[track_caller]
fn expect_served(client: &mut Client, id: i32) {
    let answer = client.ask(&heartbeat(id));
    assert_eq!(answer, frames::raw_response(id, &0_i32.to_be_bytes())[4..]);
}

/// A client is closed without an answer, for this cause.
#[track_caller]
fn expect_refused(proxy: &TestProxy, cause: CloseCause) {
    let mut client = proxy.client();
    client.send(&heartbeat(1));
    let (bytes, _) = client.rest();
    assert_eq!(bytes.len(), 0);
    proxy.expect_closes(cause, 1);
    let status = proxy.proxy.status().unwrap();
    assert!(!format!("{status:?}").contains(PASSWORD));
}

#[test]
fn a_client_without_sasl_is_served_by_a_broker_that_wants_it() {
    for mechanism in MECHANISMS {
        let broker = SaslBroker::start(Rules::of(mechanism.name(), USER, PASSWORD));
        let proxy = with_password(&broker, mechanism, PASSWORD).start();
        // A node first: nothing is known, so kproxy asks over a connection of its own, which logs in, too.
        expect_served(&mut Client::connect(proxy.node(0)), 7);
        expect_served(&mut proxy.client(), 8);
        assert_eq!(broker.logins(false), [USER; 3], "{}", mechanism.name());
        broker.expect_no_violation();
        proxy.expect_closes(CloseCause::TopologyLearned, 0);
    }
}

#[test]
fn a_wrong_password_closes_and_is_tried_once() {
    for mechanism in MECHANISMS {
        let broker = SaslBroker::start(Rules::of(mechanism.name(), USER, "other"));
        let setup = with_password(&broker, mechanism, PASSWORD);
        // A second server says the same.
        let address = broker.address();
        let other = format!("localhost:{}", address.port());
        let other = kproxy::model::HostPort {
            host: other.split(':').next().unwrap().to_owned(),
            port: address.port(),
        };
        let setup = setup.cluster(|cluster| cluster.target.bootstrap_servers.push(other));
        let proxy = setup.start();
        expect_refused(&proxy, CloseCause::UpstreamLoginRefused);
        assert_eq!(broker.refused(), 1);
    }
}

#[test]
fn a_broker_that_does_not_behave_ends_the_session_with_a_cause() {
    use BrokerMechanism::{Plain, ScramSha256, ScramSha512};
    for (mechanism, trick, cause) in [
        (
            ScramSha256,
            Trick::WrongSignature,
            CloseCause::UpstreamLoginRefused,
        ),
        (
            ScramSha512,
            Trick::FewIterations,
            CloseCause::UpstreamLoginRefused,
        ),
        (ScramSha512, Trick::OneMore, CloseCause::UpstreamLoginRefused),
        (Plain, Trick::NoSasl, CloseCause::UpstreamLoginRefused),
        (Plain, Trick::Huge, CloseCause::UpstreamLoginFailed),
        (Plain, Trick::Close, CloseCause::UpstreamLoginFailed),
        (ScramSha256, Trick::Silent, CloseCause::UpstreamLoginFailed),
    ] {
        let rules = Rules::of(mechanism.name(), USER, PASSWORD).with(trick);
        let broker = SaslBroker::start(rules);
        let setup = with_password(&broker, mechanism, PASSWORD);
        let setup = setup.network(|network| network.connect_timeout = std::time::Duration::from_millis(500));
        expect_refused(&setup.start(), cause);
    }
}

#[test]
fn a_mechanism_that_the_broker_has_not_is_named_with_those_that_it_has() {
    let broker = SaslBroker::start(Rules::of("SCRAM-SHA-512", USER, PASSWORD));
    let proxy = with_password(&broker, BrokerMechanism::Plain, PASSWORD).start();
    expect_refused(&proxy, CloseCause::UpstreamLoginRefused);
    let status = format!("{:?}", proxy.proxy.status().unwrap());
    let why = "the broker does not accept PLAIN, but SCRAM-SHA-512";
    assert!(status.contains(why), "{status}");
}

#[test]
fn a_client_that_begins_sasl_is_told_that_there_is_none() {
    let broker = SaslBroker::start(Rules::of("PLAIN", USER, PASSWORD));
    let proxy = with_password(&broker, BrokerMechanism::Plain, PASSWORD).start();
    let mut client = proxy.client();
    expect_served(&mut client, 1);
    let mechanism = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str("PLAIN"));
    for version in 0..=1 {
        let answer = client.call(version, 2, &mechanism);
        assert_eq!((answer.error_code, answer.mechanisms.len()), (34, 0));
    }
    let token = SaslAuthenticateRequest::default().with_auth_bytes(b"\0alice\0secret"[..].into());
    for version in 0..=2 {
        assert_eq!(client.call(version, 3, &token).error_code, 34);
    }
    expect_served(&mut client, 4);
    assert_eq!(broker.logins(false).len(), 1);
    broker.expect_no_violation();
}

#[test]
fn another_password_of_the_same_user_is_live_and_another_user_is_another_target() {
    let broker = SaslBroker::start(Rules::of("SCRAM-SHA-256", USER, PASSWORD));
    let setup = with_password(&broker, BrokerMechanism::ScramSha256, PASSWORD);
    let proxy = setup.start();
    let mut open = proxy.client();
    expect_served(&mut open, 1);
    broker.change(|rules| drop(rules.users.insert(USER.to_owned(), "rotated".to_owned())));
    let rotated = with_password(&broker, BrokerMechanism::ScramSha256, "rotated");
    let password = (
        "virtualClusters[].targetCluster.sasl.password".to_owned(),
        ReloadClass::Live,
    );
    assert_eq!(changes(&setup, &rotated), [password]);
    proxy.apply(&rotated);
    expect_served(&mut open, 2);
    expect_served(&mut proxy.client(), 3);
    assert_eq!(broker.refused(), 0);

    broker.change(|rules| drop(rules.users.insert("other".to_owned(), "secret".to_owned())));
    let other = user("other", "secret");
    let other = self::setup(&broker, shared(BrokerMechanism::ScramSha256, other));
    let username = (
        "virtualClusters[].targetCluster.sasl.username".to_owned(),
        ReloadClass::Upstream,
    );
    assert_eq!(changes(&rotated, &other), [username]);
    proxy.apply(&other);
    open.expect_fin();
    expect_served(&mut proxy.client(), 4);
    assert_eq!(broker.logins(false).last().unwrap(), "other");
}

#[test]
fn a_client_has_its_own_credentials_where_the_file_says_so() {
    let broker = SaslBroker::start(Rules::of("PLAIN", USER, PASSWORD));
    let clients = [("alice".to_owned(), user("svc-alice", "a"))].into();
    let login = BrokerLogin {
        mechanism: BrokerMechanism::Plain,
        own: Some(user(USER, PASSWORD)),
        clients: ClientLogins::PerClient(Arc::new(clients)),
    };
    let proxy = setup(&broker, Some(Arc::new(login))).start();
    expect_refused(&proxy, CloseCause::UpstreamCredentialsMissing);
    eventually("nobody has logged in for it", || broker.logins(false).is_empty());
}
