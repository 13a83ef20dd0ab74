//! The binary: reads the configuration, starts the proxy, waits for its end.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use clap::Parser;
use kproxy::admin::{SocketPath, default_socket};
use kproxy::app::{Exit, FirstConfiguration, Options, Proxy};
use kproxy::cli::{Arguments, welcome};
use kproxy::endpoint::Bind;
use kproxy::service::{HeldSockets, InheritedSockets, ServiceNotifier};
use kproxy::telemetry;
use kproxy::time::unix_seconds;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exit code for a configuration that cannot be used.
const BAD_CONFIGURATION: u8 = 2;

/// Most warnings in the log of a start; `kproxy check` prints them all.
const MAX_WARNINGS: usize = 20;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match (arguments.command, arguments.config) {
        (Some(command), config) => command.run(arguments.common, config),
        (None, config) => run(
            &absolute(config.unwrap_or_default()),
            arguments.common.control.map(absolute),
            arguments
                .fallback_to_last_good
                .map(Option::unwrap_or_default)
                .as_deref(),
        ),
    }
}

/// Makes a path absolute, so that messages mean the same wherever they are read.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

/// Runs the proxy until a signal ends it.
fn run(config: &Path, socket: Option<PathBuf>, fallback: Option<&Path>) -> ExitCode {
    // Before any other descriptor is opened.
    let inherited = InheritedSockets::from_environment();
    let FirstConfiguration {
        model,
        sources,
        warnings,
        earlier,
    } = match FirstConfiguration::load(config, fallback) {
        Ok(first) => first,
        Err(lines) => {
            telemetry::print_error(&lines);
            return ExitCode::from(BAD_CONFIGURATION);
        }
    };
    let mut log = match telemetry::start(&model.logging) {
        Ok(log) => log,
        Err(error) => return fail(&error),
    };
    earlier.tell();
    let now = unix_seconds(SystemTime::now());
    for warning in warnings.at(now).iter().take(MAX_WARNINGS) {
        tracing::warn!(%warning, "the configuration has a warning");
    }
    let mut level = log.level();
    let service = match ServiceNotifier::from_environment() {
        Ok(service) => service,
        Err(error) => return fail(&error),
    };
    let sockets = Arc::new(HeldSockets::new(inherited, service.clone()));
    let socket = socket.or_else(|| model.control_socket.clone());
    let commands_at = socket.clone().unwrap_or_else(default_socket);
    let proxy = match Proxy::start_with(
        model,
        Options {
            signals: true,
            source: Some((config.to_owned(), sources)),
            earlier: earlier.into_start(),
            socket: socket.map_or(SocketPath::Default, SocketPath::At),
            set_log_level: Some(Box::new(move |directives| level.set(directives))),
            try_brokers: true,
            warnings,
            binder: Arc::clone(&sockets) as Arc<dyn Bind>,
            service,
            ..Options::default()
        },
    ) {
        Ok(proxy) => proxy,
        Err(error) => return fail(&error),
    };
    sockets.close_unmatched();
    #[cfg(feature = "otlp")]
    let _export = match export(&proxy) {
        Ok(export) => export,
        Err(error) => return fail(&*error),
    };
    greet(&proxy, &commands_at);
    match proxy.wait() {
        Some(Exit::Drained(_)) => ExitCode::SUCCESS,
        Some(Exit::Forced) | None => {
            log.shorten_flush();
            ExitCode::FAILURE
        }
    }
}

/// Starts the export by OTLP, where the environment asks for it.
#[cfg(feature = "otlp")]
fn export(proxy: &Proxy) -> Result<Option<kproxy::otlp::Export>, Box<dyn std::error::Error>> {
    use kproxy::otlp::{self, settings::ExportSettings};
    let Some(settings) = ExportSettings::from_environment()? else {
        return Ok(None);
    };
    tracing::info!("metrics and spans are exported by OTLP");
    Ok(Some(otlp::start(settings, proxy.handle().clone())?))
}

/// Tells a person at the terminal, once, what is served where.
fn greet(proxy: &Proxy, socket: &Path) {
    if !io::stderr().is_terminal() {
        return;
    }
    if let Some(status) = proxy.status() {
        telemetry::print_error(&welcome(&status, socket));
    }
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    let error = error.to_string();
    let lines = error.lines().map(|line| format!("kproxy: error: {line}\n"));
    telemetry::print_last_error(lines.collect());
    ExitCode::FAILURE
}
