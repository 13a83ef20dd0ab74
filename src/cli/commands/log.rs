//! `kproxy log`: another log level for the running process, which falls back by itself.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::admin::RequestTarget;
use crate::cli::console::Console;
use crate::cli::table::{duration, visible};
use crate::cli::{CommandExit, OfFile};
use crate::control::LogLevelStatus;

/// End of the text of `--help`.
const MORE: &str = "\
The level of the configuration comes back when the time is over, when the process starts again, and when a reload changes
`logging.level`. Other reloads change nothing of it.

Exit codes:
  0  the level holds
  1  it is no level, or no kproxy answers
  2  the command line is wrong

Examples:
  kproxy log debug --for 2m
  kproxy log info,kproxy::drain=debug
  kproxy log --reset
";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub struct Arguments {
    /// `error`, `warn`, `info`, `debug`, `trace` or `off`, or a list of directives such as `info,kproxy::reload=debug`.
    #[arg(value_name = "LEVEL", required_unless_present = "reset")]
    level: Option<String>,
    #[command(flatten)]
    of_file: OfFile,
    /// How long it holds (`30s`, `5m`), at most `7d` [default: 10m].
    #[arg(long = "for", value_name = "D", value_parser = crate::cli::duration)]
    time: Option<Duration>,
    /// It holds until the process starts again.
    #[arg(long, conflicts_with = "time")]
    until_restart: bool,
    /// Return to the level of the configuration now.
    #[arg(long, conflicts_with_all = ["level", "time", "until_restart"])]
    reset: bool,
}

impl Arguments {
    /// Returns the file that names the control socket.
    pub(super) fn config(&self) -> Option<PathBuf> {
        self.of_file.config.clone()
    }

    pub(super) fn run(self, console: &Console) -> CommandExit {
        let target = RequestTarget::new("/log")
            .with("level", self.level)
            .with("for", self.time.map(|time| format!("{}ms", time.as_millis())))
            .with_flag("until_restart", self.until_restart);
        let shown = console
            .connect()
            .and_then(|mut client| client.post(&target, None))
            .and_then(|answer| console.show_answer(&answer, |status| format!("log level: {}\n", readable(status))));
        match shown {
            Ok(_) => CommandExit::Fine,
            Err(error) => console.failed(&error),
        }
    }
}

/// Returns the level, until when it holds, and who has set it.
pub(super) fn readable(status: &LogLevelStatus) -> String {
    let level = visible(&status.level);
    let Some(by) = &status.by else {
        return format!("{level}, as configured");
    };
    let (by, configured) = (visible(by), visible(&status.configured));
    match status.seconds_left {
        Some(seconds) => format!("{level} for {}, then {configured}; set by {by}", duration(seconds)),
        None => format!("{level} until the process starts again, configured is {configured}; set by {by}"),
    }
}
