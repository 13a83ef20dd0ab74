//! `kproxy watch`: exit code 0 when the process ends or the output is closed, 1 if no process answers or it is lost.

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;

use crate::admin::RequestTarget;
use crate::admin::client::ClientError;
use crate::cli::console::Console;
use crate::cli::event_line::event_line;
use crate::cli::{CommandExit, OfFile};
use crate::control::{Event, TimedEvent};

/// End of the text of `--help`.
const MORE: &str = "\
Each event is one line; with --json one JSON object. Times are UTC. Stop it with Ctrl-C.

Exit codes:
  0  the process has ended, or nobody reads the output any more
  1  no kproxy answers, there is no such virtual cluster, or the connection was lost
  2  the command line is wrong

Example:
  kproxy watch --cluster orders
";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub struct Arguments {
    #[command(flatten)]
    of_file: OfFile,
    /// Show what concerns this virtual cluster only, and what concerns the whole process [default: everything].
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
}

impl Arguments {
    /// Returns the file that names the control socket.
    pub(super) fn config(&self) -> Option<PathBuf> {
        self.of_file.config.clone()
    }

    pub(super) fn run(self, console: &Console) -> CommandExit {
        let mut has_begun_to_end = false;
        let ended = console.connect().and_then(|mut client| {
            let target = RequestTarget::new("/events").with("cluster", self.cluster);
            client.stream(&target, |line| {
                // A line that cannot be read is shown as it is.
                let event = serde_json::from_str::<TimedEvent>(line).ok();
                has_begun_to_end |= event.as_ref().is_some_and(|event| matches!(event.event, Event::Shutdown(_)));
                let readable = || event.as_ref().map_or_else(|| line.to_owned(), event_line);
                if console.print_line(line, readable) {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            })
        });
        match ended {
            Ok(_) => CommandExit::Fine,
            // A process that ends may be gone before its last line has arrived.
            Err(ClientError::Lost(_)) if has_begun_to_end => CommandExit::Fine,
            Err(error) => console.failed(&error),
        }
    }
}
