//! Kafka's own command line tools: the reference clients.

use std::{
    fmt,
    io::{Read, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::maven::Install;

/// Longest run of a tool whose test sets no limit.
const TIMEOUT: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(20);

/// `java` with the release's class path and settings that start quickly; the class and its arguments follow.
pub fn command(install: &Install, heap: &str) -> Command {
    let log4j = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kafka/log4j2.properties");
    let mut command = Command::new("java");
    command
        .arg(format!("-Xmx{heap}"))
        .args([
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Djava.net.preferIPv4Stack=true",
        ])
        .arg(format!("-Dlog4j2.configurationFile={}", log4j.display()))
        .args(["-cp", &install.class_path()]);
    command
}

/// A tool that is to be run.
pub struct Tool {
    class: String,
    command: Command,
    stdin: String,
    timeout: Duration,
}

impl Tool {
    /// `class` is a fully qualified name out of Kafka's jars.
    pub fn new(install: &Install, class: &str) -> Self {
        let mut command = command(install, "256m");
        command.arg(class).process_group(0);
        Self {
            class: class.to_owned(),
            command,
            stdin: String::new(),
            timeout: TIMEOUT,
        }
    }

    pub fn arg(mut self, argument: impl AsRef<str>) -> Self {
        self.command.arg(argument.as_ref());
        self
    }

    pub fn args<S: AsRef<str>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        for argument in arguments {
            self.command.arg(argument.as_ref());
        }
        self
    }

    /// What the tool reads on its standard input.
    pub fn stdin(mut self, text: impl Into<String>) -> Self {
        self.stdin = text.into();
        self
    }

    /// The tool is killed when it has not ended by itself in this time.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Runs to the end.
    pub fn run(self) -> Output {
        self.spawn().finish()
    }

    /// Runs to the end and demands exit status 0; returns what it printed.
    pub fn succeed(self) -> String {
        let output = self.run();
        assert!(output.success(), "{output}");
        output.stdout
    }

    /// Starts it.
    pub fn spawn(mut self) -> Running {
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("java: {error}"));
        let mut stdin = child.stdin.take().expect("piped");
        let text = self.stdin;
        let writer = thread::spawn(move || {
            // A tool that ends early closes its input: its exit status says why.
            if let Err(error) = stdin.write_all(text.as_bytes()) {
                eprintln!("stdin of a tool: {error}");
            }
        });
        let stdout = Capture::of(child.stdout.take().expect("piped"));
        let stderr = Capture::of(child.stderr.take().expect("piped"));
        let deadline = Instant::now() + self.timeout;
        Running {
            class: self.class,
            child,
            writer: Some(writer),
            stdout,
            stderr,
            deadline,
        }
    }
}

/// Collects a pipe as it fills, so that the tool never blocks on it.
struct Capture {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Capture {
    fn of(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&bytes);
        let reader = thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(n @ 1..) = pipe.read(&mut buffer) {
                sink.lock()
                    .expect("no panic under the lock")
                    .extend_from_slice(&buffer[..n]);
            }
        });
        Self {
            bytes,
            reader: Some(reader),
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().expect("no panic under the lock")).into_owned()
    }

    fn finish(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader does not panic");
        }
        self.text()
    }
}

/// A tool that runs. Dropping it kills it.
pub struct Running {
    class: String,
    child: Child,
    writer: Option<JoinHandle<()>>,
    stdout: Capture,
    stderr: Capture,
    deadline: Instant,
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("our own child").is_none()
    }

    /// Waits until its standard output satisfies `condition`.
    pub fn wait_for_output(&mut self, what: &str, condition: impl Fn(&str) -> bool) {
        while !condition(&self.stdout()) {
            if !self.is_running() && condition(&self.stdout.finish()) {
                return;
            }
            let gone = !self.is_running();
            assert!(
                !gone && Instant::now() < self.deadline,
                "{}: {what} was never printed (ended: {gone}); stdout: {}; stderr: {}",
                self.class,
                self.stdout(),
                self.stderr.text()
            );
            thread::sleep(POLL);
        }
    }

    /// Asks it to end (SIGTERM: the tools close their clients and print their last lines) and waits.
    pub fn terminate(self) -> Output {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("our own child");
        self.finish()
    }

    /// Waits for its end; kills it at the deadline.
    pub fn finish(mut self) -> Output {
        let mut killed = false;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("our own child") {
                break status;
            }
            if !killed && Instant::now() > self.deadline {
                self.child.kill().expect("our own child");
                killed = true;
            }
            thread::sleep(POLL);
        };
        if let Some(writer) = self.writer.take() {
            writer.join().expect("the writer does not panic");
        }
        Output {
            class: std::mem::take(&mut self.class),
            status,
            timed_out: killed,
            stdout: self.stdout.finish(),
            stderr: self.stderr.finish(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.is_running() {
            self.child.kill().expect("our own child");
            self.child.wait().expect("our own child");
        }
    }
}

/// How a tool ended.
pub struct Output {
    class: String,
    pub status: ExitStatus,
    pub timed_out: bool,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    pub fn success(&self) -> bool {
        self.status.success() && !self.timed_out
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let late = if self.timed_out {
            " (killed: it did not end in time)"
        } else {
            ""
        };
        write!(
            f,
            "{}: {}{late}\nstdout: {}\nstderr: {}",
            self.class, self.status, self.stdout, self.stderr
        )
    }
}
