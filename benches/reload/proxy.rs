//! The programs that are told of a new configuration, and how.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::common::contender::{kproxy_at, kproxy_command};
use crate::common::process::{Process, resident};
use crate::fleet::Fleet;

/// For anything that is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks at something that is measured in milliseconds.
const TICK: Duration = Duration::from_millis(1);

/// A program that cannot start has ended by then.
const SETTLED: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Kproxy,
    Haproxy,
    Nginx,
}

impl Program {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Kproxy => "kproxy",
            Self::Haproxy => "HAProxy",
            Self::Nginx => "nginx",
        }
    }

    /// What tells it of a new file.
    pub(crate) const fn reload_signal(self) -> Signal {
        match self {
            Self::Kproxy | Self::Nginx => Signal::HUP,
            Self::Haproxy => Signal::USR2,
        }
    }

    fn command(self, directory: &Path) -> Command {
        let file = directory.join("configuration");
        match self {
            Self::Kproxy => kproxy_command(&file, directory, None),
            Self::Haproxy => {
                let mut haproxy = Command::new("haproxy");
                haproxy.arg("-W").arg("-db").arg("-f").arg(file);
                haproxy
            }
            Self::Nginx => {
                let mut nginx = Command::new("nginx");
                nginx.arg("-p").arg(directory).arg("-c").arg(file);
                nginx.arg("-e").arg(directory.join("nginx.log"));
                nginx
            }
        }
    }
}

/// A running program with a configuration of its own.
pub(crate) struct Proxy {
    pub(crate) program: Program,
    process: Process,
    directory: PathBuf,
    brokers: [String; 2],
}

impl Proxy {
    /// Starts it on `fleet` and waits until the last cluster accepts.
    ///
    /// # Errors
    /// When it is missing or does not start.
    pub(crate) fn start(
        program: Program,
        fleet: &Fleet,
        brokers: &[String; 2],
        directory: &Path,
    ) -> io::Result<Self> {
        let directory = directory.join(program.name());
        fs::create_dir(&directory)?;
        let command = program.command(&directory);
        Self::run(program, command, fleet, brokers, directory)
    }

    /// Starts the build of kproxy at `path` in `directory`, which is there.
    pub(crate) fn start_at(
        path: &Path,
        fleet: &Fleet,
        brokers: &[String; 2],
        directory: &Path,
    ) -> io::Result<Self> {
        let command = kproxy_at(path, &directory.join("configuration"), directory, None);
        Self::run(Program::Kproxy, command, fleet, brokers, directory.to_owned())
    }

    fn run(
        program: Program,
        mut command: Command,
        fleet: &Fleet,
        brokers: &[String; 2],
        directory: PathBuf,
    ) -> io::Result<Self> {
        let text = fleet.text(program, brokers);
        fs::write(directory.join("configuration"), &text)?;
        command
            .current_dir(&directory)
            .stdout(Stdio::null())
            .stderr(File::create(directory.join("log"))?);
        let mut process = Process::start(&mut command)?;
        let last = fleet.clusters.last().map_or(0, |cluster| cluster.port());
        process.wait_for_accept(SocketAddr::from((Ipv4Addr::LOCALHOST, last)), PATIENCE)?;
        // Somebody else may have taken a port since it was found free; then it was them who accepted.
        std::thread::sleep(SETTLED);
        let mut proxy = Self {
            program,
            process,
            directory,
            brokers: brokers.clone(),
        };
        if proxy.process.has_ended() {
            return Err(io::Error::other(proxy.log().last_words()));
        }
        Ok(proxy)
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Replaces the file by rename. The time is that of the rename.
    pub(crate) fn write(&self, fleet: &Fleet) -> io::Result<Instant> {
        self.write_text(&fleet.text(self.program, &self.brokers))
    }

    pub(crate) fn write_text(&self, text: &str) -> io::Result<Instant> {
        let beside = self.directory.join("configuration.new");
        fs::write(&beside, text)?;
        let begun = Instant::now();
        fs::rename(beside, self.directory.join("configuration"))?;
        Ok(begun)
    }

    /// Tells it to look at the file.
    pub(crate) fn signal(&self) -> io::Result<Instant> {
        let begun = Instant::now();
        signal(self.process.id(), self.program.reload_signal())?;
        Ok(begun)
    }

    /// Where kproxy takes commands.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.join("kproxy/control.sock")
    }

