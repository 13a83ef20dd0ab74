//! Commands, one file each: arguments, request, output and exit codes.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use super::Common;
use super::console::Console;

/// Declares the commands. Each module has `Arguments` with `config` and `run`.
macro_rules! commands {
    ($($(#[doc = $doc:literal])* $command:ident = $module:ident;)*) => {
        $(mod $module;)*

        /// A command with its arguments.
        #[derive(Debug, Subcommand)]
        pub enum Command {
            $($(#[doc = $doc])* $command($module::Arguments),)*
        }

        impl Command {
            /// Runs the command. `config`: the file that is given before it.
            pub fn run(self, common: Common, config: Option<PathBuf>) -> ExitCode {
                match self {
                    $(Self::$command(arguments) => {
                        let console = Console::new(common, arguments.config().or(config));
                        arguments.run(&console).into()
                    })*
                }
            }
        }
    };
}

commands! {
    /// Check a configuration file as a start or a reload would.
    Check = check;
    /// Find what is wrong: with a virtual cluster as clients see it, or with the process and its machine.
    Doctor = doctor;
    /// Show what a reload of a file would do, and to whom. Changes nothing.
    Plan = plan;
    /// Reload the configuration of the running process.
    Reload = reload;
    /// Apply a reload that somebody else has staged, or list what waits.
    Approve = approve;
    /// Keep what `reload --confirm-within` has applied.
    Confirm = confirm;
    /// Bring back a configuration that ran before.
    Rollback = rollback;
    /// List what came of starts and reloads.
    History = history;
    /// Print a configuration that ran, or how it differs from another one.
    Show = show;
    /// Show the generation, virtual clusters and drains of the running process.
    Status = status;
    /// List the live sessions of the running process.
    Connections = connections;
    /// Wait until a generation runs or drains have ended.
    Wait = wait;
    /// Ask the sessions of a virtual cluster to leave, and take no new ones.
    Drain = drain;
    /// Have the requests of a virtual cluster wait, for a while.
    Pause = pause;
    /// Take new sessions of a drained virtual cluster again, or have the requests of a paused one go on.
    Resume = resume;
    /// Have no requests about some topics of a virtual cluster reach its brokers, for a while.
    Fence = fence;
    /// Lift the fence that `fence` has set.
    Unfence = unfence;
    /// Ask sessions to leave.
    Close = close;
    /// Change the log level of the running process, for a while.
    Log = log;
    /// Measure what the running process would need for something.
    Bench = bench;
    /// Show what happens in the running process, as it happens.
    Watch = watch;
    /// Show how long the last reloads and drains took.
    Stats = stats;
    /// Make a line for a file of users that `SaslTermination` reads.
    Credential = credential;
    /// Print the JSON Schema of the configuration file, for editors.
    Schema = schema;
    /// Print a script that completes commands and options in a shell.
    Completions = completions;
    /// Print the manual page of a command.
    Man = man;
}
