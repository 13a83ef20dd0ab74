//! `kproxy completions`: a script that completes commands and options in a shell.

use std::path::PathBuf;

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::Shell;

use crate::cli::CommandExit;
use crate::cli::console::Console;

/// End of the text of `--help`.
const MORE: &str = "\
Exit codes:
  0  the script is printed
  2  the command line is wrong

Examples:
  kproxy completions bash > /etc/bash_completion.d/kproxy
  kproxy completions zsh > /usr/local/share/zsh/site-functions/_kproxy
  kproxy completions fish > ~/.config/fish/completions/kproxy.fish
";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub struct Arguments {
    /// The shell.
    #[arg(value_enum)]
    shell: SupportedShell,
}

/// A shell that completions are made for.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum SupportedShell {
    Bash,
    Zsh,
    Fish,
}

impl Arguments {
    /// Returns the file that names the control socket; the command asks no process.
    #[expect(clippy::unused_self, reason = "every command has this method")]
    pub(super) fn config(&self) -> Option<PathBuf> {
        None
    }

    pub(super) fn run(self, console: &Console) -> CommandExit {
        let shell = match self.shell {
            SupportedShell::Bash => Shell::Bash,
            SupportedShell::Zsh => Shell::Zsh,
            SupportedShell::Fish => Shell::Fish,
        };
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut crate::cli::Arguments::command(), "kproxy", &mut script);
        let script = String::from_utf8_lossy(&script);
        console.show_generated(&serde_json::json!({"shell": shell.to_string(), "script": script}), &script);
        CommandExit::Fine
    }
}
