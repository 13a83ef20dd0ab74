//! The data plane beside an administration under siege.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kproxy::admin::SocketPath;
use kproxy::wire::api::ApiKey;

use super::fake::Fake;
use super::http::get;
use testkit::broker::Broker;
use testkit::frames;
use testkit::proxy::Setup;
use testkit::wait::eventually;

/// Lifts the siege however the test ends.
struct Lift<'a>(&'a AtomicBool);

impl Drop for Lift<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Promise 11. Telling ten thousand clusters keeps the administration busy without a pause; were its thread one that a
/// session needs, every answer would wait for it.
#[test]
fn a_besieged_administration_is_not_felt_by_clients() {
    let broker = Broker::echoing(b"");
    let proxy = Setup::to(&[broker.address]).start();
    let fake = Fake::start();
    let cluster = |number| (format!("cluster-{number}"), Arc::default());
    fake.with(|facts| facts.clusters = (0..10_000).map(cluster).collect());
    let admin = fake.admin(None, SocketPath::Off).unwrap();
    let at = admin.http().unwrap();
    let (stop, scrapes) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let _lift = Lift(&stop);
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                get(at, "/metrics");
                scrapes.fetch_add(1, Ordering::Relaxed);
            }
        });
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                // Its end is as good as its beginning.
                drop(TcpStream::connect(at));
            }
        });
        eventually("the siege has begun", || scrapes.load(Ordering::Relaxed) > 0);
        let before = scrapes.load(Ordering::Relaxed);
        let mut client = proxy.client();
        let mut took = Vec::new();
        while took.len() < 300 || scrapes.load(Ordering::Relaxed) < before + 2 {
            let began = Instant::now();
            client.send(&frames::raw_request(ApiKey::HEARTBEAT, 3, 1, b""));
            client.frame();
            took.push(began.elapsed());
            assert!(took.len() < 1_000_000, "no scrape ends");
        }
        took.sort_unstable();
        let most = took[took.len() * 9 / 10];
        assert!(most < Duration::from_millis(100), "{most:?}");
    });
}
