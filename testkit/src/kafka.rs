//! Real Apache Kafka clusters in KRaft mode, on loopback, ended with the test.

use std::{
    fs::{self, File},
    io,
    net::SocketAddr,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, ExitStatus, Stdio},
    sync::{Mutex, MutexGuard},
    thread,
    time::{Duration, Instant},
};

use kafka_protocol::messages::MetadataRequest;
use tempfile::TempDir;

pub use super::kafka_config::{PASSWORD, Ports, USER};
use super::{
    java::{self, Tool},
    kafka_config::server_properties,
    kafka_tls::KafkaTls,
    maven::Install,
    raw::Raw,
    reaper::Reaper,
};

/// Longest start of a cluster on a busy machine.
const START: Duration = Duration::from_secs(120);
/// Longest controlled shutdown before SIGKILL.
const STOP: Duration = Duration::from_secs(20);
/// Between two looks at something that is being waited for.
const POLL: Duration = Duration::from_millis(100);
/// Starts that may end in a port clash.
const ATTEMPTS: usize = 3;

/// Which listener of the brokers is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    Plaintext,
    /// PLAIN, SCRAM-SHA-256 and OAUTHBEARER (unsigned) on one port.
    SaslPlaintext,
    /// TLS without client certificates.
    Ssl,
    /// TLS that demands a client certificate of [`KafkaTls::clients`].
    MutualSsl,
    /// TLS, and in it what [`Listener::SaslPlaintext`] takes.
    SaslSsl,
}

/// What may differ between clusters.
#[derive(Clone, Debug)]
pub struct Options {
    /// The JVM's `-Xmx`.
    pub heap: &'static str,
    /// More broker properties, as key and value.
    pub properties: Vec<(String, String)>,
    /// The names the brokers' certificate covers, beside the address 127.0.0.1.
    pub names: Vec<String>,
    /// More options of the brokers' JVM.
    pub jvm: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            heap: "384m",
            properties: Vec::new(),
            names: vec!["localhost".to_owned()],
            jvm: Vec::new(),
        }
    }
}

/// A running cluster. Dropping it kills its nodes and removes their data.
pub struct KafkaCluster {
    pub install: Install,
    pub tls: KafkaTls,
    options: Options,
    nodes: Mutex<Vec<Node>>,
    reaper: Reaper,
    directory: TempDir,
}

struct Node {
    id: i32,
    ports: Ports,
    process: Option<Child>,
}

