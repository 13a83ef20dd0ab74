//! Who asks for a change.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// Who asked for a reload or gave a command. In JSON an object whose `kind` is `process`, `user`, `token` or `program`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Requester {
    /// A user of this machine, by a command over the control socket. Ids are those that the kernel gives for the other
    /// end of the socket (`SO_PEERCRED`).
    User {
        /// Numeric user id.
        uid: u32,
        /// Process id of the command; `None` where the system does not tell.
        pid: Option<i32>,
    },
    /// The owner of the token in `management.tokenFile`, by HTTP.
    Token {
        /// Address that the request came from.
        address: Option<SocketAddr>,
    },
    /// The program that kproxy runs in as a library.
    Program,
    /// kproxy itself: the watcher, a signal, a timer. Also a kind that only another version knows.
    #[default]
    #[serde(other)]
    Process,
}

impl fmt::Display for Requester {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process => out.write_str("kproxy"),
            Self::Program => out.write_str("the program"),
            Self::User { uid, pid: None } => write!(out, "user {uid}"),
            Self::User { uid, pid: Some(pid) } => write!(out, "user {uid}, process {pid}"),
            Self::Token { address: None } => out.write_str("the token of management.tokenFile"),
            Self::Token {
                address: Some(address),
            } => write!(out, "the token of management.tokenFile, from {address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Requester;

    #[test]
    fn requesters_are_written_and_read() {
        for (requester, json, text) in [
            (
                Requester::User { uid: 7, pid: Some(9) },
                r#"{"kind":"user","uid":7,"pid":9}"#,
                "user 7, process 9",
            ),
            (Requester::Process, r#"{"kind":"process"}"#, "kproxy"),
            (Requester::Program, r#"{"kind":"program"}"#, "the program"),
            (
                Requester::Token {
                    address: Some("127.0.0.1:9".parse().unwrap()),
                },
                r#"{"kind":"token","address":"127.0.0.1:9"}"#,
                "the token of management.tokenFile, from 127.0.0.1:9",
            ),
        ] {
            assert_eq!(serde_json::to_string(&requester).unwrap(), json);
            assert_eq!(serde_json::from_str::<Requester>(json).unwrap(), requester);
            assert_eq!(requester.to_string(), text);
        }
        let of_another_version = serde_json::from_str::<Requester>(r#"{"kind":"fleet"}"#);
        assert_eq!(of_another_version.unwrap(), Requester::Process);
    }
}
