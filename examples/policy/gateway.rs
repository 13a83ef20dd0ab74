//! What `cargo run --example policy` and `tests/kafka/policy.rs` do with the files of this folder: a Kafka, a kproxy in front
//! of it, and Kafka's own tools as clients.

use std::error::Error;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use kafka_protocol::messages::MetadataRequest;
use testkit::binary::{Binary, program};
use testkit::java::{self, Tool};
use testkit::maven::Install;
use testkit::raw::Raw;
use testkit::reaper::Reaper;
use testkit::running::local;
use testkit::tool::{Output, Running};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Longest start of Kafka on a busy machine.
const START: Duration = Duration::from_secs(120);

/// The files that a reader starts.
pub(crate) const FILES: [&str; 6] = [
    "alice.properties",
    "bob.properties",
    "kafka.properties",
    "proxy.yaml",
    "rules.acl",
    "users.sh",
];

/// Where Kafka and kproxy listen.
#[derive(Clone, Copy)]
pub(crate) struct Ports {
    /// Of Kafka: for its clients; two more follow for itself.
    pub(crate) kafka: u16,
    /// Of kproxy: where clients begin; that of the node follows.
    pub(crate) kproxy: u16,
    pub(crate) management: u16,
}

impl Ports {
    /// Those that the files name.
    pub(crate) const WRITTEN: Self = Self {
        kafka: 9092,
        kproxy: 9192,
        management: 9190,
    };

    /// Fails where somebody listens already: what answers there would be taken for what is to be started.
    fn check_free(self) -> Result<()> {
        let Self {
            kafka,
            kproxy,
            management,
        } = self;
        for port in [kafka, kafka + 1, kafka + 2, kproxy, kproxy + 1, management] {
            TcpListener::bind(local(port)).map_err(|error| format!("port {port}: {error}"))?;
        }
        Ok(())
    }
}

/// Kafka and kproxy, started with the files in a directory. Dropping it ends both.
pub(crate) struct Gateway {
    pub(crate) kproxy: Binary,
    pub(crate) directory: PathBuf,
    pub(crate) ports: Ports,
    install: Install,
    _kafka: Kafka,
}

impl Gateway {
    /// Copies the files to `directory`, makes the secrets, and starts Kafka and kproxy on these ports.
    pub(crate) fn start(install: Install, directory: &Path, ports: Ports) -> Result<Self> {
        ports.check_free()?;
        copy_files(directory, ports)?;
        let users = Command::new(directory.join("users.sh"))
            .env("KPROXY", program())
            .status()?;
        if !users.success() {
            return Err("users.sh failed: is there a kproxy (`cargo build`)?".into());
        }
        let kafka = Kafka::start(&install, directory, ports)?;
        let kproxy = Binary::at(&directory.join("proxy.yaml"));
        kproxy.expect_tried_out();
        Ok(Self {
            kproxy,
            directory: directory.to_owned(),
            ports,
            install,
            _kafka: kafka,
        })
    }

    /// Where clients begin.
    pub(crate) fn bootstrap(&self) -> String {
        format!("localhost:{}", self.ports.kproxy)
    }

    /// One of Kafka's tools, run as this user.
    pub(crate) fn tool(&self, class: &str, user: &str, arguments: &[&str]) -> Tool {
        let settings = self.directory.join(format!("{user}.properties"));
        Tool::new(&self.install, &format!("org.apache.kafka.tools.{class}"))
            .args(["--bootstrap-server", &self.bootstrap()])
            .args(["--command-config", &settings.display().to_string()])
            .args(arguments)
    }

    /// Creates a topic as this user.
    pub(crate) fn create(&self, user: &str, topic: &str) -> Output {
        self.tool("TopicCommand", user, &["--create", "--topic", topic])
            .run()
    }

    /// Produces a record as this user.
    pub(crate) fn produce(&self, user: &str, topic: &str, value: &str) -> Output {
        self.tool("ConsoleProducer", user, &["--topic", topic])
            .stdin(format!("{value}\n"))
            .run()
    }

    /// Reads the first record as this user.
    pub(crate) fn consume(&self, user: &str, topic: &str, group: &str) -> Output {
        let first = ["--topic", topic, "--group", group, "--from-beginning"];
        self.tool("consumer.ConsoleConsumer", user, &first)
            .args(["--max-messages", "1", "--timeout-ms", "30000"])
            .run()
    }

