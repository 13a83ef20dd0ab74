//! Promise 6.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use rustix::process::Signal;

use testkit::binary::Binary;
use testkit::broker::Broker;
use testkit::client::Client;
use testkit::frames;
use testkit::running::{ask, local, ports, refuses};
use testkit::service_manager::{ServiceManager, held};
use testkit::wait::eventually;

/// Keys of a gateway that listens on its bootstrap address alone, as long as no broker is known, and then from `port` on.
pub(super) fn no_nodes(port: u16) -> String {
    format!(
        ", nodeIdRanges: [], dynamicNodePorts: {{start: {port}, end: {}}}",
        port + 5
    )
}

/// Addresses of clusters, each of which listens on one socket.
struct Site {
    directory: tempfile::TempDir,
    broker: Broker,
    base: u16,
}

impl Site {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            broker: Broker::echoing(b"ok"),
            base: ports(),
        }
    }

    fn address(&self, place: u16) -> SocketAddr {
        local(self.base + place)
    }

    /// Writes a configuration of clusters at these places.
    fn write(&self, places: &[u16]) -> PathBuf {
        let mut text = "reload: {watch: false}\nvirtualClusters:\n".to_owned();
        for place in places {
            text += &format!(
                "  - name: c{place}
    targetCluster: {{bootstrapServers: \"{}\"}}
    gateways:
      - name: main
        portIdentifiesNode: {{bootstrapAddress: \"{}\"{}}}
",
                self.broker.address,
                self.address(*place),
                no_nodes(self.base + 10 * (place + 1))
            );
        }
        let file = self.directory.path().join("proxy.yaml");
        fs::write(&file, text).unwrap();
        file
    }

    #[track_caller]
    fn reload(&self, binary: &Binary, places: &[u16], outcome: &str) {
        self.write(places);
        let mark = binary.logged();
        binary.signal(Signal::HUP);
        eventually("the reload", || binary.log_behind(mark).contains(outcome));
    }
}

/// Clients that connect, ask and leave as fast as they can.
struct Storm {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<Vec<String>>>,
}

impl Storm {
    fn at(addresses: &[SocketAddr]) -> Self {
        let (stop, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let client = |&address: &SocketAddr| {
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            std::thread::spawn(move || {
                let mut failures = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    match ask_once(address) {
                        Ok(()) => _ = answered.fetch_add(1, Ordering::Relaxed),
                        // A session that was there when the process ended, before it had sent anything.
                        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
                        Err(error) => failures.push(format!("{address}: {error}")),
                    }
                }
                failures
            })
        };
        Self {
            threads: addresses.iter().chain(addresses).map(client).collect(),
            stop,
            answered,
        }
    }

    /// Waits until it has been answered many times more.
    #[track_caller]
    fn goes_on(&self) {
        let before = self.answered.load(Ordering::Relaxed);
        eventually("clients are answered", || {
            self.answered.load(Ordering::Relaxed) > before + 100
        });
    }

    #[track_caller]
    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        let failures = self.threads.into_iter().flat_map(|thread| thread.join().unwrap());
        assert_eq!(failures.collect::<Vec<_>>(), Vec::<String>::new());
    }
}

fn ask_once(address: SocketAddr) -> io::Result<()> {
    let mut client = Client::over(TcpStream::connect(address)?);
    client.send_quietly(&frames::heartbeat(5));
    client.try_frame().map(drop)
}

#[test]
fn a_restart_with_socket_units_refuses_and_resets_nobody() {
    let (manager, site) = (ServiceManager::start(), Site::new());
    let units = [site.address(0), site.address(1)].map(|address| TcpListener::bind(address).unwrap());
    let inherited = || vec![held("a", &units[0]), held("b", &units[1])];
    let file = site.write(&[0, 1]);
    let mut binary = manager.run(&file, inherited());
    let storm = Storm::at(&[site.address(0), site.address(1)]);
    for _ in 0..3 {
        storm.goes_on();
        binary.signal(Signal::TERM);
        let (code, log) = binary.exit();
        assert_eq!(code, Some(0), "{log}");
        binary = manager.run(&file, inherited());
    }
    storm.goes_on();
    storm.end();
}

#[test]
fn a_restart_with_a_store_refuses_and_resets_nobody_even_at_an_address_added_later() {
    let (manager, site) = (ServiceManager::start(), Site::new());
    let file = site.write(&[0]);
    let store = [("FDSTORE", "16")];
    let mut binary = manager.run_with(&file, Vec::new(), &store);
    binary.expect_log("kproxy serves");
    site.reload(&binary, &[0, 1], "reload applied");
    eventually("both sockets are stored", || manager.stored().len() == 2);
    let storm = Storm::at(&[site.address(0), site.address(1)]);
    for _ in 0..3 {
        storm.goes_on();
        binary.signal(Signal::TERM);
        let (code, log) = binary.exit();
        assert_eq!(code, Some(0), "{log}");
        binary = manager.run_with(&file, manager.store(), &store);
        binary.expect_log("kproxy serves");
        assert_eq!(binary.log().matches("an inherited socket is used").count(), 2);
    }
    storm.goes_on();
    storm.end();
    assert_eq!(manager.stored().len(), 2);
}

#[test]
fn a_stored_address_that_is_removed_is_refused_at_once_and_can_come_back() {
    let (manager, site) = (ServiceManager::start(), Site::new());
    let file = site.write(&[0, 1]);
    let binary = manager.run_with(&file, Vec::new(), &[("FDSTORE", "16")]);
    binary.expect_log("kproxy serves");
    eventually("both sockets are stored", || manager.stored().len() == 2);
    // Even a service manager that is slow to forget them keeps no address in use.
    let slow = manager.store();
    site.reload(&binary, &[0], "reload applied");
    assert!(refuses(site.address(1)));
    eventually("one socket is stored", || manager.stored().len() == 1);
    site.reload(&binary, &[0, 1], "reload applied");
    ask(&mut Client::connect(site.address(1)));
    eventually("both sockets are stored", || manager.stored().len() == 2);
    drop(slow);
}

#[test]
fn a_store_keeps_no_more_than_it_may_and_the_rest_is_served_as_without_one() {
    let (manager, site) = (ServiceManager::start(), Site::new());
    let file = site.write(&[0, 1]);
    let mut binary = manager.run_with(&file, Vec::new(), &[("FDSTORE", "1")]);
    manager.expect(0, "READY=1");
    assert_eq!(manager.stored().len(), 1);
    binary.signal(Signal::TERM);
    assert_eq!(binary.exit().0, Some(0));
    let mut binary = manager.run_with(&file, manager.store(), &[("FDSTORE", "1")]);
    manager.expect(manager.messages().len(), "STATUS");
    ask(&mut Client::connect(site.address(0)));
    ask(&mut Client::connect(site.address(1)));
    binary.signal(Signal::TERM);
    assert_eq!(binary.exit().0, Some(0));
}
