//! `kproxy doctor`: exit code 0 if no fault was found, 4 if there are faults, 1 if it cannot run, 2 if the file is bad.

mod machine;
mod options;
mod plans;
mod text;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use clap::Args;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::options::{LoginOptions, TlsOptions};
use super::super::CommandExit;
use super::super::console::Console;
use crate::doctor::client::StepLimits;
use crate::doctor::machine::{MachinePlan, observe};
use crate::doctor::report::{DoctorReport, MachineReport, WalkReport};
use crate::doctor::walk::{PARALLEL, WalkPlan, walk};
use crate::time::{parse_duration, unix_seconds};

/// Walks that run at the same time.
const PARALLEL_WALKS: usize = 8;

/// End of the text of `--help`.
const MORE: &str = "\
Exit codes:
  0  no fault was found; there may be warnings and notes
  1  the command cannot run
  2  the configuration or the command line is wrong
  4  faults were found

Examples:
  kproxy doctor
  kproxy doctor -c /etc/kproxy/proxy.yaml --ca ca.pem
  kproxy doctor kafka.example.com:9443 --tls --ca ca.pem --sasl SCRAM-SHA-256 --username alice --password-file secret
";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub struct Arguments {
    /// Bootstrap addresses of a virtual cluster, `HOST:PORT,HOST:PORT`.
    #[arg(value_name = "BOOTSTRAP", conflicts_with = "config")]
    bootstrap: Option<String>,
    /// Walk the virtual clusters of this configuration file.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Walk this virtual cluster only [default: all of the file].
    #[arg(long, value_name = "CLUSTER", conflicts_with = "bootstrap")]
    cluster: Option<String>,
    /// Walk this gateway only [default: all].
    #[arg(long, value_name = "GATEWAY", conflicts_with = "bootstrap")]
    gateway: Option<String>,
    #[command(flatten)]
    tls: Box<TlsOptions>,
    #[command(flatten)]
    login: Box<LoginOptions>,
    /// Compare with the target cluster behind these brokers, `HOST:PORT,HOST:PORT` [default: those of the file].
    #[arg(long, value_name = "BROKERS", conflicts_with = "config")]
    target: Option<String>,
    /// Connect to the brokers of `--target` with TLS.
    #[arg(long, requires = "target")]
    target_tls: bool,
    /// Write one record to partition 0 of this topic and read it again.
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// Examine the process and its machine, and walk nothing [default, if neither addresses nor a file are given].
    #[arg(long, conflicts_with_all = ["bootstrap", "cluster", "gateway", "topic"])]
    machine: bool,
    /// Manifest of Kubernetes whose `terminationGracePeriodSeconds` is compared with the time of a stop.
    #[arg(long, value_name = "FILE", conflicts_with = "unit")]
    manifest: Option<PathBuf>,
    /// Systemd unit, by name or file, whose `TimeoutStopSec` is compared with the time of a stop.
    #[arg(long, value_name = "UNIT")]
    unit: Option<String>,
    /// Time limit of each step.
    #[arg(long, value_name = "D", value_parser = duration, default_value = "5s")]
    timeout: Duration,
    /// Time limit of the whole examination.
    #[arg(long, value_name = "D", value_parser = duration, default_value = "2m")]
    total_timeout: Duration,
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    parse_duration(text)
        .filter(|duration| !duration.is_zero())
        .ok_or("expected a duration such as `150ms`, `30s`, `5m` or `1h30m`")
}

/// Why the command cannot run.
enum CannotRun {
    /// A message for people.
    Because(String),
    /// The file is bad; what is wrong was printed.
    BadFile,
}

impl Arguments {
    /// Returns the file that names the control socket.
    pub(super) fn config(&self) -> Option<PathBuf> {
        self.config.clone()
    }

    pub(super) fn run(self, console: &Console) -> CommandExit {
        let reported = match self.is_about_machine(console) {
            true => self.machine_plan(console).and_then(|plan| self.look(&plan, console)),
            false => self.plans(console).and_then(|plans| self.walk_all(plans, console)),
        };
        match reported {
            Ok(report) => {
                console.show(&report, || text::summary(&report));
                match report.sound {
                    true => CommandExit::Fine,
                    false => CommandExit::Attention,
                }
            }
            Err(CannotRun::Because(why)) => {
                console.print_error(&why);
                CommandExit::Failed
            }
            Err(CannotRun::BadFile) => CommandExit::Rejected,
        }
    }

    /// Makes the walks of all plans and prints each as soon as those before it are printed.
    fn walk_all(&self, plans: Vec<WalkPlan>, console: &Console) -> Result<DoctorReport, CannotRun> {
        let reports = self.run_within_limits(|limits| {
            walk_plans(plans, limits, |report| console.print_text(&text::walk(report)))
        })?;
        Ok(DoctorReport::of(reports, None))
    }

    /// Examines the process and its machine.
    fn look(&self, plan: &MachinePlan, console: &Console) -> Result<DoctorReport, CannotRun> {
        let began = Instant::now();
        let steps = self.run_within_limits(|limits| observe(plan, limits))?;
        let report = MachineReport::of(&steps, began.elapsed());
        console.print_text(&text::machine(&report));
        Ok(DoctorReport::of(Vec::new(), Some(report)))
    }

    /// Runs `work` on this thread. Does not wait for a look-up that hangs.
    fn run_within_limits<T, F: Future<Output = T>>(&self, work: impl FnOnce(StepLimits) -> F) -> Result<T, CannotRun> {
        let because = |why: String| CannotRun::Because(why);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| because(format!("cannot start: {error}")))?;
        let deadline = Instant::now().checked_add(self.total_timeout);
        let limits = StepLimits {
            step: self.timeout,
            deadline: deadline.ok_or_else(|| because("`--total-timeout` is too long".to_owned()))?,
        };
        let done = runtime.block_on(work(limits));
        runtime.shutdown_background();
        Ok(done)
    }
}

/// Makes the walks; `show` gets their reports in the order of the plans.
async fn walk_plans(plans: Vec<WalkPlan>, limits: StepLimits, show: impl Fn(&WalkReport)) -> Vec<WalkReport> {
    let (turns, connections) = (Arc::new(Semaphore::new(PARALLEL_WALKS)), Arc::new(Semaphore::new(PARALLEL)));
    let mut tasks = JoinSet::new();
    let mut reports: Vec<Option<WalkReport>> = plans.iter().map(|_| None).collect();
    for (place, plan) in plans.into_iter().enumerate() {
        let (turns, connections) = (Arc::clone(&turns), Arc::clone(&connections));
        tasks.spawn(async move {
            let _turn = turns.acquire_owned().await;
            (place, walk(Arc::new(plan), limits, connections).await)
        });
    }
    let mut shown = 0;
    while let Some(ended) = tasks.join_next().await {
        if let Ok((place, record)) = ended {
            reports[place] = Some(WalkReport::of(&record, unix_seconds(SystemTime::now())));
        }
        while let Some(Some(report)) = reports.get(shown) {
            show(report);
            shown += 1;
        }
    }
    reports.into_iter().flatten().collect()
}
