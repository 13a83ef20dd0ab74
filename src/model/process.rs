//! Settings of the process as a whole: limits, time-outs, logging.

use std::time::Duration;

use tracing_subscriber::EnvFilter;

use super::{FilterLimits, LogFormat, Logging, Network, per_client};
use crate::config::schema::{self, Root};
use crate::config::{Errors, Size, Spanned, nearest, quoted};

const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);
const UNAUTHENTICATED_IDLE_TIMEOUT: Duration = Duration::from_secs(600);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_FRAME_SIZE: u32 = 100 * 1024 * 1024;

/// Largest size of a Kafka frame; the size prefix is an int32.
const LARGEST_FRAME: u32 = i32::MAX as u32;

/// Maximum number of worker threads, more than any machine has cores.
const MAX_WORKER_THREADS: u32 = 4096;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

pub(super) fn network(root: &Root, errors: &mut Errors) -> Network {
    let written = root
        .network
        .as_ref()
        .and_then(|network| network.value.proxy.as_ref())
        .map(|proxy| &proxy.value);
    let duration = |field: fn(&schema::NetworkProxy) -> &Option<Spanned<Duration>>| {
        written.and_then(|proxy| field(proxy).as_ref())
    };
    let connect_timeout = duration(|proxy| &proxy.connect_timeout);
    if let Some(zero) = connect_timeout.filter(|timeout| timeout.value.is_zero()) {
        errors.push(zero.at, "`connectTimeout` must not be zero");
    }
    // Zero switches a time-out off that is on by default.
    let idle = |timeout: Duration| (!timeout.is_zero()).then_some(timeout);
    Network {
        worker_threads: written.and_then(|proxy| worker_threads(proxy, errors)),
        shutdown_timeout: duration(|proxy| &proxy.shutdown_timeout).map_or(SHUTDOWN_TIMEOUT, |t| t.value),
        shutdown_delay: duration(|proxy| &proxy.shutdown_delay).map_or(Duration::ZERO, |t| t.value),
        unauthenticated_idle_timeout: duration(|proxy| &proxy.unauthenticated_idle_timeout)
            .map_or(Some(UNAUTHENTICATED_IDLE_TIMEOUT), |t| idle(t.value)),
        authenticated_idle_timeout: duration(|proxy| &proxy.authenticated_idle_timeout)
            .and_then(|t| idle(t.value)),
        connect_timeout: connect_timeout.map_or(CONNECT_TIMEOUT, |t| t.value),
        max_frame_size: written
            .and_then(|proxy| proxy.max_frame_size.as_ref())
            .map_or(MAX_FRAME_SIZE, |size| frame_size(size, errors)),
        max_connections: written
            .and_then(|proxy| proxy.max_connections.as_ref())
            .map(|count| count.value.get() as usize),
        max_connections_per_client: per_client::resolve(
            written.and_then(|proxy| proxy.max_connections_per_client.as_ref()),
            errors,
        ),
        filters: filter_limits(root, errors),
    }
}

fn filter_limits(root: &Root, errors: &mut Errors) -> FilterLimits {
    let network = root.network.as_ref().map(|network| &network.value);
    let written = network.and_then(|network| network.filters.as_ref());
    let mut limits = FilterLimits::default();
    let Some(written) = written.map(|written| &written.value) else {
        return limits;
    };
    if let Some(size) = &written.max_frame_size {
        limits.max_frame_size = frame_size(size, errors);
    }
    if let Some(size) = &written.memory_limit {
        limits.memory_limit = size.value.0;
        if limits.memory_limit < u64::from(limits.max_frame_size) {
            let why =
                "`memoryLimit` must be at least `maxFrameSize` of filters, or the largest frames never pass";
            errors.push(size.at, why);
        }
    }
    limits
}

fn worker_threads(written: &schema::NetworkProxy, errors: &mut Errors) -> Option<usize> {
    let count = written.worker_thread_count.as_ref()?;
    if count.value.get() > MAX_WORKER_THREADS {
        errors.push(
            count.at,
            format!("`workerThreadCount` must be at most {MAX_WORKER_THREADS}"),
        );
    }
    Some(count.value.get() as usize)
}

fn frame_size(size: &Spanned<Size>, errors: &mut Errors) -> u32 {
    match u32::try_from(size.value.0) {
        Ok(bytes @ 1..=LARGEST_FRAME) => bytes,
        _ => {
            errors.push(
                size.at,
                format!("`maxFrameSize` must be between 1 and {LARGEST_FRAME} bytes"),
            );
            MAX_FRAME_SIZE
        }
    }
}

pub(super) fn logging(root: &Root, errors: &mut Errors) -> Logging {
    let written = root.logging.as_ref().map(|logging| &logging.value);
    let level = written.and_then(|logging| logging.level.as_ref());
    if let Some(why) = level.and_then(|level| wrong_log_directives(&level.value)) {
        let at = level.map_or(crate::config::Pos::START, |level| level.at);
        errors.push(at, why);
    }
    let format = written
        .and_then(|logging| logging.format.as_ref())
        .map(|format| format.value);
    Logging {
        level: level.map_or_else(|| "info".to_owned(), |level| level.value.trim().to_owned()),
        format: match format {
            Some(schema::LogFormat::Json) => LogFormat::Json,
            Some(schema::LogFormat::Text) | None => LogFormat::Text,
        },
    }
}

/// The directives that are not valid. The filter takes every lone word for a target, so a misspelt level such as
/// `inof` would pass.
pub(crate) fn wrong_log_directives(level: &str) -> Option<String> {
    for directive in level.split(',').map(str::trim) {
        if directive.is_empty() {
            return Some(format!("empty log directive in {}", quoted(level)));
        }
        let is_level = LEVELS.iter().any(|known| known.eq_ignore_ascii_case(directive));
        let is_word = directive.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_level && is_word && directive != "kproxy" {
            let hint = match nearest(directive, &LEVELS) {
                Some(near) => format!(", did you mean {}?", quoted(near)),
                None => format!(", levels are {}", LEVELS.map(quoted).join(", ")),
            };
            return Some(format!("unknown log level {}{hint}", quoted(directive)));
        }
        if EnvFilter::builder().parse(directive).is_err() {
            return Some(format!("log directive {} does not parse", quoted(directive)));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::wrong_log_directives;

    #[test]
    fn log_directives() {
        for fine in [
            "info",
            "INFO",
            "off",
            "info,kproxy::reload=debug",
            "kproxy",
            "warn, tokio=trace",
        ] {
            assert_eq!(wrong_log_directives(fine), None, "{fine}");
        }
        for wrong in [
            "",
            "inof",
            "info,,debug",
            "verbose",
            "kproxy=loud",
            "kproxy=[",
            "info,kproxy::reload=dbug",
        ] {
            assert!(wrong_log_directives(wrong).is_some(), "{wrong}");
        }
    }
}
