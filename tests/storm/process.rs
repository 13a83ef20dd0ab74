//! kproxy as its users run it, and what it says about reloads while it runs.

use std::{
    collections::BTreeMap,
    env,
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread::JoinHandle,
    time::Duration,
};

use rustix::process::{Pid, Signal};
use serde_json::Value;

use super::pace::Deadline;
use testkit::{descriptors, wait::PATIENCE};

/// Between two looks at whether a wait has become too long.
const LOOK: Duration = Duration::from_secs(1);

/// How often each thing has been said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    pub applied: usize,
    pub rejected: usize,
    /// Reloads of an empty file among them.
    pub empty: usize,
    pub unchanged: usize,
    /// Rolled back or failed.
    pub undone: usize,
    /// Reloads that a SIGHUP asked for, among all.
    pub by_signal: usize,
    /// What runs.
    pub generation: u64,
    pub drains: usize,
    pub drained: usize,
    pub drained_sessions: u64,
    /// Sessions closed at a drain's hard deadline.
    pub forced: u64,
}

impl Outcomes {
    pub fn total(&self) -> usize {
        self.applied + self.rejected + self.unchanged + self.undone
    }

    /// Without the rejections of empty files: a file is empty while it is rewritten in place, and where the disk is busy
    /// its writer may be held up just then for longer than any proxy should wait.
    pub fn but_for_empty(self) -> Self {
        Self {
            rejected: self.rejected - self.empty,
            empty: 0,
            ..self
        }
    }

    /// Whether the same has come of reloads.
    pub fn same(&self, other: &Self) -> bool {
        let counts = |of: &Self| (of.applied, of.rejected, of.unchanged, of.undone);
        counts(self) == counts(other)
    }
}

#[derive(Default)]
struct Heard {
    outcomes: Outcomes,
    serving: bool,
    /// Warnings and errors that are not about rejected files.
    complaints: Vec<String>,
    /// Why a file was last rejected.
    reason: String,
    /// The last lines, whatever they say.
    tail: std::collections::VecDeque<String>,
    slowest_ms: f64,
    /// Sessions that ended, by cause, and their requests that were never answered.
    closes: BTreeMap<String, Closes>,
}

/// Sessions that ended for one cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Closes {
    pub sessions: u64,
    /// Requests of theirs that were forwarded and not answered.
    pub unanswered: u64,
}

/// Lines kept for finding the reason of a failure.
const TAIL: usize = 40;

/// A process of the binary. Dropping it kills it.
pub struct StormProxy {
    child: Child,
    heard: Arc<(Mutex<Heard>, Condvar)>,
    reader: Option<JoinHandle<()>>,
}

impl StormProxy {
    /// Starts it and waits until it serves.
    pub fn serving(config: &Path) -> Self {
        let binary = env::var_os(BINARY).unwrap_or_else(|| env!("CARGO_BIN_EXE_kproxy").into());
        let mut child = Command::new(binary)
            .arg("--config")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let heard = Arc::<(Mutex<Heard>, Condvar)>::default();
        let stderr = child.stderr.take().expect("piped");
        let reader = std::thread::spawn({
            let heard = Arc::clone(&heard);
            move || listen(stderr, &heard)
        });
        let proxy = Self {
            child,
            heard,
            reader: Some(reader),
        };
        proxy.wait("serving", PATIENCE, |heard| heard.serving);
        proxy
    }

    pub fn outcomes(&self) -> Outcomes {
        self.lock().outcomes
    }

    /// Waits until `condition` holds of what was said.
    pub fn expect(&self, what: &str, condition: impl Fn(&Outcomes) -> bool) -> Outcomes {
        self.wait(what, PATIENCE, |heard| condition(&heard.outcomes))
    }

    /// Why a file was last rejected.
    pub fn reason(&self) -> String {
        self.lock().reason.clone()
    }

    pub fn complaints(&self) -> Vec<String> {
        self.lock().complaints.clone()
    }

    /// Sessions that ended, by cause.
    pub fn closes(&self) -> BTreeMap<String, Closes> {
        self.lock().closes.clone()
    }

    /// The longest reload, in milliseconds.
    pub fn slowest_ms(&self) -> f64 {
        self.lock().slowest_ms
    }

    pub fn hang_up(&self) {
        rustix::process::kill_process(Pid::from_child(&self.child), Signal::HUP).expect("our own child");
    }

    /// Runs a command of `kproxy` beside the process, at this control socket; it has to succeed.
    pub fn command(&self, socket: &str, arguments: &str) {
        let binary = env::var_os(BINARY).unwrap_or_else(|| env!("CARGO_BIN_EXE_kproxy").into());
        let output = Command::new(binary)
            .args(arguments.split(' '))
            .args(["--control", socket])
            .output()
            .expect("the binary runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kproxy {arguments}: {said}");
    }

    /// Open descriptors.
    pub fn descriptors(&self) -> Vec<String> {
        descriptors::named(self.child.id())
    }

