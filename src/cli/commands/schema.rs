//! `kproxy schema`: the JSON Schema of the configuration file.

use std::path::PathBuf;

use clap::Args;

use crate::cli::CommandExit;
use crate::cli::console::Console;
use crate::config::schema::json_schema;
use crate::reload::ReloadClass;

/// End of the text of `--help`.
const MORE: &str = "\
Exit codes:
  0  the schema is printed
  2  the command line is wrong

Example:
  kproxy schema > kproxy.schema.json
  # then, as the first line of proxy.yaml:
  # yaml-language-server: $schema=kproxy.schema.json
";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub struct Arguments {}

impl Arguments {
    /// Returns the file that names the control socket; the command asks no process.
    #[expect(clippy::unused_self, reason = "every command has this method")]
    pub(super) fn config(&self) -> Option<PathBuf> {
        None
    }

    #[expect(clippy::unused_self, reason = "every command has this method")]
    pub(super) fn run(self, console: &Console) -> CommandExit {
        let schema = json_schema(|path| ReloadClass::of(path).map(ReloadClass::name));
        // A value without maps whose keys are no texts can be written.
        console.show(&schema, || format!("{schema:#}\n"));
        CommandExit::Fine
    }
}
