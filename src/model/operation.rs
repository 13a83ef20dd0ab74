//! Settings for operating the process: management, control socket, reloading.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use super::ports::{ClaimKind, PortClaim};
use super::scope::Scope;
use super::{BindIp, Management, ReloadSettings};
use crate::config::schema::Root;
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

/// The token in the file, without surrounding white space; reports an error and returns `None` if it is not usable.
fn token(config: &Config, file: &Spanned<PathBuf>, errors: &mut Errors) -> Option<Secret> {
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

pub(super) fn reload(root: &Root) -> ReloadSettings {
    let defaults = ReloadSettings::default();
    let Some(written) = root.reload.as_ref().map(|reload| &reload.value) else {
        return defaults;
    };
    // Zero switches polling off.
    let interval = |interval: Duration| (!interval.is_zero()).then_some(interval);
    ReloadSettings {
        watch: written.watch.as_ref().map_or(defaults.watch, |watch| watch.value),
        debounce: written
            .debounce
            .as_ref()
            .map_or(defaults.debounce, |debounce| debounce.value),
        poll_interval: written
            .poll_interval
            .as_ref()
            .map_or(defaults.poll_interval, |poll| interval(poll.value)),
        max_removed_percent: written
            .max_removed_percent
            .as_ref()
            .map_or(defaults.max_removed_percent, |percent| percent.value.0),
    }
}
