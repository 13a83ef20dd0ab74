//! `kproxy check`: exit 0 when a start would go well as far as can be seen from here, 2 when not.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use clap::Args;
use serde::Serialize;

use crate::admin::{self, RequestTarget};
use crate::cli::Exit;
use crate::cli::console::Console;
use crate::cluster;
use crate::config::{Diagnostic, Severity};
use crate::control::{trial, unanswered, unresolved};
use crate::endpoint::{Bind, BindAddr, SystemBind};
use crate::model::{self, BindIp, ProxyModel};
use crate::reload::overlap;
use crate::time::unix_seconds;

/// Time limit for the running process to say what it listens on.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// What `--help` ends with.
const MORE: &str = "\
Exit codes:
  0  a start would go well, as far as can be seen from here; there may be warnings
  2  the file has violations, or the command line is wrong

Example:
  kproxy check -c /etc/kproxy/proxy.yaml
";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub struct Arguments {
    /// The file to check. `-` reads standard input, in which relative paths are relative to the current directory.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// Makes errors of names of brokers that do not resolve [default: warnings].
    #[arg(long)]
    strict: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Verdict {
    violations: Vec<Finding>,
    /// What is odd, and no reason not to start.
    warnings: Vec<Finding>,
}

/// A violation or a warning. Displays as `FILE:LINE:COL: error: WHAT`, or `FILE: error: WHAT` for what only the world
/// outside the file knows.
#[derive(Debug, Serialize)]
struct Finding {
    file: String,
    /// From 1.
    line: Option<u32>,
    /// From 1, in characters.
    column: Option<u32>,
    severity: &'static str,
    message: String,
}

impl Arguments {
    /// The file that names the control socket. That of a file that is checked is known once it has been read.
    #[expect(clippy::unused_self, reason = "every command has this")]
    pub(super) fn config(&self) -> Option<PathBuf> {
        None
    }

    pub(super) fn run(self, console: &Console) -> Exit {
        let loaded = model::load_once(&self.config);
        let now = loaded.warnings.at(unix_seconds(SystemTime::now()));
        let mut warnings: Vec<Finding> = now.into_iter().map(Finding::of).collect();
        let mut violations = Vec::new();
        let mut summary = String::new();
        match loaded.for_start() {
            Err(diagnostics) => violations.extend(diagnostics.into_iter().map(Finding::of)),
            Ok((model, _)) => {
                summary = self.summary(&model);
                let unresolved = self.unresolved(&model);
                let found = if self.strict { &mut violations } else { &mut warnings };
                let unanswered = self.unanswered(&model, &unresolved);
                found.extend(unresolved);
                warnings.extend(unanswered);
                violations.extend(self.outside(model, console));
            }
        }
        for finding in warnings.iter().chain(&violations) {
            console.print_diagnostic(finding);
        }
        let exit = if violations.is_empty() {
            Exit::Fine
        } else {
            Exit::Rejected
        };
        let verdict = Verdict { violations, warnings };
        console.show(&verdict, || match exit {
            Exit::Fine => summary,
            _ => String::new(),
        });
        exit
    }

    /// What stands against the file in the world it would run in, found by the code that starts.
    fn outside(&self, model: ProxyModel, console: &Console) -> Vec<Finding> {
        let binder = Arc::new(BesideTheRunning {
            console: console.clone(),
            socket: model.control_socket.clone(),
            held: OnceLock::new(),
        });
        let mut against = Vec::new();
        if let Some(management) = &model.management {
            against.extend(binder.management(management.address));
        }
        match trial(model, binder) {
            Ok(errors) => against.extend(errors.iter().map(ToString::to_string)),
            Err(error) => against.push(format!("cannot start threads: {error}")),
        }
        let violation = |message| self.finding(Severity::Error, message);
        against.into_iter().map(violation).collect()
    }

