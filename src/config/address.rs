//! Addresses of the file: `host:port`, lists of brokers, and host patterns with tokens.

use std::net::{IpAddr, Ipv6Addr};

use super::decode::Decode;
use super::describe::{ScalarForm, Schema};
use super::diagnostic::{Errors, quoted, suggestion};
use super::yaml::Node;

/// Length of the longest DNS name, in characters (RFC 1035 §2.3.4).
const MAX_HOST: usize = 253;

/// The form of every [`Address`].
const ADDRESS: &str = r"^\s*[^\s,]+:[0-9]+\s*$";

/// The form of all [`Servers`].
const SERVERS: &str = r"^\s*[^\s,]+:[0-9]+\s*(,\s*[^\s,]+:[0-9]+\s*)*$";

/// A `host:port`. The port may be 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// DNS name or IP address, without brackets.
    pub host: String,
    /// Port, 0 included.
    pub port: u16,
}

/// A comma-separated list of brokers. It is never empty, and no port is 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Servers(pub Vec<Address>);

/// A `host` or `host:port` that may contain tokens such as `$(nodeId)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    /// Host with its tokens, without brackets.
    pub host: String,
    /// Port, if one is written.
    pub port: Option<u16>,
}

impl HostPattern {
    /// Returns the names inside `$(…)`, in order.
    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        self.host
            .split("$(")
            .skip(1)
            .filter_map(|rest| rest.split_once(')').map(|(token, _)| token))
    }

    /// Returns an error message for the first token that is not in `valid`, if there is one.
    pub(crate) fn unknown_token(&self, valid: &[&str]) -> Option<String> {
        let token = self.tokens().find(|token| !valid.contains(token))?;
        let hint = suggestion(token, valid.iter().copied());
        Some(format!("unknown token {}{hint}", quoted(&format!("$({token})"))))
    }
}

impl Decode for Address {
    fn schema() -> Schema {
        Schema::scalar("`host:port`", ScalarForm::Pattern(ADDRESS))
    }

    fn decode(node: Node<'_>, errors: &mut Errors) -> Option<Self> {
        decode_with(node, "`host:port`", errors, |text| parse_address(text.trim()))
    }
}

impl Decode for Servers {
    fn schema() -> Schema {
        Schema::scalar("`host:port,host:port,…`", ScalarForm::Pattern(SERVERS))
    }

    fn decode(node: Node<'_>, errors: &mut Errors) -> Option<Self> {
        decode_with(node, "brokers as `host:port,host:port`", errors, parse_servers)
    }
}

impl Decode for HostPattern {
    fn schema() -> Schema {
        Schema::text("host name with tokens")
    }

    fn decode(node: Node<'_>, errors: &mut Errors) -> Option<Self> {
        decode_with(node, "a host name", errors, |text| parse_pattern(text.trim()))
    }
}

fn decode_with<T>(
    node: Node<'_>,
    expected: &str,
    errors: &mut Errors,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    let Some(text) = node.scalar().filter(|_| !node.is_null()) else {
        errors.push(
            node.at(),
            format!("expected {expected}, found {}", node.describe()),
        );
        return None;
    };
    parse(text).map_err(|why| errors.push(node.at(), why)).ok()
}

fn parse_servers(text: &str) -> Result<Servers, String> {
    let parse = |entry: &str| {
        let address = parse_address(entry.trim())?;
        match address.port {
            0 => Err(format!("port of {} must not be 0", quoted(entry.trim()))),
            _ => Ok(address),
        }
    };
    text.split(',').map(parse).collect::<Result<_, _>>().map(Servers)
}

/// Parses `name:port`, `1.2.3.4:port` or `[::1]:port`; the name may contain tokens.
pub(crate) fn parse_address(text: &str) -> Result<Address, String> {
    if text.is_empty() {
        return Err("expected `host:port`, found an empty entry".to_owned());
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(needs_brackets(text));
    }
    let pattern = parse_pattern(text)?;
    match pattern.port {
        Some(port) => Ok(Address {
            host: pattern.host,
            port,
        }),
        None => Err(format!(
            "expected `host:port`, found {} without a port",
            quoted(text)
        )),
    }
}

/// Parses `host` or `host:port`; the host may contain tokens.
pub(crate) fn parse_pattern(text: &str) -> Result<HostPattern, String> {
    if let Ok(ip) = text.parse::<Ipv6Addr>() {
        return Ok(HostPattern {
            host: ip.to_string(),
            port: None,
        });
    }
    if let Some(why) = scheme_error(text) {
        return Err(why);
    }
    let (host, port) = split_port(text)?;
    let port = match port {
        None => None,
        Some(port) => Some(parse_port(port).ok_or_else(|| format!("invalid port in {}", quoted(text)))?),
    };
    Ok(HostPattern { host, port })
}

