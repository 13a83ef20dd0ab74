//! What is measured: nothing at all, blind relays with buffers of several sizes, HAProxy in TCP mode, kproxy's own pump
//! without its view of Kafka, kproxy.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::process::{Process, command, free_port};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Direct,
    /// A relay that copies, with buffers of so many KiB.
    Relay(u16),
    Haproxy,
    /// kproxy's pump, letting everything pass unseen: what tracking costs is the difference.
    Untracked,
    Kproxy,
    /// kproxy with `SaslTermination` and `Authorization`, whose rules allow what the load does.
    Authorized,
    /// Another build of kproxy, such as the one before a change.
    Other,
}

impl Kind {
    pub(crate) const RELAYS: [Self; 5] = [
        Self::Relay(16),
        Self::Relay(32),
        Self::Relay(64),
        Self::Relay(128),
        Self::Relay(256),
    ];

    pub(crate) const ALL: [Self; 11] = [
        Self::Direct,
        Self::RELAYS[0],
        Self::RELAYS[1],
        Self::RELAYS[2],
        Self::RELAYS[3],
        Self::RELAYS[4],
        Self::Haproxy,
        Self::Untracked,
        Self::Kproxy,
        Self::Authorized,
        Self::Other,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Relay(16) => "relay-16K",
            Self::Relay(32) => "relay-32K",
            Self::Relay(64) => "relay-64K",
            Self::Relay(128) => "relay-128K",
            Self::Relay(256) => "relay-256K",
            Self::Relay(_) => "relay",
            Self::Haproxy => "haproxy",
            Self::Untracked => "untracked",
            Self::Kproxy => "kproxy",
            Self::Authorized => "authorized",
            Self::Other => "other",
        }
    }
}

/// How a contender is set up; what is not said here is its default.
pub(crate) struct Setup<'a> {
    pub(crate) broker: &'a str,
    /// Where configuration and logs go.
    pub(crate) directory: &'a Path,
    pub(crate) cpu: Option<usize>,
    pub(crate) threads: usize,
    /// Connections it must be able to hold.
    pub(crate) connections: usize,
    /// The program that [`Kind::Other`] runs.
    pub(crate) other: Option<&'a Path>,
}

/// A running contender; dropping it ends its process.
pub(crate) struct Contender {
    pub(crate) kind: Kind,
    /// Where clients connect.
    pub(crate) address: String,
    process: Option<Process>,
}

/// The program under test.
pub(crate) const KPROXY: &str = env!("CARGO_BIN_EXE_kproxy");

const PATIENCE: Duration = Duration::from_secs(10);

impl Contender {
    /// # Errors
    /// When the program is missing or does not come to accept connections.
    pub(crate) fn start(kind: Kind, setup: &Setup<'_>) -> io::Result<Self> {
        let (process, address) = match kind {
            Kind::Direct => (None, setup.broker.to_owned()),
            Kind::Relay(kib) => role(&["relay", setup.broker, &kib.to_string()], setup)?,
            Kind::Untracked => role(&["untracked", setup.broker], setup)?,
            Kind::Haproxy => haproxy(setup)?,
            Kind::Kproxy => kproxy(Path::new(KPROXY), setup, "")?,
            Kind::Authorized => kproxy(Path::new(KPROXY), setup, &filters(setup.directory)?)?,
            Kind::Other => {
                let missing = || io::Error::new(io::ErrorKind::NotFound, "no other build was named");
                kproxy(setup.other.ok_or_else(missing)?, setup, "")?
            }
        };
        Ok(Self {
            kind,
            address,
            process,
        })
    }

    /// A program that a benchmark configured itself: `command`, its words going to `log`, accepts on `port`.
    ///
    /// # Errors
    /// When the program is missing or does not come to accept connections.
    pub(crate) fn of(kind: Kind, command: Command, log: &Path, port: u16) -> io::Result<Self> {
        let (process, address) = serve(command, log, port)?;
        Ok(Self {
            kind,
            address,
            process,
        })
    }

    /// The process to read, where there is one.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }
}

/// HAProxy's version, installed first where it is missing and `apt-get` can.
///
/// # Errors
/// Says why there is none.
pub(crate) fn haproxy_version() -> io::Result<String> {
    let version = || Command::new("haproxy").arg("-v").output();
    let output = match version() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            install("haproxy")?;
            version()?
        }
        other => other?,
    };
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().next().unwrap_or("HAProxy").to_owned())
}

fn install(package: &str) -> io::Result<()> {
    for arguments in [
        &["update"][..],
        &["install", "-y", "--no-install-recommends", package],
    ] {
        let output = Command::new("apt-get")
            .args(arguments)
            .stdin(Stdio::null())
            .output()?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(io::Error::other(format!(
                "apt-get {}: {reason}",
                arguments.join(" ")
            )));
        }
    }
    Ok(())
}

fn role(arguments: &[&str], setup: &Setup<'_>) -> io::Result<(Option<Process>, String)> {
    let (process, address) = Process::role(arguments, setup.cpu)?;
    Ok((Some(process), address))
}

fn haproxy(setup: &Setup<'_>) -> io::Result<(Option<Process>, String)> {
    let port = free_port()?;
    let file = setup.directory.join("haproxy.cfg");
    let limit = if setup.connections > 4096 {
        format!("    maxconn {}\n", setup.connections + 100)
    } else {
        String::new()
    };
    let mut text = haproxy_preamble(setup.threads, &limit);
    haproxy_listen(&mut text, "bench", &[port], setup.broker);
    fs::write(&file, text)?;
    start_haproxy(&file, setup, port)
}