    /// Names of brokers that do not resolve.
    fn unresolved(&self, model: &ProxyModel) -> Vec<Finding> {
        let severity = if self.strict { Severity::Error } else { Severity::Warning };
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return vec![self.finding(severity, format!("names cannot be looked up: {error}"))],
        };
        let warnings = runtime.block_on(unresolved(model.clusters.values().map(AsRef::as_ref)));
        // A look-up that hangs is not waited for.
        runtime.shutdown_background();
        let finding = |message| self.finding(severity, message);
        warnings.into_iter().map(finding).collect()
    }

    /// Brokers that do not answer. They may well do so by the time kproxy runs.
    fn unanswered(&self, model: &ProxyModel, unresolved: &[Finding]) -> Vec<Finding> {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                let message = format!("brokers cannot be tried out: {error}");
                return vec![self.finding(Severity::Warning, message)];
            }
        };
        let warnings = runtime.block_on(unanswered(model));
        runtime.shutdown_background();
        // A name that does not resolve has been reported already.
        let is_news = |warning: &String| {
            let server = warning.split(" of ").next().unwrap_or_default();
            !unresolved.iter().any(|told| told.message.starts_with(&format!("{server} of ")))
        };
        let news = warnings.into_iter().filter(is_news);
        news.map(|message| self.finding(Severity::Warning, message)).collect()
    }

    fn finding(&self, severity: Severity, message: String) -> Finding {
        Finding {
            file: self.config.display().to_string(),
            line: None,
            column: None,
            severity: named(severity),
            message,
        }
    }

    fn summary(&self, model: &ProxyModel) -> String {
        let clusters = || model.clusters.values();
        let gateways: usize = clusters().map(|cluster| cluster.gateways.len()).sum();
        let wanted = clusters().flat_map(|cluster| cluster::first_endpoints(cluster));
        // Gateways may share one.
        let addresses: HashSet<BindAddr> = wanted
            .map(|wanted| wanted.address)
            .filter(|address| address.port != 0)
            .collect();
        let name = match self.config == Path::new("-") {
            true => "standard input".into(),
            false => self.config.display().to_string(),
        };
        format!(
            "{name} is fine: {}, {}, {}\n",
            count(model.clusters.len(), "cluster"),
            count(gateways, "gateway"),
            match addresses.len() {
                1 => "1 address".into(),
                many => format!("{many} addresses"),
            }
        )
    }
}

impl Finding {
    fn of(diagnostic: Diagnostic) -> Self {
        Self {
            file: diagnostic.file.to_string(),
            line: Some(diagnostic.line),
            column: Some(diagnostic.col),
            severity: named(diagnostic.severity),
            message: diagnostic.message,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}: {}", self.severity, self.message)
    }
}

fn named(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Binds like the system, and takes what the running process listens on for bound: a reload of it would not bind that.
struct BesideTheRunning {
    console: Console,
    /// Where the file says that the process answers.
    socket: Option<PathBuf>,
    /// What it listens on, asked for when an address is in use.
    held: OnceLock<Vec<SocketAddr>>,
}

impl BesideTheRunning {
    fn holds(&self, address: BindAddr) -> bool {
        let held = self.held.get_or_init(|| self.ask().unwrap_or_default());
        held.iter().any(|&own| overlaps(address, own))
    }

    /// `None` where no process answers.
    fn ask(&self) -> Option<Vec<SocketAddr>> {
        let ask = || {
            let mut client = self.console.connect_any(self.socket.as_deref()).ok()?;
            let listeners = client.get(&RequestTarget::new("/listeners"), Some(ANSWER_TIMEOUT));
            listeners.ok()?.read().ok()
        };
        // Not on this thread, which runs the trial: the client blocks.
        std::thread::scope(|scope| scope.spawn(ask).join().ok().flatten())
    }

    /// What stands against the address of HTTP.
    fn management(&self, address: SocketAddr) -> Option<String> {
        let error = admin::bind(address).err()?;
        let wanted = BindAddr {
            ip: BindIp::Ip(address.ip()),
            port: address.port(),
        };
        (!self.holds(wanted)).then(|| error.to_string())
    }
}

impl Bind for BesideTheRunning {
    fn bind(&self, address: BindAddr) -> io::Result<TcpListener> {
        match SystemBind.bind(address) {
            // Nobody will see where the stand-in is.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && self.holds(address) => {
                TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            }
            bound => bound,
        }
    }
}

/// Whether a listener on `own` stands in the way of `address`, and would make way for it.
fn overlaps(address: BindAddr, own: SocketAddr) -> bool {
    address.port == own.port() && overlap(address.ip, BindIp::Ip(own.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_listener_of_the_same_port_makes_way() {
        let at = |ip, port| BindAddr { ip, port };
        let own: SocketAddr = "127.0.0.1:9192".parse().unwrap();
        let everywhere: SocketAddr = "[::]:9192".parse().unwrap();
        let loopback = BindIp::Ip(own.ip());
        let other = BindIp::Ip("127.0.0.2".parse().unwrap());
        assert!(overlaps(at(loopback, 9192), own) && overlaps(at(BindIp::Any, 9192), own));
        assert!(overlaps(at(other, 9192), everywhere));
        assert!(!overlaps(at(other, 9192), own) && !overlaps(at(loopback, 9193), own));
    }
}
