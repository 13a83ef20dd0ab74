//! Commands beside a running kproxy.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::Value;
use testkit::command::Ran;
use testkit::running::Running;
use testkit::wait::{PATIENCE, eventually};

/// What stands above the clusters of a file whose process commands can ask.
pub(super) const HEAD: &str = "control: {socket: s}\nreload: {watch: false}\n";

fn command(directory: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kproxy"));
    command
        .args(arguments.split_whitespace())
        .args(["--control", "s"])
        .current_dir(directory);
    command
}

/// Runs a command with the socket of a process.
#[track_caller]
pub(super) fn run(running: &Running, arguments: &str) -> Ran {
    testkit::command::run(running.directory.path(), arguments)
}

/// What the process answers at a path of its control socket.
#[track_caller]
pub(super) fn get(running: &Running, path: &str) -> String {
    let mut stream = UnixStream::connect(running.path("s")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    body.to_owned()
}

/// A `kproxy watch` that runs. Dropping it kills it.
pub(super) struct Watcher {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Runs with these arguments, and waits until it reads.
    #[track_caller]
    pub(super) fn start(running: &Running, arguments: &str) -> Self {
        let mut child = command(running.directory.path(), &format!("watch {arguments}"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let reader = std::thread::spawn({
            let lines = Arc::clone(&lines);
            move || {
                for line in out.lines().map_while(Result::ok) {
                    lines.lock().unwrap().push(line);
                }
            }
        });
        let watcher = Self {
            child,
            lines,
            reader: Some(reader),
        };
        watcher.expect("watching");
        watcher
    }

    /// All lines so far.
    pub(super) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Waits for a line with this text and returns it.
    #[track_caller]
    pub(super) fn expect(&self, text: &str) -> String {
        let found = || self.lines().into_iter().find(|line| line.contains(text));
        eventually(&format!("{text:?} among {:#?}", self.lines()), || {
            found().is_some()
        });
        found().unwrap()
    }

    /// Waits for an event of this kind and returns it; for `--json`.
    #[track_caller]
    pub(super) fn event(&self, kind: &str) -> Value {
        serde_json::from_str(&self.expect(&format!(r#""event":"{kind}""#))).unwrap()
    }

    /// Waits until it ends by itself; its lines and its exit code.
    #[track_caller]
    pub(super) fn ended(mut self) -> (Vec<String>, Option<i32>) {
        let code = self.child.wait().unwrap().code();
        self.reader.take().unwrap().join().unwrap();
        (self.lines(), code)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // It may have ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
