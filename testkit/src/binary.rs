//! The kproxy binary as its users run it: a file, a process, its standard error.

use std::fs;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use rustix::process::{Pid, Resource, Rlimit, Signal};
use tempfile::TempDir;

use crate::descriptors;
use crate::wait::{PATIENCE, eventually};

/// A process of the binary. Dropping it kills it.
pub struct Binary {
    child: Child,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    /// Directory of the configuration, unless the test has its own.
    _directory: Option<TempDir>,
}

/// A configuration of one cluster in front of `target`, on a port of the operating system's choice.
pub fn configuration(target: SocketAddr) -> String {
    format!(
        "network: {{proxy: {{workerThreadCount: 2}}}}
virtualClusters:
  - name: demo
    targetCluster: {{bootstrapServers: \"{target}\"}}
    gateways:
      - name: main
        portIdentifiesNode: {{bootstrapAddress: \"127.0.0.1:0\"}}
"
    )
}

/// The binary that Cargo built for the tests that run, or the one beside the program that runs.
pub fn program() -> PathBuf {
    std::env::var_os("CARGO_BIN_EXE_kproxy").map_or_else(beside, PathBuf::from)
}

/// Cargo puts tests, examples and benchmarks into folders beside the binary.
fn beside() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let folder = own.parent().and_then(Path::parent).unwrap();
    folder.join("kproxy")
}

impl Binary {
    /// Runs it with this configuration and returns at once.
    pub fn run(configuration: &str) -> Self {
        Self::spawn(Command::new(program()), configuration)
    }

    /// Starts it with at most this many descriptors, and waits until it serves.
    #[track_caller]
    pub fn serving_with_descriptors(configuration: &str, descriptors: u64) -> Self {
        let mut shell = Command::new("sh");
        let script = format!("ulimit -n {descriptors} && exec \"$0\" \"$@\"");
        shell.args(["-c", &script]).arg(program());
        let binary = Self::spawn(shell, configuration);
        binary.expect_log("kproxy serves");
        binary.expect_tried_out();
        binary
    }

    /// Runs it with the file at this path and returns at once.
    pub fn at(file: &Path) -> Self {
        Self::start(Command::new(program()), file, None)
    }

    fn spawn(command: Command, configuration: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("proxy.yaml");
        fs::write(&file, configuration).unwrap();
        Self::start(command, &file, Some(directory))
    }

    /// Runs what `command` leads to with the file at this path, and keeps `directory` as long as it runs.
    pub fn start(mut command: Command, file: &Path, directory: Option<TempDir>) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null());
        Self::launch(command, file, directory)
    }

    /// Runs it like [`Binary::start`], with the standard input and output that `command` has.
    pub fn launch(mut command: Command, file: &Path, directory: Option<TempDir>) -> Self {
        let mut child = command
            .arg("--config")
            .arg(file)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (log, mut stderr) = (Arc::<Mutex<String>>::default(), child.stderr.take().unwrap());
        let reader = std::thread::spawn({
            let log = Arc::clone(&log);
            move || {
                let mut bytes = [0; 4096];
                while let Ok(len @ 1..) = stderr.read(&mut bytes) {
                    log.lock()
                        .unwrap()
                        .push_str(&String::from_utf8_lossy(&bytes[..len]));
                }
            }
        });
        Self {
            child,
            log,
            reader: Some(reader),
            _directory: directory,
        }
    }

    /// Runs it and waits until it serves.
    #[track_caller]
    pub fn serving(configuration: &str) -> Self {
        let binary = Self::run(configuration);
        binary.expect_log("kproxy serves");
        binary.expect_tried_out();
        binary
    }

    /// What it has written to standard error.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// How much that is.
    pub fn logged(&self) -> usize {
        self.log.lock().unwrap().len()
    }

    /// What it has written since it had written so much.
    pub fn log_behind(&self, mark: usize) -> String {
        self.log.lock().unwrap()[mark..].to_owned()
    }

    #[track_caller]
    pub fn expect_log(&self, text: &str) {
        eventually(&format!("{text:?} in the log"), || {
            self.log.lock().unwrap().contains(text)
        });
    }

    /// Waits until it has tried out the brokers that it began with: from then on its connections are its clients'.
    #[track_caller]
    pub fn expect_tried_out(&self) {
        self.expect_log("bootstrap servers were tried out");
    }

    /// Where its first gateway is bound.
    #[track_caller]
    pub fn bootstrap(&self) -> SocketAddr {
        let log = self.log();
        let bound = log.split_once(" bound=").unwrap().1;
        bound.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Where its gateways are bound, in the order of the clusters' names.
    #[track_caller]
    pub fn bootstraps(&self) -> Vec<SocketAddr> {
        let log = self.log();
        let bound = log.split(" bound=").skip(1);
        bound
            .map(|rest| rest.split_whitespace().next().unwrap().parse().unwrap())
            .collect()
    }

    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).unwrap();
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its exit code and everything it has written to standard error.
    #[track_caller]
    pub fn exit(&mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(Instant::now() < deadline, "it does not exit: {}", self.log()),
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        };
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        (status.code(), self.log())
    }

    /// Resident memory in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = self.proc("status");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Processor time used so far, in ticks of 1/100 s.
    pub fn ticks(&self) -> u64 {
        let stat = self.proc("stat");
        // The name in parentheses may contain spaces; behind it utime and stime are fields 14 and 15 of proc(5).
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    /// Open descriptors.
    pub fn descriptors(&self) -> Vec<u64> {
        let entries = fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        let number = |entry: fs::DirEntry| entry.file_name().to_str().unwrap().parse().unwrap();
        entries.map(|entry| number(entry.unwrap())).collect()
    }

    /// What its open descriptors are, as `/proc` names them, in order.
    pub fn open(&self) -> Vec<String> {
        let mut open = descriptors::open(self.child.id());
        open.sort_unstable();
        open
    }

    /// Sets how many descriptors it may have and returns what was allowed before.
    pub fn limit_descriptors(&self, current: Option<u64>) -> Option<u64> {
        let wanted = Rlimit {
            current,
            maximum: self.descriptor_maximum(),
        };
        rustix::process::prlimit(Some(self.pid()), Resource::Nofile, wanted)
            .unwrap()
            .current
    }

    fn descriptor_maximum(&self) -> Option<u64> {
        let limits = self.proc("limits");
        let line = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max open files"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().ok()
    }

    /// Its threads by name, each with its niceness.
    pub fn threads(&self) -> Vec<(String, i32)> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let described = tasks.map(|task| {
            let bytes = fs::read(task.unwrap().path().join("stat")).unwrap();
            let stat = String::from_utf8(bytes).unwrap();
            // The name is in parentheses; of what follows them the niceness is the seventeenth.
            let (start, end) = (stat.find('(').unwrap(), stat.rfind(')').unwrap());
            let niceness = stat[end + 1..].split_whitespace().nth(16).unwrap();
            (stat[start + 1..end].to_owned(), niceness.parse().unwrap())
        });
        described.collect()
    }

    fn proc(&self, file: &str) -> String {
        let bytes = fs::read(format!("/proc/{}/{file}", self.child.id())).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
