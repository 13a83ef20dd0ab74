//! `kproxy wait`: exit 0 once it is true, 5 when it was not in time, 1 when kproxy is not there or ends meanwhile.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::admin::client::ClientError;
use crate::admin::protocol::Request;
use crate::cli::{Exit, OfFile};
use crate::cli::console::Console;
use crate::config::parse_duration;

/// Between two looks whether a process that is not there has begun.
const RETRY: Duration = Duration::from_millis(50);

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    of_file: OfFile,
    /// Until no drain has sessions left.
    #[arg(long)]
    drained: bool,
    /// Until this generation or a later one runs.
    #[arg(long, value_name = "N")]
    generation: Option<u64>,
    /// No longer than this (`30s`, `5m`); a process that is still to start is waited for as well.
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
                console.complain(&"timed out");
                Exit::TimedOut
            }
            Err(error) => console.failed(&error),
        }
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
