//! Programs that a test runs: their input, their output, their end.

use std::{
    fmt,
    io::{Read, Write},
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Longest run of a tool whose test sets no limit.
const TIMEOUT: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(20);

/// A program that is to be run.
pub struct Tool {
    name: String,
    command: Command,
    stdin: String,
    timeout: Duration,
}

impl Tool {
    /// Runs `command`, which messages call `name`. It gets a process group of its own.
    pub fn of(name: &str, mut command: Command) -> Self {
        command.process_group(0);
        Self {
            name: name.to_owned(),
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
            .unwrap_or_else(|error| panic!("{}: {error}", self.name));
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
            name: self.name,
            child,
            writer: Some(writer),
            stdout,
            stderr,
            deadline,
        }
    }
}

/// Collects a pipe as it fills, so that the tool never blocks on it.
pub struct Capture {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Capture {
    pub fn of(mut pipe: impl Read + Send + 'static) -> Self {
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

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().expect("no panic under the lock")).into_owned()
    }

    pub fn finish(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader does not panic");
        }
        self.text()
    }
}

/// A tool that runs. Dropping it kills it.
pub struct Running {
    name: String,
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

    /// What it has told so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
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
                self.name,
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

    /// Ends it at once.
    pub fn kill(mut self) -> Output {
        self.child.kill().expect("our own child");
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
            name: std::mem::take(&mut self.name),
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
    name: String,
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
            self.name, self.status, self.stdout, self.stderr
        )
    }
}