    /// Resident memory in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = fs::read(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let status = String::from_utf8_lossy(&status);
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.and_then(|number| number.parse().ok()).expect("a number")
    }

    /// SIGTERM; its exit code.
    pub fn stop(&mut self) -> Option<i32> {
        rustix::process::kill_process(Pid::from_child(&self.child), Signal::TERM).expect("our own child");
        let deadline = Deadline::after(PATIENCE * 2);
        loop {
            if let Some(status) = self.child.try_wait().expect("our own child") {
                if let Some(reader) = self.reader.take() {
                    reader.join().expect("the reader does not panic");
                }
                return status.code();
            }
            assert!(!deadline.is_over(), "kproxy does not stop: {}", self.tail());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn tail(&self) -> String {
        let heard = self.lock();
        heard
            .tail
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn wait(&self, what: &str, patience: Duration, condition: impl Fn(&Heard) -> bool) -> Outcomes {
        let (_, said) = &*self.heard;
        let deadline = Deadline::after(patience);
        loop {
            let unsatisfied = |heard: &mut Heard| !condition(heard);
            let (heard, timeout) = said
                .wait_timeout_while(self.lock(), LOOK, unsatisfied)
                .expect("no panic under the lock");
            let outcomes = heard.outcomes;
            drop(heard);
            if !timeout.timed_out() {
                return outcomes;
            }
            assert!(
                !deadline.is_over(),
                "never came true: {what}; {outcomes:?}\n{}",
                self.tail()
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.0.lock().expect("no panic under the lock")
    }
}

impl Drop for StormProxy {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Another build of kproxy than the test's own.
const BINARY: &str = "KPROXY_STORM_BINARY";

/// Where kproxy's whole log goes, if it is wanted.
const LOG: &str = "KPROXY_STORM_LOG";

fn listen(stderr: impl Read, heard: &(Mutex<Heard>, Condvar)) {
    let (state, said) = heard;
    let mut copy = env::var_os(LOG).map(|path| File::create(path).expect("a file that can be written"));
    for line in BufReader::new(stderr).lines() {
        let Ok(line) = line else { return };
        if let Some(copy) = &mut copy {
            writeln!(copy, "{line}").expect("a file takes bytes");
        }
        let mut state = state.lock().expect("no panic under the lock");
        state.take_in(&line);
        if state.tail.len() == TAIL {
            state.tail.pop_front();
        }
        state.tail.push_back(line);
        said.notify_all();
    }
}

impl Heard {
    fn take_in(&mut self, line: &str) {
        let Ok(said) = serde_json::from_str::<Value>(line) else {
            self.complaints.push(line.to_owned());
            return;
        };
        let message = said["message"].as_str().unwrap_or_default();
        if let Some(generation) = said["generation"].as_u64()
            && message.starts_with("reload")
        {
            self.outcomes.generation = generation;
        }
        self.slowest_ms = self.slowest_ms.max(match message {
            "reload applied" => said["duration_ms"].as_f64().unwrap_or_default(),
            _ => 0.0,
        });
        let outcome = match message {
            "reload applied" => &mut self.outcomes.applied,
            _ if message.starts_with("reload rejected: ") => &mut self.outcomes.rejected,
            _ if message.starts_with("reload unchanged: the configuration means") => {
                &mut self.outcomes.unchanged
            }
            _ if message.starts_with("reload rolled_back: ") || message.starts_with("reload failed: ") => {
                &mut self.outcomes.undone
            }
            _ => return self.take_in_other(message, &said, line),
        };
        *outcome += 1;
        if message.starts_with("reload rejected: ") && self.reason.contains("the file is empty") {
            self.outcomes.empty += 1;
        }
        if said["trigger"] == "sighup" {
            self.outcomes.by_signal += 1;
        }
    }

    fn take_in_other(&mut self, message: &str, said: &Value, line: &str) {
        match message {
            "kproxy serves" => self.serving = true,
            "drain begins" => self.outcomes.drains += 1,
            "drained" => {
                self.outcomes.drained += 1;
                self.outcomes.drained_sessions += said["sessions"].as_u64().unwrap_or_default();
                self.outcomes.forced += said["forced"].as_u64().unwrap_or_default();
            }
            "session closed" => {
                let cause = said["cause"].as_str().unwrap_or_default().to_owned();
                let closes = self.closes.entry(cause).or_default();
                closes.sessions += 1;
                closes.unanswered += said["unanswered"].as_u64().unwrap_or_default();
            }
            "reload rejected" => {
                said["reason"]
                    .as_str()
                    .unwrap_or_default()
                    .clone_into(&mut self.reason);
            }
            _ => {}
        }
        let about_a_file = message == "reload rejected";
        if !about_a_file && (said["level"] == "WARN" || said["level"] == "ERROR") {
            self.complaints.push(line.to_owned());
        }
    }
}