fn split_port(text: &str) -> Result<(String, Option<&str>), String> {
    if let Some(rest) = text.strip_prefix('[') {
        let bracketed = rest
            .split_once(']')
            .and_then(|(ip, port)| Some((ip.parse::<Ipv6Addr>().ok()?, port)));
        return match bracketed {
            Some((ip, "")) => Ok((ip.to_string(), None)),
            Some((ip, port)) if port.starts_with(':') => Ok((ip.to_string(), Some(&port[1..]))),
            _ => Err(format!("invalid IPv6 address in {}", quoted(text))),
        };
    }
    let (host, port) = text
        .split_once(':')
        .map_or((text, None), |(host, port)| (host, Some(port)));
    if port.is_some_and(|port| port.contains(':')) {
        return Err(format!(
            "invalid address {}, IPv6 needs brackets: `[::1]:9092`",
            quoted(text)
        ));
    }
    if !is_host(host) {
        return Err(format!("invalid host name in {}", quoted(text)));
    }
    Ok((host.to_owned(), port))
}

/// Returns the error message for `SSL://host:port`, a form of client and broker settings, if `text` has it.
fn scheme_error(text: &str) -> Option<String> {
    let (scheme, address) = text.split_once("://")?;
    let is_word = !scheme.is_empty()
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_+-.".contains(&byte));
    if !is_word {
        return None;
    }
    let hint = match scheme.to_ascii_uppercase().contains("SSL") {
        true => "; TLS is switched on by the key `tls`",
        false => "",
    };
    let prefix = quoted(&format!("{scheme}://"));
    Some(format!(
        "expected `host:port`, found {}, remove {prefix}: {} is the address{hint}",
        quoted(text),
        quoted(address)
    ))
}

fn needs_brackets(text: &str) -> String {
    format!(
        "invalid address {}, IPv6 needs brackets: `[::1]:9092`",
        quoted(text)
    )
}

fn parse_port(text: &str) -> Option<u16> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

/// Whether `host` is a DNS name or an IPv4 address once each `$(token)` is replaced by a letter. Underscores are accepted:
/// host names may not have them, but names in container networks do.
fn is_host(host: &str) -> bool {
    let Some(letters) = without_tokens(host) else {
        return false;
    };
    if letters.is_empty() || letters.len() > MAX_HOST {
        return false;
    }
    // Resolvers read names of digits as addresses, also short forms such as `127.1`.
    if letters.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return letters.parse::<IpAddr>().is_ok();
    }
    let name = letters.strip_suffix('.').unwrap_or(&letters);
    name.split('.').all(|label| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    })
}

fn without_tokens(host: &str) -> Option<String> {
    let mut letters = String::with_capacity(host.len());
    let mut rest = host;
    while let Some((before, token)) = rest.split_once("$(") {
        letters.push_str(before);
        letters.push('x');
        rest = token.split_once(')')?.1;
    }
    letters.push_str(rest);
    Some(letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let ok = |text: &str| {
            parse_address(text)
                .map(|address| (address.host, address.port))
                .unwrap()
        };
        assert_eq!(ok("localhost:9092"), ("localhost".into(), 9092));
        assert_eq!(ok("127.0.0.1:0"), ("127.0.0.1".into(), 0));
        assert_eq!(ok("[::1]:9092"), ("::1".into(), 9092));
        assert_eq!(ok("kafka_1.net.:1"), ("kafka_1.net.".into(), 1));
        for bad in [
            "",
            ":1",
            "a",
            "a:",
            "a:b",
            "a:65536",
            "a:-1",
            "a:+1",
            "::1:9092",
            "[::1]",
            "[::1",
            "[x]:1",
            "a b:1",
            "-a:1",
            "a..b:1",
            "127.1:1",
            "256.0.0.1:1",
            "http://a:1",
            "$(x:1",
            "[::1]9092",
            "é:1",
        ] {
            assert!(parse_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn server_lists_tolerate_white_space() {
        let servers = parse_servers(" a:1 ,\n [::1]:2 ").unwrap().0;
        assert_eq!(servers.len(), 2);
        assert_eq!(
            servers[1],
            Address {
                host: "::1".into(),
                port: 2
            }
        );
        for bad in ["", ",", "a:1,", "a:0", "a:1 b:2"] {
            assert!(parse_servers(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn patterns() {
        let pattern = parse_pattern("b-$(nodeId).$(virtualClusterName).example.com:443").unwrap();
        assert_eq!(
            pattern.tokens().collect::<Vec<_>>(),
            ["nodeId", "virtualClusterName"]
        );
        assert_eq!(pattern.port, Some(443));
        assert_eq!(pattern.unknown_token(&["nodeId", "virtualClusterName"]), None);
        let typo = parse_pattern("b-$(nodeid)").unwrap().unknown_token(&["nodeId"]);
        assert_eq!(typo.unwrap(), "unknown token `$(nodeid)`, did you mean `nodeId`?");
        assert_eq!(parse_pattern("::1").unwrap().host, "::1");
        assert_eq!(
            parse_pattern("[::1]").unwrap(),
            HostPattern {
                host: "::1".into(),
                port: None
            }
        );
    }
}
