//! HAProxy in TCP mode: the load balancer in front of kproxy, or behind it.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpStream},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::{kafka_config::free_port, reaper::Reaper};

const START: Duration = Duration::from_secs(20);
const ATTEMPTS: usize = 3;

/// A HAProxy that runs. Dropping it ends it.
#[derive(Debug)]
pub struct Haproxy {
    child: Child,
    ports: Vec<u16>,
    log: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
    reaper: Reaper,
    _directory: TempDir,
}

/// From one of HAProxy's ports to an address.
#[derive(Clone, Debug)]
pub struct Relay {
    target: SocketAddr,
    bind: String,
    server: String,
}

impl Relay {
    /// Forwards bytes.
    pub fn to(target: SocketAddr) -> Self {
        Self {
            target,
            bind: String::new(),
            server: String::new(),
        }
    }

    /// Options of the `server` line: `send-proxy`, `send-proxy-v2`, `send-proxy-v2-ssl proxy-v2-options crc32c`.
    pub fn server(mut self, options: &str) -> Self {
        self.server = options.to_owned();
        self
    }

    /// Options of the `bind` line: `accept-proxy`, `ssl crt FILE`.
    pub fn bind(mut self, options: &str) -> Self {
        self.bind = options.to_owned();
        self
    }
}

impl Haproxy {
    /// Runs one HAProxy with a port for each relay, and waits until all of them are open.
    #[track_caller]
    pub fn start(relays: &[Relay]) -> Self {
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            match Self::attempt(relays) {
                Ok(haproxy) => return haproxy,
                Err(why) => last = why,
            }
        }
        panic!("HAProxy did not start: {last}");
    }

    fn attempt(relays: &[Relay]) -> Result<Self, String> {
        let directory = tempfile::tempdir().unwrap();
        let ports: Vec<u16> = relays.iter().map(|_| free_port()).collect();
        let ready = free_port();
        let file = directory.path().join("haproxy.cfg");
        fs::write(&file, configuration(relays, &ports, ready)).unwrap();
        let mut child = Command::new("haproxy")
            .arg("-db")
            .arg("-f")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| format!("haproxy: {error}"))?;
        let reaper = Reaper::over(directory.path()).map_err(|error| format!("sh: {error}"))?;
        reaper.watch([child.id()]);
        let log = Arc::<Mutex<Vec<String>>>::default();
        let readers = vec![
            collect(child.stdout.take().unwrap(), &log),
            collect(child.stderr.take().unwrap(), &log),
        ];
        let mut haproxy = Self {
            child,
            ports,
            log,
            readers,
            reaper,
            _directory: directory,
        };
        haproxy.wait_until_ready(ready)?;
        Ok(haproxy)
    }

    /// A port of its own tells that all are bound: to knock at the others would be a connection through them.
    fn wait_until_ready(&mut self, ready: u16) -> Result<(), String> {
        let deadline = Instant::now() + START;
        while TcpStream::connect(("127.0.0.1", ready)).is_err() {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Err(format!("{status}: {:?}", self.log()));
            }
            if Instant::now() > deadline {
                return Err(format!("it does not listen: {:?}", self.log()));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// The port of the relay at this place.
    pub fn port(&self, place: usize) -> u16 {
        self.ports[place]
    }

    pub fn address(&self, place: usize) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports[place]))
    }

    /// What it has logged: a line `PLACE ADDRESS:PORT AUTHORITY RESUMED` for every connection that has
    /// ended, with the address and the authority that a PROXY header said where one is accepted, and 1 if a TLS session
    /// was resumed, 0 if not.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

fn configuration(relays: &[Relay], ports: &[u16], ready: u16) -> String {
    let mut text = format!(
        "global
  log stdout format raw local0
defaults
  mode tcp
  timeout connect 10s
  timeout client 5m
  timeout server 5m
frontend ready
  mode http
  bind 127.0.0.1:{ready}
  http-request return status 204
"
    );
    for (place, (relay, port)) in relays.iter().zip(ports).enumerate() {
        text += &format!(
            "listen relay{place}
  log global
  log-format \"{place} %ci:%cp %[fc_pp_authority] %[ssl_fc_is_resumed]\"
  bind 127.0.0.1:{port} {}
  server only {} {}
",
            relay.bind, relay.target, relay.server
        );
    }
    text
}

fn collect(pipe: impl std::io::Read + Send + 'static, log: &Arc<Mutex<Vec<String>>>) -> JoinHandle<()> {
    let log = Arc::clone(log);
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            log.lock().unwrap().push(line);
        }
    })
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        // Its id may soon be another process'.
        self.reaper.watch([]);
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
    }
}
