//! The command line.

mod commands;
mod console;
mod event_line;
mod table;
mod welcome;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser};

use crate::time::parse_duration;

pub use commands::Command;
pub use welcome::welcome;

/// Version and commit.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("KPROXY_COMMIT"), ")");

/// End of the text of `--help`.
const MORE: &str = "\
Exit codes without a command:
  0  SIGTERM or SIGINT stopped kproxy, and its sessions were drained
  1  kproxy could not start, or a second signal stopped it at once
  2  the configuration or the command line is wrong

Example:
  kproxy --config /etc/kproxy/proxy.yaml
";

/// A Kafka-protocol proxy that changes its configuration under load without any client noticing.
#[derive(Debug, Parser)]
#[command(name = "kproxy", version = VERSION, about, long_about = None, after_help = MORE, subcommand_negates_reqs = true)]
pub struct Arguments {
    /// The configuration file. Without a command, kproxy runs with it in the foreground.
    #[arg(short, long, value_name = "FILE", required = true)]
    pub config: Option<PathBuf>,
    /// If the file cannot be used, serve the last configuration that ran, by the history in DIR [default: `stateDirectory` of
    /// the file if that can be read, else $STATE_DIRECTORY]. Without this option such a start fails.
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true)]
    pub fallback_to_last_good: Option<Option<PathBuf>>,
    /// Options of every command.
    #[command(flatten)]
    pub common: Common,
    /// The command; `None` runs the proxy.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Option of commands that ask the running process.
#[derive(Debug, Clone, Default, Args)]
pub struct OfFile {
    /// The configuration file of the running process; its `control.socket` is used.
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Options of every command.
#[derive(Debug, Clone, Default, Args)]
pub struct Common {
    /// The control socket of the running process [default: `control.socket` of the given file, else
    /// $XDG_RUNTIME_DIR/kproxy/control.sock, else /run/kproxy/control.sock].
    #[arg(long, global = true, value_name = "SOCKET")]
    pub control: Option<PathBuf>,
    /// Print one JSON document [default: text].
    #[arg(long, global = true)]
    pub json: bool,
}

/// Exit code of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum CommandExit {
    /// The command did what it was asked for.
    Fine = 0,
    /// No process answers, or the request failed.
    Failed = 1,
    /// The configuration cannot be used.
    Rejected = 2,
    /// There are changes that disturb nobody.
    Undisturbed = 3,
    /// Connections would be drained, or faults were found.
    Attention = 4,
    /// A condition did not become true in time.
    TimedOut = 5,
}

impl From<CommandExit> for ExitCode {
    fn from(exit: CommandExit) -> Self {
        Self::from(exit as u8)
    }
}

/// Reads a duration of the command line.
fn duration(text: &str) -> Result<Duration, &'static str> {
    parse_duration(text).ok_or("expected a duration such as `150ms`, `30s`, `5m` or `1h30m`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn without_a_command_there_must_be_a_file() {
        assert!(parse("kproxy").is_err());
        assert!(parse("kproxy --control s").is_err());
        for line in [
            "kproxy -c p.yaml",
            "kproxy --config p.yaml",
            "kproxy --control s -c p.yaml",
        ] {
            let arguments = parse(line).unwrap();
            assert_eq!(arguments.config, Some("p.yaml".into()));
            assert!(arguments.command.is_none());
        }
    }

    #[test]
    fn the_socket_may_be_named_before_or_behind_the_command() {
        for line in [
            "kproxy --control s status --json",
            "kproxy status --json --control s",
        ] {
            let arguments = parse(line).unwrap();
            assert_eq!(arguments.common.control, Some("s".into()), "{line}");
            assert!(arguments.common.json);
            assert!(matches!(arguments.command, Some(Command::Status(_))));
        }
    }

    #[test]
    fn commands_take_what_they_need_and_nothing_else() {
        for fine in [
            "kproxy status --nodes",
            "kproxy status -c p.yaml",
            "kproxy --config p.yaml status",
            "kproxy connections --config p.yaml",
            "kproxy wait -c p.yaml",
            "kproxy check -c - --strict",
            "kproxy rollback",
            "kproxy reload --confirm-within 60s -c p.yaml",
            "kproxy confirm",
            "kproxy -c p.yaml --fallback-to-last-good",
            "kproxy --fallback-to-last-good=/var/lib/kproxy -c p.yaml",
            "kproxy history",
            "kproxy history 10 --json",
            "kproxy show 3 --diff 2",
            "kproxy rollback 3 --force --wait",
            "kproxy reload --stage --within 4h",
            "kproxy approve",
            "kproxy approve 1a2b3c4d --wait",
            "kproxy plan",
            "kproxy plan -c p.yaml --offline o.yaml --details --force --json",
            "kproxy reload",
            "kproxy reload -c p.yaml --force --wait",
            "kproxy connections --cluster a --client b --generation 3",
            "kproxy wait --drained --generation 3 --timeout 1m30s",
            "kproxy wait",
            "kproxy watch --cluster orders -c p.yaml",
            "kproxy stats --reloads",
            "kproxy check -c p.yaml",
        ] {
            parse(fine).unwrap();
        }
        for wrong in [
            "kproxy check",
            "kproxy wait --timeout 30",
            "kproxy wait --generation -1",
            "kproxy connections --generation x",
            "kproxy restart",
            "kproxy reload --within 4h",
            "kproxy reload --stage --within 8d",
            "kproxy reload --stage --wait",
            "kproxy rollback x",
            "kproxy reload --confirm-within 0s",
            "kproxy reload --confirm-within 60s --stage",
            "kproxy show x",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
