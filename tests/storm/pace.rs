//! How long the brokers themselves take just now, and bounds that follow it.
//!
//! On a machine with thirty processes for each core a broker answers after seconds, and everything else takes as much
//! longer. A bound in seconds would then find faults that are the machine's. Here a thread asks a broker directly, again
//! and again; every bound of the storm grows with the longest answer it has waited for.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use kafka_protocol::{messages::ApiVersionsRequest, protocol::StrBytes};

use testkit::raw::Raw;

/// Between two questions.
const EVERY: Duration = Duration::from_millis(250);
/// A bound is longer by so many of the longest answers.
const ANSWERS: u32 = 100;

/// The longest that a broker has taken for an answer, in milliseconds. One for all: there is one machine.
static LONGEST_MS: AtomicU64 = AtomicU64::new(0);

/// A question that is asked again and again, until this is dropped.
pub struct Pace {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Pace {
    /// Asks the broker at `address`, directly.
    pub fn of(address: SocketAddr) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let thread = thread::spawn({
            let stop = Arc::clone(&stop);
            move || {
                while !stop.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    // A broker that is stopped and started again in between takes as long as that takes.
                    if ask(address) {
                        let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                        LONGEST_MS.fetch_max(took, Ordering::Relaxed);
                    }
                    thread::sleep(EVERY);
                }
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Pace {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// The longest that a broker has taken for a connection and an answer.
pub fn longest() -> Duration {
    Duration::from_millis(LONGEST_MS.load(Ordering::Relaxed))
}

fn ask(address: SocketAddr) -> bool {
    let question = ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("pace"))
        .with_client_software_version(StrBytes::from_static_str("1"));
    Raw::connect(address).is_ok_and(|mut client| client.call(3, &question).is_ok())
}

/// The end of a wait. It moves away while the brokers are slow.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    began: Instant,
    usual: Duration,
}

impl Deadline {
    /// From now on, `usual` where the brokers answer at once.
    pub fn after(usual: Duration) -> Self {
        Self {
            began: Instant::now(),
            usual,
        }
    }

    pub fn is_over(&self) -> bool {
        self.began.elapsed() > self.usual + longest() * ANSWERS
    }
}