/// The sections before any `listen`.
pub(crate) fn haproxy_preamble(threads: usize, global: &str) -> String {
    format!(
        "global\n    nbthread {threads}\n{global}defaults\n    mode tcp\n    timeout connect 10s\n    \
         timeout client 10m\n    timeout server 10m\n"
    )
}

/// One proxied address per port.
pub(crate) fn haproxy_listen(text: &mut String, name: &str, ports: &[u16], broker: &str) {
    let binds = ports.iter().fold(String::new(), |binds, port| {
        binds + &format!("    bind 127.0.0.1:{port}\n")
    });
    writeln!(text, "listen {name}\n{binds}    server broker {broker}").ok();
}

fn start_haproxy(file: &Path, setup: &Setup<'_>, port: u16) -> io::Result<(Option<Process>, String)> {
    let mut command = command(Path::new("haproxy"), setup.cpu);
    command.arg("-db").arg("-f").arg(file);
    serve(command, &setup.directory.join("haproxy.log"), port)
}

/// User name and password of clients where they have to authenticate.
pub(crate) const USER: (&str, &str) = ("bench", "bench-secret");

/// Everything of `proxy.yaml` about filters: one user, and rules of which the tenth allows what it does.
fn filters(directory: &Path) -> io::Result<String> {
    let mut credential = command(Path::new(KPROXY), None);
    credential
        .args(["credential", USER.0])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut credential = credential.spawn()?;
    credential
        .stdin
        .take()
        .map_or(Ok(()), |mut input| input.write_all(USER.1.as_bytes()))?;
    fs::write(directory.join("users"), credential.wait_with_output()?.stdout)?;
    let mut rules =
        "from io.kroxylicious.filter.authorization import TopicResource as Topic, GroupResource as Group;\n"
            .to_owned();
    for other in 0..9 {
        writeln!(
            rules,
            "allow User with name = \"other-{other}\" to * Topic with name like \"other-*\";"
        )
        .ok();
    }
    rules += "allow User with name = \"bench\" to {READ, WRITE} Topic with name = \"bench\";\n\
              allow User with name = \"bench\" to * Group with name *;\notherwise deny;\n";
    fs::write(directory.join("rules.acl"), rules)?;
    let directory = directory.display();
    Ok(format!(
        "filterDefinitions:\n  - {{name: login, type: SaslTermination, config: {{mechanisms: [{{mechanism: PLAIN, \
         allowPlaintext: true, credentialStore: FileCredentialStore, credentialStoreConfig: {{file: {directory}/users}}}}]}}}}\n  \
         - {{name: rules, type: Authorization, config: {{authorizer: AclAuthorizerService, authorizerConfig: \
         {{aclFile: {directory}/rules.acl}}}}}}\ndefaultFilters: [login, rules]\n"
    ))
}

/// `filters` comes before the first cluster.
fn kproxy(program: &Path, setup: &Setup<'_>, filters: &str) -> io::Result<(Option<Process>, String)> {
    let port = free_port()?;
    // A directory of its own, for its control socket.
    let directory = setup.directory.join(format!("kproxy-{port}"));
    fs::create_dir(&directory)?;
    let file = directory.join("kproxy.yaml");
    let mut text = format!("{filters}{}", kproxy_preamble(Some(setup.threads)));
    kproxy_cluster(&mut text, "bench", (port, free_port()?), setup.broker);
    fs::write(&file, text)?;
    serve(
        kproxy_at(program, &file, &directory, setup.cpu),
        &directory.join("log"),
        port,
    )
}

/// kproxy on `file`, with a control socket of its own.
pub(crate) fn kproxy_command(file: &Path, directory: &Path, cpu: Option<usize>) -> Command {
    kproxy_at(Path::new(KPROXY), file, directory, cpu)
}

/// The build of kproxy at `program` on `file`, with a control socket of its own.
pub(crate) fn kproxy_at(program: &Path, file: &Path, directory: &Path, cpu: Option<usize>) -> Command {
    let mut command = command(program, cpu);
    command
        .arg("--config")
        .arg(file)
        .env("XDG_RUNTIME_DIR", directory);
    command
}

/// Everything of `proxy.yaml` that comes before the first cluster.
pub(crate) fn kproxy_preamble(threads: Option<usize>) -> String {
    let network = threads.map(|threads| format!("network: {{proxy: {{workerThreadCount: {threads}}}}}\n"));
    format!("{}virtualClusters:\n", network.unwrap_or_default())
}

/// One virtual cluster of one node, on a bootstrap port and a node port.
pub(crate) fn kproxy_cluster(text: &mut String, name: &str, (bootstrap, node): (u16, u16), broker: &str) {
    writeln!(
        text,
        "  - name: {name}\n    targetCluster: {{bootstrapServers: \"{broker}\"}}\n    gateways:\n      \
         - name: default\n        portIdentifiesNode:\n          bootstrapAddress: 127.0.0.1:{bootstrap}\n          \
         nodeStartPort: {node}\n          nodeIdRanges: [{{name: node, start: 0, end: 0}}]"
    )
    .ok();
}

fn serve(mut command: Command, log: &Path, port: u16) -> io::Result<(Option<Process>, String)> {
    command.stdout(Stdio::null()).stderr(File::create(log)?);
    let mut process = Process::start(&mut command)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    process.wait_for_accept(address, PATIENCE).map_err(|error| {
        let said = fs::read(log).unwrap_or_default();
        let last = String::from_utf8_lossy(&said)
            .lines()
            .last()
            .unwrap_or_default()
            .to_owned();
        io::Error::new(error.kind(), format!("{error}; its last words: {last:?}"))
    })?;
    Ok((Some(process), address.to_string()))
}
