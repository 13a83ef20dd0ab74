//! `kproxy rollback`: exit code 0 if the configuration runs, 2 if it is rejected, 1 otherwise.

use std::path::PathBuf;

use clap::Args;

use super::reload;
use crate::admin::RequestTarget;
use crate::cli::console::Console;
use crate::cli::{CommandExit, OfFile};

/// End of the text of `--help`.
const MORE: &str = "\
The configuration file is not changed. It is applied again once its content changes, or a reload asks for it.

Exit codes:
  0  the configuration runs, or means the same as the running one
  1  the rollback failed or was rolled back, or no kproxy answers
  2  the configuration is rejected or not kept, or the command line is wrong

Example:
  kproxy rollback 17
";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub struct Arguments {
    #[command(flatten)]
    of_file: OfFile,
    /// The generation whose configuration is brought back [default: the last other one that ran before].
    #[arg(value_name = "GENERATION")]
    generation: Option<u64>,
    /// Apply it even if it removes most or all virtual clusters.
    #[arg(long)]
    force: bool,
    /// Wait until no drain has sessions left.
    #[arg(long)]
    wait: bool,
}

impl Arguments {
    /// Returns the file that names the control socket.
    pub(super) fn config(&self) -> Option<PathBuf> {
        self.of_file.config.clone()
    }

    pub(super) fn run(self, console: &Console) -> CommandExit {
        let target = RequestTarget::new("/rollback")
            .with("generation", self.generation.map(|number| number.to_string()))
            .with_flag("force", self.force);
        match reload::ask(console, &target, self.wait) {
            Ok(exit) => exit,
            Err(error) => console.failed(&error),
        }
    }
}
