//! Addresses of forward proxies (`via`).

use super::address::{Address, parse_address};
use super::decode::Decode;
use super::describe::{ScalarForm, Schema};
use super::diagnostic::{Errors, quoted};
use super::yaml::Node;
use crate::names::names;

/// The form of every [`ForwardProxyUrl`].
const FORM: &str = r"^\s*(socks5|http)://[^\s,@/]+:[0-9]+/?\s*$";

names! {
    /// Protocol that is spoken to a forward proxy.
    pub enum ForwardProxyProtocol {
        /// SOCKS version 5 (RFC 1928).
        Socks5 = "socks5",
        /// The method CONNECT of HTTP (RFC 9110 §9.3.6).
        Http = "http",
    }
}

/// A forward proxy: `socks5://HOST:PORT` or `http://HOST:PORT`. The port is not 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardProxyUrl {
    /// Protocol that it speaks.
    pub protocol: ForwardProxyProtocol,
    /// Where it listens.
    pub address: Address,
}

impl Decode for ForwardProxyUrl {
    fn schema() -> Schema {
        Schema::scalar(
            "`socks5://host:port` or `http://host:port`",
            ScalarForm::Pattern(FORM),
        )
    }

    fn decode(node: Node<'_>, errors: &mut Errors) -> Option<Self> {
        let Some(text) = node.scalar().filter(|_| !node.is_null()) else {
            let found = node.describe();
            errors.push(
                node.at(),
                format!("expected `socks5://host:port` or `http://host:port`, found {found}"),
            );
            return None;
        };
        parse(text.trim()).map_err(|why| errors.push(node.at(), why)).ok()
    }
}

fn parse(text: &str) -> Result<ForwardProxyUrl, String> {
    // What stands before the `@` is a secret: nothing of the text is repeated.
    if text.contains('@') {
        return Err(
            "the address of a forward proxy names a user: credentials belong in `viaCredentialsFile`".into(),
        );
    }
    let (scheme, rest) = text.split_once("://").ok_or_else(|| {
        let found = quoted(text);
        format!("expected `socks5://host:port` or `http://host:port`, found {found}")
    })?;
    let protocol = match scheme {
        "socks5" => ForwardProxyProtocol::Socks5,
        "http" => ForwardProxyProtocol::Http,
        "socks5h" => {
            return Err("write `socks5://`: the forward proxy always resolves the names of brokers".into());
        }
        "https" => {
            return Err("TLS to a forward proxy is not supported: use `http://` or `socks5://`".into());
        }
        _ => {
            let found = quoted(&format!("{scheme}://"));
            return Err(format!("expected `socks5://` or `http://`, found {found}"));
        }
    };
    let address = parse_address(rest.strip_suffix('/').unwrap_or(rest))?;
    match address.port {
        0 => Err(format!("port of {} must not be 0", quoted(text))),
        _ if address.host.contains("$(") => Err(format!("invalid host name in {}", quoted(text))),
        _ => Ok(ForwardProxyUrl { protocol, address }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protocol_with_a_host_and_a_port() {
        for (text, protocol, host, port) in [
            (
                "socks5://jump.example:1080",
                ForwardProxyProtocol::Socks5,
                "jump.example",
                1080,
            ),
            (
                "http://10.0.0.1:3128/",
                ForwardProxyProtocol::Http,
                "10.0.0.1",
                3128,
            ),
            ("http://[::1]:3128", ForwardProxyProtocol::Http, "::1", 3128),
        ] {
            let parsed = parse(text).unwrap();
            assert_eq!(
                (parsed.protocol, &*parsed.address.host, parsed.address.port),
                (protocol, host, port)
            );
        }
        for bad in [
            "",
            "jump.example:1080",
            "socks5://",
            "socks5://jump.example",
            "socks5://jump.example:0",
            "socks5://jump.example:1080/path",
            "socks5://[::1:1080",
            "socks5://$(nodeId):1080",
            "socks5h://jump.example:1080",
            "socks4://jump.example:1080",
            "SOCKS5://jump.example:1080",
            "https://jump.example:443",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_error_repeats_no_credentials() {
        for text in [
            "socks5://kproxy:hunter2@jump:1080",
            "kproxy:hunter2@jump",
            "x://hunter2@",
        ] {
            let why = parse(text).unwrap_err();
            assert!(
                !why.contains("hunter2") && why.contains("viaCredentialsFile"),
                "{why}"
            );
        }
    }
}
