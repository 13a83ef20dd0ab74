//! kcat: librdkafka with TLS, and with names that need not be in anybody's DNS.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use super::{
    certificates::{Files, write},
    maven::unavailable,
    tool::{Output, Running, Tool},
};

/// Answers `getaddrinfo` out of a file; without it every name would have to be in `/etc/hosts`.
const NSS_WRAPPER: &str = "libnss_wrapper.so";
const TIMEOUT: Duration = Duration::from_secs(60);

/// Whether kcat and nss_wrapper can be run here; says so where not, and fails where they must be.
pub fn require() -> bool {
    let kcat = Command::new("kcat").arg("-V").stdin(Stdio::null()).output();
    let preloaded = Command::new("true").env("LD_PRELOAD", NSS_WRAPPER).output();
    // The loader goes on without a library it cannot find, but complains.
    if kcat.is_ok() && preloaded.is_ok_and(|output| output.stderr.is_empty()) {
        return true;
    }
    unavailable("kcat or libnss-wrapper is not installed");
    false
}

/// Names that lead to 127.0.0.1, as a file in the format of `/etc/hosts`: for [`Kcat::resolving`], and for Java as
/// `-Djdk.net.hosts.file=FILE`. Fewer than a hundred: nss_wrapper has no room for more.
pub fn hosts<S: AsRef<str>>(directory: &Path, names: impl IntoIterator<Item = S>) -> PathBuf {
    let mut text = String::from("127.0.0.1 localhost\n");
    for name in names {
        writeln!(text, "127.0.0.1 {}", name.as_ref()).unwrap();
    }
    assert!(text.lines().count() < 100, "{text}");
    write(directory, "hosts", &text)
}

/// How kcat reaches a cluster.
#[derive(Clone, Debug)]
pub struct Kcat {
    settings: Vec<(String, String)>,
    hosts: Option<PathBuf>,
}

impl Kcat {
    pub fn to(bootstrap: impl AsRef<str>) -> Self {
        let kcat = Self {
            settings: Vec::new(),
            hosts: None,
        };
        kcat.set("bootstrap.servers", bootstrap.as_ref())
            .set("broker.address.family", "v4")
            .set("reconnect.backoff.ms", "20")
            .set("reconnect.backoff.max.ms", "500")
            .set("topic.metadata.refresh.sparse", "true")
            .set("allow.auto.create.topics", "false")
    }

    /// A setting of librdkafka.
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.settings.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Over TLS, with this trust; names are checked.
    pub fn tls(self, trust: &Path) -> Self {
        self.set("security.protocol", "ssl")
            .set("ssl.endpoint.identification.algorithm", "https")
            .set("ssl.ca.location", &trust.display().to_string())
    }

    /// With this client certificate.
    pub fn identity(self, files: &Files) -> Self {
        self.set(
            "ssl.certificate.location",
            &files.certificate.display().to_string(),
        )
        .set("ssl.key.location", &files.key.display().to_string())
    }

    /// Names resolve by this file, see [`hosts`].
    pub fn resolving(mut self, hosts: &Path) -> Self {
        self.hosts = Some(hosts.to_owned());
        self
    }

    /// kcat with these settings; a mode and its arguments follow.
    pub fn tool(&self) -> Tool {
        let mut command = Command::new("kcat");
        // cargo's has this build's own librdkafka in it, which knows no TLS.
        command.env_remove("LD_LIBRARY_PATH");
        for (key, value) in &self.settings {
            command.arg("-X").arg(format!("{key}={value}"));
        }
        if let Some(hosts) = &self.hosts {
            command
                .env("LD_PRELOAD", NSS_WRAPPER)
                .env("NSS_WRAPPER_HOSTS", hosts);
        }
        Tool::of("kcat", command).timeout(TIMEOUT)
    }

    /// Produces one record a value and waits for their delivery.
    #[track_caller]
    pub fn produce(&self, topic: &str, values: &[String]) {
        let output = self
            .tool()
            .args(["-P", "-t", topic, "-X", "sticky.partitioning.linger.ms=0"])
            .stdin(values.join("\n"))
            .run();
        assert!(output.success(), "{output}");
    }

    /// Consumes `count` records of a topic from its beginning, without a group.
    #[track_caller]
    pub fn consume(&self, topic: &str, count: usize) -> Vec<String> {
        let count = count.to_string();
        let output = self
            .tool()
            .args(["-C", "-q", "-t", topic, "-o", "beginning", "-c", &count])
            .run();
        assert!(output.success(), "{output}");
        output.stdout.lines().map(str::to_owned).collect()
    }

    /// Produces values that nobody else produces, consumes them and demands that they are the same.
    #[track_caller]
    pub fn round_trip(&self, topic: &str, count: usize) {
        let mut sent: Vec<String> = (0..count).map(|n| format!("{topic}-{n}")).collect();
        self.produce(topic, &sent);
        let mut got = self.consume(topic, count);
        sent.sort_unstable();
        got.sort_unstable();
        assert_eq!(got, sent);
    }

    /// The brokers it is told of: id and `host:port`, by id.
    #[track_caller]
    pub fn brokers(&self) -> Vec<(i32, String)> {
        let output = self.tool().args(["-L", "-J", "-m", "30"]).run();
        assert!(output.success(), "{output}");
        let metadata: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        let brokers = metadata["brokers"].as_array().unwrap().iter().map(|broker| {
            let id = i32::try_from(broker["id"].as_i64().unwrap()).unwrap();
            (id, broker["name"].as_str().unwrap().to_owned())
        });
        let mut brokers: Vec<_> = brokers.collect();
        brokers.sort_unstable();
        brokers
    }

    /// Asks for Metadata in vain. It ends as soon as librdkafka has told a failure of this kind, or at the latest
    /// after ten seconds; returns what it told.
    #[track_caller]
    pub fn fails(&self, reason: &str) -> String {
        let output = self.tool().args(["-L", "-m", "10"]).spawn();
        let output = until(output, reason);
        assert!(!output.success(), "it was served: {output}");
        assert!(output.stderr.contains(reason), "{output}");
        output.stderr
    }
}

/// The end of a program, which is brought about once its standard error contains `text`.
fn until(mut running: Running, text: &str) -> Output {
    while running.is_running() {
        if running.stderr().contains(text) {
            // On SIGTERM it would wait for its time limit all the same.
            return running.kill();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    running.finish()
}
