//! `kproxy show`: exit code 0, or 1 if no process answers or the generation is not kept.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::history::changes;
use crate::admin::RequestTarget;
use crate::cli::console::Console;
use crate::cli::table::{duration, visible};
use crate::cli::{CommandExit, OfFile};
use crate::control::{GenerationView, HistoryEntry};
use crate::time::rfc3339;

/// End of the text of `--help`.
const MORE: &str = "\
Exit codes:
  0  the configuration or the difference is printed
  1  the generation is not kept, or no kproxy answers
  2  the command line is wrong

Example:
  kproxy show 17 --diff 16
";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub struct Arguments {
    #[command(flatten)]
    of_file: OfFile,
    /// The generation whose configuration is printed [default: the running one].
    #[arg(value_name = "GENERATION")]
    generation: Option<u64>,
    /// Print what leads from the configuration of this generation to that one, in place of the text.
    #[arg(long, value_name = "OTHER")]
    diff: Option<u64>,
}

impl Arguments {
    /// Returns the file that names the control socket.
    pub(super) fn config(&self) -> Option<PathBuf> {
        self.of_file.config.clone()
    }

    pub(super) fn run(self, console: &Console) -> CommandExit {
        let target = RequestTarget::new("/generation")
            .with("number", self.generation.map(|number| number.to_string()))
            .with("diff", self.diff.map(|other| other.to_string()));
        let shown = console
            .connect()
            .and_then(|mut client| client.get(&target, None))
            .and_then(|answer| console.show_answer(&answer, render));
        match shown {
            Ok(_) => CommandExit::Fine,
            Err(error) => console.failed(&error),
        }
    }
}

fn render(view: &GenerationView) -> String {
    let mut text = String::new();
    if let Some(entry) = &view.entry {
        heading(entry, &mut text);
    }
    match (&view.diff, view.compared_with) {
        (Some(diff), Some(other)) if diff.is_empty() => {
            // Writing to a string cannot fail; so for all that follow.
            writeln!(text, "the text is that of generation {other}").unwrap_or_default();
        }
        (Some(diff), _) => text += diff,
        (None, _) => configuration(view, &mut text),
    }
    text
}

/// Comments, so that what is printed can be saved as a file.
fn heading(entry: &HistoryEntry, text: &mut String) {
    let report = &entry.report;
    writeln!(
        text,
        "# generation {}: {} ({}) at {}, {}, took {}",
        report.generation,
        report.outcome.name(),
        report.trigger.name(),
        rfc3339(report.at),
        changes(entry.counts),
        duration(report.duration.as_secs_f64())
    )
    .unwrap_or_default();
    if let Some(restored) = report.restored_generation {
        writeln!(text, "# the configuration of generation {restored}").unwrap_or_default();
    }
    writeln!(text, "# hash {}", visible(&entry.hash)).unwrap_or_default();
}

fn configuration(view: &GenerationView, text: &mut String) {
    for reference in &view.references {
        let digest = reference.digest.as_deref().unwrap_or("-");
        writeln!(text, "# references {} {}", visible(&reference.path), visible(digest)).unwrap_or_default();
    }
    for file in &view.files {
        writeln!(text, "# file {}", visible(&file.path)).unwrap_or_default();
        text.push_str(&file.text);
        if !file.text.ends_with('\n') {
            text.push('\n');
        }
    }
}
