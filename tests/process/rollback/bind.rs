//! Promise 2.

use std::net::TcpListener;

use kproxy::reload::Outcome;

use super::fixture::Fixture;
use testkit::broker::Broker;
use testkit::client::Client;
use testkit::proxy::Setup;
use testkit::running::{Running, ask, refuses};

/// Sockets of the clusters that are added: a bootstrap and three nodes each.
const LISTENERS: usize = 3 * 4;

#[test]
fn whichever_of_many_listeners_cannot_be_bound_nothing_has_happened() {
    let broker = Broker::echoing(b"ok");
    let target = [broker.address];
    let old = || Setup::to(&target).and("other", &target);
    let fixture = Fixture::start(old().model());
    let mut clients = [
        Client::connect(fixture.running.bootstrap()),
        Client::connect(fixture.running.bootstrap_of("other")),
    ];
    clients.iter_mut().for_each(ask);
    let before = fixture.status();
    // The cluster that is modified would need no socket; it is not modified either.
    let new = || {
        let new = old().cluster(|cluster| cluster.max_connections = Some(1));
        new.and("x", &target).and("y", &target).and("z", &target).model()
    };
    for fails in 0..LISTENERS {
        fixture.binder.fail_after(fails);
        let report = fixture.reload(new());
        assert!(fixture.binder.heal(), "the bind was tried");
        assert_eq!(report.outcome, Outcome::Rejected, "{report:?}");
        assert_eq!(report.generation, 1);
        let (cluster, all) = (["x", "y", "z"][fails / 4], report.errors.join("\n"));
        assert!(
            all.contains(&format!(
                "virtual cluster `{cluster}`: cannot listen on 127.0.0.1:0"
            )),
            "{all}"
        );
        fixture.expect_status(&before);
        let bound = fixture.binder.bound();
        assert_eq!(
            bound.len(),
            LISTENERS - 1,
            "all are tried, so that all faults are told"
        );
        for address in bound {
            assert!(refuses(address), "{address} is still bound");
        }
        clients.iter_mut().for_each(ask);
        ask(&mut Client::connect(fixture.running.bootstrap()));
    }
    let report = fixture.reload(new());
    assert_eq!((report.outcome, report.generation), (Outcome::Applied, 2));
    clients.iter_mut().for_each(ask);
    ask(&mut Client::connect(fixture.running.bootstrap_of("z")));
}

#[test]
fn a_port_that_another_process_has_rejects_the_reload_until_it_is_free() {
    let running = Running::unwatched();
    let mut client = running.client(1);
    let before = running.settled_state();
    let taken = TcpListener::bind(("127.0.0.1", running.base + 7)).unwrap();
    let text = running.text(&["a", "b", "c", "d", "e"]);
    let told = running.reload_with(&text);
    assert_eq!(told.outcome, "rejected");
    let reason = format!(
        "virtual cluster `d`: cannot listen on 127.0.0.1:{}: Address already in use",
        running.base + 7
    );
    assert!(told.log.contains(&reason), "{}", told.log);
    running.expect_state(&before);
    assert!(refuses(running.address(2)) && refuses(running.address(4)));
    ask(&mut client);
    drop(taken);
    // The file is as it was when it was rejected.
    assert_eq!(running.reload().outcome, "applied");
    ask(&mut client);
    for place in 0..5 {
        running.client(place);
    }
}

#[test]
fn descriptors_that_run_out_during_a_reload_reject_it() {
    let running = Running::unwatched();
    let mut client = running.client(0);
    let before = running.settled_state();
    let text = running.text(&["a", "b", "c", "d", "e"]);
    let mut allowed = None;
    // From none that is free, not even for the file, to one less than the six sockets need.
    for free in 0..6 {
        // A limit is on numbers, and new descriptors have the lowest that are free.
        let open = running.binary.descriptors();
        let limit = (0..).filter(|number| !open.contains(number)).nth(free).unwrap();
        let earlier = running.binary.limit_descriptors(Some(limit));
        allowed.get_or_insert(earlier);
        let told = running.reload_with(&text);
        assert_eq!(told.outcome, "rejected", "{free} descriptors: {}", told.log);
        assert!(told.log.contains("Too many open files"), "{}", told.log);
        running.expect_state(&before);
        ask(&mut client);
    }
    running.binary.limit_descriptors(allowed.unwrap());
    assert_eq!(running.reload().outcome, "applied");
    ask(&mut client);
    running.client(4);
}