    /// A consumer that reads on until it has an error.
    pub(crate) fn follow(&self, user: &str, topic: &str, group: &str) -> Running {
        let all = ["--topic", topic, "--group", group, "--from-beginning"];
        self.tool("consumer.ConsoleConsumer", user, &all).spawn()
    }

    /// Puts the rule in the place of this one, and waits until it is in force.
    pub(crate) fn edit_rules(&self, from: &str, to: &str) -> Result<()> {
        let file = self.directory.join("rules.acl");
        let rules = String::from_utf8(fs::read(&file)?)?;
        if !rules.contains(from) {
            return Err(format!("rules.acl has no `{from}`").into());
        }
        let applied = |log: String| log.matches("reload applied").count();
        let before = applied(self.kproxy.log());
        fs::write(&file, rules.replace(from, to))?;
        wait("the rules are in force", || applied(self.kproxy.log()) > before)
    }
}

/// The files with these ports in place of those that are written.
fn copy_files(directory: &Path, ports: Ports) -> Result<()> {
    fs::create_dir_all(directory)?;
    let originals = Path::new(env!("CARGO_MANIFEST_DIR"));
    // A test's package is the repository, the example's is `examples`.
    let originals = [originals.join("examples/policy"), originals.join("policy")];
    let originals = originals.iter().find(|folder| folder.is_dir());
    let originals = originals.ok_or("no folder `examples/policy`")?;
    let written = Ports::WRITTEN;
    for file in FILES {
        let copy = directory.join(file);
        fs::copy(originals.join(file), &copy)?;
        let mut text = String::from_utf8(fs::read(&copy)?)?;
        for (written, here) in [
            (written.kafka, ports.kafka),
            (written.kafka + 1, ports.kafka + 1),
            (written.kafka + 2, ports.kafka + 2),
            (written.kproxy, ports.kproxy),
        ] {
            text = text.replace(&format!(":{written}"), &format!(":{here}"));
        }
        let management = format!("port: {}", ports.management);
        text = text.replace(&format!("port: {}", written.management), &management);
        fs::write(copy, text)?;
    }
    Ok(())
}

/// The node of `kafka.properties`.
struct Kafka {
    process: Child,
    _reaper: Reaper,
}

impl Kafka {
    fn start(install: &Install, directory: &Path, ports: Ports) -> Result<Self> {
        let data = directory.join("kafka-data");
        if data.exists() {
            fs::remove_dir_all(&data)?;
        }
        format_node(install, directory)?;
        let reaper = Reaper::over(&data)?;
        let log = File::create(directory.join("kafka.log"))?;
        let process = java::command(install, "384m")
            .args(["kafka.Kafka", "kafka.properties"])
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()?;
        reaper.watch([process.id()]);
        let mut kafka = Self {
            process,
            _reaper: reaper,
        };
        // The listener for brokers wants no login.
        let brokers = local(ports.kafka + 1);
        wait("Kafka serves", || kafka.has_ended() || serves(brokers))?;
        if kafka.has_ended() {
            let log = fs::read(directory.join("kafka.log"))?;
            return Err(format!("Kafka ended: {}", String::from_utf8_lossy(&log)).into());
        }
        Ok(kafka)
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.process.try_wait(), Ok(None))
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Makes Kafka's data directory, with the user that kproxy logs in as.
fn format_node(install: &Install, directory: &Path) -> Result<()> {
    let password = String::from_utf8(fs::read(directory.join("kafka.password"))?)?;
    let user = format!("SCRAM-SHA-512=[name=kproxy,password={password}]");
    let mut command = java::command(install, "256m");
    command.arg("kafka.tools.StorageTool").current_dir(directory);
    let formatted = Tool::of("kafka-storage", command)
        .args(["format", "--standalone", "--cluster-id", "cG9saWN5LWV4YW1wbGUtMQ"])
        .args(["--config", "kafka.properties", "--add-scram", &user])
        .run();
    if formatted.success() {
        Ok(())
    } else {
        Err(formatted.to_string().into())
    }
}

fn serves(address: SocketAddr) -> bool {
    let question = MetadataRequest::default().with_topics(Some(vec![]));
    let answer = Raw::connect(address).and_then(|mut client| client.call(9, &question));
    answer.is_ok_and(|answer| answer.brokers.len() == 1)
}

fn wait(what: &str, mut condition: impl FnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + START;
    while !condition() {
        if Instant::now() > deadline {
            return Err(format!("not within {START:?}: {what}").into());
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
