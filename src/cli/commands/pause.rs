//! `kproxy pause`: has the requests of a virtual cluster wait for a while.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::admin::RequestTarget;
use crate::cli::console::Console;
use crate::cli::table::visible;
use crate::cli::{CommandExit, OfFile};
use crate::control::SteeringReport;

/// End of the text of `--help`.
const MORE: &str = "\
Nothing is refused, closed or lost: requests wait, new connections too, and requests that brokers have are answered. The requests
go on with `kproxy resume`, and by themselves at the end of the time. Clients give up on a request after a time of their own, by
default after 30 s (Java) or 60 s (librdkafka): pause for less. If brokers close connections meanwhile, kproxy connects to them
again behind the pause, where clients do not authenticate to the brokers themselves.

Exit codes:
  0  the requests wait
  1  there is no such virtual cluster, the time is none, or no kproxy answers
  2  the command line is wrong

Examples:
  kproxy pause orders
  kproxy pause orders --for 10s --except heartbeat
";

/// Requests that do not wait.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Except {
    /// Heartbeats of members of groups.
    Heartbeat,
}

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub struct Arguments {
    /// The virtual cluster.
    #[arg(value_name = "CLUSTER")]
    cluster: String,
    /// The requests go on by themselves after this time (`10s`), at most `5m` [default: 20s].
    #[arg(long = "for", value_name = "D", value_parser = crate::cli::duration)]
    time: Option<Duration>,
    /// Requests that do not wait: heartbeats of members of groups, on connections on which nothing else waits.
    #[arg(long, value_name = "REQUESTS", value_enum, hide_possible_values = true)]
    except: Option<Except>,
    #[command(flatten)]
    of_file: OfFile,
}

impl Arguments {
    /// Returns the file that names the control socket.
    pub(super) fn config(&self) -> Option<PathBuf> {
        self.of_file.config.clone()
    }

    pub(super) fn run(self, console: &Console) -> CommandExit {
        let time = self.time.map(|time| format!("{}ms", time.as_millis()));
        let except = self.except.map(|Except::Heartbeat| "heartbeat");
        let target = RequestTarget::new("/pause")
            .with("cluster", Some(&self.cluster))
            .with("for", time.as_deref())
            .with("except", except);
        let shown = console
            .connect()
            .and_then(|mut client| client.post(&target, None))
            .and_then(|answer| console.show_answer(&answer, readable));
        match shown {
            Ok(_) => CommandExit::Fine,
            Err(error) => console.failed(&error),
        }
    }
}

fn readable(report: &SteeringReport) -> String {
    let name = visible(report.cluster.as_deref().unwrap_or_default());
    let paused = report.paused.as_ref();
    let left = paused.map_or(0.0, |paused| paused.seconds_left.ceil());
    let but = match paused {
        Some(paused) if !paused.except.is_empty() => ", but heartbeats",
        _ => "",
    };
    let detail = report.detail.as_deref().map(|detail| format!("{}\n", visible(detail)));
    format!(
        "the requests of {name} wait{but}; they go on after {left} s, or with `kproxy resume {name}`\n{}",
        detail.unwrap_or_default()
    )
}
