//! The table of contents: read, start, wait.

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use kproxy::app::{Exit, Options, Proxy};
use kproxy::cli::Arguments;
use kproxy::{model, telemetry};

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The configuration cannot be used.
const BAD_CONFIGURATION: u8 = 2;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match (arguments.command, arguments.config) {
        (Some(command), _) => command.run(arguments.common),
        (None, config) => run(&config.unwrap_or_default()),
    }
}

/// Until a signal ends it.
fn run(config: &Path) -> ExitCode {
    let (model, sources) = match model::load_all(config).for_start() {
        Ok(loaded) => loaded,
        Err(diagnostics) => {
            for diagnostic in diagnostics {
                eprintln!("{diagnostic}");
            }
            return ExitCode::from(BAD_CONFIGURATION);
        }
    };
    let _log = match telemetry::start(&model.logging) {
        Ok(log) => log,
        Err(error) => return fail(&error),
    };
    let proxy = match Proxy::start_with(
        model,
        Options {
            signals: true,
            source: Some((config.to_owned(), sources)),
            ..Options::default()
        },
    ) {
        Ok(proxy) => proxy,
        Err(error) => return fail(&error),
    };
    match proxy.wait() {
        Some(Exit::Drained(_)) => ExitCode::SUCCESS,
        Some(Exit::Forced) | None => ExitCode::FAILURE,
    }
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    for line in error.to_string().lines() {
        eprintln!("kproxy: error: {line}");
    }
    ExitCode::FAILURE
}
