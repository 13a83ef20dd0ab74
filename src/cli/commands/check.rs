//! `kproxy check`: exit code 0 if a start would succeed as far as can be seen from here, 2 otherwise.

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
use crate::cli::CommandExit;
use crate::cli::console::Console;
use crate::cli::table::count;
use crate::cluster;
use crate::config::{Diagnostic, Severity};
use crate::control::{check_targets, try_start, unreachable_servers, unresolved_servers};
use crate::endpoint::{Bind, BindAddr, SystemBind};
use crate::model::{self, BindIp, ProxyModel, ReloadChecks};
use crate::reload::overlap;
use crate::time::unix_seconds;

/// Time limit for the running process to say what it listens on.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// End of the text of `--help`.
const MORE: &str = "\
Exit codes:
  0  a start would succeed, as far as can be seen from here; there may be warnings
  2  the file has errors, or the command line is wrong

Example:
  kproxy check -c /etc/kproxy/proxy.yaml
";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub struct Arguments {
    /// The file to check. `-` is standard input; relative paths in it are relative to the current directory.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// Treat broker names that do not resolve as errors [default: as warnings].
    #[arg(long)]
    strict: bool,
    /// Test the bootstrap servers as a reload does with `reload.checks.connect`, and treat a target of which too few servers
    /// pass as an error [default: as `reload.checks` in the file says].
    #[arg(long)]
    connect: bool,
}

/// Result, as `--json` prints it.
#[derive(Debug, Serialize)]
struct CheckResult {
    violations: Vec<Finding>,
    /// Findings that do not prevent a start.
    warnings: Vec<Finding>,
}

/// A violation or a warning. Displays as `FILE:LINE:COL: error: WHAT`, or `FILE: error: WHAT` if its reason is outside the
/// file.
#[derive(Debug, Serialize)]
struct Finding {
    file: String,
    /// Line, from 1.
    line: Option<u32>,
    /// Column in characters, from 1.
    column: Option<u32>,
    severity: &'static str,
    message: String,
}

impl Arguments {
    /// Returns no file: the control socket of the checked file is known once it has been read.
    #[expect(clippy::unused_self, reason = "every command has this")]
    pub(super) fn config(&self) -> Option<PathBuf> {
        None
    }

