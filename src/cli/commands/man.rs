//! `kproxy man`: manual pages, one for each command.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;

use crate::cli::CommandExit;
use crate::cli::console::Console;

/// End of the text of `--help`.
const MORE: &str = "\
Exit codes:
  0  the page is printed, or the pages are written
  1  the pages cannot be written
  2  there is no such command, or the command line is wrong

Examples:
  kproxy man status | man -l -
  kproxy man --all /usr/local/share/man/man1
";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub struct Arguments {
    /// The command [default: kproxy itself].
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
    /// Write all pages to this directory.
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    all: Option<PathBuf>,
}

/// A manual page.
struct ManualPage {
    /// Name of its file, such as `kproxy-status.1`.
    file: String,
    /// Source for roff.
    roff: String,
}

impl Arguments {
    /// Returns the file that names the control socket; the command asks no process.
    #[expect(clippy::unused_self, reason = "every command has this method")]
    pub(super) fn config(&self) -> Option<PathBuf> {
        None
    }

    pub(super) fn run(self, console: &Console) -> CommandExit {
        let root = root();
        if let Some(directory) = &self.all {
            return write_all(&root, directory, console);
        }
        let Some(command) = find(&root, &self.command) else {
            console.print_error(&format!("there is no command `{}`", self.command.join(" ")));
            return CommandExit::Rejected;
        };
        let page = page(command);
        console.show_generated(&serde_json::json!({"file": page.file, "roff": page.roff}), &page.roff);
        CommandExit::Fine
    }
}

/// The definition of the command line, with the full names of all commands.
fn root() -> Command {
    let mut root = crate::cli::Arguments::command().disable_help_subcommand(true);
    root.build();
    root
}

fn find<'r>(root: &'r Command, names: &[String]) -> Option<&'r Command> {
    names.iter().try_fold(root, |command, name| command.find_subcommand(name))
}

fn page(command: &Command) -> ManualPage {
    let man = Man::new(command.clone());
    let mut roff = Vec::new();
    // Writing to a vector cannot fail.
    man.render(&mut roff).unwrap_or_default();
    ManualPage {
        file: man.get_filename(),
        roff: String::from_utf8_lossy(&roff).into_owned(),
    }
}

/// The pages of a command and of all commands in it.
fn pages(command: &Command) -> Vec<ManualPage> {
    let inner = command.get_subcommands().flat_map(pages);
    std::iter::once(page(command)).chain(inner).collect()
}

fn write_all(root: &Command, directory: &Path, console: &Console) -> CommandExit {
    let pages = pages(root);
    let written: io::Result<()> = std::fs::create_dir_all(directory)
        .and_then(|()| pages.iter().try_for_each(|page| std::fs::write(directory.join(&page.file), &page.roff)));
    if let Err(error) = written {
        console.print_error(&format!("cannot write to `{}`: {error}", directory.display()));
        return CommandExit::Failed;
    }
    let files: Vec<&str> = pages.iter().map(|page| page.file.as_str()).collect();
    console.show(&serde_json::json!({"files": files}), || {
        format!("{} pages in {}\n", files.len(), directory.display())
    });
    CommandExit::Fine
}
