//! Counting a process's system calls while it is under load.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal};

/// `perf stat` attached to one process, counting only between [`Counter::resume`] and [`Counter::pause`].
pub(crate) struct Counter {
    perf: Child,
    control: File,
    acknowledged: File,
    output: PathBuf,
}

const EVENT: &str = "raw_syscalls:sys_enter";

/// Why system calls cannot be counted here, if they cannot.
pub(crate) fn unavailable() -> Option<String> {
    let attempt = Command::new("perf")
        .args(["stat", "-x", ",", "-e", EVENT, "true"])
        .output();
    match attempt {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(format!("perf: {error}")),
    }
}

impl Counter {
    /// # Errors
    /// When `perf` cannot attach.
    pub(crate) fn attach(pid: u32, directory: &Path) -> io::Result<Self> {
        let (control, acknowledged) = (directory.join("perf.control"), directory.join("perf.ack"));
        let output = directory.join("perf.out");
        for pipe in [&control, &acknowledged] {
            if !pipe.exists() && !Command::new("mkfifo").arg(pipe).status()?.success() {
                return Err(io::Error::other("mkfifo"));
            }
        }
        let perf = Command::new("perf")
            .args([
                "stat",
                "-x",
                ",",
                "-e",
                EVENT,
                "--delay",
                "-1",
                "--pid",
                &pid.to_string(),
                "--control",
            ])
            .arg(format!("fifo:{},{}", control.display(), acknowledged.display()))
            .arg("--output")
            .arg(&output)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        // Opened for both directions, so that neither open waits for perf.
        let open = |pipe: &Path| File::options().read(true).write(true).open(pipe);
        Ok(Self {
            perf,
            control: open(&control)?,
            acknowledged: open(&acknowledged)?,
            output,
        })
    }

    pub(crate) fn resume(&mut self) -> io::Result<()> {
        self.tell("enable\n")
    }

    pub(crate) fn pause(&mut self) -> io::Result<()> {
        self.tell("disable\n")
    }

    /// Ends `perf`; how many calls it saw.
    pub(crate) fn finish(mut self) -> io::Result<u64> {
        // Interrupted, perf prints; its control pipe knows no command for that.
        rustix::process::kill_process(Pid::from_child(&self.perf), Signal::INT)?;
        self.perf.wait()?;
        let output = fs::read(&self.output)?;
        let counted = String::from_utf8_lossy(&output)
            .lines()
            .filter(|line| line.contains(EVENT))
            .find_map(|line| line.split(',').next()?.parse().ok());
        counted.ok_or_else(|| io::Error::other("perf counted nothing"))
    }

    fn tell(&mut self, command: &str) -> io::Result<()> {
        if let Some(status) = self.perf.try_wait()? {
            return Err(io::Error::other(format!("perf ended with {status}")));
        }
        self.control.write_all(command.as_bytes())?;
        let mut acknowledgement = [0; "ack\n".len()];
        self.acknowledged.read_exact(&mut acknowledgement)
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        // Fails only when perf has ended already.
        self.perf.kill().and_then(|()| self.perf.wait()).ok();
    }
}
