//! `kproxy wait`: exit code 0 once the conditions hold, 5 after the time-out, 1 if no process answers or it ends.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use crate::admin::RequestTarget;
use crate::admin::client::{ClientError, Document};
use crate::cli::{CommandExit, OfFile};
use crate::cli::console::Console;
use crate::control::ProxyStatus;
use crate::control::handle::Progress;

/// Pause between two attempts to connect to a process that has not started.
const CONNECT_RETRY: Duration = Duration::from_millis(50);

/// Time limit for the status that explains why the time-out passed.
const STATUS_TIMEOUT: Duration = Duration::from_secs(2);

/// End of the text of `--help`.
const MORE: &str = "\
Without --drained and --generation, the command waits until the process answers.

Exit codes:
  0  all conditions hold
  1  no kproxy answers, or it ended
  2  the command line is wrong
  5  the timeout passed first

Example:
  kproxy wait --drained --timeout 1m
";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub struct Arguments {
    #[command(flatten)]
    of_file: OfFile,
    /// Wait until no drain has sessions left.
    #[arg(long)]
    drained: bool,
    /// Wait until this generation or a later one runs.
    #[arg(long, value_name = "N")]
    generation: Option<u64>,
    /// Wait no longer than this (`30s`, `5m`), also for a process that has not started yet [default: no limit, but the
    /// process must be running].
    #[arg(long, value_name = "D", value_parser = crate::cli::duration)]
    timeout: Option<Duration>,
}

impl Arguments {
    /// Returns the file that names the control socket.
    pub(super) fn config(&self) -> Option<PathBuf> {
        self.of_file.config.clone()
    }

    pub(super) fn run(self, console: &Console) -> CommandExit {
        let deadline = self
            .timeout
            .and_then(|timeout| Instant::now().checked_add(timeout));
        let readable = |&Progress { generation, drains }: &Progress| {
            format!("generation {generation} runs, {drains} drains\n")
        };
        let reached = self.reached(console, deadline);
        match reached.and_then(|answer| console.show_answer(&answer, readable)) {
            Ok(_) => CommandExit::Fine,
            Err(ClientError::TimedOut) => {
                console.print_error(&self.what_is_missing(console));
                CommandExit::TimedOut
            }
            Err(error) => console.failed(&error),
        }
    }

    /// Says after a time-out which condition does not hold.
    fn what_is_missing(&self, console: &Console) -> String {
        let status = console
            .connect()
            .and_then(|mut client| client.get(&RequestTarget::new("/status"), Some(STATUS_TIMEOUT)))
            .and_then(|status| status.read());
        match status {
            Ok(status) => self.compare(&status),
            Err(_) => "timed out".into(),
        }
    }

    fn compare(&self, status: &ProxyStatus) -> String {
        let mut text = format!("timed out: generation {} runs", status.generation);
        if let Some(wanted) = self.generation.filter(|wanted| *wanted > status.generation) {
            text += &format!(", generation {wanted} was waited for");
        }
        if self.drained {
            let left: usize = status.drains.iter().map(|drain| drain.remaining).sum();
            let drains = status.drains.len();
            text += &format!(", {drains} drains have {left} sessions left");
        }
        text
    }

    fn reached(&self, console: &Console, deadline: Option<Instant>) -> Result<Document, ClientError> {
        let left = || deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let mut client = loop {
            match (console.connect(), left()) {
                (Ok(client), _) => break client,
                (Err(error), None) => return Err(error),
                (Err(error), Some(Duration::ZERO)) => {
                    console.print_error(&error);
                    return Err(ClientError::TimedOut);
                }
                (Err(_), Some(left)) => std::thread::sleep(CONNECT_RETRY.min(left)),
            }
        };
        let target = RequestTarget::new("/wait")
            .with_flag("drained", self.drained)
            .with("generation", self.generation.map(|number| number.to_string()));
        client.get(&target, left())
    }
}
