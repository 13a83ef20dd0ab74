//! `kproxy fence`: for a while, requests about chosen topics do not reach the brokers of a virtual cluster.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;

use crate::admin::RequestTarget;
use crate::admin::client::ClientError;
use crate::cli::console::Console;
use crate::cli::table::visible;
use crate::cli::{CommandExit, OfFile};
use crate::control::{FenceStatus, SteeringReport};

/// End of the text of `--help`.
const MORE: &str = "\
The fence holds for the next request of every live connection, and for new ones; no connection is closed. It takes the place of
one that is in force, `fence` of the configuration included. It ends with `kproxy unfence`, with --for, and with the process:
only the configuration brings a fence back after a restart.

With --wait the command ends when every request that was sent before the fence is answered. Then no write to the topics is on
its way to a broker, but those with acks=0, which nobody answers.

Exit codes:
  0  the fence is in force; with --wait: the requests from before are answered
  1  there is no such virtual cluster, the fence is none, no kproxy answers, or --timeout passed first
  2  the command line is wrong

Examples:
  kproxy fence orders --topics 'orders-*,payments' --answer hold --for 20s
  kproxy fence orders --topics '*' --wait --timeout 30s
";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub struct Arguments {
    /// The virtual cluster.
    #[arg(value_name = "CLUSTER")]
    cluster: String,
    /// Topics, separated by commas: names, and beginnings of names (`orders-*`); `*` is every topic.
    #[arg(long, value_name = "TOPICS", required = true, value_delimiter = ',')]
    topics: Vec<String>,
    /// Requests about them, separated by commas: `produce`, `fetch`, `all` [default: produce].
    #[arg(long, value_name = "OPERATIONS", value_delimiter = ',')]
    operations: Vec<String>,
    /// What becomes of writes: `retriable`, an error after which clients try again, or `hold` [default: retriable].
    #[arg(long, value_name = "ANSWER")]
    answer: Option<String>,
    /// How long a request is held at most with `hold`, from 1s to 30s; then it is answered as with `retriable` [default: 20s].
    #[arg(long, value_name = "D", value_parser = crate::cli::duration)]
    hold_for: Option<Duration>,
    /// The fence ends by itself after this time (`30s`, `5m`), at most `7d` [default: it does not].
    #[arg(long = "for", value_name = "D", value_parser = crate::cli::duration)]
    time: Option<Duration>,
    /// Wait until the requests that were sent before the fence are answered.
    #[arg(long)]
    wait: bool,
    /// Wait no longer than this; the fence stays in force [default: no limit].
    #[arg(long, value_name = "D", value_parser = crate::cli::duration, requires = "wait")]
    timeout: Option<Duration>,
    #[command(flatten)]
    of_file: OfFile,
}

impl Arguments {
    /// Returns the file that names the control socket.
    pub(super) fn config(&self) -> Option<PathBuf> {
        self.of_file.config.clone()
    }

    pub(super) fn run(self, console: &Console) -> CommandExit {
        match self.fence(console) {
            Ok(()) => CommandExit::Fine,
            Err(ClientError::TimedOut) => {
                let why = "the timeout passed, and requests from before the fence are unanswered; the fence stays in force";
                console.print_error(&why);
                CommandExit::Failed
            }
            Err(error) => console.failed(&error),
        }
    }

    fn fence(self, console: &Console) -> Result<(), ClientError> {
        let began = Instant::now();
        let millis = |time: Option<Duration>| time.map(|time| format!("{}ms", time.as_millis()));
        let list = |parts: &[String]| (!parts.is_empty()).then(|| parts.join(","));
        let target = RequestTarget::new("/fence")
            .with("cluster", Some(&self.cluster))
            .with("topics", list(&self.topics))
            .with("operations", list(&self.operations))
            .with("answer", self.answer)
            .with("hold_for", millis(self.hold_for))
            .with("for", millis(self.time));
        let mut client = console.connect()?;
        let report = client.post(&target, None)?;
        console.show_answer(&report, readable)?;
        if self.wait {
            let target = RequestTarget::new("/wait")
                .with_flag("fenced", true)
                .with("cluster", Some(&self.cluster));
            let left = self.timeout.map(|timeout| timeout.saturating_sub(began.elapsed()));
            client.get(&target, left)?;
            console.print_note("every request from before the fence is answered");
        }
        Ok(())
    }
}

fn readable(report: &SteeringReport) -> String {
    let name = visible(report.cluster.as_deref().unwrap_or_default());
    let before = match &*report.outcome {
        "unchanged" => " (as before)",
        _ => "",
    };
    match &report.fence {
        Some(fence) => format!("{name} is fenced{before}: {}\n", describe(fence)),
        None => format!("{name} has no fence\n"),
    }
}

/// What a fence is about, who set it, and until when it is in force.
pub(super) fn describe(fence: &FenceStatus) -> String {
    let operations: Vec<String> = fence.operations.iter().map(|name| visible(name)).collect();
    let until = fence
        .until
        .as_ref()
        .map_or_else(String::new, |until| format!(", until {}", visible(until)));
    let by = fence
        .by
        .as_ref()
        .map_or_else(|| "in the configuration".into(), |by| format!("by {}", visible(by)));
    format!(
        "{} of {}, answer {}, since {}{until}, {by}",
        operations.join(", "),
        visible(&fence.topics.join(", ")),
        visible(&fence.answer),
        visible(&fence.since),
    )
}