    pub(super) fn run(self, console: &Console) -> CommandExit {
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
                let tested = match self.checks(&model) {
                    Some(checks) => self.checked(&model, &checks),
                    None => (Vec::new(), self.unanswered(&model, &unresolved)),
                };
                found.extend(unresolved);
                violations.extend(tested.0);
                warnings.extend(tested.1);
                violations.extend(self.environment(model, console));
            }
        }
        for finding in warnings.iter().chain(&violations) {
            console.print_diagnostic(finding);
        }
        let exit = if violations.is_empty() {
            CommandExit::Fine
        } else {
            CommandExit::Rejected
        };
        let result = CheckResult { violations, warnings };
        console.show(&result, || match exit {
            CommandExit::Fine => summary,
            _ => String::new(),
        });
        exit
    }

    /// Returns what would make a start fail outside the file, found by the code that starts.
    fn environment(&self, model: ProxyModel, console: &Console) -> Vec<Finding> {
        let binder = Arc::new(BindBesideRunning {
            console: console.clone(),
            socket: model.control_socket.clone(),
            held: OnceLock::new(),
        });
        let mut errors = Vec::new();
        if let Some(management) = &model.management {
            errors.extend(binder.management(management.address));
        }
        match try_start(model, binder) {
            Ok(found) => errors.extend(found.iter().map(ToString::to_string)),
            Err(error) => errors.push(format!("cannot start threads: {error}")),
        }
        let violation = |message| self.finding(Severity::Error, message);
        errors.into_iter().map(violation).collect()
    }

    /// Returns broker names that do not resolve.
    fn unresolved(&self, model: &ProxyModel) -> Vec<Finding> {
        let severity = if self.strict { Severity::Error } else { Severity::Warning };
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return vec![self.finding(severity, format!("cannot resolve broker names: {error}"))],
        };
        let warnings = runtime.block_on(unresolved_servers(model.clusters.values().map(AsRef::as_ref)));
        // Do not wait for a look-up that hangs.
        runtime.shutdown_background();
        let finding = |message| self.finding(severity, message);
        warnings.into_iter().map(finding).collect()
    }

    /// Returns brokers that do not answer: warnings, because they may answer once kproxy runs.
    fn unanswered(&self, model: &ProxyModel, unresolved: &[Finding]) -> Vec<Finding> {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                let message = format!("cannot try to connect to brokers: {error}");
                return vec![self.finding(Severity::Warning, message)];
            }
        };
        let warnings = runtime.block_on(unreachable_servers(model));
        runtime.shutdown_background();
        // A name that does not resolve has been reported already.
        let is_new = |warning: &String| {
            let server = warning.split(" of ").next().unwrap_or_default();
            !unresolved.iter().any(|known| known.message.starts_with(&format!("{server} of ")))
        };
        let new = warnings.into_iter().filter(is_new);
        new.map(|message| self.finding(Severity::Warning, message)).collect()
    }

    /// The checks that a reload of this file would make.
    fn checks(&self, model: &ProxyModel) -> Option<ReloadChecks> {
        let mut checks = model.reload.checks.clone();
        checks.connect |= self.connect;
        checks.connect.then_some(checks)
    }

    /// Tests the targets as a reload does. Returns what would reject it, and what else does not pass.
    fn checked(&self, model: &ProxyModel, checks: &ReloadChecks) -> (Vec<Finding>, Vec<Finding>) {
        let error = |message| self.finding(Severity::Error, message);
        match check_targets(model, checks) {
            Ok(verdict) => {
                let warning = |message| self.finding(Severity::Warning, message);
                (
                    verdict.rejected.into_iter().map(error).collect(),
                    verdict.tolerated.into_iter().map(warning).collect(),
                )
            }
            Err(why) => {
                let message = format!("the bootstrap servers could not be tested: {why}");
                (vec![error(message)], Vec::new())
            }
        }
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
        // Gateways may share an address.
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

/// Binds like the system, but succeeds for addresses that the running process listens on: a reload would not bind them.
struct BindBesideRunning {
    console: Console,
    /// `control.socket` of the checked file.
    socket: Option<PathBuf>,
    /// Addresses that the process listens on; asked for when an address is in use.
    held: OnceLock<Vec<SocketAddr>>,
}

impl BindBesideRunning {
    fn holds(&self, address: BindAddr) -> bool {
        let held = self.held.get_or_init(|| self.ask().unwrap_or_default());
        held.iter().any(|&own| overlaps(address, own))
    }

    /// Asks the running process; `None` if there is none.
    fn ask(&self) -> Option<Vec<SocketAddr>> {
        let ask = || {
            let mut client = self.console.connect_any(self.socket.as_deref()).ok()?;
            let listeners = client.get(&RequestTarget::new("/listeners"), Some(ANSWER_TIMEOUT));
            listeners.ok()?.read().ok()
        };
        // The client blocks, and this thread runs the trial: another thread asks.
        std::thread::scope(|scope| scope.spawn(ask).join().ok().flatten())
    }

    /// Returns why the management address cannot be bound.
    fn management(&self, address: SocketAddr) -> Option<String> {
        let error = admin::bind(address).err()?;
        let wanted = BindAddr {
            ip: BindIp::Ip(address.ip()),
            port: address.port(),
        };
        (!self.holds(wanted)).then(|| error.to_string())
    }
}

impl Bind for BindBesideRunning {
    fn bind(&self, address: BindAddr) -> io::Result<TcpListener> {
        match SystemBind.bind(address) {
            // Any other address will do for the trial.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && self.holds(address) => {
                TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            }
            bound => bound,
        }
    }
}

/// Returns whether a listener on `own` conflicts with `address`.
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
