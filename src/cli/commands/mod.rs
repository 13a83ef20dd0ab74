//! One file for each command: what it takes, what it asks, what it prints, and what its exit code means.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use super::Common;
use super::console::Console;

/// The table of commands. A module has `Arguments` with `run`.
macro_rules! commands {
    ($($(#[doc = $doc:literal])* $command:ident = $module:ident;)*) => {
        $(mod $module;)*

        #[derive(Debug, Subcommand)]
        pub enum Command {
            $($(#[doc = $doc])* $command($module::Arguments),)*
        }

        impl Command {
            /// Carries it out. `config`: the file that stands before the command.
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
    /// Checks a configuration file as a start or a reload would.
    Check = check;
    /// Reloads the configuration of the running process.
    Reload = reload;
    /// Shows the generation, virtual clusters and drains of the running process.
    Status = status;
    /// Lists the live sessions of the running process.
    Connections = connections;
    /// Waits until a generation runs or drains have ended.
    Wait = wait;
}
