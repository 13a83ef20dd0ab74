//! Apache Kafka's jars from Maven Central, cached outside the source tree.

use std::{
    env, fs,
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::skipped;

/// A release of Apache Kafka that the tests run against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KafkaVersion {
    /// The newest release: ApiVersions with cluster and node id, offsets of transactions by topic id, Streams groups.
    V4_4,
    /// The release before it.
    V4_3,
    /// The last line that still speaks the versions Kafka 4 removed.
    V3_9,
}

impl KafkaVersion {
    /// The version as Maven names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::V4_4 => "4.4.0",
            Self::V4_3 => "4.3.0",
            Self::V3_9 => "3.9.1",
        }
    }
}

/// The jars of one Kafka release on this machine.
#[derive(Clone, Debug)]
pub struct Install {
    pub version: KafkaVersion,
    libs: PathBuf,
}

impl Install {
    /// The class path for `java -cp`.
    pub fn class_path(&self) -> String {
        format!("{}/*", self.libs.display())
    }

    /// The jar with Kafka's message schemas in it.
    pub fn clients_jar(&self) -> PathBuf {
        self.libs
            .join(format!("kafka-clients-{}.jar", self.version.name()))
    }
}

/// Kafka's jars, or `None` where this machine cannot have them: the test then has nothing to show.
///
/// With `KPROXY_REQUIRE_KAFKA=1` in the environment their absence is a failure.
pub fn require(version: KafkaVersion) -> Option<Install> {
    match install(version) {
        Ok(install) => Some(install),
        Err(why) => {
            unavailable(&why);
            None
        }
    }
}

/// Something that tests with a real Kafka need is not there: they are skipped, or fail where they must not be.
pub fn unavailable(why: &str) {
    assert!(
        env::var_os("KPROXY_REQUIRE_KAFKA").is_none_or(|v| v != "1"),
        "KPROXY_REQUIRE_KAFKA=1, but {why}"
    );
    skipped::note(why);
}

/// What tests share, or `None` where [`unavailable`] has said why not: then this test is skipped for the same reason.
pub fn shared<T>(what: Option<T>) -> Option<T> {
    if what.is_none() {
        skipped::note_again();
    }
    what
}

/// The class path of the client of Amazon MSK, fetched once, with a Kafka that it needs; `None` where there is none.
pub fn msk_iam() -> Option<String> {
    let kafka = require(KafkaVersion::V4_4)?;
    match fetched("msk-iam-2.3.5", "msk-iam.xml", &[]) {
        Ok(libs) => Some(format!("{}/*:{}", libs.display(), kafka.class_path())),
        Err(why) => {
            unavailable(&why);
            None
        }
    }
}

/// The class path of a directory service (LDAP), fetched once; `None` where there is none.
pub fn ldapsdk() -> Option<String> {
    let fetched = match runs("java", "-version") {
        true => fetched("unboundid-ldapsdk-7.0.3", "ldapsdk.xml", &[]),
        false => Err("no JDK/Maven: `java` does not run".to_owned()),
    };
    match fetched {
        Ok(libs) => Some(format!("{}/*", libs.display())),
        Err(why) => {
            unavailable(&why);
            None
        }
    }
}

fn install(version: KafkaVersion) -> Result<Install, String> {
    if !runs("java", "-version") {
        return Err("no JDK/Maven: `java` does not run".to_owned());
    }
    let version_property = format!("-Dkafka.version={}", version.name());
    let libs = fetched(version.name(), "pom.xml", &[version_property])?;
    Ok(Install { version, libs })
}

/// The directory of this name in the cache, with the jars of a project of Maven.
fn fetched(name: &str, project: &str, properties: &[String]) -> Result<PathBuf, String> {
    let cache = cache_directory();
    fs::create_dir_all(&cache).map_err(|e| format!("{}: {e}", cache.display()))?;
    let libs = cache.join(name);
    // Test binaries run at the same time: one fetches, the others wait for it. Closing the file unlocks it.
    let lock = File::create(cache.join(format!("{name}.lock"))).map_err(|e| format!("lock: {e}"))?;
    lock.lock().map_err(|e| format!("lock: {e}"))?;
    if !libs.is_dir() {
        if !runs("mvn", "-version") {
            return Err("no JDK/Maven: `mvn` does not run".to_owned());
        }
        fetch(project, properties, &libs)?;
    }
    Ok(libs)
}

fn runs(program: &str, argument: &str) -> bool {
    Command::new(program)
        .arg(argument)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

pub(crate) fn cache_directory() -> PathBuf {
    let base = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cache")))
        .unwrap_or_else(env::temp_dir);
    base.join("kproxy-kafka")
}

/// Copies the jars beside their final place and renames them into it: what has the final name is complete.
fn fetch(project: &str, properties: &[String], libs: &Path) -> Result<(), String> {
    let partial = libs.with_extension("partial");
    if partial.exists() {
        fs::remove_dir_all(&partial).map_err(|e| format!("{}: {e}", partial.display()))?;
    }
    let output = Command::new("mvn")
        .args(["-q", "-B", "-f"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("kafka").join(project))
        .args(properties)
        .args(["dependency:copy-dependencies", "-DincludeScope=runtime"])
        .arg(format!("-DoutputDirectory={}", partial.display()))
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("mvn: {e}"))?;
    if !output.status.success() {
        return Err(format!(
            "Maven could not fetch what tests need: {}",
            String::from_utf8_lossy(&output.stdout)
        ));
    }
    fs::rename(&partial, libs).map_err(|e| format!("{}: {e}", libs.display()))
}
