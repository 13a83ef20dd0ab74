//! Sessions that are authenticated: again, and no longer.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use kafka_protocol::messages::MetadataRequest;
use kproxy::model::DrainStrategy;
use kproxy::sasl::ScramHash;
use kproxy::session::cause::CloseCause;
use testkit::client::{Client, End};
use testkit::cluster::{Cluster, SASL_AUTHENTICATE};
use testkit::frames::heartbeat;
use testkit::proxy::{Setup, TestProxy, servers};
use testkit::wait::eventually;

use super::{
    NOBODY, authenticate, expect_served, handshake, plain, scram, scram_proof, scram_until_proof, settings,
    start, with,
};
use crate::tokens::{named, naming};

const LIFETIME: Duration = Duration::from_millis(2500);

/// Longer than clients have to wait between two authentications.
const BETWEEN: Duration = Duration::from_millis(1050);

fn with_lifetime(cluster: &Cluster) -> TestProxy {
    let mut model = settings(&[("alice", "pencil"), ("bob", "eraser")]);
    model.max_time_before_reauth = Some(LIFETIME);
    with(Setup::to(&[cluster.address(0)]), model).start()
}

#[test]
fn a_client_that_authenticates_again_stays_and_one_that_does_not_is_closed() {
    let cluster = Cluster::start([0]);
    let proxy = with_lifetime(&cluster);
    let (mut again, mut never) = (proxy.client(), proxy.client());
    let answer = scram(&mut again, ScramHash::Sha256, "alice", "pencil");
    assert_eq!((answer.error_code, answer.session_lifetime_ms), (0, 2500));
    assert_eq!(plain(&mut never, "bob", "eraser").session_lifetime_ms, 2500);
    for _ in 0..4 {
        expect_served(&mut again);
        thread::sleep(BETWEEN);
        let answer = scram(&mut again, ScramHash::Sha256, "alice", "pencil");
        assert_eq!((answer.error_code, answer.session_lifetime_ms), (0, 2500));
    }
    expect_served(&mut again);
    // The session ends without an answer, as at a broker: applications would take an error for a refused login.
    never.send(&heartbeat(3));
    assert_eq!(never.rest(), (Vec::new(), End::Fin));
    proxy.expect_closes(CloseCause::AuthenticationExpired, 1);
    assert_eq!(cluster.asked(SASL_AUTHENTICATE), NOBODY);
}

#[test]
fn an_expired_session_may_still_authenticate_again() {
    let cluster = Cluster::start([0]);
    let proxy = with_lifetime(&cluster);
    let mut client = proxy.client();
    assert_eq!(plain(&mut client, "alice", "pencil").error_code, 0);
    expect_served(&mut client);
    thread::sleep(LIFETIME);
    assert_eq!(plain(&mut client, "alice", "pencil").error_code, 0);
    expect_served(&mut client);
}

#[test]
fn nobody_becomes_another_user_or_changes_the_mechanism() {
    let cluster = Cluster::start([0]);
    let proxy = start(&cluster);
    let open = || {
        let mut client = proxy.client();
        assert_eq!(plain(&mut client, "alice", "pencil").error_code, 0);
        expect_served(&mut client);
        thread::sleep(BETWEEN);
        client
    };
    let mut other = open();
    assert_eq!(plain(&mut other, "bob", "eraser").error_code, 58);
    other.expect_fin();
    let mut wrong = open();
    assert_eq!(plain(&mut wrong, "alice", "wrong").error_code, 58);
    wrong.expect_fin();
    let mut mechanism = open();
    assert_eq!(handshake(&mut mechanism, 1, "SCRAM-SHA-256").error_code, 0);
    let answer = authenticate(&mut mechanism, b"n,,n=alice,r=x");
    assert_eq!(answer.error_code, 58);
    mechanism.expect_fin();
    proxy.expect_closes(CloseCause::AuthenticationFailed, 3);
}

#[test]
fn nobody_authenticates_more_than_once_a_second() {
    let cluster = Cluster::start([0]);
    let proxy = start(&cluster);
    let mut client = proxy.client();
    assert_eq!(plain(&mut client, "alice", "pencil").error_code, 0);
    assert_eq!(handshake(&mut client, 1, "PLAIN").error_code, 34);
    client.expect_fin();
}

