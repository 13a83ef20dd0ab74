//! Settings for operating the process: management, control socket, reloading.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use super::ports::{ClaimKind, PortClaim};
use super::scope::Scope;
use super::{BindIp, Management, ReloadChecks, ReloadSettings, RollbackSettings};
use crate::config::schema::{self, Root};
use crate::config::{Config, Errors, Secret, Spanned, quoted};

const MANAGEMENT_IP: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const MANAGEMENT_PORT: u16 = 9190;

/// Longest path of a Unix socket: `sockaddr_un` has 108 bytes for it, the last of them zero.
const MAX_SOCKET_PATH: usize = 107;

pub(super) fn management(config: &Config, scope: &mut Scope<'_>) -> Option<Management> {
    let key = config.root.management.as_ref()?;
    let written = &key.value;
    let ip = written.bind_address.as_ref().map_or(MANAGEMENT_IP, |ip| ip.value);
    let port = written.port.as_ref().map_or(MANAGEMENT_PORT, |port| port.value);
    // A port that follows from an unreadable value would only cause further errors.
    if written.shape.is_sound() {
        scope.ports.add(PortClaim {
            ip: BindIp::of(ip),
            start: port,
            end: port,
            at: written.port.as_ref().map_or(key.key, |port| port.at),
            owner: None,
            what: ClaimKind::Management,
        });
    }
    if let (None, Some(endpoints)) = (&written.bind_address, &written.endpoints) {
        scope.warnings.push(endpoints.key, || {
            format!(
                "`management` listens on {MANAGEMENT_IP} only, where Kroxylicious listens on every address; \
                 `bindAddress: 0.0.0.0` does so here"
            )
        });
    }
    Some(Management {
        address: SocketAddr::new(ip, port),
        token: written
            .token_file
            .as_ref()
            .and_then(|file| token(config, file, &mut scope.errors)),
    })
}

/// Returns the token in the file, without surrounding white space. Reports an error and returns `None` if it is not usable.
pub(super) fn token(config: &Config, file: &Spanned<PathBuf>, errors: &mut Errors) -> Option<Secret> {
    let content = match config.references.get(&config.path(file)) {
        Ok(content) => content.trim_ascii(),
        Err(why) => {
            errors.push(file.at, format!("`tokenFile`: {why}"));
            return None;
        }
    };
    if content.is_empty() {
        errors.push(file.at, "`tokenFile`: the file is empty");
        return None;
    }
    // A token that cannot be part of an HTTP header could never be sent.
    match std::str::from_utf8(content) {
        Ok(text) if content.iter().all(u8::is_ascii_graphic) => Some(Secret::new(text)),
        _ => {
            errors.push(
                file.at,
                "`tokenFile`: a token is one word of printable ASCII characters",
            );
            None
        }
    }
}

pub(super) fn control_socket(config: &Config, errors: &mut Errors) -> Option<PathBuf> {
    let socket = config.root.control.as_ref()?.value.socket.as_ref()?;
    let path = config.path(socket);
    if path.as_os_str().as_bytes().len() > MAX_SOCKET_PATH {
        let path = quoted(&path.to_string_lossy());
        errors.push(
            socket.at,
            format!("{path} is longer than the {MAX_SOCKET_PATH} bytes a socket's path may have"),
        );
    }
    Some(path)
}

pub(super) fn audit_file(config: &Config) -> Option<PathBuf> {
    let file = config.root.audit.as_ref()?.value.file.as_ref()?;
    Some(config.path(file))
}

pub(super) fn reload(root: &Root, errors: &mut Errors) -> ReloadSettings {
    let defaults = ReloadSettings::default();
    let Some(written) = root.reload.as_ref().map(|reload| &reload.value) else {
        return defaults;
    };
    // Zero switches polling off.
    let interval = |interval: Duration| (!interval.is_zero()).then_some(interval);
    ReloadSettings {
        watch: value_or(&written.watch, defaults.watch),
        debounce: value_or(&written.debounce, defaults.debounce),
        poll_interval: written
            .poll_interval
            .as_ref()
            .map_or(defaults.poll_interval, |poll| interval(poll.value)),
        max_removed_percent: written
            .max_removed_percent
            .as_ref()
            .map_or(defaults.max_removed_percent, |percent| percent.value.0),
        checks: checks(written.checks.as_ref(), defaults.checks, errors),
        require_approval: value_or(&written.require_approval, defaults.require_approval),
        target: value_or(&written.target, defaults.target),
    }
}

fn checks(
    written: Option<&Spanned<schema::ReloadChecks>>,
    defaults: ReloadChecks,
    errors: &mut Errors,
) -> ReloadChecks {
    let Some(written) = written.map(|checks| &checks.value) else {
        return defaults;
    };
    must_not_be_zero(written.timeout.as_ref(), "timeout", errors);
    let authenticate = value_or(&written.authenticate, defaults.authenticate);
    ReloadChecks {
        connect: authenticate || value_or(&written.connect, defaults.connect),
        authenticate,
        minimum_healthy: written
            .minimum_healthy
            .as_ref()
            .map_or(defaults.minimum_healthy, |percent| percent.value.0),
        timeout: value_or(&written.timeout, defaults.timeout),
    }
}

pub(super) fn rollback(root: &Root, errors: &mut Errors) -> RollbackSettings {
    let defaults = RollbackSettings::default();
    let Some(written) = root.rollback.as_ref().map(|rollback| &rollback.value) else {
        return defaults;
    };
    must_not_be_zero(written.window.as_ref(), "window", errors);
    let history = written.history.as_ref().map(|history| &history.value);
    let count = |written: &Option<Spanned<NonZeroU32>>| written.as_ref().map(|count| count.value.get());
    RollbackSettings {
        entries: history
            .and_then(|history| count(&history.entries))
            .map_or(defaults.entries, |entries| entries as usize),
        age: history.map_or(defaults.age, |history| value_or(&history.age, defaults.age)),
        auto: value_or(&written.auto, defaults.auto),
        window: value_or(&written.window, defaults.window),
        error_rate: written
            .error_rate
            .as_ref()
            .map_or(defaults.error_rate, |percent| percent.value.0),
        connect_failures: count(&written.connect_failures)
            .map_or(defaults.connect_failures, |failures| failures as usize),
        latency_increase: count(&written.latency_increase).unwrap_or(defaults.latency_increase),
    }
}

fn value_or<T: Copy>(written: &Option<Spanned<T>>, default: T) -> T {
    written.as_ref().map_or(default, |written| written.value)
}

fn must_not_be_zero(written: Option<&Spanned<Duration>>, key: &str, errors: &mut Errors) {
    if let Some(zero) = written.filter(|duration| duration.value.is_zero()) {
        errors.push(zero.at, format!("`{key}` may not be zero"));
    }
}