    /// Resident bytes of it and its children.
    pub(crate) fn resident(&self) -> u64 {
        let pid = self.process.id();
        let children = fs::read(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let children = String::from_utf8_lossy(&children);
        let children = children.split_whitespace().filter_map(|child| child.parse().ok());
        children
            .chain([pid])
            .filter_map(|process: u32| resident(process).ok())
            .sum()
    }

    pub(crate) fn log(&self) -> Log {
        Log {
            path: self.directory.join("log"),
            read: 0,
            rest: String::new(),
        }
    }
}

impl Drop for Proxy {
    /// Workers of HAProxy and nginx outlive a master that is killed.
    fn drop(&mut self) {
        let pid = self.process.id();
        let deadline = Instant::now() + Duration::from_secs(10);
        if signal(pid, Signal::TERM).is_ok() {
            while !self.process.has_ended() && Instant::now() < deadline {
                std::thread::sleep(TICK);
            }
        }
    }
}

fn signal(pid: u32, signal: Signal) -> io::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::other("no process"))?;
    Ok(kill_process(pid, signal)?)
}

/// What kproxy says, from some moment on.
pub(crate) struct Log {
    path: PathBuf,
    read: u64,
    rest: String,
}

/// What the log says of a reload that was applied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Applied {
    /// From the hint, or being asked, to the commit.
    pub(crate) milliseconds: f64,
    pub(crate) commit_microseconds: f64,
}

impl Log {
    /// Forgets what has been said.
    pub(crate) fn skip(&mut self) -> io::Result<()> {
        self.read = fs::metadata(&self.path)?.len();
        self.rest.clear();
        Ok(())
    }

    /// The last of all that has been said.
    pub(crate) fn last_words(&self) -> String {
        let said = fs::read(&self.path).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let lines: Vec<&str> = said.lines().rev().take(5).collect();
        lines.join("\n")
    }

    /// The next line that contains `words`, once it is there.
    ///
    /// # Errors
    /// When it does not come.
    pub(crate) fn next(&mut self, words: &str) -> io::Result<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            while let Some((line, rest)) = self.rest.split_once('\n') {
                let (line, rest) = (line.to_owned(), rest.to_owned());
                self.rest = rest;
                if line.contains(words) {
                    return Ok(line);
                }
                if line.contains("reload rejected") {
                    return Err(io::Error::other(line));
                }
            }
            if fs::metadata(&self.path)?.len() > self.read {
                let mut file = File::open(&self.path)?;
                file.seek(SeekFrom::Start(self.read))?;
                let mut said = Vec::new();
                self.read += file.read_to_end(&mut said)? as u64;
                self.rest += &String::from_utf8_lossy(&said);
            } else if Instant::now() > deadline {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("no {words:?} in the log"),
                ));
            } else {
                std::thread::sleep(TICK);
            }
        }
    }

    /// The next reload that was applied.
    pub(crate) fn applied(&mut self) -> io::Result<Applied> {
        let line = self.next("reload applied")?;
        let field = |name: &str| -> Option<f64> {
            let rest = line.split_once(name)?.1;
            rest.split(' ').next()?.parse().ok()
        };
        let figures = field("duration_ms=").zip(field("commit_us="));
        let (milliseconds, commit_microseconds) = figures.ok_or_else(|| io::Error::other(line.clone()))?;
        Ok(Applied {
            milliseconds,
            commit_microseconds,
        })
    }
}

/// Tries again and again until it holds; the time when it did.
///
/// # Errors
/// When it does not come to hold.
pub(crate) fn until(mut holds: impl FnMut() -> bool) -> io::Result<Instant> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if holds() {
            return Ok(Instant::now());
        }
        if Instant::now() > deadline {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the new configuration is not served",
            ));
        }
        std::thread::sleep(TICK);
    }
}
