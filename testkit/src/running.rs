//! The binary with a file that is edited while it runs, in front of a broker that answers everything.

use std::cell::RefCell;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::binary::Binary;
use crate::broker::Broker;
use crate::client::Client;
use crate::descriptors::more;
use crate::frames;
use crate::wait::{PATIENCE, eventually};

/// Ports below those that the system gives to connections, so that nobody takes one between two tests of a file.
const FIRST: u16 = 10_000;
const LAST: u16 = 32_000;
/// What one test may use.
const BLOCK: u16 = 40;

/// Lets it tell of what is nothing. A watcher gives a hint soon after it begins, in case the file has changed between
/// being read and being watched; a process that is this loud has that behind it when a test begins.
pub const LOUD: &str = "logging: {level: \"info,kproxy::reload=debug\"}\n";

/// Where a block of ports begins that nobody listens on and that is this process's alone.
pub fn ports() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    /// The process that listens on the last port of a block owns the block.
    static CLAIMS: Mutex<Vec<TcpListener>> = Mutex::new(Vec::new());
    let blocks = (LAST - FIRST) / BLOCK;
    // Processes begin at different places, or those that run at once would always meet.
    let offset = (std::process::id().wrapping_mul(97) % u32::from(blocks)) as u16;
    for _ in 0..blocks {
        let block = (offset + NEXT.fetch_add(1, Ordering::Relaxed)) % blocks;
        let base = FIRST + block * BLOCK;
        let last = base + BLOCK - 1;
        let Ok(claim) = TcpListener::bind(local(last)) else {
            continue;
        };
        CLAIMS.lock().unwrap().push(claim);
        if (base..last).all(is_free) {
            return base;
        }
    }
    panic!("no ports are free");
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}

