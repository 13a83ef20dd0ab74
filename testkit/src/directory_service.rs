//! A directory service (LDAP) that others have written: UnboundID's, with its data in memory. It comes out of Maven Central.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::certificates::Identity;
use crate::maven::ldapsdk;
use crate::reaper::Reaper;
use crate::wait::eventually;

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/kafka/DirectoryService.java");

/// A directory service that runs. Dropping it ends it.
pub struct LdapServer {
    child: Child,
    words: ChildStdin,
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
    reaper: Reaper,
    _directory: TempDir,
}

impl LdapServer {
    /// The names of users have a place in this.
    pub const BIND_DN: &str = "uid=$(username),ou=people,dc=example,dc=com";

    /// The service, when it serves these users with their passwords; `unit/name` is a user one unit below the others. `None`
    /// where this machine cannot have it.
    #[track_caller]
    pub fn start(identity: &Identity, users: &[(&str, &str)]) -> Option<Self> {
        let class_path = ldapsdk()?;
        let directory = tempfile::tempdir().unwrap();
        let reaper = Reaper::over(directory.path()).unwrap();
        let mut child = command(&class_path, identity, directory.path())
            .args(users.iter().flat_map(|(name, password)| [name, password]))
            .spawn()
            .unwrap();
        reaper.watch([child.id()]);
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let (collected, stdout) = (Arc::clone(&lines), child.stdout.take().unwrap());
        let reader = thread::spawn(move || {
            let said = BufReader::new(stdout).lines().map_while(Result::ok);
            said.for_each(|line| collected.lock().unwrap().push(line));
        });
        let server = Self {
            words: child.stdin.take().unwrap(),
            child,
            lines,
            reader: Some(reader),
            reaper,
            _directory: directory,
        };
        server.expect_last("listens ");
        Some(server)
    }

    /// Where it takes passwords in clear, and StartTLS.
    pub fn ldap(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.ports()[0])
    }

    /// Where it begins with TLS.
    pub fn ldaps(&self) -> String {
        format!("ldaps://127.0.0.1:{}", self.ports()[1])
    }

    /// Connections, numbered for each port, and the names that they were to be bound to, as they came.
    pub fn binds(&self) -> Vec<(u64, String)> {
        let lines = self.lines.lock().unwrap();
        let binds = lines.iter().filter_map(|line| line.strip_prefix("bind "));
        let parts = binds.map(|bind| bind.split_once(' ').unwrap());
        parts
            .map(|(connection, name)| (connection.parse().unwrap(), name.to_owned()))
            .collect()
    }

    /// Closes its ports and connections.
    pub fn stop(&mut self) {
        writeln!(self.words, "stop").unwrap();
        self.expect_last("stopped");
    }

    /// Serves again at the same ports.
    pub fn resume(&mut self) {
        writeln!(self.words, "start").unwrap();
        self.expect_last("listens ");
    }

    /// Lets the process take connections and requests, and do nothing with them.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets a frozen process go on.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn ports(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap();
        let ports = lines.iter().find_map(|line| line.strip_prefix("listens "));
        ports.unwrap().split(' ').map(str::to_owned).collect()
    }

    #[track_caller]
    fn expect_last(&self, word: &str) {
        eventually(&format!("the directory service has said {word:?}"), || {
            let lines = self.lines.lock().unwrap();
            lines.last().is_some_and(|line| line.starts_with(word))
        });
    }
}

fn command(class_path: &str, identity: &Identity, directory: &Path) -> Command {
    let files = identity.write(directory, "server");
    let mut command = Command::new("java");
    command
        .args(["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        .env("LC_ALL", "C.UTF-8")
        .args(["-cp", class_path, PROGRAM])
        .args([files.certificate, files.key])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

impl Drop for LdapServer {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.reaper.watch([]);
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
    }
}
