//! `kproxy close`: asks sessions to leave, by their number, client id or principal.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;

use crate::admin::RequestTarget;
use crate::cli::console::Console;
use crate::cli::table::visible;
use crate::cli::{CommandExit, OfFile};
use crate::control::SteeringReport;

/// Most virtual clusters that are listed.
const MAX_LISTED: usize = 20;

/// End of the text of `--help`.
const MORE: &str = "\
A session leaves between two requests, within the deadlines of `drain` of its virtual cluster. Its client may connect again at
once. `kproxy connections` lists the sessions.

Exit codes:
  0  the sessions are asked to leave; there may be none of this client id or principal
  1  there is no such session or virtual cluster, or no kproxy answers
  2  the command line is wrong

Examples:
  kproxy close 4711
  kproxy close --client billing --cluster orders
";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
#[group(id = "which", required = true, multiple = true, args = ["session", "client", "principal"])]
pub struct Arguments {
    /// The number of the session.
    #[arg(value_name = "SESSION")]
    session: Option<u64>,
    #[command(flatten)]
    of_file: OfFile,
    /// All sessions with this client id.
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// All sessions of this principal: the name that the broker has authenticated, or the subject of the client's certificate.
    #[arg(long, value_name = "P")]
    principal: Option<String>,
    /// Only sessions of this virtual cluster.
    #[arg(long, value_name = "C")]
    cluster: Option<String>,
}

impl Arguments {
    /// Returns the file that names the control socket.
    pub(super) fn config(&self) -> Option<PathBuf> {
        self.of_file.config.clone()
    }

    pub(super) fn run(self, console: &Console) -> CommandExit {
        let target = RequestTarget::new("/close")
            .with("session", self.session.map(|id| id.to_string()))
            .with("client", self.client)
            .with("principal", self.principal)
            .with("cluster", self.cluster);
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

/// Returns the number with its noun.
pub(super) fn sessions(count: usize) -> String {
    match count {
        1 => "1 session".into(),
        count => format!("{count} sessions"),
    }
}

fn readable(report: &SteeringReport) -> String {
    let mut text = format!("asked to leave: {}", sessions(report.sessions));
    // Writing to a string cannot fail; so for all that follow.
    if report.already_leaving > 0 {
        write!(text, "; {} were asked before", report.already_leaving).unwrap_or_default();
    }
    text.push('\n');
    for (name, count) in report.clusters.iter().take(MAX_LISTED) {
        writeln!(text, "  {}  {count}", visible(name)).unwrap_or_default();
    }
    if let Some(more) = report.clusters.len().checked_sub(MAX_LISTED).filter(|more| *more > 0) {
        writeln!(text, "  and {more} more virtual clusters").unwrap_or_default();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_of_virtual_clusters_is_shortened() {
        let report = SteeringReport {
            sessions: 23,
            already_leaving: 2,
            clusters: (0..23).map(|number| (format!("c{number:02}"), 1)).collect(),
            ..SteeringReport::default()
        };
        let text = readable(&report);
        assert!(text.starts_with("asked to leave: 23 sessions; 2 were asked before\n  c00  1\n"), "{text}");
        assert!(text.ends_with("  c19  1\n  and 3 more virtual clusters\n"), "{text}");
        assert_eq!(readable(&SteeringReport { sessions: 1, ..SteeringReport::default() }), "asked to leave: 1 session\n");
    }
}
