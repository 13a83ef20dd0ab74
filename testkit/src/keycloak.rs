//! Keycloak, an issuer of tokens that others have written. It comes out of Maven Central, on demand.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::maven::cache_directory;
use crate::reaper::Reaper;
use crate::skipped;

/// Keycloak is 150 MB and a JVM of its own: tests with it run where this is `1`.
const SWITCH: &str = "KPROXY_TEST_KEYCLOAK";

const VERSION: &str = "26.0.8";

/// A Keycloak with the realm of `keycloak.json`, in which [`CLIENT`](crate::oidc::CLIENT) gets tokens for
/// [`AUDIENCE`](crate::oidc::AUDIENCE). Dropping it ends it.
pub struct Keycloak {
    child: Child,
    realm: String,
    _reaper: Reaper,
    _directory: tempfile::TempDir,
    /// One Keycloak at a time works in the directory of its programs.
    _lock: File,
}

impl Keycloak {
    /// Keycloak, when it serves; `None` where such tests are not asked for.
    #[track_caller]
    pub fn start() -> Option<Self> {
        if std::env::var_os(SWITCH).is_none_or(|value| value != "1") {
            skipped::note(&format!("{SWITCH} is not 1"));
            return None;
        }
        let (home, lock) = installed();
        let directory = tempfile::tempdir().unwrap();
        let reaper = Reaper::over(directory.path()).unwrap();
        let mut child = Command::new("sh")
            .arg(home.join("bin/kc.sh"))
            .args([
                "start-dev",
                "--http-host=127.0.0.1",
                "--http-port=0",
                "--import-realm",
            ])
            .envs([("KC_DB", "dev-mem"), ("JAVA_OPTS_APPEND", "-Xmx512m")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        reaper.watch([child.id()]);
        let address = address(&mut child);
        Some(Self {
            child,
            realm: format!("{address}/realms/kproxy"),
            _reaper: reaper,
            _directory: directory,
            _lock: lock,
        })
    }

    /// `iss` of its tokens.
    pub fn url(&self) -> &str {
        &self.realm
    }

    /// Where its keys are.
    pub fn jwks_url(&self) -> String {
        format!("{}/protocol/openid-connect/certs", self.realm)
    }

    /// Where a client gets tokens.
    pub fn token_url(&self) -> String {
        format!("{}/protocol/openid-connect/token", self.realm)
    }
}

impl Drop for Keycloak {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The line `… started in 8s. Listening on: http://127.0.0.1:40000`. What follows is read and thrown away.
fn address(child: &mut Child) -> String {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = Vec::new();
    for line in lines.by_ref().map_while(Result::ok) {
        if let Some((_, address)) = line.split_once("Listening on: ") {
            let address = address.trim_end().to_owned();
            thread::spawn(move || lines.for_each(drop));
            return address;
        }
        said.push(line);
    }
    panic!("Keycloak did not start:\n{}", said.join("\n"));
}

/// The directory of Keycloak, with the realm in it, and the lock of who uses it.
fn installed() -> (PathBuf, File) {
    let cache = cache_directory();
    fs::create_dir_all(&cache).unwrap();
    let lock = File::create(cache.join("keycloak.lock")).unwrap();
    lock.lock().unwrap();
    let home = cache.join(format!("keycloak-{VERSION}"));
    if !home.is_dir() {
        fetch(&cache, &home);
    }
    let realm = Path::new(env!("CARGO_MANIFEST_DIR")).join("kafka/keycloak.json");
    let import = home.join("data/import");
    fs::create_dir_all(&import).unwrap();
    fs::copy(realm, import.join("kproxy.json")).unwrap();
    (home, lock)
}

/// Unpacks beside the final place and renames: what has the final name is complete.
fn fetch(cache: &Path, home: &Path) {
    let partial = cache.join("keycloak.partial");
    if partial.exists() {
        fs::remove_dir_all(&partial).unwrap();
    }
    fs::create_dir(&partial).unwrap();
    let artifact = format!("org.keycloak:keycloak-quarkus-dist:{VERSION}:zip");
    let mut maven = Command::new("mvn");
    maven
        .args(["-q", "-B", "dependency:copy"])
        .arg(format!("-Dartifact={artifact}"))
        .arg(format!("-DoutputDirectory={}", partial.display()));
    succeeds(&mut maven);
    let archive = partial.join(format!("keycloak-quarkus-dist-{VERSION}.zip"));
    succeeds(Command::new("jar").arg("xf").arg(archive).current_dir(&partial));
    fs::rename(partial.join(format!("keycloak-{VERSION}")), home).unwrap();
    fs::remove_dir_all(partial).unwrap();
}

#[track_caller]
fn succeeds(command: &mut Command) {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
}
