//! Processes: starting them on a CPU, ending them with certainty, and reading what they used.

use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use tokio::task::LocalSet;

/// Runs `future` and what it spawns locally on this thread.
///
/// # Errors
/// When the runtime cannot be built.
pub(crate) fn run_local<T>(future: impl Future<Output = T>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(LocalSet::new().block_on(&runtime, future))
}

/// Runs this program again on CPU 0, where its children stay too, with `--pinned` as a last argument; how that went.
/// `None` when there is no `taskset`: go on unpinned.
pub(crate) fn again_on_first_cpu() -> io::Result<Option<ExitCode>> {
    let mut again = command(&std::env::current_exe()?, Some(0));
    match again.args(std::env::args_os().skip(1)).arg("--pinned").status() {
        Ok(status) if status.success() => Ok(Some(ExitCode::SUCCESS)),
        Ok(status) => Err(io::Error::other(format!("the pinned run ended with {status}"))),
        Err(error) => {
            println!("not pinned to one CPU (taskset: {error}): ratios below are not those of a shared core");
            Ok(None)
        }
    }
}

/// A command that starts on `cpu`, or wherever this process may run.
pub(crate) fn command(program: &Path, cpu: Option<usize>) -> Command {
    match cpu {
        None => Command::new(program),
        Some(cpu) => {
            let mut pinned = Command::new("taskset");
            pinned.arg("-c").arg(cpu.to_string()).arg(program);
            pinned
        }
    }
}

/// A child process that does not outlive this value.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// # Errors
    /// When the program cannot be started.
    pub(crate) fn start(command: &mut Command) -> io::Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command.stdin(Stdio::null()).spawn();
        child
            .map(|child| Self { child })
            .map_err(|error| io::Error::new(error.kind(), format!("{program}: {error}")))
    }

    /// Starts this very binary in a role of [`super::played_role`]; the address it says it serves.
    pub(crate) fn role(arguments: &[&str], cpu: Option<usize>) -> io::Result<(Self, String)> {
        let mut command = command(&std::env::current_exe()?, cpu);
        let mut process = Self::start(command.arg("--role").args(arguments).stdout(Stdio::piped()))?;
        let stdout = process
            .child
            .stdout
            .take()
            .ok_or_else(|| io::Error::other("no stdout"))?;
        let mut address = String::new();
        BufReader::new(stdout).read_line(&mut address)?;
        Ok((process, address.trim_end().to_owned()))
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until `address` accepts, the process ends, or `patience` does.
    pub(crate) fn wait_for_accept(&mut self, address: SocketAddr, patience: Duration) -> io::Result<()> {
        let deadline = Instant::now() + patience;
        loop {
            if TcpStream::connect_timeout(&address, patience).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!(
                    "ended with {status} before it accepted"
                )));
            }
            if Instant::now() > deadline {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "does not accept"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when the process is gone, which is what is wanted.
        self.child.kill().and_then(|()| self.child.wait()).ok();
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// CPU time a process has used so far, from the scheduler's own run-time counters.
pub(crate) fn cpu_time(pid: u32) -> io::Result<Duration> {
    let mut nanoseconds = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread that ends between the listing and the reading no longer counts.
        let Ok(schedstat) = text(&task?.path().join("schedstat")) else {
            continue;
        };
        let ran: Option<u64> = schedstat.split(' ').next().and_then(|field| field.parse().ok());
        nanoseconds += ran.ok_or_else(|| io::Error::other("schedstat"))?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// CPU time a process has used so far, that of its ended threads included, in ticks of 10 ms.
pub(crate) fn whole_cpu_time(pid: u32) -> io::Result<Duration> {
    let stat = text(Path::new(&format!("/proc/{pid}/stat")))?;
    // Behind the name of the program, which may have spaces: `utime` and `stime` are the 14th and the 15th field of all.
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields = rest.split_whitespace().skip(11).take(2);
    let ticks: Vec<u64> = fields.filter_map(|field| field.parse().ok()).collect();
    let [user, system] = ticks[..] else {
        return Err(io::Error::other("stat"));
    };
    let second = rustix::param::clock_ticks_per_second().max(1);
    Ok(Duration::from_secs_f64((user + system) as f64 / second as f64))
}

/// Resident memory of a process in bytes.
pub(crate) fn resident(pid: u32) -> io::Result<u64> {
    let status = text(Path::new(&format!("/proc/{pid}/status")))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes: Option<u64> = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    kilobytes
        .map(|kilobytes| kilobytes * 1024)
        .ok_or_else(|| io::Error::other("VmRSS"))
}

/// Descriptors a process has open.
pub(crate) fn descriptors(pid: u32) -> io::Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

/// The name of the machine's CPU, how many it has, its caches, and its kernel.
pub(crate) fn machine() -> String {
    let read = |path| text(Path::new(path)).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let models = || {
        info.lines()
            .filter_map(|line| line.strip_prefix("model name")?.split_once(": "))
    };
    let model = models().next().map_or("unknown CPU", |(_, name)| name);
    let family = |key: &str| {
        info.lines()
            .find_map(|line| line.strip_prefix(key)?.split_once(": "))
    };
    let number = |key| family(key).map_or("?", |(_, number)| number);
    format!(
        "{} × {model} (family {}, model {}; {}), Linux {}",
        models().count(),
        number("cpu family"),
        number("model\t"),
        caches(),
        read("/proc/sys/kernel/osrelease").trim()
    )
}

/// The data caches of CPU 0 as the kernel lists them, such as `L1 48K, L2 1024K, L3 32768K`.
fn caches() -> String {
    let mut caches = Vec::new();
    for index in 0.. {
        let read = |name| {
            text(Path::new(&format!(
                "/sys/devices/system/cpu/cpu0/cache/index{index}/{name}"
            )))
        };
        let (Ok(level), Ok(kind), Ok(size)) = (read("level"), read("type"), read("size")) else {
            break;
        };
        if kind.trim() != "Instruction" {
            caches.push(format!("L{} {}", level.trim(), size.trim()));
        }
    }
    if caches.is_empty() {
        "caches unknown".to_owned()
    } else {
        caches.join(", ")
    }
}

fn text(path: &Path) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned())
}

/// Raises the limit on open descriptors towards `wanted`, as far as this user may; what the limit is now.
pub(crate) fn allow_descriptors(wanted: u64) -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let now = getrlimit(Resource::Nofile);
    let current = now.current.unwrap_or(u64::MAX);
    if current >= wanted {
        return current;
    }
    let hard = now.maximum.unwrap_or(u64::MAX);
    // Beyond the hard limit only a privileged process may go, and not every root is one.
    for (current, maximum) in [(wanted, hard.max(wanted)), (hard.min(wanted), hard)] {
        let limit = Rlimit {
            current: Some(current),
            maximum: Some(maximum),
        };
        if setrlimit(Resource::Nofile, limit).is_ok() {
            return current;
        }
    }
    current
}
