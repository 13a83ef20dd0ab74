//! Forward proxies on the way to the brokers of a target cluster (`via`).

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::login::{content, warn_of_mode};
use super::scope::Scope;
use super::{HostPort, UserLogin};
pub use crate::config::ForwardProxyProtocol;
use crate::config::{ForwardProxyUrl, Secret, Spanned};

/// Length of the longest user name and of the longest password, in bytes (RFC 1929 §2).
const MAX_CREDENTIAL: usize = 255;

/// A forward proxy. `Display` is its URL, without credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardProxy {
    /// Protocol that it speaks.
    pub protocol: ForwardProxyProtocol,
    /// Where it listens.
    pub address: HostPort,
    /// Credentials of kproxy: user and password have 1 to 255 bytes each, and the user no colon.
    pub credentials: Option<UserLogin>,
}

impl fmt::Display for ForwardProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.protocol.name(), self.address)
    }
}

/// Resolves `via` and `viaCredentialsFile` of a target; the outer `None` after an error that was reported.
pub(super) fn resolve(
    url: Option<&Spanned<ForwardProxyUrl>>,
    file: Option<&Spanned<PathBuf>>,
    is_sound: bool,
    scope: &mut Scope<'_>,
) -> Option<Option<Arc<ForwardProxy>>> {
    let Some(url) = url else {
        return match file {
            Some(file) if is_sound => {
                scope.errors.push(file.key, "`viaCredentialsFile` needs `via`");
                None
            }
            Some(_) => None,
            None => Some(None),
        };
    };
    let credentials = match file {
        Some(file) => Some(read(file, scope)?),
        None => None,
    };
    let address = HostPort {
        host: url.value.address.host.clone(),
        port: url.value.address.port,
    };
    scope.targets.add_forward_proxy(&address, url.at);
    Some(Some(Arc::new(ForwardProxy {
        protocol: url.value.protocol,
        address,
        credentials,
    })))
}

/// The credentials in the first line of a file.
fn read(file: &Spanned<PathBuf>, scope: &mut Scope<'_>) -> Option<UserLogin> {
    let content = content(file, "viaCredentialsFile", scope)?;
    match parse(content.lines().next().unwrap_or_default()) {
        Ok(login) => {
            warn_of_mode(file, "the password", scope);
            Some(login)
        }
        Err(why) => {
            scope.errors.push(file.at, format!("`viaCredentialsFile`: {why}"));
            None
        }
    }
}

/// Parses `USER:PASSWORD`. The reason names neither.
fn parse(line: &str) -> Result<UserLogin, &'static str> {
    let (user, password) = line
        .split_once(':')
        .ok_or("its first line is not `USER:PASSWORD`")?;
    if user.is_empty() || password.is_empty() {
        return Err("its first line is not `USER:PASSWORD`");
    }
    if user.len() > MAX_CREDENTIAL || password.len() > MAX_CREDENTIAL {
        return Err("a user name or a password has at most 255 bytes (RFC 1929)");
    }
    if line.chars().any(char::is_control) {
        return Err("its first line has control characters");
    }
    Ok(UserLogin {
        username: user.to_owned(),
        password: Secret::new(password),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_colon_ends_the_user() {
        let login = parse("kproxy:a:b").unwrap();
        assert_eq!((&*login.username, login.password.reveal()), ("kproxy", "a:b"));
        let long = "x".repeat(256);
        for bad in [
            "",
            ":",
            "kproxy",
            "kproxy:",
            ":secret",
            "a\u{7}:b",
            &format!("{long}:a"),
            &format!("a:{long}"),
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_is_printed_has_no_credentials() {
        let via = ForwardProxy {
            protocol: ForwardProxyProtocol::Http,
            address: HostPort {
                host: "::1".into(),
                port: 3128,
            },
            credentials: Some(parse("kproxy:hunter2").unwrap()),
        };
        assert_eq!(via.to_string(), "http://[::1]:3128");
        assert!(!format!("{via:?}").contains("hunter2"));
    }
}
