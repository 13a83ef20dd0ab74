//! Clients at work: those who must not notice anything, and those who may be sent away.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::AlertDescription;

use testkit::tls_client::{Dialer, TlsClient, TlsEnd, alert};

/// Between two requests of a client, or two of its connections.
const PACE: Duration = Duration::from_millis(10);

/// What they have seen.
#[derive(Debug, Default)]
struct Seen {
    stop: AtomicBool,
    answered: AtomicUsize,
    handshakes: AtomicUsize,
    /// Sessions of visitors that were ended, properly.
    left: AtomicUsize,
    /// Handshakes of visitors with names that nobody has.
    unknown: AtomicUsize,
    faults: Mutex<Vec<String>>,
}

/// Clients of the storm.
#[derive(Default)]
pub(crate) struct Workload {
    seen: Arc<Seen>,
    threads: Vec<JoinHandle<()>>,
}

impl Seen {
    fn fault(&self, name: &str, what: &str) {
        self.faults.lock().unwrap().push(format!("{name}: {what}"));
    }

    fn goes_on(&self) -> bool {
        std::thread::sleep(PACE);
        !self.stop.load(Ordering::Relaxed)
    }

    fn count(&self, counter: &AtomicUsize) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Keeps the connection until the storm ends.
    fn stays(&self, mut client: TlsClient, name: &str) {
        while self.goes_on() {
            if let Err(error) = client.ask() {
                return self.fault(name, &format!("a session ended: {error}"));
            }
            self.count(&self.answered);
        }
    }

    fn comes(&self, dialer: &Dialer, address: SocketAddr, name: &str) {
        while self.goes_on() {
            match dialer.greet(address, name) {
                Ok(_) => self.count(&self.handshakes),
                Err(error) => return self.fault(name, &format!("a handshake failed: {error}")),
            }
        }
    }

    fn visits(&self, dialer: &Dialer, address: SocketAddr, name: &str) {
        while self.goes_on() {
            match dialer.dial(address, name) {
                Ok(client) => {
                    self.count(&self.handshakes);
                    self.visit(client, name);
                }
                Err(error) if alert(&error) == Some(AlertDescription::UnrecognisedName) => {
                    self.count(&self.unknown);
                }
                Err(error) => self.fault(name, &format!("a handshake failed: {error}")),
            }
        }
    }

    /// Some requests, or until it is sent away.
    fn visit(&self, mut client: TlsClient, name: &str) {
        for _ in 0..200 {
            if client.ask().is_err() {
                match client.end() {
                    (0, TlsEnd::Clean) => self.count(&self.left),
                    other => self.fault(name, &format!("a session ended with {other:?}")),
                }
                return;
            }
            self.count(&self.answered);
            if !self.goes_on() {
                return;
            }
        }
    }
}

impl Workload {
    fn spawn(&mut self, work: impl FnOnce(&Seen) + Send + 'static) {
        let seen = Arc::clone(&self.seen);
        self.threads.push(std::thread::spawn(move || work(&seen)));
    }

    /// Clients that stay, and one that comes again and again; none may notice anything.
    pub(crate) fn neighbour(&mut self, dialer: &Dialer, address: SocketAddr, name: &'static str) {
        for _ in 0..2 {
            let client = dialer.greet(address, name).unwrap();
            self.spawn(move |seen| seen.stays(client, name));
        }
        let dialer = dialer.clone();
        self.spawn(move |seen| seen.comes(&dialer, address, name));
    }

    /// Two clients of a name that is there at times.
    pub(crate) fn visitor(&mut self, dialer: &Dialer, address: SocketAddr, name: String) {
        for name in [name.clone(), format!("b0.{name}")] {
            let dialer = dialer.clone();
            self.spawn(move |seen| seen.visits(&dialer, address, &name));
        }
    }

    /// Ends them all; nothing may have gone wrong.
    #[track_caller]
    pub(crate) fn end(self) -> String {
        self.seen.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
        let faults = self.seen.faults.lock().unwrap();
        assert!(
            faults.is_empty(),
            "{} faults: {:#?}",
            faults.len(),
            faults.iter().take(10)
        );
        let counts = [
            &self.seen.answered,
            &self.seen.handshakes,
            &self.seen.left,
            &self.seen.unknown,
        ]
        .map(|count| count.load(Ordering::Relaxed));
        assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
        let [answered, handshakes, left, unknown] = counts;
        format!("{answered} requests, {handshakes} handshakes, {left} sent away, {unknown} names unknown")
    }
}
