//! `kproxy wait`: exit 0 once it is true, 5 when it was not in time, 1 when kproxy is not there or ends meanwhile.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::admin::client::ClientError;
use crate::admin::protocol::Request;
use crate::admin::view::Status;
use crate::cli::{Exit, OfFile};
use crate::cli::console::Console;
use crate::time::parse_duration;

/// Between two looks whether a process that is not there has begun.
const RETRY: Duration = Duration::from_millis(50);

/// For the question how things stand when the time is over.
const LAST_LOOK: Duration = Duration::from_secs(2);

/// What `--help` ends with.
const MORE: &str = "\
Without --drained and --generation the command waits for an answer of the process.

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
    /// Waits until no drain has sessions left.
    #[arg(long)]
    drained: bool,
    /// Waits until this generation or a later one runs.
    #[arg(long, value_name = "N")]
    generation: Option<u64>,
    /// Waits no longer than this (`30s`, `5m`), also for a process that has not started yet [default: no limit, but the
    /// process has to run already].
    #[arg(long, value_name = "D", value_parser = duration)]
    timeout: Option<Duration>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Progress {
    generation: u64,
    drains: u64,
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    parse_duration(text).ok_or("expected a duration such as `150ms`, `30s`, `5m` or `1h30m`")
}

impl Arguments {
    /// The file that names the control socket.
    pub(super) fn config(&self) -> Option<PathBuf> {
        self.of_file.config.clone()
    }

    pub(super) fn run(self, console: &Console) -> Exit {
        let deadline = self
            .timeout
            .and_then(|timeout| Instant::now().checked_add(timeout));
        match self.reached(console, deadline) {
            Ok(progress) => {
                console.show(&progress, || {
                    let Progress { generation, drains } =
                        serde_json::from_str(progress.get()).unwrap_or_default();
                    format!("generation {generation} runs, {drains} drains\n")
                });
                Exit::Fine
            }
            Err(ClientError::TimedOut) => {
                console.complain(&self.still(console));
                Exit::TimedOut
            }
            Err(error) => console.failed(&error),
        }
    }

    /// Where things stand when the time is over.
    fn still(&self, console: &Console) -> String {
        let status = console
            .connect()
            .and_then(|mut client| client.ask(Request::Status, Some(LAST_LOOK)));
        let status = status.ok().and_then(|status| serde_json::from_str(status.get()).ok());
        match status {
            Some(status) => self.told(&status),
            None => "timed out".into(),
        }
    }

    fn told(&self, status: &Status) -> String {
        let mut text = format!("timed out: generation {} runs", status.generation);
        if let Some(wanted) = self.generation.filter(|wanted| *wanted > status.generation) {
            text += &format!(", generation {wanted} was waited for");
        }
        if self.drained {
            let left: u64 = status.drains.iter().map(|drain| drain.remaining).sum();
            let drains = status.drains.len();
            text += &format!(", {drains} drains have {left} sessions left");
        }
        text
    }

    fn reached(&self, console: &Console, deadline: Option<Instant>) -> Result<Box<RawValue>, ClientError> {
        let left = || deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let mut client = loop {
            match (console.connect(), left()) {
                (Ok(client), _) => break client,
                (Err(error), None) => return Err(error),
                (Err(error), Some(Duration::ZERO)) => {
                    console.complain(&error);
                    return Err(ClientError::TimedOut);
                }
                (Err(_), Some(left)) => std::thread::sleep(RETRY.min(left)),
            }
        };
        let request = Request::Wait {
            drained: self.drained,
            generation: self.generation,
        };
        client.ask(request, left())
    }
}
