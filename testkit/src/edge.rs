//! The binary at the edge: certificates, names, virtual clusters, and the clients that come to them.

use std::{
    fmt::Display,
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    sync::OnceLock,
    time::{Duration, Instant},
};

use crate::{
    binary::Binary,
    certificates::{Authority, Files, Leaf, write},
    kafka::{KafkaCluster, Listener},
    kcat::{Kcat, hosts},
    openssl::{ANSWER, REQUEST, SClient},
    reaper::Reaper,
    replace::atomically,
    running::{local, ports},
    wait::{PATIENCE, eventually},
};

/// Where virtual clusters have their names: `orders.edge.test`, `broker-1.orders.edge.test`.
pub const DOMAIN: &str = "edge.test";

/// Virtual clusters whose nodes' names kproxy's certificate covers; that of all others only their bootstrap's.
const WHOLE: [&str; 4] = ["orders", "payments", "trusted", "shown"];

/// Who may be believed, and who not.
pub struct Certificates {
    pub directory: PathBuf,
    /// Issues kproxy's certificates.
    pub edge: Authority,
    /// Issues those of clients that kproxy accepts.
    pub clients: Authority,
    /// What clients trust.
    pub edge_trust: PathBuf,
    /// What kproxy trusts.
    pub client_trust: PathBuf,
    /// Whom nobody trusts.
    pub stranger_trust: PathBuf,
    /// kproxy's certificate, also for the loopback.
    pub server: Files,
    /// A client that is accepted.
    pub client: Files,
    /// One of an authority that kproxy does not trust.
    pub stranger: Files,
    _reaper: Reaper,
}

/// Made once.
pub fn certificates() -> &'static Certificates {
    static CERTIFICATES: OnceLock<Certificates> = OnceLock::new();
    CERTIFICATES.get_or_init(|| {
        // The reaper removes what a static never drops.
        let directory = tempfile::tempdir().unwrap().keep();
        let reaper = Reaper::over(&directory).unwrap();
        let (edge, clients) = (Authority::new("edge"), Authority::new("clients"));
        let strangers = Authority::new("strangers");
        let mut names = vec!["localhost".to_owned(), format!("*.{DOMAIN}")];
        names.extend(WHOLE.map(|cluster| format!("*.{cluster}.{DOMAIN}")));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let server = Leaf::server(&names).on_loopback();
        Certificates {
            edge_trust: write(&directory, "edge-ca.pem", &edge.pem),
            client_trust: write(&directory, "clients-ca.pem", &clients.pem),
            stranger_trust: write(&directory, "strangers-ca.pem", &strangers.pem),
            server: edge.issue(&server).write(&directory, "server"),
            client: clients.issue(&Leaf::client("client")).write(&directory, "client"),
            stranger: strangers
                .issue(&Leaf::client("stranger"))
                .write(&directory, "stranger"),
            edge,
            clients,
            directory,
            _reaper: reaper,
        }
    })
}

/// `key: {…}` of this certificate.
pub fn key(files: &Files) -> String {
    format!(
        "key: {{certificateFile: {}, privateKeyFile: {}}}",
        files.certificate.display(),
        files.key.display()
    )
}

/// `trust: {…}` in the authorities of this file; `more` are keys beside it.
pub fn trust(file: &Path, more: &str) -> String {
    format!("trust: {{storeFile: {}, storeType: PEM, {more}}}", file.display())
}

/// `targetCluster`: every node's listener, with these keys of `tls`, or none.
pub fn target(kafka: &KafkaCluster, listener: Listener, tls: Option<&str>) -> String {
    let servers = kafka
        .ids()
        .into_iter()
        .map(|id| kafka.address(id, listener).to_string());
    target_at(&servers.collect::<Vec<_>>().join(","), tls)
}

pub fn target_at(servers: &str, tls: Option<&str>) -> String {
    let tls = tls.map(|keys| format!(", tls: {{{keys}}}")).unwrap_or_default();
    format!("{{bootstrapServers: \"{servers}\"{tls}}}")
}

/// A gateway at `port`, with the nodes 1 to 3 behind it; `more` are keys of the gateway.
pub fn by_port(port: u16, more: &str) -> String {
    format!(
        "{{name: ports, portIdentifiesNode: {{bootstrapAddress: \"localhost:{port}\", \
         nodeIdRanges: [{{name: brokers, start: 1, end: 3}}]}}, {more}}}"
    )
}

/// A gateway whose names are those of its virtual cluster, at a port that it may share; `more` are keys of its `tls`.
pub fn by_name(port: u16, more: &str) -> String {
    by_names("names", "$(virtualClusterName)", port, port, more)
}

/// A gateway at names below `host`, which clients are told to find at `advertised`.
pub fn by_names(name: &str, host: &str, port: u16, advertised: u16, more: &str) -> String {
    format!(
        "{{name: {name}, bindAddress: 127.0.0.1, sniHostIdentifiesNode: {{\
         bootstrapAddress: \"{host}.{DOMAIN}:{port}\", \
         advertisedBrokerAddressPattern: \"broker-$(nodeId).{host}.{DOMAIN}:{advertised}\"}}, \
         tls: {{{}, {more}}}}}",
        key(&certificates().server)
    )
}

/// Adds these keys to the gateway.
pub fn with(gateway: &str, keys: &str) -> String {
    gateway.replacen('{', &format!("{{{keys}, "), 1)
}