#[test]
fn users_who_are_removed_leave_at_the_pace_of_the_drain() {
    let cluster = Cluster::start([0]);
    let setup = |users: &[(&str, &str)]| {
        with(Setup::to(&[cluster.address(0)]), settings(users)).cluster(|cluster| {
            cluster.drain.strategy = DrainStrategy::Progressive;
            cluster.drain.rate = 20;
        })
    };
    let proxy = setup(&[("alice", "pencil"), ("bob", "eraser")]).start();
    let mut clients: Vec<_> = (0..10).map(|_| proxy.client()).collect();
    for client in &mut clients {
        assert_eq!(plain(client, "bob", "eraser").error_code, 0);
        expect_served(client);
    }
    let began = Instant::now();
    proxy.apply(&setup(&[("alice", "pencil")]));
    clients.iter_mut().for_each(Client::expect_fin);
    // Ten at twenty a second with jitter of one half: never less than a fifth of a second.
    assert!(
        began.elapsed() > Duration::from_millis(200),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn a_user_who_is_removed_leaves_and_the_others_stay() {
    let cluster = Cluster::start([0]);
    let setup = |users: &[(&str, &str)]| with(Setup::to(&[cluster.address(0)]), settings(users));
    let before = setup(&[("alice", "pencil"), ("bob", "eraser"), ("carol", "ruler")]);
    let proxy = before.start();
    let (mut alice, mut bob, mut carol) = (proxy.client(), proxy.client(), proxy.client());
    assert_eq!(plain(&mut alice, "alice", "pencil").error_code, 0);
    assert_eq!(scram(&mut bob, ScramHash::Sha256, "bob", "eraser").error_code, 0);
    assert_eq!(
        scram(&mut carol, ScramHash::Sha512, "carol", "ruler").error_code,
        0
    );
    for client in [&mut alice, &mut bob, &mut carol] {
        expect_served(client);
    }
    proxy.apply(&setup(&[("alice", "pencil"), ("bob", "another"), ("dave", "x")]));
    proxy.expect_closes(CloseCause::Drained, 2);
    expect_served(&mut alice);
    let mut dave = proxy.client();
    assert_eq!(plain(&mut dave, "dave", "x").error_code, 0);
    expect_served(&mut dave);
    let mut bob = proxy.client();
    assert_eq!(plain(&mut bob, "bob", "another").error_code, 0);
    expect_served(&mut bob);
    expect_served(&mut alice);
}

#[test]
fn an_authentication_that_a_reload_overtakes_is_judged_by_the_new_users() {
    let cluster = Cluster::start([0]);
    let setup = |users: &[(&str, &str)]| with(Setup::to(&[cluster.address(0)]), settings(users));
    let proxy = setup(&[("alice", "pencil"), ("bob", "eraser")]).start();
    let begin = |client: &mut Client| assert_eq!(handshake(client, 1, "PLAIN").error_code, 0);
    let (mut alice, mut bob, mut carol) = (proxy.client(), proxy.client(), proxy.client());
    for client in [&mut alice, &mut bob, &mut carol] {
        begin(client);
    }
    // Bob is open, and authenticates again.
    assert_eq!(authenticate(&mut bob, b"\0bob\0eraser").error_code, 0);
    expect_served(&mut bob);
    thread::sleep(BETWEEN);
    begin(&mut bob);
    proxy.apply(&setup(&[
        ("alice", "pencil"),
        ("bob", "eraser"),
        ("carol", "ruler"),
    ]));
    assert_eq!(authenticate(&mut alice, b"\0alice\0pencil").error_code, 0);
    assert_eq!(authenticate(&mut bob, b"\0bob\0eraser").error_code, 0);
    assert_eq!(authenticate(&mut carol, b"\0carol\0ruler").error_code, 0);
    for client in [&mut alice, &mut bob, &mut carol] {
        expect_served(client);
    }
    let mut late = proxy.client();
    begin(&mut late);
    proxy.apply(&setup(&[
        ("alice", "another"),
        ("bob", "eraser"),
        ("carol", "ruler"),
    ]));
    assert_eq!(authenticate(&mut late, b"\0alice\0pencil").error_code, 58);
    late.expect_fin();
    proxy.expect_closes(CloseCause::AuthenticationFailed, 1);
    alice.expect_fin();
    proxy.expect_closes(CloseCause::Drained, 1);
}

#[test]
fn a_reload_of_something_else_disturbs_no_authentication() {
    let cluster = Cluster::start([0]);
    let users = settings(&[("alice", "pencil")]);
    let setup = |another: bool| {
        let setup = with(Setup::to(&[cluster.address(0)]), users.clone());
        setup.cluster(|cluster| cluster.filters.extend(another.then(naming)))
    };
    let proxy = setup(false).start();
    let mut client = proxy.client();
    for another in [true, false] {
        let challenge = scram_until_proof(&mut client, ScramHash::Sha256, "alice");
        proxy.apply(&setup(another));
        assert_eq!(scram_proof(&mut client, challenge, "pencil").error_code, 0);
        match another {
            true => assert!(named(&mut client).contains("alice")),
            false => expect_served(&mut client),
        }
        thread::sleep(BETWEEN);
    }
}

/// A client that has authenticated as alice and knows the brokers.
fn alice(proxy: &TestProxy) -> Client {
    let mut client = proxy.client();
    assert_eq!(plain(&mut client, "alice", "pencil").error_code, 0);
    client.call(9, 4, &MetadataRequest::default());
    client
}

/// The set-up with another target.
fn moved_to(setup: &Setup, target: &Cluster) -> Setup {
    setup
        .clone()
        .cluster(|cluster| cluster.target.bootstrap_servers = servers(&[target.address(0)]))
}

#[test]
fn who_has_authenticated_here_moves_to_another_target_without_doing_it_again() {
    let (one, two) = (Cluster::start([0]), Cluster::start([0]));
    let here = with(
        Setup::to(&[one.address(0)]),
        settings(&[("alice", "pencil"), ("bob", "eraser")]),
    );
    let proxy = here.start();
    let mut client = alice(&proxy);
    proxy.apply(&moved_to(&here, &two));
    eventually("the session has moved", || {
        proxy.counters().moved.load(Ordering::Relaxed) == 1
    });
    expect_served(&mut client);
    assert_eq!(two.asked(SASL_AUTHENTICATE), NOBODY);
}

#[test]
fn who_is_removed_together_with_a_change_of_the_target_does_not_move_along() {
    let (one, two) = (Cluster::start([0]), Cluster::start([0]));
    let to =
        |target: &Cluster, users: &[(&str, &str)]| with(Setup::to(&[target.address(0)]), settings(users));
    let proxy = to(&one, &[("alice", "pencil"), ("bob", "eraser")]).start();
    let mut client = alice(&proxy);
    proxy.apply(&to(&two, &[("bob", "eraser")]));
    client.expect_fin();
    assert_eq!(proxy.counters().moved.load(Ordering::Relaxed), 0);
}
