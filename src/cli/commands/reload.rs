//! `kproxy reload`: exit 0 when the file runs, 2 when it is rejected, 1 when it came to anything else.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;

use crate::admin::client::{Client, ClientError};
use crate::admin::protocol::Request;
use crate::admin::view::Reload;
use crate::cli::Exit;
use crate::cli::console::Console;
use crate::cli::table::{duration, visible};

/// Names in one line; more of them are only counted.
const NAMED: usize = 20;

/// What `--help` ends with.
const MORE: &str = "\
Exit codes:
  0  the file runs, or what it says runs already
  1  the reload failed or was rolled back, or no kproxy answers
  2  the file is rejected, or the command line is wrong

Example:
  kproxy reload --wait
";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub struct Arguments {
    /// Loads this file once [default: the file that the process was started with].
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Applies the file although it removes most clusters or all.
    #[arg(long)]
    force: bool,
    /// Waits until no drain has sessions left.
    #[arg(long)]
    wait: bool,
}

impl Arguments {
    /// The file that names the control socket.
    pub(super) fn config(&self) -> Option<PathBuf> {
        self.config.clone()
    }

    pub(super) fn run(self, console: &Console) -> Exit {
        let wait = self.wait;
        let request = match self.request() {
            Ok(request) => request,
            Err(error) => {
                console.complain(&error);
                return Exit::Failed;
            }
        };
        let asked = console
            .connect()
            .and_then(|mut client| client.ask(request, None).map(|report| (client, report)));
        let (client, report) = match asked {
            Ok(asked) => asked,
            Err(error) => return console.failed(&error),
        };
        let view: Reload = serde_json::from_str(report.get()).unwrap_or_default();
        console.show(&report, || summary(&view));
        for error in &view.errors {
            console.complain_as_is(&visible(error));
        }
        let exit = exit_of(&view);
        if wait && exit == Exit::Fine {
            return match drained(client) {
                Ok(()) => {
                    console.remark("drained");
                    exit
                }
                Err(error) => console.failed(&error),
            };
        }
        exit
    }

    /// The other process may stand in another directory.
    fn request(self) -> std::io::Result<Request> {
        Ok(Request::Reload {
            file: self.config.map(std::path::absolute).transpose()?,
            force: self.force,
            wait: self.wait,
        })
    }
}

fn drained(mut client: Client) -> Result<(), ClientError> {
    client.next(None).map(drop)
}

fn exit_of(report: &Reload) -> Exit {
    match report.outcome.as_str() {
        "applied" | "unchanged" => Exit::Fine,
        "rejected" => Exit::Rejected,
        _ => Exit::Failed,
    }
}

fn summary(report: &Reload) -> String {
    let mut text = format!(
        "{}: generation {} runs, took {}\n",
        visible(&report.outcome),
        report.generation,
        duration(report.duration_ms / 1000.0)
    );
    for (what, names) in [
        ("added", &report.added),
        ("modified", &report.modified),
        ("removed", &report.removed),
    ] {
        if names.is_empty() {
            continue;
        }
        let shown: Vec<String> = names.iter().take(NAMED).map(|name| visible(name)).collect();
        let more = match names.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        // Writing to a string cannot fail.
        writeln!(text, "  {what:<9} {}{more}", shown.join(", ")).unwrap_or_default();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_named() {
        let report = Reload {
            outcome: "applied".into(),
            generation: 4,
            duration_ms: 12.5,
            added: (0..23).map(|number| format!("c{number}")).collect(),
            removed: vec!["old".into()],
            ..Reload::default()
        };
        let text = summary(&report);
        assert!(
            text.starts_with("applied: generation 4 runs, took 12ms\n  added     c0, c1, "),
            "{text}"
        );
        assert!(text.ends_with("c19 and 3 more\n  removed   old\n"), "{text}");
    }

    #[test]
    fn the_exit_code_says_what_came_of_it() {
        let exit = |outcome: &str| {
            exit_of(&Reload {
                outcome: outcome.into(),
                ..Reload::default()
            })
        };
        assert_eq!([exit("applied"), exit("unchanged")], [Exit::Fine, Exit::Fine]);
        assert_eq!(exit("rejected"), Exit::Rejected);
        assert_eq!([exit("rolled_back"), exit("failed"), exit("")], [Exit::Failed; 3]);
    }
}