impl KafkaCluster {
    /// Starts `nodes` combined brokers and controllers with the ids 1, 2, … and waits until each of them lists
    /// all of them.
    pub fn start(install: &Install, nodes: usize, options: Options) -> Self {
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            let cluster = Self::prepare(install, nodes, options.clone());
            match cluster.launch_all() {
                Ok(()) => return cluster,
                Err(why) => last = why,
            }
        }
        panic!("Kafka {} did not start: {last}", install.version.name());
    }

    fn prepare(install: &Install, nodes: usize, options: Options) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("kproxy-kafka-")
            .tempdir()
            .expect("a temporary directory");
        let reaper = Reaper::over(directory.path()).expect("sh runs");
        let nodes = (1..)
            .take(nodes)
            .map(|id| Node {
                id,
                ports: Ports::pick(),
                process: None,
            })
            .collect();
        Self {
            install: install.clone(),
            tls: KafkaTls::new(directory.path(), &options.names),
            options,
            nodes: Mutex::new(nodes),
            reaper,
            directory,
        }
    }

    fn launch_all(&self) -> Result<(), String> {
        let all = self.ports();
        let id = cluster_id();
        thread::scope(|scope| {
            let formats: Vec<_> = all
                .iter()
                .map(|(node, _)| scope.spawn(|| self.format(*node, &all, &id)))
                .collect();
            formats
                .into_iter()
                .try_for_each(|format| format.join().expect("format does not panic"))
        })?;
        for (node, _) in &all {
            self.launch(*node)?;
        }
        all.iter()
            .try_for_each(|(node, _)| self.wait_until_listed(*node, all.len()))
    }

    /// Writes the node's configuration and formats its data directory.
    fn format(&self, id: i32, all: &[(i32, Ports)], cluster_id: &str) -> Result<(), String> {
        let data = self.directory.path().join(format!("data-{id}"));
        let properties = server_properties(id, all, &data, &self.tls, &self.options.properties);
        fs::write(self.properties_file(id), properties).map_err(|e| e.to_string())?;
        let output = Tool::new(&self.install, "kafka.tools.StorageTool")
            .args(["format", "-t", cluster_id, "--ignore-formatted", "-c"])
            .arg(self.properties_file(id).display().to_string())
            .args([
                "--add-scram",
                &format!("SCRAM-SHA-256=[name={USER},password={PASSWORD}]"),
            ])
            .run();
        if output.success() {
            Ok(())
        } else {
            Err(format!("format: {output}"))
        }
    }

    fn launch(&self, id: i32) -> Result<(), String> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_file(id))
            .map_err(|e| format!("log of node {id}: {e}"))?;
        let child = java::command(&self.install, self.options.heap)
            .args(&self.options.jvm)
            .arg("kafka.Kafka")
            .arg(self.properties_file(id))
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(|e| e.to_string())?)
            .stderr(log)
            .process_group(0)
            .spawn()
            .map_err(|e| format!("java: {e}"))?;
        let mut nodes = self.lock();
        nodes
            .iter_mut()
            .find(|node| node.id == id)
            .expect("a known node")
            .process = Some(child);
        self.reaper.watch(
            nodes
                .iter()
                .filter_map(|node| node.process.as_ref().map(Child::id)),
        );
        Ok(())
    }

    /// Waits until node `id` answers Metadata with `count` brokers: an open port is not yet a member.
    fn wait_until_listed(&self, id: i32, count: usize) -> Result<(), String> {
        let deadline = Instant::now() + START;
        loop {
            if self.listed_by(id).is_ok_and(|brokers| brokers.len() == count) {
                return Ok(());
            }
            if let Some(status) = self.exited(id) {
                return Err(format!("node {id} ended with {status}: {}", self.log_tail(id)));
            }
            if Instant::now() > deadline {
                return Err(format!("node {id} is not ready: {}", self.log_tail(id)));
            }
            thread::sleep(POLL);
        }
    }

    /// The ids of the brokers that node `id` lists.
    pub fn listed_by(&self, id: i32) -> io::Result<Vec<i32>> {
        let address = self.address(id, Listener::Plaintext);
        let answer = Raw::connect(address)?.call(9, &MetadataRequest::default().with_topics(Some(vec![])))?;
        let mut ids: Vec<i32> = answer.brokers.iter().map(|broker| broker.node_id.0).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// SIGKILL: what a crash looks like.
    pub fn kill(&self, id: i32) {
        if let Some(mut process) = self.take_process(id) {
            process.kill().expect("our own child can be killed");
            process.wait().expect("our own child can be waited for");
        }
    }

    /// Sends a signal, such as SIGSTOP and SIGCONT for a node that answers late.
    pub fn signal(&self, id: i32, signal: rustix::process::Signal) {
        let nodes = self.lock();
        let node = nodes.iter().find(|node| node.id == id);
        if let Some(process) = node.and_then(|node| node.process.as_ref()) {
            let pid = rustix::process::Pid::from_child(process);
            rustix::process::kill_process(pid, signal).expect("our own child");
        }
    }

    /// SIGTERM and a controlled shutdown.
    pub fn stop(&self, id: i32) {
        if let Some(mut process) = self.take_process(id) {
            let pid = rustix::process::Pid::from_child(&process);
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("our own child");
            let deadline = Instant::now() + STOP;
            while process.try_wait().expect("our own child").is_none() {
                if Instant::now() > deadline {
                    process.kill().expect("our own child can be killed");
                }
                thread::sleep(POLL);
            }
        }
    }

    /// Starts a node that was killed or stopped, on its old ports and data, and waits until it is a member again.
    pub fn restart(&self, id: i32) {
        self.launch(id).expect("java ran before");
        let running = self.lock().iter().filter(|node| node.process.is_some()).count();
        self.wait_until_listed(id, running)
            .unwrap_or_else(|why| panic!("{why}"));
    }

    /// Takes the process out of the node and the reaper's list: its id may soon be another process'.
    fn take_process(&self, id: i32) -> Option<Child> {
        let mut nodes = self.lock();
        let process = nodes.iter_mut().find(|node| node.id == id)?.process.take();
        self.reaper.watch(
            nodes
                .iter()
                .filter_map(|node| node.process.as_ref().map(Child::id)),
        );
        process
    }

    fn exited(&self, id: i32) -> Option<ExitStatus> {
        self.lock()
            .iter_mut()
            .find(|node| node.id == id)?
            .process
            .as_mut()?
            .try_wait()
            .ok()
            .flatten()
    }

    /// Node ids, ascending.
    pub fn ids(&self) -> Vec<i32> {
        self.lock().iter().map(|node| node.id).collect()
    }

    /// Ids and ports of the nodes, running or not.
    pub fn ports(&self) -> Vec<(i32, Ports)> {
        self.lock().iter().map(|node| (node.id, node.ports)).collect()
    }

    /// Where `listener` of node `id` is.
    pub fn address(&self, id: i32, listener: Listener) -> SocketAddr {
        let ports = self
            .lock()
            .iter()
            .find(|node| node.id == id)
            .expect("a known node")
            .ports;
        let port = match listener {
            Listener::Plaintext => ports.plaintext,
            Listener::SaslPlaintext => ports.sasl,
            Listener::Ssl => ports.ssl,
            Listener::MutualSsl => ports.mutual_ssl,
            Listener::SaslSsl => ports.sasl_ssl,
        };
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    /// The last lines of a node's log.
    pub fn log_tail(&self, id: i32) -> String {
        let log = fs::read(self.log_file(id)).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    fn properties_file(&self, id: i32) -> PathBuf {
        self.directory.path().join(format!("node-{id}.properties"))
    }

    fn log_file(&self, id: i32) -> PathBuf {
        self.directory.path().join(format!("node-{id}.log"))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Node>> {
        self.nodes
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for KafkaCluster {
    fn drop(&mut self) {
        for id in self.ids() {
            self.kill(id);
        }
    }
}

/// A cluster id of its own for every cluster, so that a wrong target is seen: 22 characters of base64.
fn cluster_id() -> String {
    let nanos = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970")
        .as_nanos();
    let mut seed = nanos ^ (u128::from(std::process::id()) << 64);
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    // The last of 22 characters holds two bits and zeroes.
    let mut id: String = (0..21)
        .map(|_| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            char::from(alphabet[usize::try_from((seed >> 100) & 63).expect("six bits")])
        })
        .collect();
    id.push('A');
    id.replace_range(..1, "K");
    id
}

/// Polls `condition` until it holds; panics with `what` after `limit`.
pub fn wait_for(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        thread::sleep(POLL);
    }
}