pub fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// An item of `virtualClusters` that has `port` for its bootstrap and the one behind it for node 0. `more` are keys
/// of the cluster.
pub fn cluster(name: &str, port: u16, target: SocketAddr, more: &str) -> String {
    format!(
        "  - name: {name}
    targetCluster: {{bootstrapServers: \"{target}\"}}
    gateways:
      - name: main
        portIdentifiesNode:
          bootstrapAddress: 127.0.0.1:{port}
          nodeIdRanges: [{{name: brokers, start: 0, end: 0}}]
{more}"
    )
}

/// A running kproxy process. Dropping it kills the process.
pub struct Running {
    pub binary: Binary,
    pub broker: Broker,
    pub file: PathBuf,
    pub directory: TempDir,
    pub base: u16,
    head: String,
}

/// What came of a reload, and all that the log says of it.
#[derive(Debug)]
pub struct ReloadOutcome {
    pub outcome: &'static str,
    pub log: String,
}

const OUTCOMES: [(&str, &str); 5] = [
    ("reload applied ", "applied"),
    ("reload unchanged: the configuration means the same", "unchanged"),
    ("reload rejected: generation", "rejected"),
    ("reload rolled_back: generation", "rolled_back"),
    ("reload failed: generation", "failed"),
];

impl Running {
    /// Runs with `head` above these clusters, each at the next pair of ports.
    #[track_caller]
    pub fn with(head: &str, clusters: &[&str]) -> Self {
        Self::laid_out(head, clusters, |directory, text| {
            let file = directory.join("proxy.yaml");
            fs::write(&file, text).unwrap();
            file
        })
    }

    /// Starts kproxy with the text where `lay_out` puts it in a directory; it returns the path that the process is given.
    #[track_caller]
    pub fn laid_out(head: &str, clusters: &[&str], lay_out: impl FnOnce(&Path, &str) -> PathBuf) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (broker, base) = (Broker::echoing(b"ok"), ports());
        let text = document(head, &broker, base, clusters);
        let file = lay_out(directory.path(), &text);
        let binary = Binary::at(&file);
        binary.expect_log("kproxy serves");
        binary.expect_tried_out();
        if head.contains(LOUD) {
            binary.expect_log("nothing has changed");
        }
        Self {
            binary,
            broker,
            file,
            directory,
            base,
            head: head.to_owned(),
        }
    }

    /// Runs two clusters, `a` and `b`, and reloads only when asked to.
    #[track_caller]
    pub fn unwatched() -> Self {
        Self::with("reload: {watch: false}\n", &["a", "b"])
    }

    /// A file of these clusters, each at the next pair of ports. A name and a port, as in `c@7`, has that place.
    pub fn text(&self, clusters: &[&str]) -> String {
        document(&self.head, &self.broker, self.base, clusters)
    }

    /// A path in its directory.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Puts a whole file in the place of the one that is there.
    pub fn replace(&self, text: impl AsRef<[u8]>) {
        let temporary = self.path("proxy.yaml.tmp");
        fs::write(&temporary, text).unwrap();
        fs::rename(temporary, &self.file).unwrap();
    }

    pub fn write(&self, text: impl AsRef<[u8]>) {
        fs::write(&self.file, text).unwrap();
    }

    /// A client at the bootstrap of the cluster at this place, whose session has begun.
    #[track_caller]
    pub fn client(&self, place: u16) -> Client {
        let mut client = Client::connect(self.address(place));
        ask(&mut client);
        client
    }

    pub fn address(&self, place: u16) -> SocketAddr {
        local(self.base + 2 * place)
    }

    /// Asks for a reload by signal and waits for what comes of it.
    #[track_caller]
    pub fn reload(&self) -> ReloadOutcome {
        let mark = self.mark();
        self.binary.signal(Signal::HUP);
        self.outcome_since(mark)
    }

    /// Writes the file and reloads.
    #[track_caller]
    pub fn reload_with(&self, text: impl AsRef<[u8]>) -> ReloadOutcome {
        self.write(text);
        self.reload()
    }

    /// How much has been logged.
    pub fn mark(&self) -> usize {
        self.binary.log().len()
    }

    /// Waits for what came of the first reload behind `mark`.
    #[track_caller]
    pub fn outcome_since(&self, mark: usize) -> ReloadOutcome {
        let outcome = || {
            let log = self.binary.log()[mark..].to_owned();
            let found = OUTCOMES
                .iter()
                .filter_map(|(words, outcome)| Some((log.find(words)?, *outcome)));
            let (at, outcome) = found.min()?;
            // The whole line, and with it what stands before it.
            log[at..].contains('\n').then_some(ReloadOutcome { outcome, log })
        };
        eventually("a reload is told", || outcome().is_some());
        outcome().unwrap()
    }

    /// The log lines behind `mark` that are not at level debug.
    pub fn news(&self, mark: usize) -> Vec<String> {
        let log = &self.binary.log()[mark..];
        let news = log.lines().filter(|line| !line.contains(" DEBUG "));
        news.map(str::to_owned).collect()
    }

    /// How often each outcome stands in the log behind `mark`.
    pub fn count(&self, mark: usize, outcome: &str) -> usize {
        let words = OUTCOMES.iter().find(|(_, name)| *name == outcome).unwrap().0;
        self.binary.log()[mark..].matches(words).count()
    }

    /// Every descriptor it has: sockets by their identity. With no session begun or ended meanwhile, this is all of
    /// its state that the system knows.
    pub fn state(&self) -> Vec<String> {
        self.binary.open()
    }

    /// [`Running::state`] at rest: the watcher has opened its own, which it has by the time a reload without a change has
    /// ended, because that asks it whether a file is being written; and no file of the configuration is being read.
    #[track_caller]
    pub fn settled_state(&self) -> Vec<String> {
        assert_eq!(self.reload().outcome, "unchanged");
        let directory = self.directory.path().canonicalize().unwrap();
        let at_rest = || {
            let state = self.state();
            let is_read = state.iter().any(|open| Path::new(open).starts_with(&directory));
            (!is_read).then_some(state)
        };
        let state = RefCell::default();
        eventually("no file of the configuration is open", || {
            state.replace(at_rest());
            state.borrow().is_some()
        });
        state.take().unwrap()
    }

    #[track_caller]
    pub fn expect_state(&self, before: &[String]) {
        let deadline = Instant::now() + PATIENCE;
        while self.state() != before {
            let now = self.state();
            assert!(
                Instant::now() < deadline,
                "other descriptors than before: more {:?}, fewer {:?}",
                more(before, &now),
                more(&now, before)
            );
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn document(head: &str, broker: &Broker, base: u16, clusters: &[&str]) -> String {
    let mut text = format!("{head}virtualClusters:\n");
    for (index, name) in (0..).zip(clusters) {
        let (name, place) = match name.split_once('@') {
            Some((name, place)) => (name, place.parse().unwrap()),
            None => (*name, index),
        };
        text += &cluster(name, base + 2 * place, broker.address, "");
    }
    text
}

/// Whether a request is answered on this connection.
#[track_caller]
pub fn ask(client: &mut Client) {
    let answer = client.ask(&frames::heartbeat(5));
    assert_eq!(answer, [0, 0, 0, 5, b'o', b'k']);
}

pub fn refuses(address: SocketAddr) -> bool {
    std::net::TcpStream::connect(address).is_err()
}
