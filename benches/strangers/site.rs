//! One kproxy with an attacked and an untouched virtual cluster.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;

use crate::common::contender::kproxy_command;
use crate::common::process::{Process, descriptors, free_port, resident};
use crate::hostile_broker;

const PATIENCE: Duration = Duration::from_secs(20);
/// Longest wait for an answer over HTTP.
const ANSWER: Duration = Duration::from_secs(10);
/// Names of the attacked cluster's nodes end with this.
pub(crate) const DOMAIN: &str = "victim.kafka.bench.test";

/// The running kproxy and its broker. Dropping it ends both processes.
pub(crate) struct Site {
    process: Process,
    _broker: Process,
    directory: TempDir,
    /// The attacked cluster, in plaintext.
    pub(crate) plain: SocketAddr,
    /// The attacked cluster, by name over TLS.
    pub(crate) named: SocketAddr,
    /// The untouched cluster.
    pub(crate) untouched: SocketAddr,
    pub(crate) management: SocketAddr,
}

impl Site {
    /// # Errors
    /// When kproxy does not come to serve.
    pub(crate) fn start(binary: Option<&Path>) -> io::Result<Self> {
        let directory = tempfile::tempdir()?;
        let (broker, bystanders) = Process::role(&["broker", "1"], None)?;
        let hostile = hostile_broker::start()?;
        let ports: Vec<u16> = (0..7).map(|_| free_port()).collect::<io::Result<_>>()?;
        let [management, plain, plain_node, named, untouched, untouched_node, _] = ports[..] else {
            return Err(io::Error::other("ports"));
        };
        certificate(directory.path())?;
        let file = directory.path().join("proxy.yaml");
        let text = format!(
            "management: {{port: {management}}}
network: {{proxy: {{workerThreadCount: 1}}}}
virtualClusters:
  - name: victim
    targetCluster: {{bootstrapServers: \"{hostile}\"}}
    gateways:
      - name: plain
        portIdentifiesNode:
          bootstrapAddress: 127.0.0.1:{plain}
          nodeStartPort: {plain_node}
          nodeIdRanges: [{{name: node, start: 0, end: 0}}]
      - name: named
        bindAddress: 127.0.0.1
        sniHostIdentifiesNode:
          bootstrapAddress: {DOMAIN}:{named}
          advertisedBrokerAddressPattern: broker-$(nodeId).{DOMAIN}
        tls: {{key: {{certificateFile: tls.crt, privateKeyFile: tls.key}}}}
  - name: untouched
    targetCluster: {{bootstrapServers: \"{bystanders}\"}}
    gateways:
      - name: plain
        portIdentifiesNode:
          bootstrapAddress: 127.0.0.1:{untouched}
          nodeStartPort: {untouched_node}
          nodeIdRanges: [{{name: node, start: 0, end: 0}}]
"
        );
        fs::write(&file, text)?;
        let mut command = match binary {
            None => kproxy_command(&file, directory.path(), None),
            Some(binary) => {
                let mut command = Command::new(binary);
                command.arg("--config").arg(&file);
                command.env("XDG_RUNTIME_DIR", directory.path());
                command
            }
        };
        command
            .stdout(Stdio::null())
            .stderr(File::create(directory.path().join("log"))?);
        let mut process = Process::start(&mut command)?;
        process.wait_for_accept(local(untouched), PATIENCE)?;
        Ok(Self {
            process,
            _broker: broker,
            directory,
            plain: local(plain),
            named: local(named),
            untouched: local(untouched),
            management: local(management),
        })
    }

    /// Resident bytes of kproxy.
    pub(crate) fn resident(&self) -> io::Result<u64> {
        resident(self.process.id())
    }

    pub(crate) fn descriptors(&self) -> io::Result<usize> {
        descriptors(self.process.id())
    }

    /// Lines in the log so far.
    pub(crate) fn log_lines(&self) -> io::Result<usize> {
        let log = fs::read(self.directory.path().join("log"))?;
        Ok(log.iter().filter(|&&byte| byte == b'\n').count())
    }

    /// Series that `/metrics` has.
    pub(crate) fn series(&self) -> io::Result<usize> {
        let metrics = get(self.management, "/metrics", ANSWER)?;
        let series = metrics.lines().filter(|line| line.starts_with("kproxy_"));
        Ok(series.count())
    }
}

/// The body of an answer to `GET path`.
///
/// # Errors
/// When there is no whole answer within `patience`.
pub(crate) fn get(address: SocketAddr, path: &str, patience: Duration) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200") => Ok(body.to_owned()),
        _ => Err(io::Error::other(format!("GET {path}: {answer:.60}"))),
    }
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn certificate(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let names = vec![DOMAIN.to_owned(), format!("*.{DOMAIN}")];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).map_err(io::Error::other)?;
    fs::write(directory.join("tls.crt"), cert.pem())?;
    let key = directory.join("tls.key");
    fs::write(&key, signing_key.serialize_pem())?;
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600))
}