/// Replaces one `key` of the gateway's `tls`.
pub fn with_tls_key(gateway: &str, written: &str) -> String {
    gateway.replacen(&key(&certificates().server), written, 1)
}

/// A virtual cluster.
pub fn cluster(name: &str, target: &str, gateways: &[String]) -> String {
    format!(
        "  - {{name: {name}, logNetwork: true, targetCluster: {target}, gateways: [{}]}}\n",
        gateways.join(", ")
    )
}

/// Ports for one test; the last is not for use.
pub fn block() -> u16 {
    ports()
}

/// kproxy, run with the virtual clusters of a test.
pub struct Edge {
    pub binary: Binary,
    file: PathBuf,
    pub directory: tempfile::TempDir,
    pub hosts: PathBuf,
}

impl Edge {
    #[track_caller]
    pub fn start(clusters: &[String]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let configuration = document(directory.path(), clusters);
        let file = write(directory.path(), "proxy.yaml", &configuration);
        Self {
            binary: serving(&file),
            hosts: hosts(directory.path(), names(&configuration)),
            file,
            directory,
        }
    }

    /// Replaces its clusters while it runs.
    #[track_caller]
    pub fn reload(&self, clusters: &[String]) {
        self.replace(clusters);
        self.expect_line(&["reload applied"]);
    }

    /// Reloads without waiting for the outcome.
    pub fn replace(&self, clusters: &[String]) {
        atomically(&self.file, &document(self.directory.path(), clusters));
    }

    /// Ends it and runs it anew, so that it knows nothing of its clusters.
    #[track_caller]
    pub fn restart(&mut self) {
        self.binary.signal(rustix::process::Signal::TERM);
        let (code, log) = self.binary.exit();
        assert_eq!(code, Some(0), "{log}");
        self.binary = serving(&self.file);
    }

    /// A client without TLS.
    pub fn plain(&self, bootstrap: impl Display) -> Kcat {
        Kcat::to(bootstrap.to_string()).resolving(&self.hosts)
    }

    /// A client that trusts kproxy's authority.
    pub fn tls(&self, bootstrap: impl Display) -> Kcat {
        self.plain(bootstrap).tls(&certificates().edge_trust)
    }

    /// Waits until a line of the log has all of these.
    #[track_caller]
    pub fn expect_line(&self, parts: &[&str]) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let log = self.binary.log();
            if log
                .lines()
                .any(|line| parts.iter().all(|part| line.contains(part)))
            {
                return;
            }
            assert!(Instant::now() < deadline, "{parts:?} in no line of {log}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until a session of this cluster has ended with all of these in its line.
    #[track_caller]
    pub fn expect_close(&self, cluster: &str, parts: &[&str]) {
        let cluster = format!("cluster={cluster} ");
        self.expect_line(&[&["session closed", cluster.as_str()], parts].concat());
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.binary.log());
        }
    }
}

fn document(directory: &Path, clusters: &[String]) -> String {
    format!(
        "network: {{proxy: {{workerThreadCount: 2}}}}\n\
         control: {{socket: {}}}\n\
         virtualClusters:\n{}",
        directory.join("control.sock").display(),
        clusters.concat()
    )
}

#[track_caller]
fn serving(file: &Path) -> Binary {
    let binary = Binary::at(file);
    eventually("it serves or says why not", || {
        let log = binary.log();
        log.contains("kproxy serves") || log.contains("error")
    });
    assert!(binary.log().contains("kproxy serves"), "{}", binary.log());
    binary
}

/// The bootstrap and node names of every virtual cluster and of every gateway that has its own.
fn names(configuration: &str) -> Vec<String> {
    let label = |text: &str| {
        text.chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '-')
            .collect()
    };
    let after = |prefix: &str| {
        configuration
            .split(prefix)
            .skip(1)
            .map(label)
            .collect::<Vec<String>>()
    };
    let mut labels = [after("- {name: "), after("bootstrapAddress: \"")].concat();
    labels.sort_unstable();
    labels.dedup();
    let of = |label: String| {
        let nodes = (1..=3).map(|id| format!("broker-{id}.{label}.{DOMAIN}"));
        let nodes: Vec<String> = nodes.chain([format!("{label}.{DOMAIN}")]).collect();
        nodes
    };
    let named = labels
        .into_iter()
        .filter(|label| !label.is_empty() && label != "localhost");
    named.flat_map(of).collect()
}

/// OpenSSL as a client of the virtual cluster of this name.
pub fn openssl(port: u16, cluster: &str) -> SClient {
    SClient::named(port, &format!("{cluster}.{DOMAIN}"))
}

/// Sends `before` and a Kafka request without TLS; whether it is answered. The connection stays open with the stream.
pub fn asks(address: SocketAddr, before: &[u8]) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // It may have been closed already.
    stream.write_all(&[before, REQUEST].concat()).ok()?;
    let mut answer = [0; 8];
    stream.read_exact(&mut answer).ok()?;
    assert_eq!(&answer[4..], ANSWER);
    Some(stream)
}

/// Connects from another loopback address.
pub fn asks_from(source: IpAddr, address: SocketAddr) -> Option<TcpStream> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(source, 0).into()).unwrap();
    socket.connect(&address.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(REQUEST).ok()?;
    let mut answer = [0; 8];
    stream.read_exact(&mut answer).ok()?;
    Some(stream)
}

pub fn at(port: u16) -> SocketAddr {
    local(port)
}
